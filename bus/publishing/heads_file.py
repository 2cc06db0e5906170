"""The heads file: beside the outbox, a second word on what was accepted last on each channel.

A flipped bit in SQLite's write-ahead log loses the end of it without a word. So each accepted bulletin is a line here too,
with a checksum of its own, appended after the commit and before anybody is told; it is not synced. After a crash between the
two it lacks a line, which is made up when the outbox is opened; it never has one that the outbox lacks, unless the outbox has
lost it. A line that is damaged is left out. Several processes append to it; what grows too long is written anew and renamed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from bus.errors import OutboxError
from bus.logs import logger
from bus.publishing import outbox_table as table
from bus.publishing.fitness import (
    Held,
    HeldHead,
    Mark,
    Place,
    Record,
    Said,
    Unfit,
    fit_to_sign,
    is_behind,
)
from bus.publishing.heads_lines import accepted_line, accepted_lines, heads_path, mark_line, outline, parse
from bus.storage import boot_id

LONGEST_BYTES = 1024 * 1024
"""A file that is longer is written anew."""
RECENT = 500
"""So many of the last lines stay then, beside the last of each channel: they give the ids of what may be lost."""
MOST_BYTES = 16 * LONGEST_BYTES
"""No more than so much of its end is read."""
LOCK_TRIES = 50
LATE_S = 1.0
_FRESH = "SELECT n, channel, seq, digest, id FROM bulletins WHERE n > ? ORDER BY n"
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC

log = logger()


class HeadsFile:
    """The heads file of an open outbox; all but `unfit` runs in the thread of its store.

    Attributes:
        unfit: why the outbox may not sign, as it was last seen; None when it may.
    """

    def __init__(self, outbox: Path, clock: Callable[[], float] = time.time) -> None:
        self.unfit: Unfit | None = None
        self._outbox = outbox
        self._path = heads_path(outbox)
        self._clock = clock
        self._last: dict[str, Said] = {}
        self._upto = 0
        self._fresh: list[tuple[int, str, int, str, str]] = []
        self._is_silent = False
        self._name = str(self._path)
        self._handle: int | None = None

    # -- beside the outbox's transactions ---------------------------------------------------------------------------

    def opened(self, db: sqlite3.Connection) -> None:
        """Compare the two; make up for what a crash has left out."""
        record = self._read()
        if record is not None and record.damaged:
            log.warning("heads_file_damaged", path=str(self._path), lines=record.damaged)
        self._judge(db, record)
        if self.unfit is not None:
            log.error(
                "outbox_unfit", path=str(self._outbox), reason=self.unfit.reason, problem=self.unfit.detail
            )
            return
        held = self._held(db)
        if record is None and held.counter and held.inode is not None:
            log.warning("heads_file_lost", path=str(self._path))
        if record is None or record.damaged or held.counter - self._upto > RECENT:
            self._write_anew(db)
        else:
            self.committing(db)
            self.committed(db)
        self._settle_mark(db, record)

    def committing(self, db: sqlite3.Connection) -> None:
        """Look what was accepted since the last time, by this process or another, while the transaction is still open."""
        self._fresh = db.execute(_FRESH, (self._upto,)).fetchall()

    @property
    def fresh(self) -> Iterator[tuple[int, str]]:
        """Number and digest of what `committing` has seen."""
        return ((row[0], row[3]) for row in self._fresh)

    def committed(self, db: sqlite3.Connection) -> None:
        """Write it down."""
        was_unfit = self.unfit is not None
        if was_unfit:
            self._judge(db, self._read())
        if self.unfit is not None:
            return
        if was_unfit:
            self.committing(db)
        if self._fresh:
            self._append(accepted_lines(self._fresh, self._clock()))
            ends = {row[1]: row for row in self._fresh}.values()
            self._remember(
                Said(n=n, channel=name, seq=seq, digest=digest, id=id_) for n, name, seq, digest, id_ in ends
            )

    def close(self) -> None:
        """The outbox is closed, or the file was written anew: it is opened again when it is needed."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    # -- before signing ---------------------------------------------------------------------------------------------

    def guard(self, db: sqlite3.Connection) -> None:
        """Refuse to sign from an outbox that is not fit for it, inside a transaction.

        Raises:
            OutboxError: `outbox-behind`, `outbox-restored`.
        """
        if self.unfit is not None:
            self._judge(db, self._read())  # a recovery in another process may have put it right
        if self.unfit is not None:
            raise OutboxError(self.unfit.detail, reason=self.unfit.reason, remedy=self.unfit.remedy)

    def head(self, db: sqlite3.Connection, channel: str) -> table.ChainHead | None:
        """The last bulletin of a channel, if it is the one that was accepted last, inside a transaction.

        Raises:
            OutboxError: `outbox-behind`.
        """
        head, said = table.head(db, channel), self._last.get(channel)
        if said is None or (head is not None and head.digest == said.digest and head.seq == said.seq):
            return head
        held = self._held(db)
        if is_behind(said, held.heads.get(channel), held.counter):
            self.unfit = fit_to_sign(Record(said=(said,)), held, self._place())
            self.guard(db)
        return head

    def lacking(self, db: sqlite3.Connection) -> tuple[dict[str, Said], list[Said]]:
        """The last accepted bulletin of each channel of which this outbox lacks the end, and all that it lacks of those channels."""
        record = self._read() or Record()
        held = self._held(db)
        ends = {
            channel: said
            for channel, said in record.last.items()
            if is_behind(said, held.heads.get(channel), held.counter)
        }
        known = {each.digest: each for each in record.said if each.channel in ends}
        held_here = "SELECT 1 FROM bulletins WHERE digest = ?"
        lacking = [each for name, each in known.items() if db.execute(held_here, (name,)).fetchone() is None]
        return ends, lacking

    def last(self) -> dict[str, Said]:
        """The last accepted bulletin of each channel, as the file has it now."""
        return (self._read() or Record()).last

    def step_over(self, db: sqlite3.Connection) -> None:
        """Have the rows from now on counted above all that were ever accepted, inside a transaction."""
        upto = (self._read() or Record()).upto
        if db.execute("SELECT 1 FROM sqlite_sequence WHERE name = 'bulletins'").fetchone() is None:
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('bulletins', 0)")
        db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'bulletins'", (upto,))

    def vouch(self, db: sqlite3.Connection) -> None:
        """Take the outbox for the right one: it was compared with the bus. Inside a transaction."""
        db.execute("REPLACE INTO outbox_file VALUES (1, ?)", (self._place().inode,))
        self._append(mark_line(self._mark(), self._clock()))
        self._judge(db, self._read())

    # -- the file ---------------------------------------------------------------------------------------------------

    def _judge(self, db: sqlite3.Connection, record: Record | None) -> None:
        self.unfit = fit_to_sign(record, self._held(db), self._place())
        self._last, self._upto = (record or Record()).last, (record or Record()).upto

    def _held(self, db: sqlite3.Connection) -> Held:
        counter = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'bulletins'").fetchone()
        inode = db.execute("SELECT inode FROM outbox_file").fetchone()
        rows = db.execute(
            "SELECT h.channel, h.seq, h.digest, o.n FROM heads h LEFT JOIN bulletins o ON o.digest = h.digest"
        )
        return Held(
            counter=counter[0] if counter else 0,
            heads={row[0]: HeldHead(seq=row[1], digest=row[2], n=row[3] or 0) for row in rows},
            inode=inode[0] if inode else None,
        )

    def _place(self) -> Place:
        changed_at = 0.0
        with contextlib.suppress(OSError):
            changed_at = self._path.stat().st_ctime
        return Place(inode=self._outbox.stat().st_ino, boot=boot_id(), changed_at=changed_at)

    def _mark(self) -> Mark:
        return Mark(inode=self._outbox.stat().st_ino, boot=boot_id())

    def _settle_mark(self, db: sqlite3.Connection, record: Record | None) -> None:
        """Note which file this is, in both, where that is not noted yet."""
        mark = self._mark()
        if record is not None and record.mark != mark:
            self._append(mark_line(mark, self._clock()))
        if db.execute("SELECT 1 FROM outbox_file WHERE inode = ?", (mark.inode,)).fetchone() is None:
            # Another process that writes just now will do the same.
            with contextlib.suppress(sqlite3.OperationalError):
                db.execute("REPLACE INTO outbox_file VALUES (1, ?)", (mark.inode,))

    def _remember(self, said: Iterable[Said]) -> None:
        for each in said:
            self._last[each.channel] = each
            self._upto = max(self._upto, each.n)

    def _read(self, read: Callable[[bytes], Record] = parse) -> Record | None:
        """What the file says; None when it is not there, or cannot be read."""
        try:
            with self._path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(0, size - MOST_BYTES))
                return read(file.read(MOST_BYTES))
        except FileNotFoundError:
            return None
        except OSError as exc:
            self._tell(exc)
            return None

    def _append(self, lines: bytes) -> None:
        """Add lines, in one write; again where the file was written anew meanwhile."""
        size = 0
        try:
            for _ in range(3):
                now = self._clock()
                handle = self._open()
                _lock(handle, fcntl.LOCK_SH)
                try:
                    os.write(handle, b"\n" + lines)  # a line that was cut off before ends here
                    found = os.fstat(handle)
                    if abs(found.st_ctime - now) > LATE_S:
                        self._note_lateness(handle)
                    size = found.st_size
                finally:
                    fcntl.flock(handle, fcntl.LOCK_UN)
                if self._is_current(found):
                    break
                self.close()
            self._is_silent = False
        except OSError as exc:
            self._tell(exc)
            return
        if size > LONGEST_BYTES:
            self._shorten()

    def _note_lateness(self, handle: int) -> None:
        """A line came to the disk long after its time, or file times are another clock's: say so, or the next would doubt it."""
        mark, now = self._mark(), self._clock()
        os.write(handle, mark_line(mark, now))
        if abs(os.fstat(handle).st_ctime - now) > LATE_S:
            os.write(handle, mark_line(msgspec.structs.replace(mark, boot="-"), now))

    def _shorten(self) -> None:
        """Keep the last line of each channel, and the recent ones."""
        with contextlib.suppress(OSError), self._locked(fcntl.LOCK_EX) as handle:
            found = os.fstat(handle)
            if self._is_current(found) and found.st_size > LONGEST_BYTES:
                record = self._read(lambda raw: outline(raw, RECENT)) or Record()
                kept = {each.n: each for each in (*record.last.values(), *record.said[-RECENT:])}
                self._replace([kept[n] for n in sorted(kept)], record.mark or self._mark())

    def _write_anew(self, db: sqlite3.Connection) -> None:
        """Write what the outbox holds: the head of each channel, and the recent rows."""
        columns = "n, channel, seq, digest, id FROM bulletins"
        rows = [
            *db.execute(f"SELECT {columns} WHERE digest IN (SELECT digest FROM heads)"),
            *db.execute(f"SELECT {columns} ORDER BY n DESC LIMIT ?", (RECENT,)),
        ]
        kept = {row["n"]: Said(**dict(row)) for row in rows} | {each.n: each for each in self._last.values()}
        try:
            with self._locked(fcntl.LOCK_EX):
                self._replace([kept[n] for n in sorted(kept)], self._mark())
        except OSError as exc:
            self._tell(exc)
        self._remember(kept[n] for n in sorted(kept))

    def _replace(self, said: Iterable[Said], mark: Mark) -> None:
        now = self._clock()
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with os.fdopen(
                os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
            ) as file:
                file.write(b"".join(accepted_line(each, now) for each in said) + mark_line(mark, now))
            new.replace(self._path)
        finally:
            new.unlink(missing_ok=True)

    def _is_current(self, found: os.stat_result) -> bool:
        try:
            there = os.stat(self._name)  # noqa: PTH116 (after each commit, and much cheaper than a Path)
        except FileNotFoundError:
            return False
        return (there.st_ino, there.st_dev) == (found.st_ino, found.st_dev)

    def _open(self) -> int:
        if self._handle is None:
            self._handle = os.open(self._path, _FLAGS, 0o600)
        return self._handle

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[int]:
        """The open file, locked: no line may be added while it is written anew."""
        handle = os.open(self._path, _FLAGS, 0o600)
        try:
            _lock(handle, how)
            yield handle
        finally:
            os.close(handle)

    def _tell(self, exc: OSError) -> None:
        if not self._is_silent:
            log.warning("heads_file_not_kept", path=str(self._path), problem=str(exc))
        self._is_silent = True


def _lock(handle: int, how: int) -> None:
    """Lock an open file; a process that was stopped while it held the lock holds nobody up for long."""
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            return
        time.sleep(0.001)
