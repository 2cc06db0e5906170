"""What interrupts, what waits, and what is told together."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from bus.filters import Selection, of_text
from bus.notify.deciding import is_asked_for, is_hidden, key_of, sees, way_of, why_interrupt
from bus.notify.shape import Item, Sort
from schemas.vocab import Tlp
from tests.unit.bus.notify.things import NOW, OWN, item, rule

MINUTE = dt.timedelta(minutes=1)
INTERRUPTS: dict[str, dict[str, Any]] = {
    "priority 1": {"priority": "p1"},
    "priority 1 in an exercise": {"priority": "p1", "is_exercise": True},
    "priority 2 about the own country during the vote": {"priority": "p2", "areas": ("XB",), "is_vote": True},
    "priority 2 about the own election": {"priority": "p2", "election_country": "XB", "is_vote": True},
    "priority 2 about an election of the Union": {
        "priority": "p2",
        "election_country": "EU",
        "is_vote": True,
    },
    "a quarter of the time left": {"sort": Sort.DUE, "start": NOW - 3 * MINUTE, "due": NOW + MINUTE},
    "approval asked": {"sort": Sort.APPROVAL},
    "an own channel silent": {"sort": Sort.CHANNEL, "kind": "silent", "issuer": "xb-csirt"},
    "an authority contradicts itself": {"sort": Sort.CHANNEL, "kind": "fork"},
    "this hub is blind": {"sort": Sort.CHANNEL, "kind": "blind", "issuer": "xb-hub"},
    "trust lost": {"sort": Sort.TRUST},
    "events missed": {"sort": Sort.MISSED},
}
WAITS: dict[str, dict[str, Any]] = {
    "priority 2": {"priority": "p2", "areas": ("XB",)},
    "priority 2 about another country during its vote": {"priority": "p2", "areas": ("XA",), "is_vote": True},
    "priority 3 during the vote": {"areas": ("XB",), "is_vote": True},
    "priority 1 that is over": {"priority": "p1", "is_over": True},
    "priority 1 that was withdrawn": {"sort": Sort.WITHDRAWN, "priority": "p1"},
    "more than a quarter of the time left": {
        "sort": Sort.DUE,
        "start": NOW - 2 * MINUTE,
        "due": NOW + MINUTE,
    },
    "an acknowledgement that is late": {"sort": Sort.DUE, "start": NOW - 2 * MINUTE, "due": NOW},
    "another's channel silent": {"sort": Sort.CHANNEL, "kind": "silent"},
    "a gap": {"sort": Sort.CHANNEL, "kind": "gap", "issuer": "xb-csirt"},
    "a channel heard again": {"sort": Sort.HEARD, "kind": "silent", "issuer": "xb-csirt"},
}


@pytest.mark.parametrize("changes", INTERRUPTS.values(), ids=INTERRUPTS.keys())
def test_what_interrupts(changes: dict[str, Any]) -> None:
    """The few things that are named, each with a reason in words."""
    assert why_interrupt(item(**changes), OWN, NOW)


@pytest.mark.parametrize("changes", WAITS.values(), ids=WAITS.keys())
def test_what_waits(changes: dict[str, Any]) -> None:
    """All else."""
    assert why_interrupt(item(**changes), OWN, NOW) is None


@pytest.mark.parametrize(
    ("when", "hours", "reason", "way"),
    [
        ("interrupts", (), "x", "interrupt"),
        ("interrupts", (), None, None),
        ("interrupts", (dt.time(8),), None, "digest"),
        ("all", (), None, "told"),
        ("all", (), "x", "interrupt"),
        ("digest", (dt.time(8),), "x", "digest"),
    ],
)
def test_how_a_rule_tells(when: Any, hours: tuple[dt.time, ...], reason: str | None, way: str | None) -> None:
    """By its `when`, and whether it has a digest."""
    assert way_of(rule(when=when, hours=hours), reason) == way


def test_a_rule_sees_nothing_above_its_ceiling_or_said_to_others() -> None:
    """Neither by marking, nor by audience, nor where the rule names other audiences."""
    mine = frozenset({"community", "eu-csirts"})
    assert sees(rule(), item(), mine)
    assert not sees(rule(ceiling=Tlp.GREEN), item(tlp=Tlp.AMBER), mine)
    assert not sees(rule(), item(audience="others"), mine)
    assert not sees(rule(audiences=frozenset({"eu-csirts"})), item(), mine)


FILTERS: dict[str, tuple[str, Item, bool]] = {
    "all": ("", item(sort=Sort.TRUST), True),
    "by country": ("country:XA", item(sort=Sort.CHANNEL), True),
    "by another country": ("country:XB", item(sort=Sort.CHANNEL), False),
    "by issuer": ("issuer:xa-csirt", item(sort=Sort.CHANNEL), True),
    "by kind": ("kind:data-breach", item(sort=Sort.CHANNEL), False),
}


@pytest.mark.parametrize(("text", "about", "is_asked"), FILTERS.values(), ids=FILTERS.keys())
def test_what_is_no_bulletin_is_asked_for_by_country_and_issuer(
    text: str, about: Item, is_asked: bool
) -> None:
    """A rule for a kind does not get alarms."""
    assert is_asked_for(rule(selection=of_text(text)), about, lambda _: False) is is_asked


def test_a_bulletin_is_asked_for_by_the_filter() -> None:
    """And an exercise only where the rule wants exercises."""
    assert is_asked_for(rule(selection=Selection()), item(), lambda _: True)
    assert not is_asked_for(rule(), item(), lambda _: False)
    assert not is_asked_for(rule(exercises=False), item(is_exercise=True), lambda _: True)


def test_what_is_told_together() -> None:
    """An incident, else a thread, else one kind of one issuer."""
    assert key_of(item(incident="a", thread="t")) == key_of(
        item(incident="a", issuer="xb-csirt", kind="other")
    )
    assert key_of(item(thread="t")) == key_of(item(thread="t", issuer="xb-csirt"))
    assert key_of(item()) == key_of(item(about="another", priority="p1"))
    assert len({key_of(item()), key_of(item(kind="other")), key_of(item(issuer="xb-csirt"))}) == 3


@pytest.mark.parametrize("changes", [{"tlp": Tlp.AMBER}, {"is_exercise": True}])
def test_markings_and_exercises_are_told_apart(changes: dict[str, Any]) -> None:
    """So that a channel may carry the one and not the other."""
    assert key_of(item(incident="a")) != key_of(item(incident="a", **changes))


def test_a_silent_hub_hides_the_silence_of_its_country() -> None:
    """Its own alarm is told, and alarms of another sort or country are."""
    silent = item(sort=Sort.CHANNEL, kind="silent", country="XA")
    assert is_hidden(silent, {"XA"}, is_hub=False)
    assert not is_hidden(silent, {"XA"}, is_hub=True)
    assert not is_hidden(silent, {"XB"}, is_hub=False)
    assert not is_hidden(item(sort=Sort.CHANNEL, kind="fork", country="XA"), {"XA"}, is_hub=False)
