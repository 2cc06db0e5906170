"""Bulletins of a batch in a hub: chained, scrubbed, handed on and used as proof like any others."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from bus.admission.contradiction import judge_proof
from bus.admission.steps import verify_file
from bus.hub.exchange.signed_files import contradictions, signed_file
from bus.hub.picture.projection import Projection
from bus.hub.scrub import damaged
from bus.subscribing import bodies
from bus.subscribing.inbox import Inbox
from schemas.envelope import SIG_HEADER, format_header, hints
from tests.support.batches import batch
from tests.support.hubs import judged
from tests.support.world import NOW, Message, bulletin, chain, draft, goes_on, shared_world, sign

WORLD = shared_world()
CHANNEL = "xa-csirt/actual.green.community"


def batched(messages: Sequence[Message]) -> list[Message]:
    """The same bulletins under one signature."""
    entries = batch([each.payload for each in messages], WORLD.signers["xa-csirt"])
    return [
        msgspec.structs.replace(
            each,
            headers=tuple(({SIG_HEADER: format_header(mine)} | hints(each.digest)).items()),
        )
        for each, mine in zip(messages, entries, strict=True)
    ]


SAID = batched(chain(WORLD, 5))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Inbox]:
    """A hub's store that has taken in a batch, but for its middle, and then the rest."""
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0.0) as inbox:
        for each in (*SAID[:2], *SAID[3:], SAID[2]):
            await inbox.settle([judged(each, WORLD.registry, NOW)], "WORLD_ACTUAL", None, NOW)
        yield inbox


def filed(db: sqlite3.Connection, digest: str) -> bytes | None:
    """What is held under a digest, as a file."""
    return signed_file(db, digest, next(iter(bodies.rows_of(db, digest)), None))


async def test_each_of_a_batch_stands_by_itself(store: Inbox) -> None:
    """One that was withheld does not keep the others back, and comes later."""
    rows = await store.query("SELECT digest FROM admitted ORDER BY seq")
    assert [row["digest"] for row in rows] == [each.digest for each in SAID]
    assert await store.query("SELECT 1 FROM quarantine") == []


async def test_what_is_kept_verifies_by_itself(store: Inbox) -> None:
    """A scrub finds nothing, and each can be handed on as a file that anybody checks."""
    assert await store.read(lambda db: list(damaged(db, WORLD.registry))) == []
    for each in SAID:
        raw = await store.read(lambda db, name=each.digest: filed(db, name))  # type: ignore[misc]  # bound now
        assert raw is not None
        assert verify_file(raw, registry=WORLD.registry, now=NOW).digest == each.digest


async def test_a_scrub_finds_a_path_that_was_changed(store: Inbox) -> None:
    """The path is part of the signature."""
    other = dict(SAID[1].headers)[SIG_HEADER]
    await store.write(lambda db: bodies.sign_again(db, 3, other, "[]", "[]"))
    (found,) = await store.read(lambda db: list(damaged(db, WORLD.registry)))
    assert (found.seq, found.what) == (3, "its signature does not verify")


async def test_a_contradiction_with_one_of_a_batch_is_proof(store: Inbox) -> None:
    """Alone or in a batch, it is signed."""
    other = sign(WORLD, bulletin(WORLD, seq=3, prev=SAID[1].digest, say=draft("the opposite")))
    await store.settle([judged(other, WORLD.registry, NOW)], "WORLD_ACTUAL", None, NOW)
    (proof,) = await store.read(lambda db: list(contradictions(db, CHANNEL)))
    found = judge_proof(proof.file, registry=WORLD.registry, now=NOW)
    assert {side.digest for side in found.sides} == {SAID[2].digest, other.digest}


async def test_a_file_is_made_of_what_has_a_place(store: Inbox) -> None:
    """The same bytes under rubbish, or as they were said elsewhere, lie beside the issuer's word and are not handed on as it."""
    early = goes_on(WORLD, SAID, [draft("the sixth")])[-1]
    ahead = sign(WORLD, msgspec.structs.replace(early.bulletin, expires=NOW - (early.bulletin.expires - NOW)))
    for headers in (((SIG_HEADER, "rubbish"),), (), ahead.headers):
        odd = msgspec.structs.replace(ahead, headers=headers)
        await store.settle([judged(odd, WORLD.registry, NOW)], "WORLD_ACTUAL", None, NOW)
    reasons = await store.query("SELECT reason FROM quarantine ORDER BY n")
    assert {row["reason"] for row in reasons} == {"malformed-envelope", "rule:R5"}
    raw = await store.read(lambda db: filed(db, ahead.digest))
    assert raw is not None
    assert b"rubbish" not in raw
