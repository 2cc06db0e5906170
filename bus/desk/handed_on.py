"""What was handed from the desk to the hub that signs: which version of a draft, under which key, and what became of it. Inside a transaction.

The row is written before the hub hears of it. Until the hub has answered, nobody knows whether the version was published, so it is
handed on again under the same key, and neither changed nor given up before that.
"""

from __future__ import annotations

import sqlite3

import msgspec

from bus.desk.refusals import DeskError
from bus.storage import Layout

LAYOUT = Layout(
    "handed-on",
    """
CREATE TABLE IF NOT EXISTS handed_on (
  draft INTEGER NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL, approval INTEGER, approved_by TEXT NOT NULL,
  by TEXT NOT NULL, at REAL NOT NULL, bulletin TEXT NOT NULL DEFAULT '', is_refused INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (draft, version)
) WITHOUT ROWID;
""",
)


class HandedOn(msgspec.Struct, frozen=True, kw_only=True):
    """A version that was handed to the hub.

    Attributes:
        draft: the draft's number.
        version: the version.
        key: under which the hub publishes it once.
        approved_by: who approved it; empty where nobody had to.
        by: who published it.
        at: when it was first handed on.
        bulletin: what became of it; empty while the hub has not published it.
        is_refused: whether the hub has refused it, the last time.
        is_over: whether it may no longer be published, and the hub is only asked what became of it; not kept.
    """

    draft: int
    version: int
    key: str
    approved_by: str
    by: str
    at: float
    bulletin: str = ""
    is_refused: bool = False
    is_over: bool = False

    @property
    def is_unanswered(self) -> bool:
        """Whether nobody knows what became of it."""
        return not self.bulletin and not self.is_refused


def of_version(db: sqlite3.Connection, draft: int, version: int) -> HandedOn | None:
    """What was handed on of a version; None where nothing was."""
    row = db.execute("SELECT * FROM handed_on WHERE draft = ? AND version = ?", (draft, version)).fetchone()
    return None if row is None else _read(row)


def add(db: sqlite3.Connection, handed: HandedOn, approval: int | None) -> None:
    """Note that a version is handed on, in the place of what was refused; `approval` is the one that was used."""
    db.execute(
        "REPLACE INTO handed_on (draft, version, key, approval, approved_by, by, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (handed.draft, handed.version, handed.key, approval, handed.approved_by, handed.by, handed.at),
    )


def approval_of(db: sqlite3.Connection, handed: HandedOn) -> int | None:
    """The number of the approval that was used; None where nobody had to approve."""
    row = db.execute(
        "SELECT approval FROM handed_on WHERE draft = ? AND version = ?", (handed.draft, handed.version)
    ).fetchone()
    found: int | None = row["approval"]
    return found


def again(db: sqlite3.Connection, handed: HandedOn) -> HandedOn:
    """Note that it is handed on once more, so that nobody knows what becomes of it."""
    db.execute(
        "UPDATE handed_on SET is_refused = 0 WHERE draft = ? AND version = ?", (handed.draft, handed.version)
    )
    return msgspec.structs.replace(handed, is_refused=False)


def refused(db: sqlite3.Connection, handed: HandedOn) -> None:
    """Note that the hub has refused it: it may be changed, given up, or handed on once more."""
    db.execute(
        "UPDATE handed_on SET is_refused = 1 WHERE draft = ? AND version = ? AND bulletin = ''",
        (handed.draft, handed.version),
    )


def became(db: sqlite3.Connection, handed: HandedOn, bulletin: str) -> bool:
    """Note which bulletin it has become. Returns whether that was not known yet."""
    changed = db.execute(
        "UPDATE handed_on SET bulletin = ? WHERE draft = ? AND version = ? AND bulletin = ''",
        (bulletin, handed.draft, handed.version),
    )
    return bool(changed.rowcount)


def check_answered(db: sqlite3.Connection, draft: int) -> None:
    """Refuse to change or give up a draft of which nobody knows whether it is published.

    Raises:
        DeskError: `draft-handed-on`.
    """
    row = db.execute(
        "SELECT 1 FROM handed_on h JOIN drafts d ON d.n = h.draft AND d.version = h.version "
        "WHERE h.draft = ? AND h.bulletin = '' AND h.is_refused = 0",
        (draft,),
    ).fetchone()
    if row is not None:
        raise DeskError(
            "this was handed to the hub, which has not answered yet; publish it again to learn what became of it: it is published once",
            reason="draft-handed-on",
        )


def forget(db: sqlite3.Connection, before: float) -> None:
    """Take out the rows of drafts that were closed before a moment."""
    db.execute("DELETE FROM handed_on WHERE draft IN (SELECT n FROM drafts WHERE closed_at < ?)", (before,))


def newest(db: sqlite3.Connection, most: int) -> list[HandedOn]:
    """What was published from here, the last first."""
    rows = db.execute(
        "SELECT * FROM handed_on WHERE bulletin <> '' ORDER BY at DESC, draft DESC LIMIT ?", (most,)
    )
    return [_read(row) for row in rows]


def _read(row: sqlite3.Row) -> HandedOn:
    fields = {name: row[name] for name in HandedOn.__struct_fields__ if name != "is_over"}
    return HandedOn(**{**fields, "is_refused": bool(row["is_refused"])})
