"""The judgement of whole programs catches what it is there to catch: for each rule a run in which it is broken, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from tests.faults.checker import PROMISES, judge
from tests.faults.history import Accepted, Admitted, AnyEvent, Kept, Reads, Stored, Withdrawn
from tests.programs.judging import Outcome, Spared, differences, held_by, sparing
from tests.programs.process import Ended

CHANNEL, HUB = "xa-csirt/actual.green.community", "xb-hub"


def history() -> list[AnyEvent]:
    """One author, one hub, three bulletins."""
    events: list[AnyEvent] = [Reads(at=0, hub=HUB, channels=(CHANNEL,))]
    for seq in (1, 2, 3):
        digest = f"d{seq}"
        events += [
            Accepted(at=seq, channel=CHANNEL, seq=seq, digest=digest),
            Kept(at=seq, channel=CHANNEL, seq=seq, digest=digest),
            Stored(at=seq, digest=digest),
            Admitted(at=seq, hub=HUB, row=seq, channel=CHANNEL, seq=seq, digest=digest),
        ]
    return events


def good() -> Outcome:
    """A run in which everything held."""
    return Outcome(verdict=judge(history(), PROMISES), offered=2, made=2)


def but(**changes: object) -> Callable[[], Outcome]:
    """The same run with something else."""
    return lambda: msgspec.structs.replace(good(), **changes)


def _admits(event: AnyEvent, seq: int) -> bool:
    return isinstance(event, Admitted) and event.seq == seq


MUTANTS: dict[str, tuple[Callable[[], Outcome], str]] = {
    "a hub lacks one": (
        but(verdict=judge([each for each in history() if not _admits(each, 2)], PROMISES)),
        "lost",
    ),
    "a program ends with an error": (
        but(ended=(Ended(name="hub", code=1, said="x"),)),
        "hub ended by itself, exit code 1",
    ),
    "a program ends as if it were done": (
        but(ended=(Ended(name="hub", code=0, said=""),)),
        "exit code 0: it said nothing",
    ),
    "a traceback": (but(traces=("hub.log",)), "wrote a traceback: hub.log"),
    "a view lacks one": (but(views=("watch lacks d2",)), "differs: watch lacks d2"),
    "a dead hub is well": (but(green=("doctor of xb-hub",)), "falsely green: doctor"),
    "damage without a word": (but(unsaid=("signed on",)), "not said: signed on"),
    "SIGTERM is not heard": (but(clinging=("hub: killed",)), "did not end well: hub"),
    "an outbox that stays full": (but(waiting={"xa-csirt": 3}), "3 of xa-csirt still wait"),
    "a document is forgotten": (but(made=1), "2 documents became 1 bulletins"),
    "a document is said twice": (but(made=3), "2 documents became 3 bulletins"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_broken_rule_is_caught_and_no_other(name: str) -> None:
    """A run in which one thing went wrong is judged to have gone wrong there."""
    make, said = MUTANTS[name]
    (found,) = make().broken()
    assert said in found


def test_a_good_run_breaks_nothing() -> None:
    """No false alarm."""
    assert good().broken() == []


def test_every_rule_has_a_mutant() -> None:
    """What an outcome is judged by was seen to fail."""
    fields = {field.name for field in msgspec.structs.fields(Outcome)}
    changed = {
        name
        for make, _ in MUTANTS.values()
        for name in fields
        if getattr(make(), name) != getattr(good(), name)
    }
    assert changed == fields - {"offered"}  # counted against what was made


def test_what_a_damage_has_cost_is_not_owed_once_it_was_said() -> None:
    """And nothing else is forgiven with it; it may come all the same, and is what its author has said."""
    events = [each for each in history() if not _admits(each, 2) and not _admits(each, 3)]
    spared = [Spared(digests=frozenset({"d2"}), reason="outbox-behind")]
    assert [each.rpartition(" ")[2] for each in sparing(judge(events, PROMISES), spared).lost] == ["d3"]
    assert sparing(judge(history(), PROMISES), spared).broken(PROMISES) == []


def test_a_row_that_was_withdrawn_is_held_no_more() -> None:
    """The store's present, in the order of its rows."""
    events = [*reversed(history()), Withdrawn(hub=HUB, row=2)]
    assert held_by(events, HUB) == [(CHANNEL, 1, "d1"), (CHANNEL, 3, "d3")]
    assert held_by(events, "another") == []


@pytest.mark.parametrize(
    ("shown", "ordered", "expected"),
    [
        (["a", "b"], True, []),
        (["b", "a"], False, []),
        (["b", "a"], True, ["a view shows another order"]),
        (["a"], True, ["a view lacks b"]),
        (["a", "b", "b"], True, ["a view shows b too often"]),
        (["a", "c"], False, ["a view lacks b", "a view shows c too often"]),
    ],
)
def test_a_view_that_differs_from_the_store_is_named(
    shown: list[str], ordered: bool, expected: list[str]
) -> None:
    """What it lacks, what it shows too often, and its order where there is one."""
    assert differences("a view", shown, ["a", "b"], ordered=ordered) == expected
