"""The audit trail: who did or looked at what, when, from where; each row chained to the one before, so that a missing one shows.

A row's `chain` is the digest of its content and the chain before. Rows older than the time of storage are removed from the front, and
the row that says so names where the trail begins from then on. A person who can write the file can rewrite it: only a head that was
written down elsewhere (`head`, `verify_audit(db, head=...)`) shows that, or that the end was cut off.

Unknown names are not recorded, for people type passwords into the field of the name. Texts are cut and written with
escapes in place of invisible characters.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import msgspec

from bus.audit import AuditError
from bus.desk.refusals import MAX_ADDRESS, MAX_TRAIL_A_DAY, DeskError, cut
from bus.desk.roles import COMMAND_LINE, About, Act, Action, check_may, check_sees, tlp_rank
from bus.storage import Allowance, allowances, from_row
from schemas.codec import digest
from schemas.vocab import Tlp

SAME_LOOK_S = 600.0
"""Looking at the same bulletin again within this time is the same look."""
FORGOTTEN = "trail-shortened"
_NOBODY = "-"
_ALL = (1 << 63) - 1
_ALLOWED = Allowance(MAX_TRAIL_A_DAY, MAX_TRAIL_A_DAY)
_STRANGERS = Allowance(1_000, 1_000)
_LOOKS = {
    "viewed": Action.LOOK,
    "downloaded": Action.DOWNLOAD,
    "exported": Action.EXPORT,
    "searched": Action.SEARCH,
}


class Entry(msgspec.Struct, frozen=True):
    """One row of the trail.

    Attributes:
        n: its number, from 1, without gaps.
        at: seconds since the epoch.
        who: the person's id, `command-line`, or `-` for somebody unknown.
        what: what was done, a kebab-case word.
        about: the bulletin, person, draft or session that it was about; may be empty.
        address: from where; may be empty.
        detail: more in words; may be empty.
        chain: digest of the row and of the chain before.
    """

    n: int
    at: float
    who: str
    what: str
    about: str
    address: str
    detail: str
    chain: str


class Standing(msgspec.Struct, frozen=True):
    """An intact trail: its first and last number (0 without rows), and its head."""

    first: int
    last: int
    head: str


def add(db: sqlite3.Connection, act: Act, what: str, about: str = "", detail: str = "") -> None:
    """Record what somebody does, in the transaction that does it.

    Raises:
        DeskError: `desk-too-much`, this person has caused more rows today than are kept.
    """
    if act.who != COMMAND_LINE and not allowances.spend(db, "trail", {act.who: _ALLOWED}, 1, act.at):
        raise DeskError(
            f"you have done more than {MAX_TRAIL_A_DAY} things within a day that go on record; wait, or ask an administrator",
            reason="desk-too-much",
        )
    _append(db, act.at, act.who, what, about, act.address, detail)


def add_sign_in(
    db: sqlite3.Connection, at: float, who: str, what: str, address: str, detail: str = ""
) -> None:
    """Record what became of an attempt to sign in; `who` is empty for a name that nobody has.

    Of strangers a thousand a day are recorded, that they cannot fill the disk.
    """
    if not who and not allowances.spend(db, "trail", {_NOBODY: _STRANGERS}, 1, at):
        return
    _append(db, at, who or _NOBODY, what, "", address, detail)


def add_look(db: sqlite3.Connection, act: Act, how: str, about: About | None, detail: str = "") -> None:
    """Record that somebody looks at a bulletin, downloads, exports or searches.

    A look at what is GREEN or CLEAR is not recorded, and one at the same bulletin within ten minutes is the same look; all else
    always is.

    Args:
        db: inside a transaction that writes.
        act: who, when, from where.
        how: `viewed`, `downloaded`, `exported` or `searched`.
        about: the bulletin or incident; None for an export of many, or a search.
        detail: the filter, or the words that were searched for.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `desk-too-much`.
        KeyError: another word for how.
    """
    check_may(act, _LOOKS[how])
    if about is not None:
        check_sees(act, about)
    name = about.id if about else ""
    if how == "viewed":
        if about is None or tlp_rank(about.tlp) <= tlp_rank(Tlp.GREEN):
            return
        last = db.execute(
            "SELECT at FROM trail WHERE who = ? AND what = ? AND about = ? ORDER BY n DESC LIMIT 1",
            (act.who, how, cut(name)),
        ).fetchone()
        if last is not None and 0 <= act.at - last["at"] < SAME_LOOK_S:
            return
    add(db, act, how, name, detail)


def read(
    db: sqlite3.Connection, act: Act, *, since: float = 0.0, who: str = "", before: int = 0, limit: int = 100
) -> list[Entry]:
    """The newest rows first.

    Args:
        db: the file.
        act: an administrator, or the command line.
        since: no older ones.
        who: of this person alone; of all when empty.
        before: those with smaller numbers, for the next page; 0 for the first page.
        limit: so many.

    Raises:
        DeskError: `desk-role`.
    """
    check_may(act, Action.READ_AUDIT)
    rows = db.execute(
        f"SELECT * FROM trail WHERE at >= :since {'AND who = :who' if who else ''} AND n < :before ORDER BY n DESC LIMIT :limit",
        {"since": since, "who": who, "before": before or _ALL, "limit": limit},
    )
    return [from_row(Entry, row) for row in rows]


def head(db: sqlite3.Connection) -> str:
    """The chain of the last row: write it down where no person here can change it. Empty when there was never one."""
    row = db.execute("SELECT chain FROM trail ORDER BY n DESC LIMIT 1").fetchone()
    return row["chain"] if row else _begin(db)[1]


def verify_audit(db: sqlite3.Connection, *, head: str | None = None, most: int = 0) -> Standing:
    """Check every row, or the newest.

    Args:
        db: the file, inside a transaction.
        head: one that was written down earlier; it must be the chain of one of the rows, or of where the trail begins.
        most: so many of the newest rows; 0 for all. The chain of the row before them is taken as it stands.

    Raises:
        AuditError: `audit-seq`, a row is missing; `audit-prev`, one was changed; `audit-head`, none is the head: the end was cut
            off, or all was rewritten.
    """
    begin = _begin(db)
    n, chain = start = _before_newest(db, most) or begin
    first = n + 1
    is_known = head is None or head == chain
    told: tuple[int, str] | None = None
    for entry in _entries(db, n):
        if entry.n != n + 1:
            raise AuditError(f"row {n + 1} of the trail is missing", reason="audit-seq")
        if entry.chain != _chain(entry, chain):
            raise AuditError(
                f"row {entry.n} of the trail was changed, or the one before", reason="audit-prev"
            )
        n, chain = entry.n, entry.chain
        is_known = is_known or chain == head
        if entry.what == FORGOTTEN:
            told = (int(entry.about), entry.detail)
    if first > 1 and start == begin and told != begin:
        raise AuditError(
            f"the trail begins with row {first}, and no row says that it was shortened to there",
            reason="audit-seq",
        )
    if not is_known:
        raise AuditError(
            f"no row of the trail has the head {head}: its end was cut off, or all was rewritten",
            reason="audit-head",
        )
    return Standing(first if n >= first else 0, n if n >= first else 0, chain)


def forget(db: sqlite3.Connection, at: float, keep_s: float) -> int:
    """Take rows off the front that are older than they must be kept, and record that. Returns how many.

    Args:
        db: inside a transaction.
        at: the present.
        keep_s: how long rows are kept, in seconds.
    """
    before, _ = _begin(db)
    # Up to the first row that is to be kept: a clock that was set back does not open a gap.
    row = db.execute("SELECT n FROM trail WHERE at >= ? ORDER BY n LIMIT 1", (at - keep_s,)).fetchone()
    last = db.execute("SELECT max(n) AS n FROM trail").fetchone()["n"]
    if last is None:
        return 0
    upto = last if row is None else row["n"] - 1
    if upto <= before:
        return 0
    chain = db.execute("SELECT chain FROM trail WHERE n = ?", (upto,)).fetchone()["chain"]
    _append(db, at, COMMAND_LINE, FORGOTTEN, str(upto), "", chain)
    db.execute("REPLACE INTO trail_begins VALUES (1, ?, ?)", (upto, chain))
    return db.execute("DELETE FROM trail WHERE n <= ?", (upto,)).rowcount


def _append(
    db: sqlite3.Connection, at: float, who: str, what: str, about: str, address: str, detail: str
) -> None:
    row = db.execute("SELECT n, chain FROM trail ORDER BY n DESC LIMIT 1").fetchone()
    n, chain = (row["n"], row["chain"]) if row else _begin(db)
    entry = Entry(n + 1, float(at), who, what, cut(about), cut(address, MAX_ADDRESS), cut(detail), "")
    db.execute(
        "INSERT INTO trail VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*msgspec.structs.astuple(entry)[:-1], _chain(entry, chain)),
    )


def _chain(entry: Entry, before: str) -> str:
    content = [*msgspec.structs.astuple(entry)[:-1], before]
    return digest(json.dumps(content, separators=(",", ":")).encode("ascii"))


def _begin(db: sqlite3.Connection) -> tuple[int, str]:
    row = db.execute("SELECT n, chain FROM trail_begins").fetchone()
    return (row["n"], row["chain"]) if row else (0, "")


def _before_newest(db: sqlite3.Connection, most: int) -> tuple[int, str] | None:
    """The number and the chain of the row before the newest so many; None where there are no more, or all are asked for."""
    if not most:
        return None
    row = db.execute("SELECT n, chain FROM trail ORDER BY n DESC LIMIT 1 OFFSET ?", (most,)).fetchone()
    return (row["n"], row["chain"]) if row else None


def _entries(db: sqlite3.Connection, after: int) -> Iterator[Entry]:
    return (
        from_row(Entry, row) for row in db.execute("SELECT * FROM trail WHERE n > ? ORDER BY n", (after,))
    )
