"""A key that the registry lists later: what came before it is judged again, once for each version."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec

from bus.admission.verdict import Message, Refused, decide
from bus.keys.signatures import FileSigner
from bus.subscribing.inbox import Inbox
from bus.subscribing.reassessment import AT_ONCE
from bus.transport.cursor import Cursor
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from tests.support import world
from tests.support.world import NOW, bulletin, key_record, shared_world, sign, signed_registry

WORLD = shared_world()


def listing(key: FileSigner, **record: Any) -> VerifiedRegistry:
    """The next version, in which xa-csirt has one more key."""
    document = ceremony.next_version(
        WORLD.registry.document, WORLD.registry.digest, NOW, dt.timedelta(days=90)
    )
    had = document.authorities["xa-csirt"]
    keys = {**had.keys, key.kid: key_record(key, NOW, **record)}
    document = proposals.add_authority(document, "xa-csirt", msgspec.structs.replace(had, keys=keys))
    return WORLD.registry.update(signed_registry(document, WORLD.roots), NOW)


def received(found: world.Message, n: int) -> Message:
    """A message as a subscriber took it from a stream."""
    return Message(
        subject=found.subject,
        headers=found.headers,
        payload=found.payload,
        stream="WORLD_ACTUAL",
        stream_seq=n,
        digest=found.digest,
    )


async def reasons(store: Inbox) -> list[str]:
    """What is in quarantine, and why."""
    return await store.read(lambda db: [row[0] for row in db.execute("SELECT reason FROM quarantine")])


async def settled(store: Inbox, *messages: Message) -> None:
    """Judged by the first version, and taken in."""
    found = [decide(each, WORLD.registry, NOW) for each in messages]
    assert all(isinstance(each, Refused) and each.reason == "unknown-key" for each in found)
    cursor = Cursor(seq=messages[-1].stream_seq, digest=messages[-1].digest)
    await store.settle(found, "WORLD_ACTUAL", cursor, NOW)


async def test_what_came_before_its_key_is_admitted_when_the_key_comes(tmp_path: Path) -> None:
    """Behind more strangers than are looked at in one go; the strangers stay, and all is then at rest."""
    new = FileSigner.generate()
    strangers = [
        received(sign(WORLD, bulletin(WORLD), by=FileSigner.generate()), n) for n in range(AT_ONCE + 1)
    ]
    mine = received(sign(WORLD, bulletin(WORLD), by=new), AT_ONCE + 1)
    async with Inbox.open(tmp_path / "store.db") as store:
        await settled(store, *strangers, mine)
        registry = listing(new)
        assert dict(await store.amend(registry, NOW)) == {}
        assert dict(await store.amend(registry, NOW)) == {"admitted": 1}
        assert (
            await store.read(lambda db: db.execute("SELECT digest FROM admitted").fetchone()[0])
            == mine.digest
        )
        assert await reasons(store) == ["unknown-key"] * len(strangers)
        assert dict(await store.amend(registry, NOW)) == {}


async def test_a_key_that_comes_revoked_or_too_late_admits_nothing(tmp_path: Path) -> None:
    """What was refused for an unknown key is then refused for what is known of it."""
    cases: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("revoked", {"revoked_since": NOW}, "key-revoked"),
        ("later", {"not_before": NOW + dt.timedelta(hours=1)}, "key-not-valid"),
    )
    for name, record, reason in cases:
        new = FileSigner.generate()
        async with Inbox.open(tmp_path / f"{name}.db") as store:
            await settled(store, received(sign(WORLD, bulletin(WORLD), by=new), 1))
            assert dict(await store.amend(listing(new, **record), NOW)) == {"refused": 1}
            assert await reasons(store) == [reason]
