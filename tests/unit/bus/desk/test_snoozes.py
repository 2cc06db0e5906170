"""Snoozes: what is never put aside, when a snooze ends and why, who sees it; and a machine that tries all of it."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bus.desk import About, Act, DeskError, Role, snoozes
from bus.desk.refusals import MAX_SNOOZES
from bus.desk.snoozes import LONGEST_S, Ended
from schemas.vocab import Tlp
from tests.support.desks import AMBER, GREEN, NOW, bare, person

SEES_ALL: dict[str, Any] = {"ceiling": Tlp.RED, "audiences": ("community", "eu-csirts")}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "priority 1": ({"priority": 1}, "snooze-grave"),
    "priority 0": ({"priority": 0}, "snooze-grave"),
    "an end that is over": ({"until": NOW}, "snooze-span"),
    "an end in the past": ({"until": NOW - 1}, "snooze-span"),
    "no end": ({"until": math.inf}, "snooze-span"),
    "an end that is no number": ({"until": math.nan}, "snooze-span"),
    "too long": ({"until": NOW + LONGEST_S + 1}, "snooze-span"),
    "no reason": ({"reason": " "}, "text-empty"),
    "a reason that is too long": ({"reason": "x" * 501}, "text-too-long"),
    "a reason that turns around": ({"reason": "calls \u202ekcab"}, "text-unseen"),
    "a reason of two lines": ({"reason": "calls\nback"}, "text-unseen"),
}


def put(db: sqlite3.Connection, act: Act, about: About = GREEN, **changes: Any) -> int:
    """A snooze, in one thing otherwise than usual."""
    usual: dict[str, Any] = {"priority": 2, "until": NOW + 900, "reason": "the desk calls back"}
    return snoozes.put(db, act, about, **(usual | changes))


@pytest.mark.parametrize(("changes", "reason"), BAD.values(), ids=BAD)
def test_what_is_not_put_aside_is_refused(changes: dict[str, Any], reason: str) -> None:
    """And nothing is kept."""
    db = bare()
    act = person(db, "ann", Role.DUTY)
    with pytest.raises(DeskError) as refused:
        put(db, act, **changes)
    assert refused.value.reason == reason
    assert snoozes.holding(db, act) == []


def test_the_longest_snooze_is_seven_days() -> None:
    """To the second."""
    db = bare()
    put(db, person(db, "ann", Role.DUTY), until=NOW + LONGEST_S)


def test_what_a_clock_that_was_ahead_put_aside_comes_back() -> None:
    """It would be aside for a year; by some seconds less nothing changes."""
    db = bare()
    act = person(db, "ann", Role.DUTY)
    ahead = msgspec.structs.replace(act, at=NOW + 365 * 86_400)
    put(db, ahead, until=ahead.at + LONGEST_S)
    assert snoozes.holding(db, msgspec.structs.replace(ahead, at=ahead.at - 5)) != []
    assert snoozes.holding(db, act) == []
    assert snoozes.open_bulletins(db, NOW) == []
    put(db, act)
    (back,) = snoozes.ended(db, act, NOW - 1)
    assert (back.ended_why, back.ended_at) == (Ended.TIME, NOW)


def test_a_thing_is_put_aside_once() -> None:
    """Whoever asks; an alarm of the same name is another thing."""
    db = bare()
    put(db, person(db, "ann", Role.DUTY))
    with pytest.raises(DeskError) as refused:
        put(db, person(db, "bob", Role.DUTY))
    assert refused.value.reason == "snooze-there"
    put(db, person(db, "carl", Role.DUTY), About("alarm", GREEN.id, Tlp.GREEN, "community"))


def test_everybody_sees_what_is_put_aside_with_name_and_reason() -> None:
    """Readers too."""
    db = bare()
    put(db, person(db, "ann", Role.DUTY))
    (seen,) = snoozes.holding(db, person(db, "bob", Role.READER))
    assert (seen.about, seen.by, seen.reason, seen.is_hidden) == (
        GREEN.id,
        "ann",
        "the desk calls back",
        False,
    )


@pytest.mark.parametrize("also", [{"ceiling": Tlp.RED}, {"audiences": ("eu-csirts",)}])
def test_what_is_above_a_reader_is_a_row_without_words(also: dict[str, Any]) -> None:
    """By marking or by audience; a gap would look like calm."""
    db = bare()
    put(db, person(db, "ann", Role.DUTY, **SEES_ALL), AMBER)
    (seen,) = snoozes.holding(db, person(db, "bob", Role.READER, **also))
    assert (seen.is_hidden, seen.about, seen.reason, seen.by) == (True, "", "", "ann")


def test_what_may_not_be_seen_is_neither_put_aside_nor_taken_back() -> None:
    """It is said as if it were not there."""
    db = bare()
    bob = person(db, "bob", Role.DUTY)
    n = put(db, person(db, "ann", Role.DUTY, **SEES_ALL), AMBER)
    for refused_by in (lambda: put(db, bob, AMBER), lambda: snoozes.end(db, bob, n)):
        with pytest.raises(DeskError) as refused:
            refused_by()
        assert refused.value.reason == "not-there"


@pytest.mark.parametrize(("priority", "ends"), [(4, False), (2, False), (1, True)])
def test_it_ends_when_the_thing_gets_worse(priority: int, ends: bool) -> None:
    """And says so; the same or a lower priority changes nothing."""
    db = bare()
    act = person(db, "ann", Role.DUTY)
    put(db, act)
    told = snoozes.note_state(db, "bulletin", GREEN.id, priority, NOW + 5)
    assert (told is not None) is ends
    assert (snoozes.holding(db, act) == []) is ends
    if told is not None:
        assert (told.ended_why, told.ended_at) == (Ended.WORSE, NOW + 5)
        (back,) = snoozes.ended(db, act_at(act, NOW + 10), NOW)
        assert back == told


def act_at(act: Act, at: float) -> Act:
    """The same person at another time."""
    return Act(who=act.who, roles=act.roles, clearance=act.clearance, at=at)


def test_what_ended_by_time_is_told_whether_it_was_marked_or_not() -> None:
    """At the moment at which it ended."""
    db = bare()
    act = person(db, "ann", Role.DUTY)
    put(db, act)
    later = act_at(act, NOW + 1_000)
    assert snoozes.holding(db, later) == []
    before = [(each.n, each.until) for each in snoozes.ended(db, later, NOW)]
    assert snoozes.end_by_time(db, NOW + 1_000) == 1
    assert [(each.n, each.ended_at) for each in snoozes.ended(db, later, NOW)] == before == [(1, NOW + 900)]


def test_what_one_person_puts_aside_has_a_bound() -> None:
    """What has ended does not count."""
    db = bare()
    act = person(db, "ann", Role.DUTY)
    for n in range(MAX_SNOOZES):
        put(db, act, About("alarm", f"a{n}", Tlp.GREEN, "community"))
    with pytest.raises(DeskError) as refused:
        put(db, act)
    assert refused.value.reason == "desk-full"
    put(db, act_at(act, NOW + 901), until=NOW + 1_800)


def test_what_is_old_is_forgotten_and_what_holds_is_not() -> None:
    """By when it ended."""
    db = bare()
    act = person(db, "ann", Role.DUTY)
    snoozes.end(db, act, put(db, act))
    put(db, act)
    snoozes.forget(db, NOW + 1e6)
    assert len(snoozes.holding(db, act)) == 1
    assert db.execute("SELECT count(*) FROM snoozes").fetchone()[0] == 1


class Snoozes(RuleBasedStateMachine):
    """Three things whose priority changes, put aside and taken back in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.db = bare()
        self.duty = person(self.db, "ann", Role.DUTY)
        self.at = NOW
        self.priority = dict.fromkeys("abc", 3)
        self.held: dict[str, tuple[int, int, float]] = {}  # thing: number, priority then, until

    things = st.sampled_from("abc")

    def act(self) -> Act:
        """The officer now."""
        return act_at(self.duty, self.at)

    @rule(thing=things, seconds=st.sampled_from([0.0, 1.0, 900.0, 3600.0, LONGEST_S, LONGEST_S + 1]))
    def put(self, thing: str, seconds: float) -> None:
        """It is put aside, unless it is grave, is put aside already, or has no sound end."""
        about = About("alarm", thing, Tlp.GREEN, "community")
        until = self.at + seconds
        fits = self.priority[thing] > 1 and thing not in self.held and 0 < seconds <= LONGEST_S
        try:
            n = snoozes.put(
                self.db, self.act(), about, priority=self.priority[thing], until=until, reason="x"
            )
        except DeskError:
            assert not fits
        else:
            assert fits
            self.held[thing] = (n, self.priority[thing], until)

    @rule(thing=things, priority=st.integers(1, 4))
    def becomes(self, thing: str, priority: int) -> None:
        """Its priority changes; a snooze ends when it is graver than it was when it was put aside."""
        told = snoozes.note_state(self.db, "alarm", thing, priority, self.at)
        self.priority[thing] = priority
        is_worse = thing in self.held and priority < self.held[thing][1]
        assert (told is not None) is is_worse
        if is_worse:
            del self.held[thing]

    @rule(seconds=st.sampled_from([1.0, 899.0, 900.0, 3600.0, LONGEST_S]))
    def wait(self, seconds: float) -> None:
        """Time goes by, and what is over is over."""
        self.at += seconds
        self.held = {thing: kept for thing, kept in self.held.items() if kept[2] > self.at}

    @rule(thing=things)
    def end(self, thing: str) -> None:
        """By hand."""
        if thing in self.held:
            snoozes.end(self.db, self.act(), self.held.pop(thing)[0])

    @rule()
    def tidy(self) -> None:
        """Changes nothing that is seen."""
        snoozes.end_by_time(self.db, self.at)

    @invariant()
    def holds_what_is_to_hold(self) -> None:
        """Nothing of priority 1 among it; each thing that came back says why."""
        holding = {each.about: each for each in snoozes.holding(self.db, self.act())}
        assert set(holding) == set(self.held)
        assert all(self.priority[thing] > 1 for thing in holding)
        rows = self.db.execute("SELECT * FROM snoozes WHERE ended_at IS NOT NULL").fetchall()
        assert all(row["ended_why"] in list(Ended) and row["ended_at"] <= self.at for row in rows)


TestSnoozes = Snoozes.TestCase
TestSnoozes.settings = settings(max_examples=25, stateful_step_count=25)
