"""Pruning an outbox: needed bulletins always stay."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bus.delivery import pruning
from bus.delivery.ledger import TABLES
from bus.publishing.outbox import Outbox, Settled
from bus.publishing.publisher import Publisher
from schemas.bulletin import Draft
from schemas.parts import ElectionRef, Ref
from schemas.vocab import ElectionType, MsgType, Phase, RefRel
from tests.support.publishers import keeping
from tests.support.world import NOW, draft, shared_world

LATER = NOW + dt.timedelta(days=40)
OVER = NOW + dt.timedelta(days=1)
HUBS = ("xa-hub", "xb-hub")


@asynccontextmanager
async def desk(path: Path) -> AsyncIterator[tuple[Publisher, Outbox]]:
    """An outbox with nothing in it."""
    async with keeping(path, tables=TABLES) as found:
        yield found


def said(text: str, **changes: object) -> Draft:
    """A draft that is over the next day."""
    return draft(text, expires=OVER, **changes)


async def answer(box: Outbox, digest: str, stage: str = "verified", hubs: tuple[str, ...] = HUBS) -> None:
    """Receipts as they stand once taken in."""

    def work(db: sqlite3.Connection) -> None:
        for hub in hubs:
            db.execute("INSERT INTO receipts VALUES (?, ?, ?, 1, ?)", (digest, hub, stage, NOW.timestamp()))

    await box.write(work)


async def store_all(box: Outbox) -> None:
    """Acknowledge everything."""
    rows = await box.rows()
    await box.settle([Settled(n=r.n, stream="XA_ACTUAL", stream_seq=r.n) for r in rows], NOW.timestamp())


async def prune(box: Outbox, now: dt.datetime = LATER) -> pruning.Pruned:
    """Prune as xa-csirt."""
    return await box.write(lambda db: pruning.prune(db, "xa-csirt", shared_world().registry, now))


async def test_what_every_hub_has_goes_and_its_key_stays_known(tmp_path: Path) -> None:
    """Old, over and received: gone; the key under which it was kept still gives no second bulletin."""
    async with desk(tmp_path / "o.db") as (publisher, box):
        first = await publisher.publish(said("first"), once="document/1")
        await publisher.publish(said("head"))
        await store_all(box)
        await answer(box, first.digest)
        assert (await prune(box)).pruned == 1
        assert await box.get(first.digest) is None
        again = await publisher.publish(said("first"), once="document/1")
        assert again == msgspec.structs.replace(first, state="known")


@pytest.mark.parametrize(
    ("why", "stored", "hubs", "now", "changes"),
    [
        ("not-stored", False, HUBS, LATER, {}),
        ("not-received", True, ("xa-hub",), LATER, {}),
        ("in-force", True, HUBS, LATER, {"expires": LATER + dt.timedelta(days=1)}),
        ("", True, HUBS, NOW + dt.timedelta(days=29), {}),  # young
    ],
    ids=["not stored", "one hub is missing", "in force", "29 days"],
)
async def test_what_is_needed_stays(
    tmp_path: Path,
    why: str,
    stored: bool,
    hubs: tuple[str, ...],
    now: dt.datetime,
    changes: dict[str, object],
) -> None:
    """Each reason by itself keeps a bulletin, and is counted."""
    async with desk(tmp_path / "o.db") as (publisher, box):
        first = await publisher.publish(msgspec.structs.replace(said("first"), **changes))
        await publisher.publish(said("head"))
        if stored:
            await store_all(box)
        await answer(box, first.digest, hubs=hubs)
        found = await prune(box, now)
        assert found.pruned == 0
        assert await box.get(first.digest) is not None
        if why:
            assert found.kept[why] >= 1
        else:
            assert not found.kept


async def test_heads_and_the_last_of_an_origin_stay(tmp_path: Path) -> None:
    """The chain goes on after them, and the next about one thing supersedes it."""
    async with desk(tmp_path / "o.db") as (publisher, box):
        thing = await publisher.publish(said("thing"), origin="ticket/1")
        head = await publisher.publish(said("head"))
        await store_all(box)
        for each in (thing, head):
            await answer(box, each.digest)
        assert await prune(box) == pruning.Pruned(pruned=0, kept={"head": 1, "last-of-its-origin": 1})
        following = await publisher.publish(said("next"))
        assert following.seq == head.seq + 1


async def test_what_is_withdrawn_stays_until_every_hub_confirms(tmp_path: Path) -> None:
    """Original and withdrawal are kept for as long as one hub has not said that it has withdrawn it."""
    async with desk(tmp_path / "o.db") as (publisher, box):
        first = await publisher.publish(said("first"))
        ref = Ref(id=first.id, rel=RefRel.CANCELS)
        cancel = await publisher.publish(said("no", msg_type=MsgType.CANCEL, references=(ref,)))
        await publisher.publish(said("head"))
        await store_all(box)
        for each in (first, cancel):
            await answer(box, each.digest)
        await answer(box, first.digest, "withdrawn", ("xb-hub",))
        kept = {"not-withdrawn": 1, "its-original-is-kept": 1, "head": 1}
        assert await prune(box) == pruning.Pruned(pruned=0, kept=kept)
        await answer(box, first.digest, "withdrawn", ("xa-hub",))
        assert (await prune(box)).pruned == 1  # the original; then nothing holds its withdrawal
        assert (await prune(box)).pruned == 1


async def test_what_names_an_election_stays_until_that_is_over(tmp_path: Path) -> None:
    """However old, and only for that election: of what names another or none nothing is kept for it."""
    ref = ElectionRef(id="xb-parl-2027", type=ElectionType.PARLIAMENTARY, phase=Phase.POLLING)
    async with desk(tmp_path / "o.db") as (publisher, box):
        about = await publisher.publish(said("about it", election=ref))
        none = await publisher.publish(said("about none"))
        await publisher.publish(said("head"))
        await store_all(box)
        for each in (about, none):
            await answer(box, each.digest)

        async def prune_while(*elections: str) -> pruning.Pruned:
            return await box.write(
                lambda db: pruning.prune(
                    db,
                    "xa-csirt",
                    shared_world().registry,
                    LATER + dt.timedelta(days=900),
                    elections=elections,
                )
            )

        found = await prune_while("xa-parl-2027", "xb-parl-2027")
        assert found == pruning.Pruned(pruned=1, kept={"its-election-is-not-over": 1, "head": 1})
        assert await box.get(none.digest) is None
        assert (await prune_while("xa-parl-2027")).pruned == 1
