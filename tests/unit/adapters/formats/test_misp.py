"""MISP events become cyber threats, with their markings, and never with the victims or the authors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.formats.misp import read_misp_event
from adapters.translation.reading import FormatError, ReadResult
from schemas.bodies.cyber import CyberThreat
from schemas.vocab import AttributionRule, Pap, PersonalFlag, Severity, Status, Tlp
from tests.unit.adapters.formats.making import UUID, attribute, event
from tests.unit.adapters.formats.stamped import CYBER, all_stand, reasons, stamped


def read(document: object) -> ReadResult:
    """Reads a document."""
    return read_misp_event(json.dumps(document).encode(), CYBER)


def one(*attributes: dict[str, object], **members: Any) -> Any:
    """Reads one thing whose one draft stands."""
    result = read({"Event": event(*attributes, **members)})
    all_stand(result)
    return result.drafts[0]


def test_an_event_carries_title_date_severity_and_origin() -> None:
    """Title, date, threat level, UUID and digest of the source are in the draft."""
    draft = one(attribute("domain", "results.example"))
    assert isinstance(draft.body, CyberThreat)
    assert draft.body.title == draft.info[0].headline == "Cloned results portal of XA"
    assert draft.severity is Severity.SEVERE
    assert draft.onset is not None
    assert draft.onset.date().isoformat() == "2027-05-20"
    assert (draft.provenance[0].format, draft.provenance[0].original_id) == ("misp-event", UUID)
    assert draft.provenance[0].received == CYBER.received


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda e: e,
        lambda e: {"Event": e},
        lambda e: [{"Event": e}],
        lambda e: {"response": [{"Event": e}]},
        lambda e: {"response": {"Event": e}},
        lambda e: {"response": [e]},
    ],
    ids=["bare", "wrapped", "list", "response-list", "response", "response-bare"],
)
def test_every_wrapping_gives_the_same_bulletin(wrapped: Any) -> None:
    """An event means the same however an export wraps it."""
    result = read(wrapped(event(attribute("domain", "results.example"))))
    assert [o.value for o in stamped(result.drafts[0]).observables] == ["results.example"]


def test_several_events_give_several_drafts_in_their_order() -> None:
    """A response of three events gives three drafts."""
    result = read(
        {"response": [{"Event": event(info=f"Event {n}", uuid=UUID[:-1] + str(n))} for n in range(3)]}
    )
    assert [b.info[0].headline for b in all_stand(result)] == ["Event 0", "Event 1", "Event 2"]


@pytest.mark.parametrize(
    ("tags", "tlp", "pap"),
    [
        (("tlp:white",), Tlp.CLEAR, None),
        (("tlp:clear",), Tlp.CLEAR, None),
        (("TLP:GREEN",), Tlp.GREEN, None),
        (("tlp:amber",), Tlp.AMBER, None),
        (("tlp:amber+strict", "PAP:AMBER"), Tlp.AMBER_STRICT, Pap.AMBER),
        (("tlp:red", "PAP:RED"), Tlp.RED, Pap.RED),
        (("tlp:red", "PAP:CLEAR"), Tlp.RED, Pap.RED),
        (("tlp:green", "tlp:amber", "tlp:white"), Tlp.AMBER, None),
        (("PAP:WHITE", "PAP:GREEN"), None, Pap.GREEN),
        ((), None, None),
    ],
)
def test_the_strictest_tag_holds(tags: tuple[str, ...], tlp: Tlp | None, pap: Pap | None) -> None:
    """TLP and PAP tags are carried, TLP 1.0 white as clear, the strictest of several."""
    draft = one(attribute("domain", "results.example"), tags=tags)
    assert (draft.tlp, draft.pap) == (tlp, pap)
    assert draft.audience == ("public" if tlp is Tlp.CLEAR else None)


def test_a_tag_on_an_attribute_narrows_the_whole_event() -> None:
    """The bulletin has one marking: that of its strictest part."""
    draft = one(
        attribute("domain", "results.example", Tag=[{"name": "tlp:red"}]), attribute("domain", "b.example")
    )
    assert draft.tlp is Tlp.RED


def test_chatham_house_hides_the_source() -> None:
    """TLP:EX:CHR means that the source must not be disclosed."""
    draft = one(tags=("tlp:green", "tlp:ex:chr"))
    assert draft.handling.anonymise_source
    assert draft.handling.attribution is AttributionRule.MUST_NOT
    named, withheld = one(tags=("tlp:green",)), draft.provenance[0].original_id
    assert named.provenance[0].original_id == UUID
    assert withheld is not None
    assert withheld.startswith("sha256:")


@pytest.mark.parametrize(
    ("level", "tlp"),
    [("0", Tlp.AMBER_STRICT), (0, Tlp.AMBER_STRICT), ("4", Tlp.AMBER), ("1", None), ("3", None)],
    ids=repr,
)
def test_without_a_tag_a_narrow_distribution_is_a_marking(level: object, tlp: Tlp | None) -> None:
    """Own organisation only is AMBER+STRICT, a sharing group AMBER; wider levels leave it to the manifest."""
    assert one(tags=(), distribution=level).tlp is tlp


def test_a_part_shared_more_narrowly_than_its_event_stays_behind() -> None:
    """An attribute for the own organisation only does not travel with an event for all."""
    result = read(
        event(
            attribute("domain", "in.example", distribution="0"),
            attribute("domain", "out.example", distribution="5"),
            distribution="3",
        )
    )
    assert [o.value for o in result.drafts[0].observables] == ["out.example"]
    assert "more narrowly" in reasons(result)


def test_values_are_typed_and_canonical() -> None:
    """Types, roles and spelling follow the vocabulary; composite attributes give each of their parts."""
    draft = one(
        attribute("ip-src", "192.0.2.1"),
        attribute("ip-dst|port", "192.0.2.2|8443"),
        attribute("domain|ip", "C2.Example|192.0.2.3"),
        attribute("filename|sha256", "a.exe|" + "A1" * 32),
        attribute("url", "hxxps://login[.]example/a"),
        attribute("url", "bare.example"),
        attribute("AS", "64496"),
        attribute("btc", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
        attribute("imphash", "0123456789abcdef0123456789abcdef"),
        attribute("regkey|value", r"HKLM\Software\Run|evil.exe"),
    )
    found = {(o.type, o.value, o.role, o.note) for o in draft.observables}
    assert found == {
        ("ipv4-addr", "192.0.2.1", "source", None),
        ("ipv4-addr", "192.0.2.2", "infrastructure", "port 8443"),
        ("domain-name", "c2.example", "infrastructure", None),
        ("ipv4-addr", "192.0.2.3", "infrastructure", None),
        ("file", "a.exe", "infrastructure", None),
        ("file", "a1" * 32, "infrastructure", None),
        ("url", "https://login.example/a", "infrastructure", None),
        ("domain-name", "bare.example", "infrastructure", None),
        ("autonomous-system", "AS64496", "infrastructure", None),
        ("crypto-wallet", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "payment", "btc"),
        ("file", "0123456789abcdef0123456789abcdef", "infrastructure", "imphash"),
        ("windows-registry-key", r"HKLM\Software\Run", "infrastructure", "value evil.exe"),
    }


@pytest.mark.parametrize(
    ("to_ids", "actionable"),
    [(True, True), ("1", True), (1, True), (False, False), ("0", False), (None, False)],
    ids=repr,
)
def test_to_ids_says_what_may_be_matched(to_ids: object, actionable: bool) -> None:
    """`to_ids`, in any of its spellings, becomes `actionable`."""
    assert one(attribute("domain", "a.example", to_ids=to_ids)).observables[0].actionable is actionable


def test_the_same_value_twice_is_one_observable() -> None:
    """Duplicates are joined; it is actionable if one of them is."""
    draft = one(
        attribute("domain", "a.example", to_ids=False),
        attribute("hostname", "A.example.", comment="seen on mail"),
    )
    assert [(o.value, o.actionable, o.note) for o in draft.observables] == [
        ("a.example", True, "seen on mail")
    ]


def test_sightings_count_and_doubt() -> None:
    """Sightings count and date a value; a false positive or an expiry takes it out of automated matching."""
    seen = [{"type": "0", "date_sighting": "1811000000"}, {"type": "0", "date_sighting": "1811003600"}]
    draft = one(
        attribute("domain", "a.example", Sighting=seen),
        attribute("domain", "b.example", Sighting=[{"type": "1", "date_sighting": "1811000000"}]),
    )
    first, second = draft.observables
    assert (first.count, first.actionable) == (2, True)
    assert (first.last_seen - first.first_seen).total_seconds() == 3600
    assert second.actionable is False


def test_galaxies_give_techniques_malware_and_clusters() -> None:
    """ATT&CK and DISARM clusters become techniques, malware families names, actor galaxies a cluster without formal attribution."""
    galaxy = [
        {
            "type": "mitre-attack-pattern",
            "GalaxyCluster": [
                {
                    "type": "mitre-attack-pattern",
                    "value": "Phishing - T1566",
                    "meta": {"external_id": ["T1566"]},
                }
            ],
        },
        {
            "type": "disarm-techniques",
            "GalaxyCluster": [
                {
                    "type": "disarm-techniques",
                    "value": "Lookalike domain",
                    "meta": {"external_id": "T0149.003"},
                }
            ],
        },
        {"type": "threat-actor", "GalaxyCluster": [{"type": "threat-actor", "value": "Grey Heron"}]},
    ]
    draft = one(
        tags=(
            "tlp:green",
            'misp-galaxy:ransomware="Inkwell"',
            'misp-galaxy:mitre-attack-pattern="DoS - T1498"',
        ),
        Galaxy=galaxy,
    )
    assert {(t.framework, t.id) for t in draft.ttps} == {
        ("attack-enterprise", "T1566"),
        ("disarm", "T0149.003"),
        ("attack-enterprise", "T1498"),
    }
    assert draft.body.malware == ("Inkwell",)
    assert [(a.name, a.country) for a in draft.attribution.actors] == [("Grey Heron", None)]
    assert draft.attribution.level == "cluster"


def test_taxonomies_give_classification_confidence_and_labels() -> None:
    """RSIT, Admiralty and estimative tags have fields of their own; other machine tags become labels."""
    draft = one(
        tags=(
            "tlp:green",
            'rsit:availability="ddos"',
            'admiralty-scale:source-reliability="b"',
            'admiralty-scale:information-credibility="2"',
            'estimative-language:likelihood-probability="very-likely"',
            'circl:incident-classification="malware"',
            "no machine tag",
        )
    )
    assert draft.body.classification == ("availability:ddos",)
    assert (draft.confidence.source, draft.confidence.credibility, draft.confidence.likelihood) == (
        "B",
        2,
        "very-likely",
    )
    assert 'circl:incident-classification="malware"' in draft.labels
    assert "no machine tag" not in draft.labels


@pytest.mark.parametrize(
    ("tag", "status", "exercise"),
    [
        ('exercise:cyber-europe="2026"', Status.EXERCISE, "cyber-europe-2026"),
        ('exercise:generic="comcheck"', Status.EXERCISE, "generic-comcheck"),
        ('rsit:test="test"', Status.TEST, None),
    ],
)
def test_a_drill_stays_a_drill(tag: str, status: Status, exercise: str | None) -> None:
    """An exercise or test tag sets the status: a drill is never taken for the real thing."""
    draft = one(tags=("tlp:green", tag))
    assert (draft.status, draft.exercise_id) == (status, exercise)


def test_rules_vulnerabilities_texts_and_links_have_their_places() -> None:
    """YARA goes to detection with its prefix, CVE ids to exploited, text to the description, the first link to `web`."""
    draft = one(
        attribute("yara", "rule a { condition: true }"),
        attribute("vulnerability", "cve-2027-12345"),
        attribute("text", "<script>alert(1)</script> & a note\r\nof two lines", to_ids=False),
        attribute("link", "https://advisory.example/1"),
    )
    assert draft.body.detection == ("yara:rule a { condition: true }",)
    assert draft.body.exploited == ("CVE-2027-12345",)
    assert draft.body.description == "<script>alert(1)</script> & a note\nof two lines"
    assert draft.info[0].web == "https://advisory.example/1"
    assert draft.observables == ()


@pytest.mark.parametrize(
    "hidden",
    [
        attribute("email-dst", "voter@people.example"),
        attribute("target-user", "jdoe"),
        attribute("first-name", "Ada", category="Person"),
        attribute("phone-number", "+99912345", category="Person"),
        attribute("whois-registrant-name", "Ada Example"),
        attribute("cc-number", "4111111111111111"),
        attribute("hostname", "desk7.ministry.example", category="Targeting data"),
        attribute("attachment", "note.pdf", data="QUJD"),
        attribute("domain", "gone.example", deleted=True),
    ],
    ids=lambda a: str(a["type"]),
)
def test_victims_persons_secrets_and_files_stay_behind(hidden: dict[str, object]) -> None:
    """What would harm someone or nobody needs is dropped, with a loss, and appears nowhere in the draft."""
    result = read(event(hidden))
    assert result.losses
    assert str(hidden["value"]) not in repr(result.drafts[0])


def test_proposals_and_authors_are_losses() -> None:
    """Shadow attributes, related events, organisations and the author's address are named as losses."""
    shadow = attribute("domain", "proposed.example")
    result = read(
        event(
            attribute("domain", "a.example", ShadowAttribute=[shadow]),
            event_creator_email="ada@team.example",
            ShadowAttribute=[shadow],
        )
    )
    assert "proposed.example" not in repr(result.drafts)
    assert "ada@team.example" not in repr(result.drafts)
    assert {"Event.ShadowAttribute", "Event.Attribute.ShadowAttribute", "Event.event_creator_email"} <= {
        loss.path for loss in result.losses
    }
    assert set(result.drafts[0].provenance[0].lost) <= {loss.path for loss in result.losses}


def test_personal_values_need_an_account_and_never_travel_clear() -> None:
    """At GREEN an e-mail address travels with its legal basis and retention; at CLEAR it is dropped (rules R6, R7)."""
    source = attribute("email-src", "Sender@Mail.example")
    green = one(source, attribute("ip-src", "192.0.2.9"))
    assert green.personal_data.flag is PersonalFlag.PERSONAL
    assert (green.personal_data.retention_until - CYBER.received.date()).days == 180
    result = read(event(source, attribute("ip-src", "192.0.2.9"), tags=("tlp:clear",)))
    assert [o.type for o in result.drafts[0].observables] == ["ipv4-addr"]
    assert "R7" in reasons(result)


def test_email_addresses_leave_free_text() -> None:
    """An address inside prose is taken out, whatever the marking."""
    draft = one(
        attribute("text", "write to ada.lovelace@team.example now"),
        attribute("domain", "a.example", comment="by bob@team.example"),
    )
    assert "@" not in repr(draft)


def test_hostile_characters_do_not_travel() -> None:
    """Control characters and reordering marks are taken out of text; a line break in a headline becomes a blank."""
    draft = one(attribute("text", "a\x00b\x1b[31mc\u202egnp"), info="Line\none\x07 \u202etwo")
    assert draft.info[0].headline == "Line one two"
    assert draft.body.description == "ab[31mcgnp"


def test_five_hundred_observables_are_the_most_and_actionable_ones_stay() -> None:
    """Above the bound the actionable values are kept and the rest is counted in the losses."""
    plain = [attribute("domain", f"p{n}.example", to_ids=False) for n in range(600)]
    result = read(event(*plain, *[attribute("domain", f"a{n}.example") for n in range(100)]))
    (bulletin,) = all_stand(result)
    assert len(bulletin.observables) == 500
    assert sum(o.actionable for o in bulletin.observables) == 100
    assert "200 of 700" in reasons(result)


def test_a_draft_fits_into_a_bulletin() -> None:
    """Long values are given up, with a loss, until the encoded bulletin holds the bound."""
    result = read(event(*[attribute("url", f"https://a.example/{n}/" + "x" * 1900) for n in range(400)]))
    (bulletin,) = all_stand(result)
    assert 100 < len(bulletin.observables) < 400
    assert "262144 bytes" in reasons(result)


def test_an_attribute_of_another_sharing_group_stays_behind() -> None:
    """Two sharing groups are two circles, even at the same level."""
    inside = attribute("domain", "in.example", distribution="4", sharing_group_id="7")
    outside = attribute("domain", "out.example", distribution="4", sharing_group_id="8")
    draft = one(inside, outside, tags=(), distribution="4", sharing_group_id="7")
    assert [o.value for o in draft.observables] == ["in.example"]
    assert draft.tlp is Tlp.AMBER


def test_tags_that_are_not_shared_still_mark() -> None:
    """A local or unexportable tag is not shown to others, but its marking holds."""
    tags = [{"name": "tlp:amber", "exportable": False}, {"name": 'case:number="7"', "local": True}]
    draft = one(Tag=tags)
    assert draft.tlp is Tlp.AMBER
    assert draft.labels == ()


def test_a_tag_on_an_attribute_says_nothing_of_the_reliability_of_the_event() -> None:
    """Confidence is read from the tags of the event alone."""
    tag = {"name": 'admiralty-scale:source-reliability="f"'}
    draft = one(
        attribute("domain", "a.example", Tag=[tag]),
        tags=("tlp:green", 'admiralty-scale:source-reliability="a"'),
    )
    assert draft.confidence.source == "A"


# -- who may have it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "tlp"),
    [
        ({"tags": ("tlp:green",), "distribution": "0"}, Tlp.AMBER_STRICT),
        ({"tags": ("tlp:clear",), "distribution": "4", "sharing_group_id": "7"}, Tlp.AMBER),
        ({"tags": ("tlp:clear",), "sharing_group_id": "7"}, Tlp.AMBER),
        ({"tags": ("tlp:clear",), "SharingGroup": {"id": "7"}, "distribution": "3"}, Tlp.AMBER),
        ({"tags": ("tlp:clear",), "distribution": "1"}, Tlp.GREEN),
        ({"tags": ("tlp:clear",), "distribution": "2"}, Tlp.GREEN),
        ({"tags": ("tlp:clear",), "distribution": "3"}, Tlp.CLEAR),
        ({"tags": ("tlp:red",), "distribution": "3"}, Tlp.RED),
        ({"tags": ("tlp:clear", "do not share")}, Tlp.AMBER_STRICT),
        ({"tags": ('iep:traffic-light-protocol="AMBER"',)}, Tlp.AMBER),
        ({"tags": ("tlp:green",), "info": "TLP:AMBER a flood"}, Tlp.AMBER),
    ],
    ids=repr,
)
def test_the_narrowest_of_tag_distribution_group_and_words_holds(members: Any, tlp: Tlp) -> None:
    """Whichever says the narrowest circle."""
    draft = one(**members)
    assert draft.tlp is tlp
    assert draft.audience == ("public" if tlp is Tlp.CLEAR else None)


@pytest.mark.parametrize("tag", ["tlp:clear", "tlp:green", "PAP:CLEAR"])
def test_a_wide_tag_on_one_attribute_marks_nothing_else(tag: str) -> None:
    """The event stays unmarked."""
    draft = one(
        attribute("domain", "a.example", Tag=[{"name": tag}]), attribute("domain", "b.example"), tags=()
    )
    assert (draft.tlp, draft.pap, draft.audience) == (None, None, None)


@pytest.mark.parametrize(
    "members",
    [
        {"distribution": "0"},
        {"distribution": "4", "sharing_group_id": "9"},
        {"deleted": True},
        {"deleted": "1"},
    ],
    ids=repr,
)
@pytest.mark.parametrize("event_level", ["3", None])
def test_a_report_that_is_not_for_all_stays_behind(
    members: dict[str, object], event_level: str | None
) -> None:
    """An event report is a part like an attribute; that it was there is told."""
    report = {"name": "Notes", "content": "the source is office nine", **members}
    known: dict[str, Any] = {} if event_level is None else {"distribution": event_level}
    result = read(event(EventReport=[report], **known))
    assert "office nine" not in repr(result.drafts)
    assert "Event.EventReport" in reasons(result)


@pytest.mark.parametrize("members", [{"local": True}, {"distribution": "0"}, {"deleted": True}], ids=repr)
@pytest.mark.parametrize("where", ["event", "attribute", "galaxy"])
def test_a_cluster_that_is_not_for_all_stays_behind(members: dict[str, object], where: str) -> None:
    """Nor does its tag name it, on the event or on an attribute."""
    cluster: dict[str, object] = {"type": "threat-actor", "value": "Grey Heron"}
    galaxy: dict[str, object] = {"type": "threat-actor", "GalaxyCluster": [cluster]}
    (galaxy if where == "galaxy" else cluster).update(members)
    tag = {"name": 'misp-galaxy:threat-actor="Grey Heron"'}
    if where == "attribute":
        document = event(
            attribute("domain", "a.example", Galaxy=[galaxy], Tag=[tag]), Tag=[tag], distribution="3"
        )
    else:
        document = event(Galaxy=[galaxy], Tag=[tag], distribution="3")
    result = read(document)
    assert "Grey Heron" not in repr(result.drafts)
    assert "Galaxy" in reasons(result)


@pytest.mark.parametrize("published", [False, "0", 0], ids=repr)
def test_an_unpublished_event_is_a_draft_of_its_own_instance(published: object) -> None:
    """Alone it is refused; beside others it is left out, and that is told."""
    with pytest.raises(FormatError) as refused:
        read(event(published=published))
    assert refused.value.reason == "unpublished"
    result = read({"response": [{"Event": event(published=published)}, {"Event": event(published=True)}]})
    assert len(result.drafts) == 1
    assert "response[0].Event.published" in reasons(result)


def test_a_person_that_an_attribute_names_leaves_every_text() -> None:
    """Title, text, report, note and label; by the whole name and by the surname."""
    person = {
        "name": "person",
        "Attribute": [attribute("first-name", "Ada"), attribute("last-name", "Example")],
    }
    draft = one(
        attribute("text", "EXAMPLE, Ada paid."),
        attribute("domain", "a.example", comment="run by Ms Example"),
        attribute("whois-registrant-name", "Bob Muster"),
        attribute("link", "https://news.example/ada-example/1"),
        info="The case of Ada Example",
        Object=[person],
        EventReport=[{"name": "Bob Muster", "content": "Bob Muster wrote it."}],
    )
    said = repr((draft.info, draft.body, [o.note for o in draft.observables])).replace("news.example", "")
    assert "Example" not in said
    assert "Muster" not in said
    assert draft.info[0].web is None
    assert draft.info[0].headline == "The case of […]"
