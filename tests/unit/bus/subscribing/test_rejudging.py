"""A key that the registry lists later: what came before it is judged again, once for each version."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.admission.verdict import Message, Refused, decide
from bus.keys.signatures import FileSigner
from bus.subscribing.inbox import Inbox
from bus.subscribing.reassessment import AT_ONCE, Reassessment
from bus.transport.cursor import Cursor
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import new_statement
from schemas.subject import channel_of
from tests.support import world
from tests.support.held import hold
from tests.support.world import (
    NOW,
    bulletin,
    chain,
    draft,
    key_record,
    shared_world,
    sign,
    signed_registry,
)

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


async def test_two_readers_of_one_store_judge_it_once(tmp_path: Path) -> None:
    """Both find that there is work, as when one takes over from another that has not ended yet; the second finds it done."""
    new = FileSigner.generate()
    registry = listing(new)
    path = tmp_path / "store.db"
    async with Inbox.open(path) as one, Inbox.open(path) as two:
        await settled(one, received(sign(WORLD, bulletin(WORLD), by=new), 1))
        works = [(each, Reassessment(each._intake, registry, NOW)) for each in (one, two)]
        assert [await each.read(work.must_retry) for each, work in works] == [True, True]
        assert [await each.write(work.retry) for each, work in works] == [{"admitted": 1}, {}]
        assert [await each.read(work.must_retry) for each, work in works] == [False, False]


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


SECOND = FileSigner.generate("ES256")
REFUSING: dict[str, dict[str, Any]] = {
    "wrong-issuer": {"name": "Another name"},
    "key-not-valid": {"keys": {"not_before": NOW + dt.timedelta(hours=1)}},
    "signature-policy": {"require": ("Ed25519", "ES256")},
    "not-permitted": {"publish": ()},
}
"""By reason, what the record of xa-csirt has in a version that refuses what the next one admits."""


def version(after: VerifiedRegistry, **record: Any) -> VerifiedRegistry:
    """The next version, with changes to the record of xa-csirt."""
    document = ceremony.next_version(after.document, after.digest, NOW, dt.timedelta(days=90))
    had = WORLD.registry.authority("xa-csirt")
    keys = {kid: msgspec.structs.replace(key, **record.get("keys", {})) for kid, key in had.keys.items()} | {
        SECOND.kid: key_record(SECOND, NOW)
    }
    changed = msgspec.structs.replace(had, **{**record, "keys": keys})
    document = msgspec.structs.replace(document, authorities={**document.authorities, "xa-csirt": changed})
    return after.update(signed_registry(document, WORLD.roots), NOW)


@pytest.mark.parametrize("reason", REFUSING)
async def test_whatever_a_version_may_end_is_judged_again_by_it(tmp_path: Path, reason: str) -> None:
    """A bulletin overtakes the version by which it stands; what follows it stood already, and is no duplicate of it."""
    refuses = version(WORLD.registry, **REFUSING[reason])
    permits = version(refuses)
    one, two = chain(WORLD, 2)
    async with Inbox.open(tmp_path / "store.db", hold_s=0) as store:
        early = decide(received(one, 1), refuses, NOW)
        assert isinstance(early, Refused)
        assert early.reason == reason
        await store.settle([early], "WORLD_ACTUAL", Cursor(seq=1, digest=one.digest), NOW)
        assert dict(await store.amend(refuses, NOW)) == {}
        assert await reasons(store) == [reason]
        later = decide(received(two, 2), permits, NOW)
        await store.settle([later], "WORLD_ACTUAL", Cursor(seq=2, digest=two.digest), NOW)
        await store.release(NOW + dt.timedelta(minutes=1))
        assert dict(await store.amend(permits, NOW)) == {"admitted": 1}
        assert await reasons(store) == []
        found = await store.query("SELECT seq FROM admitted ORDER BY row")
        assert [row["seq"] for row in found] == [2, 1]
        links = await store.query("SELECT seq, reason FROM links ORDER BY seq")
        assert [tuple(row) for row in links] == [(1, None), (2, None)]
        assert dict(await store.amend(permits, NOW)) == {}
        again = decide(received(one, 3), permits, NOW)
        assert await store.settle([again], "WORLD_ACTUAL", Cursor(seq=3), NOW) == {"duplicate": 1}


async def test_a_version_that_permits_one_of_two_at_a_place_lets_neither_push_the_other_aside(
    tmp_path: Path,
) -> None:
    """What is not permitted holds its place, so another there is a fork, whatever a version says later."""
    refuses = version(WORLD.registry, publish=())
    permits = version(refuses)
    one = received(chain(WORLD, 1)[0], 1)
    other = received(sign(WORLD, bulletin(WORLD, say=draft("something else"))), 2)
    async with Inbox.open(tmp_path / "store.db", hold_s=0) as store:
        await store.settle([decide(one, refuses, NOW)], "WORLD_ACTUAL", Cursor(seq=1), NOW)
        await store.settle([decide(other, permits, NOW)], "WORLD_ACTUAL", Cursor(seq=2), NOW)
        assert sorted(await reasons(store)) == ["fork", "not-permitted"]
        await store.amend(permits, NOW)
        assert await reasons(store) == ["fork"]
        assert [row["digest"] for row in await store.query("SELECT digest FROM admitted")] == [one.digest]


@given(
    order=st.permutations(range(4)),
    kinds=st.lists(st.sampled_from([None, *REFUSING]), min_size=2, max_size=2),
    moments=st.lists(st.integers(0, 3), min_size=4, max_size=4).map(sorted),
)
@settings(max_examples=12, deadline=None)
def test_whatever_overtakes_what_a_reader_ends_as_one_that_reads_all_by_the_last_version(
    order: list[int], kinds: list[str | None], moments: list[int]
) -> None:
    """Bulletins in any order among versions that refuse them for any reason, the last of which permits all."""
    versions = [WORLD.registry]
    for kind in (*kinds, None):
        versions.append(version(versions[-1], **(REFUSING[kind] if kind else {})))
    messages = chain(WORLD, 4)

    async def ended(path: Path, came: list[tuple[int, int]]) -> tuple[list[tuple[object, ...]], list[str]]:
        async with Inbox.open(path, hold_s=0) as store:
            held = 0
            for n, (at, place) in enumerate(came, 1):
                while held < at:
                    held += 1
                    await store.amend(versions[held], NOW)
                found = decide(received(messages[place], n), versions[held], NOW)
                await store.settle([found], "WORLD_ACTUAL", Cursor(seq=n), NOW)
                await store.release(NOW + dt.timedelta(hours=1))
            await store.amend(versions[-1], NOW)
            await store.release(NOW + dt.timedelta(hours=2))
            links = await store.query("SELECT seq, digest, reason FROM links ORDER BY seq")
            return [tuple(row) for row in links], await reasons(store)

    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(ended(Path(folder) / "a.db", list(zip(moments, order, strict=True))))
        whole = asyncio.run(ended(Path(folder) / "b.db", [(3, place) for place in range(4)]))
    assert found == whole
    assert len(found[0]) == len(messages)


async def test_a_ruling_costs_what_its_channel_holds_and_not_what_others_do(tmp_path: Path) -> None:
    """A thief whose key has ended has his channel ruled about with each bulletin; what others have said is not looked at."""
    stolen, reserve = WORLD.signers["xa-csirt"], FileSigner.generate()
    two_keys = listing(reserve)
    statement = new_statement(
        domain="test",
        authority="xa-csirt",
        kids=(stolen.kid,),
        since=NOW,
        reason="key-compromise",
        signer=reserve,
        now=NOW,
    )
    ended = two_keys.with_revocation(statement, NOW)
    mine, late = chain(WORLD, 2)
    other = {"digest": "", "channel": ""}
    steps = {}
    for kept in (50, 3000):
        async with Inbox.open(tmp_path / f"{kept}.db", hold_s=0) as store:
            await store.settle([decide(received(mine, 1), two_keys, NOW)], None, None, NOW)

            def fill(db: sqlite3.Connection, kept: int = kept) -> int:
                row = dict(db.execute("SELECT * FROM admitted").fetchone())
                for n in range(kept):
                    other.update({"digest": f"d{n}", "channel": f"xb-c{n % 50}/actual.green.community"})
                    hold(
                        db, other["channel"], n + 1, other["digest"], row=row["row"] + n + 1, kids=row["kids"]
                    )
                return kept

            await store.write(fill)
            await store.amend(ended, NOW)
            await store.settle([decide(received(late, 2), ended, NOW)], None, None, NOW)

            def rule(db: sqlite3.Connection, store: Inbox = store) -> int:
                count = 0

                def step() -> int:
                    nonlocal count
                    count += 1
                    return 0

                db.set_progress_handler(step, 1)
                Reassessment(store._intake, ended, NOW).rule(db)
                with store._intake.anew(db, str(channel_of(mine.bulletin)), NOW):
                    pass
                db.set_progress_handler(None, 0)
                return count

            steps[kept] = await store.write(rule)
    assert steps[3000] < 1.2 * steps[50]
