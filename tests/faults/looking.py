"""What an outbox and a hub's store hold, told as it comes: the files are the truth, whoever died before telling."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from schemas.codec import digest
from tests.faults.history import Admitted, History, Kept, Refused, Stored, Withdrawn, read


class CannotLookError(Exception):
    """The one who looks may open nothing now; that says nothing of the file."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A database as it is now; it is only read, so that what a killed program has left in its log stays there.

    Raises:
        CannotLookError: the file, or its log, cannot be opened.
    """
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        ) as db:
            yield db
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CANTOPEN:
            raise CannotLookError(str(path)) from None
        raise


class OutboxLook:
    """What an outbox holds. Another file at its place is read from its beginning."""

    def __init__(self, path: Path, issuer: str, history: History, *, only: str = "") -> None:
        """`only`: what the name of a channel begins with, of those that are told of."""
        self.path = path
        self._issuer, self._history, self._only = issuer, history, only
        self._n, self._stored_at, self._file = 0, 0.0, 0

    def look(self) -> None:
        """Tell what is new. A look that may open nothing finds nothing: the next one tells of it all."""
        with contextlib.suppress(CannotLookError):
            self._look()

    def _look(self) -> None:
        if not self.path.exists():
            return
        if self.path.stat().st_ino != self._file:
            self._n, self._stored_at, self._file = 0, 0.0, self.path.stat().st_ino
        with opened(self.path) as db:
            kept = db.execute(
                "SELECT n, channel, seq, digest FROM outbox WHERE n > ? ORDER BY n", (self._n,)
            ).fetchall()
            stored = db.execute(
                "SELECT digest, channel, stored_at FROM outbox WHERE stored_at > ? ORDER BY stored_at",
                (self._stored_at,),
            ).fetchall()
        for n, channel, seq, found in kept:
            if channel.startswith(self._only):
                self._history.tell(Kept(channel=f"{self._issuer}/{channel}", seq=seq, digest=found))
            self._n = n
        for found, channel, at in stored:
            if channel.startswith(self._only):
                self._history.tell(Stored(digest=found, at=at))
            self._stored_at = at


class StoreLook:
    """What a hub's store holds; and what it no longer holds."""

    def __init__(
        self,
        path: Path,
        hub: str,
        history: History,
        told: Path | None = None,
        *,
        only: str = "",
        late: bool = False,
    ) -> None:
        """Begin with nothing, or after an earlier life.

        Args:
            path: the store's file.
            hub: whose store.
            history: where it is told.
            told: the history file of an earlier life.
            only: what the name of a channel holds, of those that are told of.
            late: whether a label that a bulletin fills a gap is told too; without it such a one came out of order.
        """
        self.path = path
        self._hub, self._history, self._only, self._late = hub, history, only, late
        self._rows: set[int] = set()
        self._base, self._n, self._file = 0, 0, 0
        for event in read([told] if told and told.exists() else []):
            if isinstance(event, Admitted):
                self._rows.add(event.row)
            elif isinstance(event, Withdrawn):
                self._rows.discard(event.row)

    def begin_anew(self) -> None:
        """Its file was damaged or is another one: rows are counted on from here, and what it showed is owed again."""
        self._history.tell(*(Withdrawn(hub=self._hub, row=row) for row in sorted(self._rows)))
        self._base = max(self._rows, default=self._base)
        self._rows, self._n = set(), 0

    def look(self) -> None:
        """Tell what is new, or gone. A look that may open nothing finds nothing: the next one tells of it all."""
        with contextlib.suppress(CannotLookError):
            self._look()

    def _look(self) -> None:
        if not self.path.exists():
            return
        if self._file and self.path.stat().st_ino != self._file:
            self.begin_anew()
        self._file = self.path.stat().st_ino
        after = max(self._rows, default=self._base) - self._base
        with opened(self.path) as db:
            there = {self._base + row for (row,) in db.execute("SELECT row FROM admitted")}
            new = db.execute(
                "SELECT row, admitted_at, channel, seq, digest, payload, labels FROM admitted WHERE row > ? ORDER BY row",
                (after,),
            ).fetchall()
            refused = db.execute(
                "SELECT n, digest, reason FROM quarantine WHERE n > ? ORDER BY n", (self._n,)
            ).fetchall()
        gone = self._rows - there
        self._history.tell(*(Withdrawn(hub=self._hub, row=row) for row in sorted(gone)))
        self._rows -= gone
        for row, at, channel, seq, found, payload, labels in new:
            if self._only not in channel:
                continue
            shown = found if digest(payload) == found else f"{found}, damaged"
            self._history.tell(
                Admitted(
                    at=at,
                    hub=self._hub,
                    row=self._base + row,
                    channel=channel,
                    seq=seq,
                    digest=shown,
                    filled=self._late and '"filled"' in labels,
                )
            )
            self._rows.add(self._base + row)
        for n, found, reason in refused:
            self._history.tell(Refused(hub=self._hub, digest=found, reason=reason))
            self._n = n
