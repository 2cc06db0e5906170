"""The heads file: a second record, beside the outbox, of the last accepted bulletin of each channel.

A flipped bit in SQLite's write-ahead log loses the log's end silently. So each accepted bulletin is also a line here
with its own checksum. The line is appended after the commit and before any caller is told; it is not synced. After a
crash between the two the file lacks a line, which is added when the outbox is opened. It has a line that the outbox
lacks only if the outbox has lost the row. Damaged lines are ignored. Several processes append to the file; a file that
is too long is rewritten and renamed.
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
"""Bytes; a longer file is rewritten."""
RECENT = 500
"""Last lines kept then, beside the last of each channel: they have the ids of bulletins that may be lost."""
MOST_BYTES = 16 * LONGEST_BYTES
"""Most bytes read of its end."""
LOCK_TRIES = 50
LATE_S = 1.0
_FRESH = "SELECT n, channel, seq, digest, id FROM bulletins WHERE n > ? ORDER BY n"
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC

log = logger()


class HeadsFile:
    """The heads file of an open outbox; all but `unfit` runs in the thread of its store.

    Attributes:
        unfit: why the outbox may not sign, by the last check; None if it may.
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
        """Compare file and outbox; add the lines that a crash has left out."""
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
        """Read the bulletins accepted since the last time, by this or another process, while the transaction is still open."""
        self._fresh = db.execute(_FRESH, (self._upto,)).fetchall()

    @property
    def fresh(self) -> Iterator[tuple[int, str]]:
        """(row number, digest) of the bulletins that `committing` has read."""
        return ((row[0], row[3]) for row in self._fresh)

    def committed(self, db: sqlite3.Connection) -> None:
        """Append the lines of these bulletins."""
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
        """Close the file: the outbox is closed, or the file was rewritten. It is opened again when needed."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    # -- before signing ---------------------------------------------------------------------------------------------

    def guard(self, db: sqlite3.Connection) -> None:
        """Refuse to sign from an unfit outbox, inside a transaction.

        Raises:
            OutboxError: `outbox-behind`, `outbox-restored`.
        """
        if self.unfit is not None:
            self._judge(db, self._read())  # a recovery in another process may have repaired it
        if self.unfit is not None:
            raise OutboxError(self.unfit.detail, reason=self.unfit.reason, remedy=self.unfit.remedy)

    def head(self, db: sqlite3.Connection, channel: str) -> table.ChainHead | None:
        """The last bulletin of a channel, after a check that it was accepted last, inside a transaction.

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
        """For each channel whose end this outbox lacks: the last accepted bulletin, and all missing bulletins."""
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
        """The last accepted bulletin of each channel in the file now."""
        return (self._read() or Record()).last

    def step_over(self, db: sqlite3.Connection) -> None:
        """Number new rows above all that were ever accepted, inside a transaction."""
        upto = (self._read() or Record()).upto
        if db.execute("SELECT 1 FROM sqlite_sequence WHERE name = 'bulletins'").fetchone() is None:
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('bulletins', 0)")
        db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'bulletins'", (upto,))

    def vouch(self, db: sqlite3.Connection) -> None:
        """Accept the outbox as the right file, after a comparison with the bus. Inside a transaction."""
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
        """Record the outbox's inode in both files, if it is not recorded yet."""
        mark = self._mark()
        if record is not None and record.mark != mark:
            self._append(mark_line(mark, self._clock()))
        if db.execute("SELECT 1 FROM outbox_file WHERE inode = ?", (mark.inode,)).fetchone() is None:
            # Another process that writes now does the same.
            with contextlib.suppress(sqlite3.OperationalError):
                db.execute("REPLACE INTO outbox_file VALUES (1, ?)", (mark.inode,))

    def _remember(self, said: Iterable[Said]) -> None:
        for each in said:
            self._last[each.channel] = each
            self._upto = max(self._upto, each.n)

    def _read(self, read: Callable[[bytes], Record] = parse) -> Record | None:
        """The content of the file; None if it is missing or cannot be read."""
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
        """Add lines in one write; repeat if the file was rewritten in between."""
        size = 0
        try:
            for _ in range(3):
                now = self._clock()
                handle = self._open()
                _lock(handle, fcntl.LOCK_SH)
                try:
                    os.write(handle, b"\n" + lines)  # ends a line that was cut off before
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
        """Add a mark if a line reached the disk late or file times come from another clock; the next check would doubt it."""
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
        """Write the outbox's content: the head of each channel, and the recent rows."""
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
        """The open file, locked: no line may be added while it is rewritten."""
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
    """Lock an open file; a process that was stopped with the lock blocks others only for a short time."""
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            return
        time.sleep(0.001)
