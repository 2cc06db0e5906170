"""One bit flips, at a place drawn by seed, in outbox, store and what lies beside them: refused and said, or harmless.

Never false, never silent. `tests/faults/test_flipped_files.py` has all other files.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs

from bus import audit
from bus.hub.picture.projection import Projection
from bus.keys.files import load_signer, save_signer
from bus.publishing.fitness import Mark
from bus.publishing.heads_lines import accepted_line, heads_path, mark_line, parse
from bus.publishing.outbox import Settled
from bus.publishing.own_keys import own_key
from bus.publishing.publisher import Accepted
from bus.storage import boot_id
from bus.subscribing.inbox import Inbox
from bus.transport.cursor import Cursor
from bus.trust.registry import VerifiedRegistry
from schemas.errors import TocsinError
from tests.support.hubs import judged
from tests.support.publishers import publishing
from tests.support.world import NOW, chain, draft, shared_world

WORLD = shared_world()
COUNT = 8
CHAIN = chain(WORLD, COUNT)
PASSPHRASE = b"x"
SHORT, LONG = 16, 200


class Scene(NamedTuple):
    """The files of a program that has died, and what it had told others."""

    folder: Path
    accepted: tuple[Accepted, ...]


async def build(folder: Path) -> Scene:
    """An outbox, a store, a registry, an audit record and a key file; `kill -9` leaves outbox and store with their logs."""
    live, dead = folder / "live", folder / "dead"
    live.mkdir()
    accepted: list[Accepted] = []
    async with (
        publishing(live / "outbox.db", WORLD) as publisher,
        Inbox.open(live / "store.db", projector=Projection()) as store,
    ):
        for n in range(COUNT):
            accepted.append(await publisher.publish(draft(f"{n}")))
            if n == COUNT // 2:
                done = [Settled(n=row, stream="S", stream_seq=row) for row in range(1, n)]
                await publisher.outbox.settle(done, NOW.timestamp())
                # Half of it stands in the database, half in the log.
                await publisher.outbox.read(lambda db: db.execute("PRAGMA wal_checkpoint").fetchall())
        for n, message in enumerate(CHAIN):
            await store.settle(
                [judged(message)], "WORLD_ACTUAL", Cursor(seq=n + 1, digest=message.digest), NOW
            )
            if n == COUNT // 2:
                await store.read(lambda db: db.execute("PRAGMA wal_checkpoint").fetchall())
        (live / "registry").write_bytes(WORLD.raw)
        save_signer(live / "key.pem", WORLD.signers["xa-csirt"], PASSPHRASE)
        for n in range(COUNT):
            audit.append(live / "audit.jsonl", "refused", {"n": n}, NOW)
        # The outbox knows itself by its inode; its copies are to be taken for the file itself.
        await publisher.outbox.execute("DELETE FROM outbox_file")
        shutil.copytree(live, dead)
    return Scene(dead, tuple(accepted))


async def judge_outbox(folder: Path, scene: Scene) -> str:
    """Each accepted bulletin is there to the byte, or the outbox, or the row, says that it is not."""
    async with publishing(folder / "outbox.db", WORLD) as publisher:
        outbox = publisher.outbox
        unfit = outbox.unfit
        outcome = "harmless" if unfit is None else unfit.reason
        for each in scene.accepted:
            try:
                row = await outbox.get(each.digest)
                if row is None:
                    row = await outbox.get(each.id)
            except TocsinError as exc:
                assert exc.reason in ("row-damaged", "store-corrupt", "store-failed"), exc
                outcome = exc.reason
                continue
            if row is None:
                await outbox.database.check()  # what is not found for a damaged page is said by the check
                assert outbox.unfit is not None or await outbox.query(
                    "SELECT 1 FROM outbox WHERE seq = ?", each.seq
                ), f"{each} is gone, and nothing says so"
                outcome = "outbox-behind" if outbox.unfit is not None else "row-damaged"
        await outbox.database.check()
        claimed = await outbox.claim((), NOW.timestamp())
        for row in (row for rows in claimed.values() for row in rows):
            assert row.is_whole, "sent, and not what was signed"
            assert (row.digest, row.id) in {(each.digest, each.id) for each in scene.accepted}
        more = await publisher.publish(draft("more"))
        assert more.seq == COUNT + 1, "a number was given twice, or jumped"
        kept = await outbox.get(more.digest)
        assert kept is not None
        assert kept.prev == scene.accepted[-1].digest, "the chain was broken"
        return outcome


async def judge_store(folder: Path, _: Scene) -> str:
    """What is shown was admitted, to the byte; what is not shown is said, or comes again from the cursor."""
    known = {message.digest: message.payload for message in CHAIN}
    async with Inbox.open(folder / "store.db", projector=Projection()) as store:
        shown = [row async for row in store.follow(0, live=False)]
        for row in shown:
            assert known.get(row.digest) == row.payload, "shown, and not what was admitted"
            assert row.bulletin.seq in range(1, COUNT + 1)
        await store.database.check()
        if len(shown) < COUNT:
            read_upto = (await store.cursor("WORLD_ACTUAL")).seq
            damaged = [
                row for row in await store.query("SELECT digest FROM admitted") if row["digest"] not in known
            ]
            assert read_upto <= len(shown) or damaged or _said(), "not shown, and nothing says so"
            return "read again" if read_upto <= len(shown) else "row-damaged"
    return "harmless"


_LOGGED: list[str] = []


def _said() -> bool:
    """Whether the log names a damaged row."""
    return "row_damaged" in _LOGGED


async def judge_registry(folder: Path, _: Scene) -> str:
    """It is the very registry, or refused."""
    found = VerifiedRegistry.open((folder / "registry").read_bytes())
    assert found.digest == WORLD.registry.digest
    return "harmless"


async def judge_audit(folder: Path, _: Scene) -> str:
    """Each line is as it was written, or the record is refused; but for the last, which only a head that was noted proves."""
    audit.verify(folder / "audit.jsonl")
    *proven, _last = audit.read(folder / "audit.jsonl")
    assert [entry.facts["n"] for entry in proven] == list(range(COUNT - 1))
    return "harmless"


async def judge_key(folder: Path, _: Scene) -> str:
    """It is the very key, or refused; one that opens as another key is refused as not the authority's, before it signs."""
    signer = load_signer(folder / "key.pem", PASSPHRASE)
    own_key(WORLD.registry, "xa-csirt", signer.kid)
    return "harmless"


FILES: dict[str, Callable[[Path, Scene], Awaitable[str]]] = {
    "outbox.db": judge_outbox,
    "outbox.db-wal": judge_outbox,
    "outbox.db.heads": judge_outbox,
    "store.db": judge_store,
    "store.db-wal": judge_store,
    "registry": judge_registry,
    "audit.jsonl": judge_audit,
    "key.pem": judge_key,
}


async def flipped(scene: Scene, folder: Path, seed: int) -> tuple[str, str]:
    """What comes of one flipped bit: the file, and the outcome."""
    rng = random.Random(seed)
    name = [*FILES][seed % len(FILES)]
    shutil.copytree(scene.folder, folder)
    # The heads file is copied with the rest, so it is said anew by whom and when.
    _as_their_own(folder, scene)
    path = folder / name
    raw = bytearray(path.read_bytes())
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    path.write_bytes(raw)
    with capture_logs() as said:
        try:
            outcome = await FILES[name](folder, scene)
        except TocsinError as exc:
            outcome = exc.reason
        except AssertionError as exc:
            _LOGGED[:] = [each["event"] for each in said]
            if not (_said() and "not shown" in str(exc)):
                raise AssertionError(f"seed {seed}, {name}: {exc}") from exc
            outcome = "row-damaged"
    return name, outcome


def _as_their_own(folder: Path, scene: Scene) -> None:
    """Let the copies be taken for the files themselves: only the bit is to be judged."""
    heads = heads_path(folder / "outbox.db")
    record = parse(heads_path(scene.folder / "outbox.db").read_bytes())
    mark = Mark(inode=(folder / "outbox.db").stat().st_ino, boot=boot_id())
    now = time.time()
    lines = [accepted_line(each, now) for each in record.said]
    heads.write_bytes(b"".join(lines) + mark_line(mark, now))


async def run(folder: Path, rounds: int) -> Counter[tuple[str, str]]:
    """So many flips, by seed; each outcome counted."""
    scene = await build(folder)
    found: Counter[tuple[str, str]] = Counter()
    for seed in range(rounds):
        found[await flipped(scene, folder / f"{seed}", seed)] += 1
        await asyncio.to_thread(shutil.rmtree, folder / f"{seed}")
    return found


async def test_a_flipped_bit_is_refused_and_said_or_harmless(tmp_path: Path) -> None:
    """Two in each file."""
    found = await run(tmp_path, SHORT)
    assert found.total() == SHORT


@pytest.mark.faults
async def test_two_hundred_flipped_bits_are_refused_and_said_or_harmless(tmp_path: Path) -> None:
    """The long form: each file in turn."""
    found = await run(tmp_path, LONG)
    assert found.total() == LONG
