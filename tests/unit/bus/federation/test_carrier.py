"""What a carrier remembers: where it is, and what it has carried."""

from __future__ import annotations

from pathlib import Path

from bus.federation.ledger import Ledger
from bus.federation.plan import Route
from bus.transport.cursor import Cursor
from bus.transport.streams import ConsumerSpec


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
        await ledger.note(OUT, "XA_ACTUAL", AT, ["a.>", "b.>"], ["d7"], {})
        assert await ledger.cursor(OUT, "XA_ACTUAL", ["a.>"]) == AT
        assert await ledger.cursor(OUT, "XA_ACTUAL", ["a.>", "c.>"]) == Cursor()
        assert await ledger.cursor(OTHER, "XA_ACTUAL", ["a.>"]) == Cursor()


async def test_what_was_carried_is_known_by_place(tmp_path: Path) -> None:
    """Also after a rewind and after a restart; forgotten for a place alone that has lost it."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        await ledger.note(OUT, "XA_ACTUAL", AT, [], ["d1", "d7"], {"XA_ACTUAL": 2})
        await ledger.note(OTHER, "XA_ACTUAL", AT, [], ["d1"], {"XA_ACTUAL": 1})
        await ledger.rewind(OUT, "XA_ACTUAL")
    async with Ledger.open(tmp_path / "c.db") as ledger:
        assert await ledger.cursor(OUT, "XA_ACTUAL", []) == Cursor()
        assert await ledger.fresh("east", ["d1", "d2", "d7"]) == {"d2"}
        assert await ledger.fresh("west", ["d1", "d2", "d7"]) == {"d2", "d7"}
        assert await ledger.tails("east") == {"XA_ACTUAL": 2}
        await ledger.forget("east")
        assert await ledger.fresh("east", ["d1", "d7"]) == {"d1", "d7"}
        assert await ledger.tails("east") == {}
        assert await ledger.fresh("west", ["d1"]) == set()


async def test_a_tail_never_goes_back_by_itself(tmp_path: Path) -> None:
    """Two legs may note what they saw in another order than it was stored."""
    async with Ledger.open(tmp_path / "c.db") as ledger:
        for seq in (5, 3):
            await ledger.note(OUT, "XA_ACTUAL", AT, [], [], {"XA_ACTUAL": seq})
        assert await ledger.tails("east") == {"XA_ACTUAL": 5}
