"""STIX 2.1 becomes a cyber threat or a FIMI report, read leniently, marked strictly."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from adapters.reading import FormatError, ReadResult
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.formats.stix import FORMAT, read_stix
from schemas.bodies.cyber import CyberThreat
from schemas.bodies.foreign import Fimi
from schemas.vocab import AttributionLevel, Pap, PersonalFlag, Tlp
from tests.unit.adapters.stamped import CYBER, all_stand, reasons

GREEN_1 = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
CLEAR_1 = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"
STRICT_2 = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_NUMBERS = count(1)


def item(kind: str, **members: object) -> dict[str, Any]:
    number = f"{next(_NUMBERS):012d}"
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--0190a0b1-2c3d-4e5f-8a9b-{number}",
        "created": "2027-05-20T08:00:00.000Z",
        "modified": "2027-05-20T08:00:00.000Z",
        **members,
    }


def indicator(pattern: str, **members: object) -> dict[str, Any]:
    return item(
        "indicator", pattern=pattern, pattern_type="stix", valid_from="2027-05-20T08:00:00Z", **members
    )


def bundle(*objects: dict[str, Any], **members: object) -> dict[str, Any]:
    return {
        "type": "bundle",
        "id": "bundle--0190a0b1-2c3d-4e5f-8a9b-000000000000",
        "objects": list(objects),
        **members,
    }


def report(*objects: dict[str, Any], **members: object) -> dict[str, Any]:
    refs = [each["id"] for each in objects]
    return item(
        "report",
        **(
            {"name": "Attack on the portal", "published": "2027-05-20T08:00:00Z", "object_refs": refs}
            | members
        ),
    )


def read(document: object) -> ReadResult:
    return read_stix(json.dumps(document).encode(), CYBER)


def one(*objects: dict[str, Any]) -> Any:
    result = read(bundle(*objects))
    all_stand(result)
    (draft,) = result.drafts
    return draft


def tlp(level: str, **members: object) -> dict[str, Any]:
    return item("marking-definition", definition_type="tlp", definition={"tlp": level}, **members)


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
    assert draft.onset is not None
    assert (draft.provenance[0].original_id, draft.provenance[0].format_version) == (top["id"], "2.1")


@pytest.mark.parametrize(
    "wrapped",
    [lambda i: bundle(i), lambda i: [i], lambda i: i, lambda i: {"more": False, "objects": [i]}],
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
    assert "no STIX pattern" in reasons(result)


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


@pytest.mark.parametrize(
    ("definition", "level"),
    [
        (tlp("white"), Tlp.CLEAR),
        (tlp("clear"), Tlp.CLEAR),
        (tlp("amber+strict"), Tlp.AMBER_STRICT),
        (
            item(
                "marking-definition",
                name="TLP:AMBER",
                extensions={TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "amber"}},
            ),
            Tlp.AMBER,
        ),
        (
            item("marking-definition", definition_type="TLP", name="TLP:RED", definition={"TLP": "TLP:RED"}),
            Tlp.RED,
        ),
        (
            item("marking-definition", definition_type="statement", definition={"statement": "TLP:AMBER"}),
            Tlp.AMBER,
        ),
        (
            item("marking-definition", definition_type="statement", definition={"statement": "Copyright XA"}),
            None,
        ),
    ],
    ids=["v1-white", "v1-clear", "v1-strict", "v2", "name", "statement", "copyright"],
)
def test_marking_definitions_of_both_versions_are_read(definition: dict[str, Any], level: Tlp | None) -> None:
    """TLP 1 and 2, in the property, the extension or the name, become the marking of the draft."""
    draft = one(
        definition, indicator("[domain-name:value = 'a.example']", object_marking_refs=[definition["id"]])
    )
    assert draft.tlp is level
    assert draft.audience == ("public" if level is Tlp.CLEAR else None)


@pytest.mark.parametrize(
    ("reference", "level"), [(GREEN_1, Tlp.GREEN), (CLEAR_1, Tlp.CLEAR), (STRICT_2, Tlp.AMBER_STRICT)]
)
def test_the_published_markings_are_known_by_id(reference: str, level: Tlp) -> None:
    """The TLP objects that the standards publish need not be in the bundle."""
    assert one(indicator("[domain-name:value = 'a.example']", object_marking_refs=[reference])).tlp is level


def test_the_strictest_mark_of_any_object_holds() -> None:
    """Marks of single objects, of single properties and in labels all count."""
    amber, red = tlp("amber"), tlp("red")
    granular = [{"marking_ref": red["id"], "selectors": ["description"]}]
    plain = item("domain-name", value="b.example")
    assert one(amber, red, report(plain, object_marking_refs=[amber["id"]]), plain).tlp is Tlp.AMBER
    assert (
        one(
            amber,
            red,
            report(plain),
            item("url", value="http://a.example", granular_markings=granular),
            plain,
        ).tlp
        is Tlp.RED
    )
    assert one(report(plain, labels=["tlp:amber+strict", "PAP:AMBER"]), plain).pap is Pap.AMBER


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


def test_natural_persons_are_named_at_amber_strict_only() -> None:
    """Individuals and the aliases of threat actors stay behind below AMBER+STRICT (rule R14)."""
    actor = item(
        "threat-actor", name="Grey Heron", threat_actor_types=["nation-state"], aliases=["Ada Example"]
    )
    person = item("threat-actor", name="Bob Example", resource_level="individual")
    who = item("identity", name="Carol Example", identity_class="individual")
    strict = tlp("amber+strict")
    low = one(report(), actor, person, who)
    assert [(a.name, a.aliases) for a in low.attribution.actors] == [("Grey Heron", ())]
    assert low.attribution.level is AttributionLevel.SUSPECTED
    assert "Example" not in repr(low)
    high = one(strict, report(object_marking_refs=[strict["id"]]), actor, person, who)
    assert [(a.name, a.aliases) for a in high.attribution.actors] == [
        ("Grey Heron", ("Ada Example",)),
        ("Bob Example", ()),
    ]
    assert "Carol" not in repr(high)


def test_targets_are_institutions_and_countries() -> None:
    """`targets` relationships to organisations and places are carried, to persons not."""
    actor = item("intrusion-set", name="Grey Heron")
    aims = (
        item(
            "identity", name="Ministry of XA", identity_class="organization", sectors=["government-national"]
        ),
        item("identity", name="Ada Example", identity_class="individual"),
        item("location", country="XA"),
        item("location", country="a long country name"),
    )
    ties = [
        item("relationship", relationship_type="targets", source_ref=actor["id"], target_ref=each["id"])
        for each in aims
    ]
    draft = one(report(), actor, *aims, *ties)
    assert [(t.kind, t.name, t.country) for t in draft.targets] == [
        ("government", "Ministry of XA", None),
        ("other", None, "XA"),
    ]
    assert draft.attribution.level is AttributionLevel.CLUSTER


def test_personal_observables_do_not_travel_clear() -> None:
    """At TLP:CLEAR accounts and e-mail addresses are dropped, with a loss (rule R7)."""
    clear = tlp("clear")
    result = read(
        bundle(
            clear,
            report(object_marking_refs=[clear["id"]]),
            item("email-addr", value="a@b.example"),
            item("domain-name", value="c.example"),
        )
    )
    (bulletin,) = all_stand(result)
    assert [o.value for o in bulletin.observables] == ["c.example"]
    assert "R7" in reasons(result)


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
        "x-opencti-task",
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


V20 = {
    "type": "indicator",
    "id": "indicator--1",
    "pattern": "[domain-name:value = 'a.example']",
    "labels": [],
}
UNKNOWN = item("marking-definition", definition_type="x-house-rules", definition={"level": 3})
BAD = {
    "empty object": ({}, "not-stix"),
    "empty list": ([], "not-stix"),
    "text": ("bundle", "not-stix"),
    "JSON schema": ({"$schema": "x", "$id": "y", "type": "object"}, "not-stix"),
    "a MISP event": ({"Event": {"info": "x"}}, "not-stix"),
    "labelled examples": ([{"object": {}, "source": "x"}], "not-stix"),
    "empty bundle": (bundle(), "empty"),
    "bundle without objects": ({"type": "bundle", "id": "bundle--1"}, "empty"),
    "markings only": (bundle(tlp("red")), "empty"),
    "STIX 2.0 bundle": (bundle(V20, spec_version="2.0"), "unsupported-version"),
    "STIX 2.0 object": (V20, "unsupported-version"),
    "a later version": (item("indicator", spec_version="2.2"), "unsupported-version"),
    "a technique": (bundle(item("attack-pattern", name="x")), "catalogue-not-a-report"),
    "a framework": (
        bundle(item("x-mitre-matrix"), item("attack-pattern"), item("malware")),
        "catalogue-not-a-report",
    ),
    "unknown TLP": (
        bundle(marked := tlp("mauve"), report(object_marking_refs=[marked["id"]])),
        "unknown-marking",
    ),
    "unknown kind of marking": (
        bundle(UNKNOWN, report(object_marking_refs=[UNKNOWN["id"]])),
        "unknown-marking",
    ),
    "dangling marking": (bundle(report(object_marking_refs=["marking-definition--gone"])), "unknown-marking"),
    "unknown TLP in a label": (bundle(report(labels=["tlp:mauve"])), "unknown-marking"),
    "too many reports": (bundle(*(report() for _ in range(201))), "too-many-reports"),
}


@pytest.mark.parametrize(("document", "reason"), BAD.values(), ids=BAD.keys())
def test_bad_documents_are_refused_with_a_reason(document: object, reason: str) -> None:
    """What is no STIX 2.1, reports nothing, or has a marking that nobody can read, is refused."""
    with pytest.raises(FormatError) as refused:
        read(document)
    assert refused.value.reason == reason


AMBER = tlp("amber")
WHOLE = json.dumps(
    bundle(
        AMBER,
        domain := item("domain-name", value="a.example"),
        rule := indicator("[ipv4-addr:value = '192.0.2.1' OR url:value = 'http://a.example/']"),
        item("sighting", sighting_of_ref=rule["id"], count=2),
        item(
            "attack-pattern",
            name="P",
            external_references=[{"source_name": "mitre-attack", "external_id": "T1566"}],
        ),
        item("threat-actor", name="Grey Heron"),
        report(domain, rule, object_marking_refs=[AMBER["id"]]),
    )
).encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_bundle_is_read_or_refused(at: int, byte: int, cut: bool) -> None:
    """Any cut and any changed byte ends in a valid draft or in a refusal with a reason."""
    raw = WHOLE[:at] if cut else WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    try:
        result = read_stix(raw, CYBER)
    except FormatError as refused:
        assert refused.reason
    else:
        all_stand(result)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**70)
    | st.text(max_size=8)
    | st.sampled_from(["tlp:red", "indicator--1", "a.example", "2027-05-20T08:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["source_name", "external_id", "url", "marking_ref", "0", "MD5"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=5,
)
NAMES = [
    "name",
    "description",
    "value",
    "labels",
    "object_refs",
    "object_marking_refs",
    "granular_markings",
    "external_references",
    "hashes",
    "pattern",
    "pattern_type",
    "confidence",
    "lang",
    "number",
    "count",
    "first_observed",
    "number_observed",
    "objects",
    "aliases",
    "threat_actor_types",
    "identity_class",
    "revoked",
    "modified",
    "definition",
]
KINDS = [
    "report",
    "indicator",
    "file",
    "user-account",
    "observed-data",
    "sighting",
    "attack-pattern",
    "threat-actor",
    "narrative",
    "channel",
    "relationship",
    "marking-definition",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    objects=st.lists(
        st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(NAMES), JUNK, max_size=5)),
        min_size=1,
        max_size=4,
    )
)
def test_properties_of_any_shape_are_read_or_refused(objects: list[tuple[str, dict[str, object]]]) -> None:
    """Whatever stands where a list, a text or a number belongs, the bundle is read without it or refused."""
    try:
        result = read(bundle(*(item(kind, **members) for kind, members in objects)))
    except FormatError as refused:
        assert refused.reason
    else:
        all_stand(result)


def test_sniff_knows_its_own() -> None:
    """The format recognises a bundle by its first bytes, and leaves a MISP event alone."""
    assert FORMAT.sniff(WHOLE)
    assert not FORMAT.sniff(b'{"Event": {"info": "x", "Attribute": []}}')
