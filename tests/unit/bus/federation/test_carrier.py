"""A carrier's memory: its cursors, the carried messages, and the places that must wait."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from bus.federation.carrier import LOST_S, Carrier
from bus.federation.ledger import KEPT_S, Ledger
from bus.federation.plan import Federation, Route
from bus.transport.cursor import Cursor
from bus.transport.streams import ConsumerSpec
from tests.support.world import shared_world

NOW = 1_800_000_000.0


def made(name: str) -> ConsumerSpec:
    """A consumer of what XA says."""
    return ConsumerSpec(stream="XA_ACTUAL", name=name, filters=())


OUT = Route(source="xa", sink="east", consumers=(made("to_east"),), patterns=("a.>", "b.>"))
OTHER = Route(source="xa", sink="west", consumers=(made("to_west"),), patterns=("a.>",))
AT = Cursor(seq=7, digest="d7", stored_ns=70)


async def test_a_cursor_holds_for_what_was_let_through(tmp_path: Path) -> None:
    """If the filters allow more than before, reading starts again; if they allow less, it continues."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        assert await ledger.cursor(OUT, "XA_ACTUAL", ["a.>"]) == Cursor()
        await ledger.note(OUT, "XA_ACTUAL", AT, ["a.>", "b.>"], NOW)
        assert await ledger.cursor(OUT, "XA_ACTUAL", ["a.>"]) == AT
        assert await ledger.cursor(OUT, "XA_ACTUAL", ["a.>", "c.>"]) == Cursor()
        assert await ledger.cursor(OTHER, "XA_ACTUAL", ["a.>"]) == Cursor()


async def test_what_was_carried_is_known_by_place(tmp_path: Path) -> None:
    """Also after a rewind and after a restart; forgotten for a place alone that has lost it."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        await ledger.note_stored("east", {"d1": "s1", "d7": "s7"}, {"XA_ACTUAL": 2}, NOW)
        await ledger.note(OUT, "XA_ACTUAL", AT, [], NOW)
        await ledger.note_stored("west", {"d1": "s1"}, {"XA_ACTUAL": 1}, NOW)
        await ledger.rewind(OUT, "XA_ACTUAL")
    async with Ledger.open(tmp_path / "c.db") as ledger:
        assert await ledger.cursor(OUT, "XA_ACTUAL", []) == Cursor()
        assert await ledger.known("east", ["d1", "d2", "d7"]) == {"d1": "s1", "d7": "s7"}
        assert await ledger.known("west", ["d1", "d2", "d7"]) == {"d1": "s1"}
        assert await ledger.tails("east") == {"XA_ACTUAL": 2}
        await ledger.forget("east")
        assert await ledger.known("east", ["d1", "d7"]) == {}
        assert await ledger.tails("east") == {}
        assert await ledger.known("west", ["d1"]) == {"d1": "s1"}


async def test_a_tail_never_goes_back_by_itself(tmp_path: Path) -> None:
    """Two legs may note what they saw in another order than it was stored."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        for seq in (5, 3):
            await ledger.note_stored("east", {}, {"XA_ACTUAL": seq}, NOW)
        assert await ledger.tails("east") == {"XA_ACTUAL": 5}


async def test_what_no_stream_can_hold_any_more_is_forgotten(tmp_path: Path) -> None:
    """So the file does not grow for ever."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        await ledger.note_stored("east", {"old": "s"}, {}, NOW)
        await ledger.note_stored("east", {"new": "s"}, {}, NOW + KEPT_S)
        await ledger.note(OUT, "XA_ACTUAL", AT, [], NOW + KEPT_S)
        assert await ledger.known("east", ["old", "new"]) == {"old": "s", "new": "s"}
        await ledger.note(OUT, "XA_ACTUAL", AT, [], NOW + KEPT_S + 1)
        assert await ledger.known("east", ["old", "new"]) == {"new": "s"}


async def test_what_waits_for_a_version_is_kept_until_it_is_read_again(tmp_path: Path) -> None:
    """The registry of the first time counts, through restarts; a rewind or a loss ends it."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        await ledger.note(OUT, "XA_ACTUAL", AT, [], NOW, passed_over="v1")
        await ledger.note(OUT, "XA_ACTUAL", AT, [], NOW)
        await ledger.note(OUT, "XA_ACTUAL", AT, [], NOW, passed_over="v2")
    async with Ledger.open(tmp_path / "c.db") as ledger:
        assert await ledger.passed_over(OUT, "XA_ACTUAL") == "v1"
        assert await ledger.passed_over(OTHER, "XA_ACTUAL") == ""
        await ledger.rewind(OUT, "XA_ACTUAL")
        assert await ledger.passed_over(OUT, "XA_ACTUAL") == ""
        await ledger.note(OUT, "XA_ACTUAL", AT, [], NOW, passed_over="v2")
        await ledger.forget("east")
        assert await ledger.passed_over(OUT, "XA_ACTUAL") == ""


async def test_copies_are_counted_by_how_their_names_begin(tmp_path: Path) -> None:
    """At one place, since a moment."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        await ledger.note_stored("east", {"d@xb.1": ""}, {}, NOW - 9)
        await ledger.note_stored("east", {"d@xb.2": "", "d@xc.3": "", "d": "s", "e@xb.4": ""}, {}, NOW)
        await ledger.note_stored("west", {"d@xb.5": ""}, {}, NOW)
        assert await ledger.count("east", "d@xb.", NOW - 9) == 2
        assert await ledger.count("east", "d@xb.", NOW) == 1


async def test_a_place_that_loses_again_and_again_waits_longer(tmp_path: Path) -> None:
    """Twice as long each time, up to a bound; what several of its streams lose at once counts once."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        carrier = Carrier(
            country="xa",
            federation=Federation(),
            registry=lambda: shared_world().registry,
            endpoints={},
            ledger=ledger,
            clock=lambda: dt.datetime.fromtimestamp(NOW, dt.UTC),
        )
        waits = []
        for _ in range(14):
            for _ in range(3):
                await carrier._forget("east")
            waits.append(carrier.losses["east"].wait)
            carrier.losses["east"].until -= waits[-1]  # that long is over
        assert waits == [min(2.0**n, LOST_S) for n in range(1, 15)]
        assert carrier.forgotten["east"] == 42
