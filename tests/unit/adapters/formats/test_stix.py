"""STIX 2.1 becomes a cyber threat or a FIMI report, read leniently, marked strictly."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from adapters.formats.stix import read_stix
from adapters.translation.reading import ReadResult
from schemas.bodies.cyber import CyberThreat
from schemas.bodies.foreign import Fimi
from schemas.vocab import PersonalFlag
from tests.unit.adapters.formats.making import bundle, indicator, item, report, tlp
from tests.unit.adapters.formats.stamped import CYBER, all_stand, reasons


def read(document: object) -> ReadResult:
    """Reads a document."""
    return read_stix(json.dumps(document).encode(), CYBER)


def one(*objects: dict[str, Any]) -> Any:
    """Reads one thing whose one draft stands."""
    result = read(bundle(*objects))
    all_stand(result)
    (draft,) = result.drafts
    return draft


def test_a_report_carries_its_words_confidence_and_origin() -> None:
    """Name, description, language, confidence, link and identifier of the report are in the draft."""
    top = report(
        description="What happened.\nAnd then.",
        confidence=70,
        lang="fr",
        external_references=[{"source_name": "x", "url": "https://report.example/1"}],
    )
    draft = one(top)
    assert isinstance(draft.body, CyberThreat)
    assert (draft.body.title, draft.body.description) == ("Attack on the portal", "What happened.\nAnd then.")
    assert (draft.info[0].lang, draft.info[0].web) == ("fr", "https://report.example/1")
    assert draft.confidence.score == 70
    assert (draft.provenance[0].original_id, draft.provenance[0].format_version) == (top["id"], "2.1")


def test_the_onset_is_when_it_began_not_when_it_was_told() -> None:
    """A report's day of publication is a loss; the earliest campaign says when it began."""
    began = item("campaign", name="Kite", first_seen="2027-03-01T00:00:00Z")
    result = read(bundle(report(began), began))
    assert result.drafts[0].onset == dt.datetime(2027, 3, 1, tzinfo=dt.UTC)
    assert "report.published" in reasons(result)
    assert one(report()).onset is None


def test_an_account_publishes_in_a_report_on_manipulation_only() -> None:
    """The same account is where something came from in a report on machines."""
    account = item("user-account", account_login="kite")
    narrative = item("narrative", name="The vote is put off")
    for others, role in (((), "source"), ((narrative,), "publisher")):
        draft = one(report(account, *others), account, *others)
        assert [each.role for each in draft.observables] == [role]


def test_an_attack_technique_without_its_letter_is_one_all_the_same() -> None:
    """`1598.003` is T1598.003 of ATT&CK; ids of other frameworks are left as they are."""
    flow = item("attack-action", name="Phishing", technique_id="1598.003")
    assert [each.id for each in one(report(flow), flow).ttps] == ["T1598.003"]


def test_platforms_have_one_name() -> None:
    """What a source calls Twitter is the platform `x`, on an account as in the channels."""
    account = item("user-account", account_login="kite", account_type="twitter")
    channel = item("channel", name="kite", channel_types=["Twitter"])
    draft = one(report(account, channel), account, channel)
    assert isinstance(draft.body, Fimi)
    assert draft.body.channels == ("x",)
    assert {each.platform for each in draft.observables if each.type == "user-account"} == {"x"}


@pytest.mark.parametrize(
    "wrapped",
    [bundle, lambda i: [i], lambda i: i, lambda i: {"more": False, "objects": [i]}],
    ids=["bundle", "list", "single", "taxii"],
)
def test_every_wrapping_is_read(wrapped: Any) -> None:
    """A bundle, a list, a single object and a TAXII envelope mean the same."""
    result = read(wrapped(indicator("[domain-name:value = 'a.example']")))
    assert [o.value for o in all_stand(result)[0].observables] == ["a.example"]


def test_an_exact_indicator_is_actionable() -> None:
    """A pattern that lists alternatives gives actionable observables and no rule beside them."""
    draft = one(
        indicator("[ipv4-addr:value = '192.0.2.1' OR file:hashes.'SHA-256' = '" + "AB" * 32 + "']", name="C2")
    )
    assert {(o.type, o.value, o.actionable, o.note) for o in draft.observables} == {
        ("ipv4-addr", "192.0.2.1", True, "C2"),
        ("file", "ab" * 32, True, "C2"),
    }
    assert draft.body.detection == ()


@pytest.mark.parametrize(
    "pattern",
    [
        "[domain-name:value = 'a.example' AND domain-name:resolves_to_refs[*].value = '192.0.2.1']",
        "[domain-name:value = 'a.example'] REPEATS 3 TIMES WITHIN 60 SECONDS",
        "[domain-name:value = 'a.example' OR file:size > 3]",
    ],
)
def test_a_pattern_that_means_more_stays_as_text(pattern: str) -> None:
    """Its values are context, not actionable; the rule is kept whole."""
    draft = one(indicator(pattern))
    assert draft.body.detection == (f"stix:{pattern}",)
    assert draft.observables
    assert not any(o.actionable for o in draft.observables)


def test_an_exact_pattern_without_an_observable_type_stays_as_text() -> None:
    """What no observable type stands for is kept as a rule."""
    draft = one(indicator("[x-usb:serial = '1' OR domain-name:value = 'a.example']"))
    assert draft.body.detection == ("stix:[x-usb:serial = '1' OR domain-name:value = 'a.example']",)
    assert [(o.value, o.actionable) for o in draft.observables] == [("a.example", True)]


def test_rules_of_other_languages_keep_their_name() -> None:
    """YARA and Sigma are prefixed; a pattern that does not parse is a loss."""
    yara = item("indicator", pattern="rule a {}", pattern_type="yara")
    result = read(bundle(yara, indicator("[broken")))
    assert result.drafts[0].body.detection == ("yara:rule a {}",)  # type: ignore[union-attr]
    assert "not a STIX pattern" in reasons(result)


@pytest.mark.parametrize(
    "members",
    [{"valid_until": "2027-05-21T00:00:00Z"}, {"indicator_types": ["benign"]}],
    ids=["expired", "benign"],
)
def test_an_indicator_that_no_longer_holds_is_not_actionable(members: dict[str, Any]) -> None:
    """Expired and benign indicators are carried as context only."""
    assert not one(indicator("[domain-name:value = 'a.example']", **members)).observables[0].actionable


def test_observables_that_nobody_asks_to_match_are_context() -> None:
    """A bare observable is not actionable; an indicator for the same value makes it so."""
    domain = {"type": "domain-name", "id": "domain-name--1", "value": "A.example"}
    assert not one(domain).observables[0].actionable
    assert one(domain, indicator("[domain-name:value = 'a.example']")).observables[0].actionable


def test_observables_of_every_type_are_typed() -> None:
    """Each observable object gives its values under the vocabulary's types."""
    draft = one(
        item("file", name="a.exe", hashes={"MD5": "0" * 32, "SSDEEP": "3:a:b"}),
        item("user-account", account_login="jdoe", account_type="twitter"),
        item("autonomous-system", number=64496),
        item("email-addr", value="a@b.example"),
        item("windows-registry-key", key="HKLM\\Run"),
        item("url", value="hxxp://a[.]example/x"),
        item("url", value="bare.example"),
        item("x509-certificate", serial_number="01:02"),
        item("mutex", name="once"),
        item("cryptocurrency-wallet", value="1abc"),
        item("media-content", url="#votefraud"),
        item("artifact", payload_bin="QUJD", hashes={"SHA-1": "1" * 40}),
    )
    assert {(o.type, o.value) for o in draft.observables} == {
        ("file", "a.exe"),
        ("file", "0" * 32),
        ("file", "3:a:b"),
        ("user-account", "jdoe"),
        ("autonomous-system", "AS64496"),
        ("email-addr", "a@b.example"),
        ("windows-registry-key", "HKLM\\Run"),
        ("url", "http://a.example/x"),
        ("domain-name", "bare.example"),
        ("x509-certificate", "01:02"),
        ("mutex", "once"),
        ("crypto-wallet", "1abc"),
        ("hashtag", "#votefraud"),
        ("file", "1" * 40),
    }
    assert draft.personal_data.flag is PersonalFlag.PERSONAL


def test_observations_and_sightings_date_and_count() -> None:
    """Observed data and sightings put their window and number on what they refer to."""
    domain = item("domain-name", value="a.example")
    seen = item(
        "observed-data",
        number_observed=7,
        first_observed="2027-05-01T00:00:00Z",
        last_observed="2027-05-02T00:00:00Z",
        object_refs=[domain["id"]],
    )
    (found,) = one(domain, seen).observables
    assert (found.count, found.first_seen.day, found.last_seen.day) == (7, 1, 2)
    rule = indicator("[domain-name:value = 'b.example']")
    (found,) = one(
        rule, item("sighting", sighting_of_ref=rule["id"], count=3, last_seen="2027-05-03T00:00:00Z")
    ).observables
    assert (found.count, found.last_seen.day) == (3, 3)


def test_deprecated_observations_are_read() -> None:
    """Observables inside an `observed-data` object are read, and the deviation recorded."""
    result = read(
        bundle(
            item(
                "observed-data", number_observed=1, objects={"0": {"type": "ipv4-addr", "value": "192.0.2.1"}}
            )
        )
    )
    assert [o.value for o in result.drafts[0].observables] == ["192.0.2.1"]
    assert "deprecated" in reasons(result)


def test_techniques_name_their_framework() -> None:
    """DISARM ids under the source name of ATT&CK are told apart; ids that no longer exist are kept."""
    disarm = {
        "source_name": "mitre-attack",
        "external_id": "T0104.001",
        "url": "https://github.example/DISARMFoundation/T0104.001.md",
    }
    draft = one(
        report(),
        item(
            "attack-pattern",
            name="Phishing",
            external_references=[{"source_name": "mitre-attack", "external_id": "T1566"}],
        ),
        item("attack-pattern", name="Old", external_references=[disarm]),
        item(
            "attack-pattern",
            name="Chained",
            x_mitre_id="T0013",
            kill_chain_phases=[{"kill_chain_name": "disarm", "phase_name": "x"}],
        ),
        item(
            "attack-pattern",
            name="Stop",
            x_mitre_domains=["ics-attack"],
            external_references=[{"source_name": "mitre-attack", "external_id": "T0809"}],
        ),
        item(
            "attack-pattern",
            name="Call",
            external_references=[{"source_name": "mitre-mobile-attack", "external_id": "T1616"}],
        ),
        item(
            "attack-pattern",
            name="Weakness",
            external_references=[{"source_name": "capec", "external_id": "CAPEC-163"}],
        ),
        item("attack-action", name="Flow", technique_id="T1133"),
    )
    assert {(t.framework, t.id, t.name) for t in draft.ttps} == {
        ("attack-enterprise", "T1566", "Phishing"),
        ("disarm", "T0104.001", "Old"),
        ("disarm", "T0013", "Chained"),
        ("attack-ics", "T0809", "Stop"),
        ("attack-mobile", "T1616", "Call"),
        ("attack-enterprise", "T1133", "Flow"),
    }


def test_malware_and_vulnerabilities_have_their_places() -> None:
    """Malware and tools are named, CVE ids carried from name or reference."""
    draft = one(
        report(),
        item("malware", name="Inkwell", is_family=True),
        item("tool", name="Scanner"),
        item("vulnerability", name="CVE-2027-12345"),
        item(
            "vulnerability",
            name="the other",
            external_references=[{"source_name": "cve", "external_id": "CVE-2026-99999"}],
        ),
    )
    assert draft.body.malware == ("Inkwell", "Scanner")
    assert draft.body.exploited == ("CVE-2027-12345", "CVE-2026-99999")


def test_manipulation_becomes_fimi() -> None:
    """Narratives, channels and DISARM techniques make a `fimi` body with methods, narratives and platforms."""
    clear = tlp("clear")
    draft = one(
        clear,
        report(description="They did.", object_marking_refs=[clear["id"]]),
        item("campaign", name="Paper Kite"),
        item("narrative", name="The vote is moved"),
        item("channel", name="kite news", channel_types=["Telegram"]),
        item(
            "attack-pattern",
            name="Hijack Hashtags",
            x_mitre_id="T0019.002",
            kill_chain_phases=[{"kill_chain_name": "disarm", "phase_name": "x"}],
        ),
    )
    assert isinstance(draft.body, Fimi)
    assert (draft.body.scope, draft.body.name, draft.body.exposed) == ("campaign", "Paper Kite", True)
    assert draft.body.methods == ("hashtag-hijack",)
    assert [n.text for n in draft.body.narratives] == ["The vote is moved"]
    assert draft.body.channels == ("telegram",)


def test_each_of_several_reports_takes_its_own_objects() -> None:
    """Two reports give two drafts; what no report refers to is a loss."""
    a, b, c = (item("domain-name", value=f"{name}.example") for name in "abc")
    result = read(bundle(report(a, name="A"), report(b, name="B"), a, b, c))
    assert [[o.value for o in bulletin.observables] for bulletin in all_stand(result)] == [
        ["a.example"],
        ["b.example"],
    ]
    assert "in none of the reports" in reasons(result)


def test_deviations_are_losses() -> None:
    """Dangling references, windows that end as they begin, custom types and embedded files are read over and recorded."""
    domain = item("domain-name", value="a.example")
    now = "2027-05-20T08:00:00Z"
    tie = item(
        "relationship",
        relationship_type="related-to",
        source_ref=domain["id"],
        target_ref="malware--gone",
        start_time=now,
        stop_time=now,
    )
    custom = item("x-opencti-task", name="x")
    result = read(
        bundle(
            report(domain, object_refs=[domain["id"], "malware--gone"], x_opencti_files=[{"data": "QQ=="}]),
            domain,
            tie,
            custom,
        )
    )
    paths = {loss.path for loss in result.losses}
    assert {
        "relationship.stop_time",
        "relationship[related-to]",
        "report.object_refs",
        "report.x_opencti_files",
        "(other)",
    } <= paths


def test_revoked_and_older_versions_are_left_out() -> None:
    """Only the newest version of an object counts, and none that its author revoked."""
    old = item("indicator", pattern="[domain-name:value = 'old.example']", pattern_type="stix")
    new = old | {"modified": "2027-05-21T00:00:00.000Z", "pattern": "[domain-name:value = 'new.example']"}
    gone = indicator("[domain-name:value = 'gone.example']", revoked=True)
    result = read(bundle(new, old, gone))
    assert [o.value for o in result.drafts[0].observables] == ["new.example"]
    assert {"an older version of the same object", "revoked by its author"} <= {
        loss.why for loss in result.losses
    }
