"""What STIX may be shared with whom: markings of both versions, natural persons, personal values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.formats.stix import read_stix
from adapters.translation.reading import ReadResult
from schemas.vocab import AttributionLevel, Pap, Tlp
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
