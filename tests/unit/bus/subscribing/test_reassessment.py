"""Revoked and expired keys: in any order of arrival a reader ends with exactly the honest history."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bus.hub.picture import summary
from bus.hub.picture.projection import Projection
from bus.subscribing.inbox import Inbox
from tests.support.hubs import judged
from tests.support.theft import (
    ANCHOR,
    FIRST,
    FORGED,
    FORGED_TOO,
    HONEST,
    HOUR,
    LAST,
    LATE,
    REVOKED,
    SECOND,
    THEFT,
    TWO_KEYS,
    registry,
)
from tests.support.world import NOW, Message


async def shown(store: Inbox) -> dict[int, str]:
    """What is admitted, by number."""
    return {row.seq: row.digest async for row in store.follow(0, live=False)}


async def reasons(store: Inbox) -> dict[str, str]:
    """What is in quarantine, by digest."""
    return {each.digest: each.reason for each in await store.read(lambda db: summary.quarantine(db, 99))}


async def test_the_thiefs_branch_is_withdrawn_and_what_it_did_undone(tmp_path: Path) -> None:
    """Forged bulletins leave the picture with their effects once the key is revoked; the honest chain goes on."""
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await store.settle([judged(m, TWO_KEYS, NOW) for m in (FIRST, SECOND)], None, None, NOW)
        evening = THEFT + HOUR
        batch = (FORGED, FORGED_TOO, LATE, ANCHOR, LAST)
        await store.settle([judged(m, TWO_KEYS, evening) for m in batch], None, None, evening)
        assert FORGED.digest in (await shown(store)).values()
        ended = "SELECT count(*) FROM actual WHERE ended_how = 'cancelled'"
        assert await store.read(lambda db: db.execute(ended).fetchone()[0]) == 1
        counts = await store.amend(REVOKED, evening)
        assert counts == {"withdrawn": 2, "continued": 3}
        assert await shown(store) == {m.bulletin.seq: m.digest for m in HONEST}
        assert await reasons(store) == {m.digest: "key-revoked" for m in (FORGED, FORGED_TOO)}
        assert await store.read(lambda db: db.execute(ended).fetchone()[0]) == 0
        assert await store.amend(REVOKED, evening) == {}


@pytest.mark.parametrize("row", [2, 4096])
async def test_a_place_that_leads_elsewhere_holds_up_no_ruling(tmp_path: Path, row: int) -> None:
    """After a flipped bit in the number of its row: all others are ruled about, and no other falls with it."""
    evening = THEFT + HOUR
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await store.settle([judged(m, TWO_KEYS, NOW) for m in (FIRST, SECOND)], None, None, NOW)
        batch = (FORGED, FORGED_TOO, LATE, ANCHOR, LAST)
        await store.settle([judged(m, TWO_KEYS, evening) for m in batch], None, None, evening)
        await store.execute("UPDATE places SET row = ? WHERE seq = 1", row)
        assert await store.amend(REVOKED, evening) == {"withdrawn": 2, "continued": 3}
        assert set(await shown(store)) == {m.bulletin.seq for m in HONEST} - {FIRST.bulletin.seq}
        assert await store.query("SELECT 1 FROM admitted WHERE tries > 0") == []


async def test_a_forgery_that_comes_after_the_revocation_is_never_shown(tmp_path: Path) -> None:
    """Back-dated or not: under a revoked key nothing new is admitted that no standing bulletin continues."""
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0) as store:
        await store.amend(REVOKED, THEFT)
        await store.settle([judged(FORGED, REVOKED, THEFT)], None, None, THEFT)
        await store.amend(REVOKED, THEFT)
        assert await shown(store) == {}
        assert await reasons(store) == {FORGED.digest: "key-revoked"}


async def test_history_by_a_key_out_of_use_stands_by_what_continues_it(tmp_path: Path) -> None:
    """A hub that joins later reads what an old key signed, because the new key's bulletins continue it."""
    now = NOW + 10 * HOUR
    later = registry(ends=NOW + HOUR)
    async with Inbox.open(tmp_path / "s.db", projector=Projection()) as store:
        await store.settle([judged(m, later, now) for m in HONEST[:3]], None, None, now)
        await store.amend(later, now)
        assert await shown(store) == {}
        assert set((await reasons(store)).values()) == {"key-ended"}
        await store.settle([judged(m, later, now) for m in HONEST[3:]], None, None, now)
        await store.amend(later, now)
        assert await shown(store) == {m.bulletin.seq: m.digest for m in HONEST}
        labels = {row.seq: "continued" in row.labels async for row in store.follow(0, live=False)}
        assert labels == {1: True, 2: True, 3: True, 4: False, 5: False}
        assert await reasons(store) == {}


@settings(max_examples=70)
@given(
    st.permutations([*HONEST[2:], FORGED, FORGED_TOO]),
    st.integers(0, 5),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.booleans(),
)
@example([LAST, FORGED, LATE, FORGED_TOO, ANCHOR], 3, [True] * 6, False)  # continued when its rival has gone
@example([LAST, FORGED, FORGED_TOO, LATE, ANCHOR], 3, [True] * 6, False)  # continued by one that fills a hole
def test_any_order_ends_with_the_honest_history(
    order: list[Message], known_from: int, amends: list[bool], doubled: bool
) -> None:
    """The revocation known early or late, forged before honest or after, ruled at once or at the end: one result."""

    async def work(path: Path) -> None:
        async with Inbox.open(path, projector=Projection(), hold_s=0) as store:
            await store.settle([judged(m, TWO_KEYS, NOW) for m in HONEST[:2]], None, None, NOW)
            evening = THEFT + HOUR
            for step, message in enumerate([*order, *(order if doubled else [])]):
                known = REVOKED if step >= known_from else TWO_KEYS
                await store.settle([judged(message, known, evening)], None, None, evening)
                if amends[step % len(amends)]:
                    await store.amend(known, evening)
            await store.release(evening + HOUR)
            await store.amend(REVOKED, evening)
            await store.release(evening + HOUR)
            assert await shown(store) == {m.bulletin.seq: m.digest for m in HONEST}
            assert {m.digest for m in (FORGED, FORGED_TOO)} <= (await reasons(store)).keys()
            sql = "SELECT id, ended_by, ended_how, headline FROM actual ORDER BY id"
            before = await store.read(lambda db: [tuple(row) for row in db.execute(sql)])
            await store.rebuild()
            assert await store.read(lambda db: [tuple(row) for row in db.execute(sql)]) == before

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder) / "store.db"))
