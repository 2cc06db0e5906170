"""Questions to the threads of a file: which version of a bulletin lives, and which others there are."""

from __future__ import annotations

import datetime as dt
import sqlite3

import msgspec

from bus.storage import utc
from bus.threads.joining import CANCEL, Key

_TOP = """
WITH RECURSIVE way (n, up, own) AS (
  SELECT n, up, kind FROM threads WHERE id = ? AND issuer = ? AND status = ?
  UNION ALL SELECT t.n, t.up, way.own FROM way CROSS JOIN threads t ON t.n = way.up WHERE way.up != way.n
)
SELECT t.*, way.own FROM way CROSS JOIN threads t ON t.n = way.n WHERE way.up = way.n
"""
_MEMBERS = """
WITH RECURSIVE below (n) AS (
  SELECT ? UNION SELECT t.n FROM below CROSS JOIN threads t INDEXED BY threads_below ON t.up = below.n AND t.up != t.n
)
SELECT id, kind, issued, seq FROM threads WHERE n IN (SELECT n FROM below)
ORDER BY issued IS NULL, issued DESC, seq DESC, id DESC LIMIT ?
"""


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """The thread of a bulletin: what its issuer has said of it at one status, in versions.

    Attributes:
        id: the bulletin that was asked for; it may be a cancel, which is no version.
        issuer: who says it.
        status: at which status.
        living: the id of the newest version, which lives unless the thread is withdrawn. It may not be held here any more.
        versions: how many there are, with those that are known by their ids alone; the living one is the last.
        withdrawn_by: the id of the cancel that withdrew the whole thread; None while it is valid.
        is_cancel: whether what was asked for is a cancel.
    """

    id: str
    issuer: str
    status: str
    living: str
    versions: int = 1
    withdrawn_by: str | None = None
    is_cancel: bool = False

    @property
    def is_newest(self) -> bool:
        """Whether the requested bulletin is the newest version."""
        return self.id == self.living

    @property
    def acted_on(self) -> str:
        """The id to act on: that of the newest version; a cancel is acted on itself."""
        return self.id if self.is_cancel else self.living

    @property
    def key(self) -> Key:
        """The newest version."""
        return Key(self.living, self.issuer, self.status)

    def state(self, now: dt.datetime, expires: dt.datetime | None) -> str:
        """The state of the thread: `withdrawn`, `expired`, `updated` (in force, and no first version) or `in-force`.

        Args:
            now: the present, aware.
            expires: until when the living version holds; None where it is not held here any more, for then it is over.
        """
        if self.withdrawn_by is not None:
            return "withdrawn"
        if expires is None or expires <= now:
            return "expired"
        return "updated" if self.versions > 1 else "in-force"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a thread; what is known by its id alone has no moment and no number."""

    id: str
    is_cancel: bool
    issued: dt.datetime | None
    seq: int | None


def thread_of(db: sqlite3.Connection, key: Key) -> Thread:
    """The thread of a bulletin; one that nothing supersedes or cancels is a thread by itself."""
    top = db.execute(_TOP, key).fetchone()
    if top is None:
        return Thread(id=key.id, issuer=key.issuer, status=key.status, living=key.id)
    return Thread(
        id=key.id,
        issuer=key.issuer,
        status=key.status,
        living=top["newest"] or key.id,
        versions=top["size"] - top["cancels"],
        withdrawn_by=top["cancelled_by"],
        is_cancel=top["own"] == CANCEL,
    )


def in_thread(db: sqlite3.Connection, key: Key, most: int = 50) -> list[Version]:
    """The members of the thread of a bulletin, cancels too, the newest first; so many at most."""
    top = db.execute(_TOP, key).fetchone()
    if top is None:
        return []
    return [
        Version(
            id=row["id"],
            is_cancel=row["kind"] == CANCEL,
            issued=None if row["issued"] is None else utc(row["issued"]),
            seq=row["seq"],
        )
        for row in db.execute(_MEMBERS, (top["n"], most))
    ]


def named(db: sqlite3.Connection, low: str, high: str, most: int) -> list[Key]:
    """Members of threads whose ids are between two bounds; what is known by its id alone is found here alone."""
    sql = "SELECT id, issuer, status FROM threads WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
    return [Key(*row) for row in db.execute(sql, (low, high, most))]
