"""The outbox: nothing accepted is lost and no number is used twice, with any killed process and any number of writers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bus.errors import PermitError, StoreError
from bus.keys.files import save_signer
from bus.publishing.outbox import Outbox, Settled
from bus.publishing.publisher import GROUP
from bus.storage.layout import Layout
from bus.storage.lease import owner_name
from schemas.codec import decode, digest
from schemas.errors import RuleError
from schemas.vocab import MsgType, Tlp
from tests.support.places import ROOT
from tests.support.publishers import keeping
from tests.support.world import NOW, World, draft, shared_world

LATER = NOW.timestamp() + 1

WRITER = """
import asyncio, secrets, sys
from pathlib import Path
from bus.keys.files import load_signer
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.trust.registry import VerifiedRegistry
from tests.support.world import DEFAULTS, NOW, draft

async def main(folder, count):
    registry = VerifiedRegistry.open((folder / "registry").read_bytes())
    async with Outbox.open(folder / "outbox.db") as outbox, Publisher.open(
        authority_id="xa-csirt", outbox=outbox, registry=lambda: registry, signers=(load_signer(folder / "key.pem", b"x"),),
        endpoint=None, defaults=DEFAULTS, clock=lambda: NOW, rng=secrets.token_bytes) as publisher:
        for n in range(count):
            print((await publisher.publish(draft(f"{n}"))).digest, flush=True)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


async def chain_of(outbox: Outbox) -> list[str]:
    """The digests of the one channel, in order, checked to be a chain without gap or fork."""
    rows = sorted(await outbox.rows(limit=100_000), key=lambda row: row.seq)
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    for before, row in zip([None, *rows], rows, strict=False):
        assert row.prev == (before.digest if before else None)
        assert digest(row.payload) == row.digest
        assert decode(row.payload).prev == row.prev
    return [row.digest for row in rows]


def prepare(folder: Path) -> World:
    """The setup of a writing process."""
    world = shared_world()
    (folder / "registry").write_bytes(world.raw)
    save_signer(folder / "key.pem", world.signers["xa-csirt"], b"x")
    return world


def write(folder: Path, count: int) -> subprocess.Popen[str]:
    """Another process that publishes."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(count)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


async def test_two_processes_make_one_chain(tmp_path: Path) -> None:
    """Stamping at the same time, neither forks the other."""
    prepare(tmp_path)
    writers = [write(tmp_path, 40) for _ in range(2)]
    said = [
        line.strip()
        for each in writers
        for line in (await asyncio.to_thread(each.communicate))[0].splitlines()
    ]
    async with Outbox.open(tmp_path / "outbox.db") as outbox:
        assert sorted(await chain_of(outbox)) == sorted(said)
        assert len(said) == 80


async def test_what_a_killed_process_accepted_is_there(tmp_path: Path) -> None:
    """Kill -9 in the middle: every accepted bulletin is kept, and the chain goes on from it."""
    world = prepare(tmp_path)
    writer = write(tmp_path, 100_000)
    assert writer.stdout is not None
    said = [(await asyncio.to_thread(writer.stdout.readline)).strip() for _ in range(30)]
    writer.kill()
    said += [
        line.strip()
        for line in (await asyncio.to_thread(writer.communicate))[0].splitlines()
        if len(line.strip()) == 43
    ]
    async with keeping(tmp_path / "outbox.db", world) as (publisher, outbox):
        kept = await chain_of(outbox)
        assert set(said) <= set(kept)
        assert (await publisher.publish(draft())).seq == len(kept) + 1


async def test_a_refused_draft_uses_no_number(tmp_path: Path) -> None:
    """Between two good ones, refusals leave no hole."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft())
        with pytest.raises(PermitError):
            await publisher.publish(draft(tlp=Tlp.AMBER))
        with pytest.raises(RuleError):
            await publisher.publish(draft(msg_type=MsgType.UPDATE))
        assert (await publisher.publish(draft())).seq == 2
        assert len(await chain_of(outbox)) == 2


async def test_one_key_gives_one_bulletin_and_one_origin_supersedes(tmp_path: Path) -> None:
    """The same document twice is one bulletin; an amended one replaces it."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        first = await publisher.publish(draft(), once="a/0", origin="case 7")
        again = await publisher.publish(draft(), once="a/0", origin="case 7")
        assert (again.state, again.digest) == ("known", first.digest)
        amended = await publisher.publish(draft("amended"), once="b/0", origin="case 7")
        row = await outbox.get(amended.id)
        assert row is not None
        said = decode(row.payload)
        assert (said.msg_type, said.references[0].id) == (MsgType.UPDATE, first.id)
        assert len(await chain_of(outbox)) == 2


async def test_a_rehearsal_keeps_nothing(tmp_path: Path) -> None:
    """It returns the bulletin and uses no number."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        assert (await publisher.rehearse(draft())).state == "dry-run"
        assert await outbox.rows() == []


async def test_states_counts_and_the_wait_behind_a_parked_row(tmp_path: Path) -> None:
    """A parked row holds its channel's later ones back, and nothing else."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        rows = [await publisher.publish(draft(f"{n}")) for n in range(3)]
        await outbox.settle([Settled(n=1, stream="XA_ACTUAL", stream_seq=1)], 1.0)
        await outbox.park([2], "refused-by-broker")
        assert await outbox.claim((), 2.0) == {}
        assert await outbox.counts() == {"kept": 1, "stored": 1, "parked": 1, "superseded": 0, "damaged": 0}
        assert await outbox.wait_state(rows[0].digest, 0) == "stored"
        assert await outbox.wait_state(rows[2].digest, 0.05) == "kept"


async def test_a_claim_settles_the_last_round_and_marks_the_next(tmp_path: Path) -> None:
    """A row never sent comes unmarked, once; an acknowledged row comes no more; a resting status gets no turn."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        for n in range(2):
            await publisher.publish(draft(f"{n}"))
        assert await outbox.claim(("actual",), LATER) == {}
        assert [row.attempted_at for row in (await outbox.claim((), LATER))["actual"]] == [None, None]
        first = Settled(n=1, stream="XA_ACTUAL", stream_seq=1)
        await outbox.settle([first], LATER + 1)
        (again,) = (await outbox.claim((), LATER + 1))["actual"]
        assert (again.n, again.attempted_at) == (2, LATER)
        assert [row.stored_at for row in await outbox.rows()] == [None, LATER + 1]


async def test_a_row_is_sent_no_earlier_than_it_is_kept(tmp_path: Path) -> None:
    """Another process may keep a row after a sender has read its clock and before its turn to write."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft())
        await outbox.claim((), 1.0)
        (row,) = await outbox.rows()
        assert row.attempted_at == row.kept_at > 1.0


async def test_a_claim_is_bounded_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For any size of bulletins the bytes in memory are bounded, and at least one row is taken."""
    monkeypatch.setattr("bus.publishing.outbox.MOST_BYTES", 1)
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        for n in range(2):
            await publisher.publish(draft(f"{n}"))
        assert [row.n for row in (await outbox.claim((), 1.0))["actual"]] == [1]


def tables_in(db: sqlite3.Connection) -> set[str]:
    """The names of the tables in a file."""
    return {row["name"] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


async def test_a_file_has_the_outbox_s_tables_and_those_that_are_given(tmp_path: Path) -> None:
    """Publishing needs no other room's tables; one that comes later adds its own to what is there."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        accepted = await publisher.publish(draft())
        alone = await outbox.read(tables_in)
    assert not alone & {"admitted", "receipts", "expected"}
    notes = Layout("notes", "CREATE TABLE IF NOT EXISTS notes (digest TEXT PRIMARY KEY);")
    async with Outbox.open(tmp_path / "o.db", tables=(notes,)) as outbox:
        assert await outbox.read(tables_in) == alone | {"notes"}
        await outbox.write(lambda db: db.execute("INSERT INTO notes SELECT digest FROM outbox"))
        noted = await outbox.read(lambda db: db.execute("SELECT digest FROM notes").fetchone()[0])
    assert noted == accepted.digest


async def test_the_lease_is_for_one_until_its_time_is_up(tmp_path: Path) -> None:
    """A second sender waits, and takes over when the lease expires or the first releases it or ends."""
    async with Outbox.open(tmp_path / "o.db") as outbox:
        mine, other = owner_name(), owner_name()
        assert await outbox.take_lease(mine, 100.0, 10)
        assert not await outbox.take_lease(other, 105.0, 10)
        assert await outbox.take_lease(mine, 105.0, 10)
        assert await outbox.take_lease(other, 116.0, 10)
        await outbox.drop_lease(other)
        gone = ":".join([*mine.split(":")[:1], "999999999", "1", "ffff"])
        assert await outbox.take_lease(gone, 117.0, 1000)
        assert await outbox.take_lease(mine, 118.0, 10)


async def test_a_lease_of_a_clock_that_was_set_back_lasts_no_longer(tmp_path: Path) -> None:
    """Taken while the clock was an hour on, it is free once that is put right, even if nobody knows whether its holder lives."""
    async with Outbox.open(tmp_path / "o.db") as outbox:
        elsewhere = f"another-boot:{owner_name().partition(':')[2]}"
        assert await outbox.take_lease(elsewhere, 3700.0)
        assert not await outbox.take_lease(owner_name(), 3705.0)
        assert not await outbox.take_lease(
            owner_name(), 3699.9
        )  # somebody who looked at the clock before it was taken
        assert await outbox.take_lease(owner_name(), 100.0)


async def test_a_damaged_file_is_refused_and_said_so(tmp_path: Path) -> None:
    """Nothing is stamped over a broken database."""
    path = tmp_path / "o.db"
    async with keeping(path) as (publisher, _):
        for n in range(50):
            await publisher.publish(draft(f"{n}"))
    raw = bytearray(path.read_bytes())
    raw[4096 : 4096 * 6] = b"\xff" * 4096 * 5
    path.write_bytes(bytes(raw))
    with pytest.raises(StoreError) as refused:
        async with Outbox.open(path):
            pass
    assert refused.value.reason == "store-corrupt"
    assert json.dumps(str(refused.value))


async def test_a_group_of_bulletins_has_room_in_memory_until_its_commit(tmp_path: Path) -> None:
    """Its pages are not written early and read back: 2 kB of payload each, and as much again beside it."""
    async with Outbox.open(tmp_path / "o.db") as outbox:
        ((kilobytes,),) = await outbox.query("PRAGMA cache_size")
    assert -kilobytes * 1024 >= 4 * GROUP * 4096
