"""What a carrier remembers: where it is, and what it has carried."""

from __future__ import annotations

from pathlib import Path

from bus.federation.ledger import KEPT_S, Ledger
from bus.federation.plan import Route
from bus.transport.cursor import Cursor
from bus.transport.streams import ConsumerSpec

NOW = 1_800_000_000.0


def made(name: str) -> ConsumerSpec:
    """A consumer of what XA says."""
    return ConsumerSpec(stream="XA_ACTUAL", name=name, filters=())


OUT = Route(source="xa", sink="east", consumers=(made("to_east"),), patterns=("a.>", "b.>"))
OTHER = Route(source="xa", sink="west", consumers=(made("to_west"),), patterns=("a.>",))
AT = Cursor(seq=7, digest="d7", stored_ns=70)


async def test_a_cursor_holds_for_what_was_let_through(tmp_path: Path) -> None:
    """When more is let through than before, reading begins anew; when less is, it goes on."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        assert await ledger.cursor(OUT, "XA_ACTUAL", ["a.>"]) == Cursor()
        await ledger.note(OUT, "XA_ACTUAL", AT, ["a.>", "b.>"], {"d7": "s"}, {}, NOW)
        assert await ledger.cursor(OUT, "XA_ACTUAL", ["a.>"]) == AT
        assert await ledger.cursor(OUT, "XA_ACTUAL", ["a.>", "c.>"]) == Cursor()
        assert await ledger.cursor(OTHER, "XA_ACTUAL", ["a.>"]) == Cursor()


async def test_what_was_carried_is_known_by_place(tmp_path: Path) -> None:
    """Also after a rewind and after a restart; forgotten for a place alone that has lost it."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        await ledger.note(OUT, "XA_ACTUAL", AT, [], {"d1": "s1", "d7": "s7"}, {"XA_ACTUAL": 2}, NOW)
        await ledger.note(OTHER, "XA_ACTUAL", AT, [], {"d1": "s1"}, {"XA_ACTUAL": 1}, NOW)
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
            await ledger.note(OUT, "XA_ACTUAL", AT, [], {}, {"XA_ACTUAL": seq}, NOW)
        assert await ledger.tails("east") == {"XA_ACTUAL": 5}


async def test_what_no_stream_can_hold_any_more_is_forgotten(tmp_path: Path) -> None:
    """So the file does not grow for ever."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        await ledger.note(OUT, "XA_ACTUAL", AT, [], {"old": "s"}, {}, NOW)
        await ledger.note(OUT, "XA_ACTUAL", AT, [], {"new": "s"}, {}, NOW + KEPT_S)
        assert await ledger.known("east", ["old", "new"]) == {"old": "s", "new": "s"}
        await ledger.note(OUT, "XA_ACTUAL", AT, [], {}, {}, NOW + KEPT_S + 1)
        assert await ledger.known("east", ["old", "new"]) == {"new": "s"}
