"""The heads file: an outbox that has lost what it had accepted, or is an old copy, does not sign."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import OutboxError, StoreError
from bus.publishing import fit_to_sign
from bus.publishing.fitness import Held, HeldHead, Mark, Place, Record, Said
from bus.publishing.heads_file import LONGEST_BYTES, HeadsFile
from bus.publishing.heads_lines import accepted_line, heads_path, mark_line, outline, parse
from bus.publishing.outbox import Outbox
from tests.support.publishers import publishing
from tests.support.world import draft, shared_world

WORLD = shared_world()
CHANNEL = "actual.green.eu-csirts"


def said(n: int, seq: int | None = None, channel: str = CHANNEL) -> Said:
    """An accepted bulletin."""
    number = n if seq is None else seq
    return Said(n=n, channel=channel, seq=number, digest=f"sha256:{channel}{number}", id=f"id-{n}")


def held(seq: int, *, counter: int | None = None, digest: str | None = None, n: int | None = None) -> Held:
    """An outbox of one channel whose head is this number."""
    head = HeldHead(seq=seq, digest=digest or said(seq).digest, n=seq if n is None else n)
    return Held(counter=seq if counter is None else counter, heads={CHANNEL: head}, inode=7)


HERE = Place(inode=7, boot="b", changed_at=1000.0)
MARK = Mark(inode=7, boot="b")

CASES: dict[str, tuple[Record | None, Held, Place, str | None]] = {
    "nothing was ever said": (None, Held(counter=0), HERE, None),
    "no file yet, of before there was one": (None, msgspec.structs.replace(held(3), inode=None), HERE, None),
    "the file is lost, the outbox is its own": (None, held(3), HERE, None),
    "the file is lost, and the outbox another": (None, held(3), Place(inode=8, boot="b"), "outbox-restored"),
    "both agree": (Record(said=(said(1), said(2))), held(2), HERE, None),
    "a crash before the line": (Record(said=(said(1),)), held(2), HERE, None),
    "the outbox has lost its end": (Record(said=(said(1), said(2))), held(1), HERE, "outbox-behind"),
    "the outbox is new": (Record(said=(said(1),)), Held(counter=0), HERE, "outbox-behind"),
    "another bulletin stands at the number": (
        Record(said=(said(2),)),
        held(2, digest="sha256:other"),
        HERE,
        "outbox-behind",
    ),
    "the head was set back": (Record(said=(said(3),)), held(2, counter=3), HERE, "outbox-behind"),
    "the channel goes on from before, by decision": (
        Record(said=(said(3),)),
        held(2, counter=4, digest="sha256:anchor", n=4),
        HERE,
        None,
    ),
    "a higher number was adopted from the bus": (
        Record(said=(said(3),)),
        held(5, counter=3, n=0),
        HERE,
        None,
    ),
    "another inode": (
        Record(said=(said(1),), mark=Mark(inode=8, boot="b")),
        held(1),
        HERE,
        "outbox-restored",
    ),
    "copied back over both": (
        Record(said=(said(1),), mark=MARK, written_at=900.0),
        held(1),
        HERE,
        "outbox-restored",
    ),
    "written just now": (Record(said=(said(1),), mark=MARK, written_at=999.5), held(1), HERE, None),
    "before the last power cut": (
        Record(said=(said(1),), mark=Mark(inode=7, boot="a"), written_at=900.0),
        held(1),
        HERE,
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_outbox_that_may_have_lost_something_may_not_sign(name: str) -> None:
    """Only the content of the heads file and of the outbox, and the outbox's place, decide."""
    record, outbox, place, reason = CASES[name]
    unfit = fit_to_sign(record, outbox, place)
    assert (unfit and unfit.reason) == reason
    if unfit is not None and reason == "outbox-behind":
        assert unfit.channels
        assert "outbox recover" in unfit.remedy


@given(st.integers(1, 20), st.integers(min_value=0), st.integers(0, 7))
def test_a_flipped_bit_takes_at_most_two_lines(count: int, place: int, bit: int) -> None:
    """No line is read with another content, and the other lines stay valid."""
    lines = [accepted_line(said(n), n) for n in range(1, count + 1)] + [mark_line(MARK, 50.0)]
    raw = bytearray(b"".join(lines))
    raw[place % len(raw)] ^= 1 << bit
    record = parse(bytes(raw))
    assert set(record.said) <= {said(n) for n in range(1, count + 1)}
    assert len(record.said) + (record.mark == MARK) >= count - 1
    assert record.mark in (MARK, None)


LINES = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 30)), max_size=40)


@given(LINES, st.integers(1, 4), st.lists(st.tuples(st.integers(min_value=0), st.integers(0, 7)), max_size=2))
def test_an_outline_says_what_all_lines_say(
    drawn: list[tuple[int, int]], recent: int, flips: list[tuple[int, int]]
) -> None:
    """The last of each channel, the recent lines and the mark are found, for any order, marks in between, and flipped bits."""
    lines = [
        accepted_line(said(n, n, f"system.green.a{channel}"), 1.0)
        if channel
        else mark_line(Mark(inode=n, boot="b"), 1.0)
        for channel, n in drawn
    ]
    raw = bytearray(b"".join(lines))
    for place, bit in flips if raw else ():
        raw[place % len(raw)] ^= 1 << bit
    whole, part = parse(bytes(raw)), outline(bytes(raw), recent)
    assert part.last == whole.last
    assert part.said[-recent:] == whole.said[-recent:]
    assert part.mark == whole.mark


async def test_each_accepted_bulletin_has_a_line_before_anybody_is_told(tmp_path: Path) -> None:
    """What `publish` returned is in the file, in order."""
    path = tmp_path / "outbox.db"
    async with publishing(path, WORLD) as publisher:
        for n in range(5):
            accepted = await publisher.publish(draft(f"{n}"))
            last = parse(heads_path(path).read_bytes()).said[-1]
            assert (last.seq, last.digest, last.id) == (n + 1, accepted.digest, accepted.id)


def cut(outbox: Path, rows: int) -> None:
    """Let the outbox forget its newest rows, as SQLite does when the log ends earlier."""
    with closing(sqlite3.connect(outbox)) as db, db:
        (last,) = db.execute("SELECT max(n) - ? FROM bulletins", (rows,)).fetchone()
        for name in ("bulletins", "unsent", "sent", "aside"):
            db.execute(f"DELETE FROM {name} WHERE n > ?", (last,))
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'bulletins'", (last,))
        db.execute("UPDATE heads SET seq = o.seq, digest = o.digest FROM bulletins o WHERE o.n = ?", (last,))


async def said_five(path: Path) -> None:
    """An outbox that has accepted five."""
    async with publishing(path, WORLD) as publisher:
        for n in range(5):
            await publisher.publish(draft(f"{n}"))


async def refused(path: Path) -> OutboxError:
    """With what the outbox refuses to sign."""
    async with publishing(path, WORLD) as publisher:
        with pytest.raises(OutboxError) as found:
            await publisher.publish(draft("more"))
        with pytest.raises(OutboxError) as rehearsed:
            await publisher.rehearse(draft("more"))
        assert rehearsed.value.reason == found.value.reason
        return found.value


async def test_an_outbox_that_lost_its_end_refuses_and_says_how_much(tmp_path: Path) -> None:
    """Before anything is signed, with the channel, both numbers and what to do."""
    path = tmp_path / "outbox.db"
    await said_five(path)
    cut(path, 2)
    error = await refused(path)
    assert error.reason == "outbox-behind"
    assert "number 3" in str(error)
    assert "accepted 5" in str(error)
    assert "outbox recover" in str(error)


async def test_a_lost_outbox_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """The file is missing and its heads file is not."""
    path = tmp_path / "outbox.db"
    await said_five(path)
    path.unlink()
    assert (await refused(path)).reason == "outbox-behind"


def copy_back(outbox: Path, copies: list[Path]) -> None:
    """Copies of both files in new files, as a restore from a backup makes them."""
    for each in copies:
        new = outbox.with_name(f"{each.name}.new")
        shutil.copy2(each, new)
        new.replace(outbox.with_name(each.name))


def copy_over(outbox: Path, copies: list[Path]) -> None:
    """Copies of both files into those that are there, long afterwards."""
    for each in copies:
        outbox.with_name(each.name).write_bytes(each.read_bytes())
    # So much later as a person would do it: the lines say an earlier time.
    heads = heads_path(outbox)
    record = parse(heads.read_bytes())
    assert record.mark is not None
    heads.write_bytes(
        b"".join(accepted_line(each, 1000.0) for each in record.said) + mark_line(record.mark, 1000.0)
    )


@pytest.mark.parametrize("restore", [copy_back, copy_over])
async def test_an_old_copy_of_both_files_is_noticed(
    tmp_path: Path, restore: Callable[[Path, list[Path]], None]
) -> None:
    """Outbox and heads file agree with each other, and are not those that were last written."""
    path, store = tmp_path / "outbox.db", tmp_path / "copies"
    await said_five(path)
    store.mkdir()
    copies = [Path(shutil.copy2(each, store)) for each in (path, heads_path(path))]
    await said_five(path)
    restore(path, copies)
    assert (await refused(path)).reason == "outbox-restored"
    async with Outbox.open(path) as outbox:
        await outbox.vouch()
        assert outbox.unfit is None
    async with publishing(path, WORLD) as publisher:
        await publisher.publish(draft("after it was compared"))


async def test_a_lost_or_damaged_heads_file_is_made_up_for(tmp_path: Path) -> None:
    """The outbox is sound, so it continues, as well protected as before."""
    path = tmp_path / "outbox.db"
    await said_five(path)
    heads = heads_path(path)
    for harm in (heads.unlink, lambda: heads.write_bytes(b""), lambda: heads.write_bytes(os.urandom(500))):
        harm()
        async with publishing(path, WORLD) as publisher:
            accepted = await publisher.publish(draft("more"))
        record = parse(heads.read_bytes())
        assert record.last[accepted.channel.partition("/")[2]].digest == accepted.digest
    cut(path, 1)
    assert (await refused(path)).reason == "outbox-behind"


async def test_a_heads_file_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    """It is a second word only: without room or permission for it the first one counts."""
    path = tmp_path / "outbox.db"
    heads_path(path).mkdir(parents=True)
    await said_five(path)
    async with Outbox.open(path) as outbox:
        assert (await outbox.counts())["kept"] == 5


async def test_a_long_heads_file_is_written_anew(tmp_path: Path) -> None:
    """It stays bounded, and keeps the last of each channel."""
    path = tmp_path / "outbox.db"
    await said_five(path)
    heads = heads_path(path)
    old = b"".join(accepted_line(said(100 + n, 1, f"system.green.a{n}"), 1.0) for n in range(3))
    lines = heads.read_bytes()
    mine = b"".join(lines.splitlines(keepends=True)[:4])
    heads.write_bytes(old + mine * (LONGEST_BYTES // len(mine) + 1) + lines)
    keeper = HeadsFile(path)
    keeper._append(b"")  # what every commit does
    record = parse(heads.read_bytes())
    assert heads.stat().st_size < LONGEST_BYTES / 4
    assert len(record.last) == 4
    assert max(each.seq for each in record.last.values()) == 5


@pytest.mark.parametrize("seed", range(12))
async def test_no_flipped_bit_of_the_log_loses_an_accepted_bulletin_in_silence(
    tmp_path: Path, seed: int
) -> None:
    """The outbox dies with all in its log, and one bit of the log flips: it is whole, refuses to sign, or is damaged."""
    path, rng = tmp_path / "alive" / "outbox.db", random.Random(seed)
    dead = tmp_path / "dead"
    async with publishing(path, WORLD) as publisher:
        accepted = [(await publisher.publish(draft(f"{n}"))).digest for n in range(6)]
        shutil.copytree(path.parent, dead)  # as `kill -9` leaves them
        os.utime(dead / "outbox.db.heads")
    log = dead / "outbox.db-wal"
    raw = bytearray(log.read_bytes())
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    log.write_bytes(raw)
    try:
        async with publishing(dead / "outbox.db", WORLD) as publisher:
            there = {row.digest for row in await publisher.outbox.rows() if row.is_whole}
            unfit = publisher.outbox.unfit
            if not {*accepted} <= there:
                assert unfit is not None
                assert unfit.reason == "outbox-behind"
                with pytest.raises(OutboxError):
                    await publisher.publish(draft("more"))
    except StoreError as exc:
        assert exc.reason in ("store-corrupt", "store-wire", "store-layout")
