"""The checker catches what it is there to catch: for each promise a history in which it is broken, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.faults.checker import COUNTED, LEADER, Bounds, judge
from tests.faults.history import (
    Accepted,
    Admitted,
    AnyEvent,
    Fault,
    Forged,
    History,
    Kept,
    Mended,
    Reads,
    Refused,
    Revoked,
    Stored,
    Withdrawn,
    read,
)

OPEN, NETWORK = "xa-csirt/actual.green.community", "xa-dpa/actual.amber-strict.eu-dpas"
Change = Callable[[list[AnyEvent]], list[AnyEvent]]


def good() -> list[AnyEvent]:
    """Two authorities, two hubs of which one may not read the network, a forgery, a leader's death."""
    events: list[AnyEvent] = [
        Reads(at=0, hub="xa-hub", channels=(OPEN, NETWORK)),
        Reads(at=0, hub="xb-hub", channels=(OPEN,)),
        Forged(at=3.1, kind="bad signature", channel=OPEN, digest="forged"),
        Fault(at=4.5, kind=LEADER, target="n1"),
        Mended(at=6.5, kind=LEADER, target="n1"),
    ]
    for seq in range(1, 7):
        for channel, sign in ((OPEN, "o"), (NETWORK, "n")):
            events.append(Accepted(at=seq, channel=channel, seq=seq, digest=f"{sign}{seq}"))
            events.append(Stored(at=seq + 3, digest=f"{sign}{seq}"))
    events += [
        Admitted(at=9 + n, hub="xb-hub", row=n, channel=OPEN, seq=n, digest=f"o{n}") for n in range(1, 7)
    ]
    for n in range(1, 7):
        events.append(Admitted(at=9 + n, hub="xa-hub", row=2 * n, channel=OPEN, seq=n, digest=f"o{n}"))
        events.append(Admitted(at=9 + n, hub="xa-hub", row=2 * n + 1, channel=NETWORK, seq=n, digest=f"n{n}"))
    events += [
        Refused(at=5, hub=hub, digest="forged", reason="bad-signature") for hub in ("xa-hub", "xb-hub")
    ]
    return events


def without(kind: type, **fields: object) -> Change:
    """The history without the events that have these fields."""
    return lambda events: [each for each in events if not _is(each, kind, fields)]


def but(kind: type, change: dict[str, object], **fields: object) -> Change:
    """The history in which the events that have these fields have others."""
    return lambda events: [
        msgspec.structs.replace(each, **change) if _is(each, kind, fields) else each for each in events
    ]


def with_(*more: AnyEvent) -> Change:
    """The history with more in it."""
    return lambda events: [*events, *more]


def _is(event: AnyEvent, kind: type, fields: dict[str, object]) -> bool:
    return isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())


def _swapped(events: list[AnyEvent]) -> list[AnyEvent]:
    there = {3: 4, 4: 3}
    return [
        msgspec.structs.replace(each, row=there[each.row])
        if isinstance(each, Admitted) and each.hub == "xb-hub" and each.row in there
        else each
        for each in events
    ]


MUTANTS: list[tuple[str, Change, str]] = [
    ("a hub skips one bulletin", without(Admitted, hub="xb-hub", seq=3), "lost"),
    ("a hub skips the last bulletin", without(Admitted, hub="xb-hub", seq=6), "lost"),
    ("a hub admits nothing at all", without(Admitted, hub="xb-hub"), "lost"),
    (
        "an outbox loses what it accepted",
        with_(Accepted(at=2, channel=OPEN, seq=7, digest="o7")),
        "lost",
    ),
    (
        "what was kept and never told gets lost",
        with_(Kept(at=2, channel=OPEN, seq=7, digest="o7")),
        "lost",
    ),
    (
        "a hub admits one twice",
        with_(Admitted(at=12, hub="xb-hub", row=7, channel=OPEN, seq=3, digest="o3")),
        "twice",
    ),
    (
        "a hub admits one twice as another number",
        with_(Admitted(at=12, hub="xb-hub", row=7, channel=OPEN, seq=7, digest="o3")),
        "twice",
    ),
    ("a hub swaps two", _swapped, "disordered"),
    (
        "a hub admits a forgery",
        with_(Admitted(at=12, hub="xb-hub", row=7, channel=OPEN, seq=7, digest="forged")),
        "forged",
    ),
    (
        "a hub admits what nobody knows of",
        with_(Admitted(at=12, hub="xb-hub", row=7, channel=OPEN, seq=7, digest="nobody's")),
        "forged",
    ),
    (
        "a hub admits another text beside the true one",
        with_(Admitted(at=12, hub="xb-hub", row=7, channel=OPEN, seq=6, digest="another")),
        "altered",
    ),
    ("a hub gives a bulletin another number", but(Admitted, {"seq": 8}, hub="xb-hub", row=6), "altered"),
    (
        "a hub changes a row after a restart",
        with_(Admitted(at=12, hub="xb-hub", row=6, channel=OPEN, seq=6, digest="o5")),
        "altered",
    ),
    (
        "a hub shows what it may not read",
        with_(Admitted(at=12, hub="xb-hub", row=7, channel=NETWORK, seq=1, digest="n1")),
        "overheard",
    ),
    ("a forgery is dropped in silence", without(Refused, hub="xb-hub"), "unnoticed"),
    (
        "a key that ended long ago admits",
        lambda events: [
            *but(Admitted, {"at": 99.0}, digest="o6")(events),
            Revoked(at=8, authority="xa-csirt"),
        ],
        "late_key",
    ),
]


@pytest.mark.parametrize(("change", "promise"), [m[1:] for m in MUTANTS], ids=[m[0] for m in MUTANTS])
def test_each_broken_promise_is_caught_and_no_other(change: Change, promise: str) -> None:
    """A history that breaks one promise is judged to break that one."""
    verdict = judge(change(good()), Bounds(drain=100))
    assert [name for name in (*COUNTED, "disordered") if getattr(verdict, name)] == [promise]
    assert verdict.broken(Bounds(drain=100))


def test_every_promise_has_a_mutant() -> None:
    """No promise is judged by a rule that was never seen to fail."""
    assert {*COUNTED, "disordered"} == {promise for _, _, promise in MUTANTS}


def test_a_good_history_breaks_nothing() -> None:
    """No false alarm; in whatever order the programs' files are read."""
    for events in (good(), list(reversed(good()))):
        verdict = judge(events, Bounds())
        assert verdict.broken(Bounds()) == []
        assert (verdict.accepted, verdict.stored, verdict.forgeries) == (12, 12, 1)


def test_a_row_told_again_after_a_restart_is_the_same_row() -> None:
    """A hub that was killed tells all it holds once more."""
    again = with_(*(each for each in good() if isinstance(each, Admitted)))
    assert judge(again(good()), Bounds()).broken(Bounds()) == []


def test_what_fills_a_gap_and_says_so_is_not_out_of_order() -> None:
    """Its place was said to be empty before; one that comes late and does not say so is out of order."""
    late = [
        without(Admitted, hub="xb-hub", seq=3),
        with_(Admitted(at=16, hub="xb-hub", row=7, channel=OPEN, seq=3, digest="o3")),
    ]
    events = late[1](late[0](good()))
    assert judge(events, Bounds()).disordered == {f"xb-hub, {OPEN}": 1}
    labelled = but(Admitted, {"filled": True}, hub="xb-hub", row=7)(events)
    assert judge(labelled, Bounds()).broken(Bounds()) == []


def test_what_a_revoked_key_said_need_not_arrive() -> None:
    """Nobody is bound to admit what came too late, and the bulletins of others are still owed."""
    revoked = Revoked(at=5, authority="xa-csirt")
    assert judge([*without(Admitted, hub="xb-hub", seq=6)(good()), revoked], Bounds()).lost == ()
    assert judge([*without(Admitted, channel=NETWORK, seq=6)(good()), revoked], Bounds()).lost


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (but(Fault, {"at": -20.0}), "leader's death"),
        (without(Stored), "leader's death"),
        (
            lambda events: [each for each in events if not isinstance(each, Stored) or each.at < 5],
            "leader's death",
        ),
        (but(Admitted, {"at": 80.0}, hub="xb-hub", seq=6), "had arrived"),
        (without(Accepted), "nothing was accepted"),
    ],
    ids=["a long silence", "no acknowledgement", "none after the fault", "a late arrival", "nobody spoke"],
)
def test_a_bound_that_is_exceeded_is_said(change: Change, word: str) -> None:
    """It must not only end well, but in time; and a run in which nothing happened proves nothing."""
    verdict = judge(change(good()), Bounds())
    assert any(word in each for each in verdict.broken(Bounds()))


def test_a_silence_counts_for_the_fault_under_which_it_began() -> None:
    """Two faults in one silence: the first was followed by all of it."""
    events: list[AnyEvent] = [Accepted(at=0, channel=OPEN, seq=1, digest="a"), Stored(at=30, digest="a")]
    faults = [Fault(at=10, kind=LEADER, target="n1"), Fault(at=22, kind="pause", target="n2")]
    assert judge([*events, *faults], Bounds()).gaps == {LEADER: 20, "pause": 8}


def test_what_was_withdrawn_may_come_again_and_is_owed_until_then() -> None:
    """A key ended: its bulletins were judged anew. A row that vanishes otherwise is lost."""
    gone = with_(Withdrawn(hub="xb-hub", row=6))
    again = with_(Admitted(at=12, hub="xb-hub", row=7, channel=OPEN, seq=6, digest="o6"))
    assert judge(gone(good()), Bounds()).lost
    assert judge(again(gone(good())), Bounds()).broken(Bounds()) == []


def test_a_torn_line_tells_nothing_and_harms_nothing(tmp_path: Path) -> None:
    """A program killed in the middle of a line loses that line, and the next one begins a line of its own."""
    path = tmp_path / "history.jsonl"
    with History(path) as history:
        history.tell(*good()[:3])
    with path.open("ab") as file:
        file.write(b'{"did":"accep')
    with History(path) as history:
        history.tell(*good()[3:])
    assert list(read([path])) == good()


def test_a_line_that_is_no_event_is_not_passed_over(tmp_path: Path) -> None:
    """A history that nobody understands is not a clean one."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"did":"celebrated","at":1}\n')
    with pytest.raises(msgspec.ValidationError):
        list(read([path]))
