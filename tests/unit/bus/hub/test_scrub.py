"""What a store holds is verified anew: each sort of damage is named by its bulletin, and nothing else is."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from bus.hub.picture.projection import Projection
from bus.hub.scrub import Damage, damaged
from bus.subscribing.inbox import Inbox
from schemas.codec import digest
from tests.support.hubs import take_in
from tests.support.world import chain, shared_world, sign

WORLD = shared_world()
CHAIN = chain(WORLD, 3)
OTHER = sign(WORLD, CHAIN[1].payload.replace(b"number 2", b"number 9"), "xb-csirt", CHAIN[1].subject)

DAMAGE = {
    "nothing": ("SELECT 1", ()),
    "a flipped byte": ("UPDATE admitted SET payload = ? WHERE seq = 2", (CHAIN[1].payload + b" ",)),
    "another bulletin with its own digest": (
        "UPDATE admitted SET payload = ?1, digest = ?2 WHERE seq = 2",
        (OTHER.payload, digest(OTHER.payload)),
    ),
    "a signature of another": (
        "UPDATE admitted SET signature = (SELECT signature FROM admitted WHERE seq = 3) WHERE seq = 2",
        (),
    ),
    "no signature": ("UPDATE admitted SET signature = 'x' WHERE seq = 2", ()),
    "a place without its bulletin": ("DELETE FROM admitted WHERE seq = 2", ()),
    "a key nobody knows any more": ("UPDATE admitted SET kid = 'gone' WHERE seq = 2", ()),
}
EXPECTED = {
    "a flipped byte": {"its bytes have changed"},
    "another bulletin with its own digest": {"its signature does not fit", "its bulletin is gone"},
    "a signature of another": {"its signature does not fit"},
    "no signature": {"its signature cannot be read"},
    "a place without its bulletin": {"its bulletin is gone"},
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_each_damage_is_named(tmp_path: Path, name: str) -> None:
    """By channel, number and id; a whole store has none, and a key that the registry has dropped is no damage."""
    path = tmp_path / "store.db"
    await take_in(path, WORLD, CHAIN)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(*DAMAGE[name])
    async with Inbox.open(path, projector=Projection()) as store:
        found = await store.read(lambda db: list(damaged(db, WORLD.registry)))
    assert found == [
        Damage(channel="xa-csirt/actual.green.community", seq=2, id=CHAIN[1].bulletin.id, what=what)
        for what in sorted(EXPECTED.get(name, ()), reverse=True)
    ]
