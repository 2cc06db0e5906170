"""What STIX may be shared with whom: markings of both versions, natural persons, personal values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.formats.stix import read_stix
from adapters.translation.reading import FormatError, ReadResult
from schemas.vocab import AttributionLevel, Pap, PersonalFlag, Tlp
from tests.unit.adapters.formats.making import bundle, indicator, item, report, tlp
from tests.unit.adapters.formats.stamped import CYBER, all_stand, reasons

GREEN_1 = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
CLEAR_1 = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"
STRICT_2 = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"


def read(document: object) -> ReadResult:
    """Reads a document."""
    return read_stix(json.dumps(document).encode(), CYBER)


def one(*objects: dict[str, Any]) -> Any:
    """Reads one thing whose one draft stands."""
    result = read(bundle(*objects))
    all_stand(result)
    (draft,) = result.drafts
    return draft


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


def test_a_source_that_is_withheld_is_neither_named_nor_linked_to() -> None:
    """The Chatham House Rule as a label: the id is told by its digest, the link stays behind and is told."""
    plain = item("domain-name", value="b.example")
    links = [{"source_name": "the source", "url": "https://source.example/report"}]
    named = one(report(plain, labels=["tlp:amber"], external_references=links), plain)
    withheld = one(report(plain, labels=["tlp:amber", "tlp:ex:chr"], external_references=links), plain)
    assert (named.info[0].web, withheld.info[0].web) == (links[0]["url"], None)
    assert withheld.handling.anonymise_source
    (origin,) = withheld.provenance
    assert origin.original_id is not None
    assert origin.original_id.startswith("sha256:")
    assert "info.web" in origin.lost


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


# -- marks of parts, words, definitions ------------------------------------------------------------------------------------


def test_a_mark_on_one_object_does_not_mark_the_report() -> None:
    """A report without a mark is unmarked, whatever a place or an indicator of it says; RED still narrows."""
    place = item("location", country="XA", object_marking_refs=[CLEAR_1])
    rule = indicator("[domain-name:value = 'a.example']", object_marking_refs=[GREEN_1])
    draft = one(report(place, rule), place, rule)
    assert (draft.tlp, draft.audience) == (None, None)
    strict = item("domain-name", value="b.example", object_marking_refs=[STRICT_2])
    assert one(report(strict), strict).tlp is Tlp.AMBER_STRICT


def test_without_a_report_each_object_must_be_marked() -> None:
    """Two indicators, one of them CLEAR: unmarked. Ties, and who wrote it, need no mark."""
    marked = indicator("[domain-name:value = 'a.example']", object_marking_refs=[CLEAR_1])
    plain = indicator("[domain-name:value = 'b.example']")
    author = item("identity", name="CSIRT of XB", identity_class="organization")
    tie = item("relationship", relationship_type="based-on", source_ref=marked["id"], target_ref=author["id"])
    assert one(marked, plain).tlp is None
    assert one(marked, author, tie).tlp is Tlp.CLEAR


def test_a_mark_of_a_property_marks_no_whole() -> None:
    """A granular CLEAR on a description leaves the rest unmarked."""
    granular = [{"marking_ref": CLEAR_1, "selectors": ["description"]}]
    assert one(report(granular_markings=granular)).tlp is None


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_definitions_under_one_id_the_stricter_holds(order: int) -> None:
    """A document that contradicts itself is not read at its word that is wider."""
    red = tlp("red")
    green = {**red, "definition": {"tlp": "green"}}
    first, second = (red, green)[::order]
    assert one(first, second, report(object_marking_refs=[red["id"]])).tlp is Tlp.RED


def test_two_versions_of_one_time_keep_the_marks_of_both() -> None:
    """Neither of them is the newer one."""
    top = report(object_marking_refs=[CLEAR_1])
    assert one(top, {**top, "object_marking_refs": [STRICT_2]}).tlp is Tlp.AMBER_STRICT


@pytest.mark.parametrize(
    "members",
    [
        {
            "definition_type": "statement",
            "definition": {"statement": "Do not share outside the working group"},
        },
        {"definition_type": "statement", "name": "For members only", "definition": {}},
        {"x_opencti_definition_type": "statement", "x_opencti_definition": "Internal to the ministry"},
    ],
    ids=["statement", "name", "opencti"],
)
def test_a_statement_that_limits_sharing_narrows(members: dict[str, Any]) -> None:
    """In the property or in the name; beside a CLEAR it is the narrower one, and it is told."""
    words = item("marking-definition", **members)
    result = read(bundle(words, report(object_marking_refs=[words["id"], CLEAR_1])))
    assert result.drafts[0].tlp is Tlp.AMBER_STRICT
    assert result.drafts[0].audience is None
    assert "marking in words" in reasons(result)


def test_words_in_the_description_narrow_too() -> None:
    """A CLEAR report that says otherwise in its text is not public."""
    draft = one(report(description="Not for public release.", object_marking_refs=[CLEAR_1]))
    assert (draft.tlp, draft.audience) == (Tlp.AMBER_STRICT, None)


# -- persons --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({}, False),
        ({"threat_actor_types": ["criminal"]}, False),
        ({"threat_actor_types": ["hacker", "activist"]}, False),
        ({"resource_level": "individual"}, False),
        ({"threat_actor_types": ["nation-state"], "resource_level": "individual"}, False),
        ({"threat_actor_types": ["nation-state"]}, True),
        ({"threat_actor_types": ["crime-syndicate"]}, True),
        ({"resource_level": "organization"}, True),
        ({"resource_level": "team"}, True),
        ({"x_opencti_type": "Threat-Actor-Group"}, True),
        ({"x_opencti_type": "Threat-Actor-Individual"}, False),
    ],
    ids=repr,
)
def test_a_threat_actor_is_a_person_unless_it_is_typed_as_a_group(
    members: dict[str, Any], *, named: bool
) -> None:
    """Below AMBER+STRICT a person is named nowhere: not as an actor, and not in a text."""
    actor = item("threat-actor", name="Ada Example", **members)
    green = report(actor, name="What Ada Example did", object_marking_refs=[GREEN_1])
    draft = one(green, actor)
    assert (draft.attribution is not None) is named
    assert ("Ada Example" in repr(draft)) is named
    strict = one({**green, "object_marking_refs": [STRICT_2]}, actor)
    assert [each.name for each in strict.attribution.actors] == ["Ada Example"]
    assert strict.info[0].headline == "What Ada Example did"


def test_an_actor_that_is_known_as_a_group_elsewhere_is_one() -> None:
    """An intrusion set of the same name types it."""
    actor, group = item("threat-actor", name="Grey Heron"), item("intrusion-set", name="Grey Heron")
    assert [each.name for each in one(report(), actor, group).attribution.actors] == ["Grey Heron"]


def test_an_actor_that_a_person_stands_behind_is_that_person() -> None:
    """By a tie to an individual, or by the same name."""
    person = item("identity", name="Ada Example", identity_class="individual")
    actor = item("threat-actor", name="heron7", threat_actor_types=["nation-state"])
    tie = item(
        "relationship", relationship_type="attributed-to", source_ref=actor["id"], target_ref=person["id"]
    )
    assert "heron7" not in repr(one(report(description="By heron7."), person, actor, tie))
    same = item("threat-actor", name="ada example", threat_actor_types=["nation-state"])
    assert one(report(), person, same).attribution is None


def test_names_of_individuals_leave_every_field() -> None:
    """Title, description, narrative, campaign, technique, note, label, link; what holds one in a URL is personal."""
    person = item("identity", name="Ada Example", identity_class="individual", aliases=["Birdie"])
    narrative = item("narrative", name="Ada Example has paid")
    campaign = item("campaign", name="Operation Example")
    site = item("url", value="https://news.example.net/ada-example", x_opencti_description="EXAMPLE's page")
    top = report(
        name="The Example affair",
        description="Birdie, that is Ada Example, paid.",
        labels=['case:name="ada-example"'],
        external_references=[{"source_name": "x", "url": "https://news.example.net/Ada%20Example"}],
        object_marking_refs=[GREEN_1],
    )
    draft = one(top, person, narrative, campaign, site)
    said = repr(
        (draft.info, draft.body, draft.labels, draft.attribution, [o.note for o in draft.observables])
    )
    assert "Ada" not in said
    assert "Example" not in said
    assert "EXAMPLE" not in said
    assert "Birdie" not in said
    assert draft.info[0].web is None
    assert draft.observables[0].personal is PersonalFlag.PERSONAL
    clear = one({**top, "object_marking_refs": [CLEAR_1]}, person, narrative, campaign, site)
    assert clear.observables == ()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("news-portal.example", "domain-name"),
        ("https://www.news-portal.example/", "domain-name"),
        ("t.me/somebody", "channel"),
        ("https://news.example/author/ada", "channel"),
        ("somebody.substack.com", "channel"),
        ("Kite News", "channel"),
    ],
)
def test_a_channel_that_is_a_bare_domain_is_a_domain(name: str, kind: str) -> None:
    """An outlet's site is nobody's account; a name below a platform is."""
    found = item("channel", name=name)
    assert [each.type for each in one(report(found, object_marking_refs=[GREEN_1]), found).observables] == [
        kind
    ]


def test_what_its_author_revoked_last_is_revoked() -> None:
    """Versions are compared as instants; a file of revocations alone says what to cancel."""
    old = indicator("[domain-name:value = 'a.example']") | {"modified": "2027-05-20T08:00:00Z"}
    gone = old | {"modified": "2027-05-20T08:00:00.500Z", "revoked": True}
    other = indicator("[domain-name:value = 'b.example']")
    for order in ((old, gone), (gone, old)):
        assert [each.value for each in one(*order, other).observables] == ["b.example"]
        with pytest.raises(FormatError) as refused:
            read(bundle(*order))
        assert refused.value.reason == "revoked"
        assert old["id"] in str(refused.value)


def test_sightings_add_up_and_a_negative_one_ends_matching() -> None:
    """Three and four are seven, a sighting without a number is one; a false positive is not matched any more."""
    rule, false = (indicator(f"[domain-name:value = '{name}.example']") for name in "ab")
    times = [
        item("sighting", sighting_of_ref=rule["id"], **more) for more in ({"count": 3}, {"count": 4}, {})
    ]
    no = item("sighting", sighting_of_ref=false["id"], x_opencti_negative=True)
    first, second = one(rule, false, *times, no).observables
    assert (first.count, first.actionable) == (8, True)
    assert (second.count, second.actionable) == (None, False)


def test_a_grouping_inside_a_report_is_part_of_it() -> None:
    """One draft, with what the grouping holds."""
    domain = item("domain-name", value="a.example")
    group = item("grouping", name="Sites", context="unspecified", object_refs=[domain["id"]])
    assert [each.value for each in one(report(group), group, domain).observables] == ["a.example"]


@pytest.mark.parametrize(
    ("country", "code"),
    [("Latvia", "LV"), ("LV", "LV"), ("Côte d'Ivoire", "CI"), ("Türkiye", "TR"), ("Atlantis", None)],
)
def test_a_country_in_words_gets_its_code(country: str, code: str | None) -> None:
    """OpenCTI writes the name where the standard asks for the code."""
    actor, place = item("intrusion-set", name="Grey Heron"), item("location", country=country)
    tie = item("relationship", relationship_type="targets", source_ref=actor["id"], target_ref=place["id"])
    assert [each.country for each in one(report(), actor, place, tie).targets] == ([code] if code else [])
