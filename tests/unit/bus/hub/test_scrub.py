"""A store is verified again: each kind of damage is reported with its bulletin, and nothing else."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from bus.errors import StoreError
from bus.hub.exchange import missing
from bus.hub.picture.projection import Projection
from bus.hub.scrub import Damage, damaged
from bus.subscribing.inbox import Inbox
from schemas.codec import digest
from tests.support.hubs import take_in
from tests.support.world import chain, shared_world, sign

WORLD = shared_world()
GREEN = "xa-csirt/actual.green.community"
CHAIN = chain(WORLD, 3)
OTHER = sign(WORLD, CHAIN[1].payload.replace(b"number 2", b"number 9"), "xb-csirt", CHAIN[1].subject)

DAMAGE: dict[str, dict[str, tuple[object, ...]]] = {
    "nothing": {},
    "a flipped byte": {"UPDATE bodies SET payload = ? WHERE seq = 2": (CHAIN[1].payload + b" ",)},
    "another bulletin with its own digest": {
        "UPDATE bodies SET payload = ? WHERE seq = 2": (OTHER.payload,),
        "UPDATE places SET digest = ? WHERE seq = 2": (digest(OTHER.payload),),
    },
    "a signature of another": {
        "UPDATE bodies SET signature = (SELECT signature FROM bodies WHERE seq = 3) WHERE seq = 2": ()
    },
    "no signature": {"UPDATE bodies SET signature = 'x' WHERE seq = 2": ()},
    "a place without its bulletin": {"DELETE FROM bodies WHERE seq = 2": ()},
    "a key nobody knows any more": {"UPDATE bodies SET kid = opening WHERE seq = 2": ()},
    "a signature without its opening": {"UPDATE bodies SET opening = opening + 4096 WHERE seq = 2": ()},
    "a key without a name": {"UPDATE bodies SET kid = kid + 4096 WHERE seq = 2": ()},
    "another subject": {"UPDATE bodies SET subject = kid WHERE seq = 2": ()},
    "no subject": {"UPDATE bodies SET subject = subject + 4096 WHERE seq = 2": ()},
    "another last day": {"UPDATE bodies SET until = '2099-01-01' WHERE seq = 2": ()},
}
EXPECTED = {
    "a flipped byte": {"its bytes have changed"},
    "another bulletin with its own digest": {"its signature does not verify"},
    "a signature of another": {"its signature does not verify"},
    "no signature": {"its signature cannot be read"},
    "a place without its bulletin": {"its bulletin is missing"},
    "a signature without its opening": {"its signature cannot be read"},
    "a key without a name": {"its key is missing"},
    "another subject": {"it names another subject"},
    "no subject": {"it names another subject"},
    "another last day": {"it names another last day"},
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_each_damage_is_named(tmp_path: Path, name: str) -> None:
    """By channel, number and id; a whole store has none, and a key that the registry has dropped is no damage."""
    path = tmp_path / "store.db"
    await take_in(path, WORLD, CHAIN)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for statement, arguments in DAMAGE[name].items():
            db.execute(statement, arguments)
    async with Inbox.open(path, projector=Projection()) as store:
        found = await store.read(lambda db: list(damaged(db, WORLD.registry)))
    assert found == [
        Damage(channel=GREEN, seq=2, id=CHAIN[1].bulletin.id, what=what)
        for what in sorted(EXPECTED.get(name, ()), reverse=True)
    ]


@pytest.mark.parametrize("column", ["bodies.channel", "bodies.seq", "places.row"])
async def test_bytes_that_have_lost_their_place_are_seen(tmp_path: Path, column: str) -> None:
    """By a scrub and by whoever follows: a flipped bit takes nothing out of sight without a word."""
    path = tmp_path / "store.db"
    await take_in(path, WORLD, CHAIN)
    table, _, name = column.partition(".")
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE {table} SET {name} = {name} + 64 WHERE seq = 2")
    async with Inbox.open(path, projector=Projection()) as store:
        found = await store.read(lambda db: list(damaged(db, WORLD.registry)))
        assert "its place is missing" in {each.what for each in found}
        shown = await store.query("SELECT digest FROM admitted ORDER BY row")
        assert [row["digest"] for row in shown] == [CHAIN[0].digest, None, CHAIN[2].digest]
        assert [row.seq async for row in store.follow(0, live=False)] == [1, 3]


async def test_a_channel_whose_name_has_changed_is_seen(tmp_path: Path) -> None:
    """Many rows have it from one; each says its own place, and is shown to nobody under another."""
    path = tmp_path / "store.db"
    await take_in(path, WORLD, CHAIN)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE texts SET text = 'xa-csirt/actual.amber.community' WHERE text = ?", (GREEN,))
    async with Inbox.open(path, projector=Projection()) as store:
        found = await store.read(lambda db: list(damaged(db, WORLD.registry)))
        assert [(each.seq, each.what) for each in found] == [(n, "it names another place") for n in (1, 2, 3)]
        async for row in store.follow(0, live=False):
            with pytest.raises(StoreError, match="bytes name another place"):
                row.bulletin  # noqa: B018 (reading it is what is tried)


async def test_what_has_lost_the_opening_of_its_signature_is_handed_on_to_nobody(tmp_path: Path) -> None:
    """Who asks for it is told of nothing, and those beside it are handed on."""
    path = tmp_path / "store.db"
    await take_in(path, WORLD, CHAIN)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE bodies SET opening = opening + 4096 WHERE seq = 2")
    async with Inbox.open(path, projector=Projection()) as store:
        found = [
            await store.read(lambda db, n=seq: missing.held_at(db, GREEN, n, None))  # type: ignore[misc]  # bound now
            for seq in (1, 2, 3)
        ]
    assert [each and each.digest for each in found] == [CHAIN[0].digest, None, CHAIN[2].digest]
