"""Snoozes: something is put aside for a time, for everybody to see, with who, why and until when. Inside a transaction.

A thing of priority 1 is never snoozed. A snooze ends early when the thing gets worse, and its end is reported, so that a page
says that it came back and why.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from bus.desk import trail
from bus.desk.refusals import DAY_S, MAX_REASON, MAX_SNOOZES, DeskError, check_room, check_text
from bus.desk.roles import About, Act, Action, check_may, check_sees, not_there, tlp_rank
from bus.policy import MARKINGS
from bus.storage import single

LONGEST_S = 7 * DAY_S
FAR_S = LONGEST_S + DAY_S
"""What ends later than this was put aside by a clock that was ahead, and holds no more."""
HIDDEN = ""


class Ended(StrEnum):
    """Why a snooze has ended."""

    TIME = "time"
    WORSE = "worse"
    BY_HAND = "by-hand"


class Snooze(msgspec.Struct, frozen=True, kw_only=True):
    """A snooze. If the reader may not see its thing, it has neither `about` nor `reason`: it is listed, and says so.

    Attributes:
        n: its number.
        kind: `bulletin`, `alarm` or `incident`.
        about: its id.
        priority: of the thing, when it was put aside.
        until: seconds since the epoch.
        reason: why.
        by: who.
        at: when.
        is_hidden: above what the reader may see.
        ended_at: when it ended; None while it holds.
        ended_why: why.
    """

    n: int
    kind: str
    about: str
    priority: int
    until: float
    reason: str
    by: str
    at: float
    is_hidden: bool = False
    ended_at: float | None = None
    ended_why: Ended | None = None


def check_snooze(priority: int, until: float, at: float) -> None:
    """Refuse what is not put aside. Pure.

    Raises:
        DeskError: `snooze-grave`, `snooze-span`.
    """
    if priority <= 1:
        raise DeskError("what is of priority 1 is never put aside; acknowledge it", reason="snooze-grave")
    if not at < until <= at + LONGEST_S:  # refuses a NaN too
        raise DeskError("a snooze ends within seven days; choose an end", reason="snooze-span")


def put(db: sqlite3.Connection, act: Act, about: About, *, priority: int, until: float, reason: str) -> int:
    """Put something aside. Returns the number of the snooze.

    Args:
        db: inside a transaction.
        act: a duty officer.
        about: a bulletin, an alarm or an incident.
        priority: of it now, 1 to 4.
        until: when it comes back.
        reason: for everybody.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `snooze-grave`, `snooze-span`, `snooze-there`, `desk-full`; texts as
            `check_text`.
    """
    check_may(act, Action.SNOOZE)
    check_sees(act, about)
    check_snooze(priority, until, act.at)
    end_by_time(db, act.at)
    why = check_text(reason, MAX_REASON, "a reason")
    if _open(db, about.kind, about.id) is not None:
        raise DeskError("this is put aside already; end that first", reason="snooze-there")
    check_room(
        single(db, "SELECT count(*) FROM snoozes WHERE by = ? AND ended_at IS NULL", act.who),
        MAX_SNOOZES,
        "snoozes of yours that hold",
    )
    n = db.execute(
        "INSERT INTO snoozes (kind, about, tlp, audience, priority, until, reason, by, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (about.kind, about.id, tlp_rank(about.tlp), about.audience, priority, until, why, act.who, act.at),
    ).lastrowid
    trail.add(db, act, "snoozed", about.id, f"until {until:.0f}")
    return int(n or 0)


def end(db: sqlite3.Connection, act: Act, n: int) -> None:
    """End a snooze by hand, of every maker.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`.
    """
    check_may(act, Action.SNOOZE)
    end_by_time(db, act.at)
    row = db.execute("SELECT * FROM snoozes WHERE n = ? AND ended_at IS NULL", (n,)).fetchone()
    if row is None or _is_hidden(row, act):
        raise not_there("snooze")
    _end(db, n, act.at, Ended.BY_HAND, act.who)
    trail.add(db, act, "snooze-ended", row["about"])


def note_state(db: sqlite3.Connection, kind: str, id_: str, priority: int, at: float) -> Snooze | None:
    """Tell of the present priority of something; a snooze of it ends when that is graver. For the code that looks at the projection.

    Args:
        db: inside a transaction.
        kind: as in `About`.
        id_: as in `About`.
        priority: now; 1 is the gravest. Of what got worse in another way than its priority, 1.
        at: when.

    Returns:
        The snooze that ended by this; None when none did.
    """
    end_by_time(db, at)
    row = _open(db, kind, id_)
    if row is None or priority >= row["priority"]:
        return None
    _end(db, row["n"], at, Ended.WORSE, "")
    return _snooze(db.execute("SELECT * FROM snoozes WHERE n = ?", (row["n"],)).fetchone(), hidden=False)


def note_states(db: sqlite3.Connection, priorities: Mapping[str, int], at: float) -> None:
    """As `note_state`, of several bulletins by their ids."""
    for id_, priority in priorities.items():
        note_state(db, "bulletin", id_, priority, at)


def end_by_time(db: sqlite3.Connection, at: float) -> int:
    """Mark what has ended by its time. Returns how many."""
    return db.execute(
        "UPDATE snoozes SET ended_at = min(until, ?2), ended_why = ?1 WHERE ended_at IS NULL AND (until <= ?2 OR until > ?3)",
        (Ended.TIME, at, at + FAR_S),
    ).rowcount


def holding(db: sqlite3.Connection, act: Act) -> list[Snooze]:
    """All snoozes that hold at this moment, those that end first before others."""
    check_may(act, Action.LOOK)
    rows = db.execute(
        "SELECT * FROM snoozes WHERE ended_at IS NULL AND until > ? AND until <= ? ORDER BY until, n",
        (act.at, act.at + FAR_S),
    )
    return _told(rows, act)


def aside(db: sqlite3.Connection, act: Act) -> frozenset[tuple[str, str]]:
    """What is put aside at this moment and may be seen: its kind and its id."""
    return named(holding(db, act))


def back(db: sqlite3.Connection, act: Act, since: float) -> frozenset[tuple[str, str]]:
    """What came back after a moment and may be seen, in the same way."""
    return named(ended(db, act, since))


def named(some: Iterable[Snooze]) -> frozenset[tuple[str, str]]:
    """What snoozes are about and may be seen: its kind and its id."""
    return frozenset((each.kind, each.about) for each in some if not each.is_hidden)


def about_of(db: sqlite3.Connection, n: int) -> About | None:
    """What a snooze is about; for what is written down for others, who are asked again what they may see."""
    row = db.execute("SELECT kind, about, tlp, audience FROM snoozes WHERE n = ?", (n,)).fetchone()
    return None if row is None else About(row["kind"], row["about"], MARKINGS[row["tlp"]], row["audience"])


def open_bulletins(db: sqlite3.Connection, at: float, *, limit: int = 1000) -> list[str]:
    """The ids of the bulletins that are put aside at a moment."""
    rows = db.execute(
        "SELECT about FROM snoozes WHERE kind = 'bulletin' AND ended_at IS NULL AND until > ? AND until <= ? ORDER BY n LIMIT ?",
        (at, at + FAR_S, limit),
    )
    return [row["about"] for row in rows]


def ended(db: sqlite3.Connection, act: Act, since: float, *, limit: int = 200) -> list[Snooze]:
    """Snoozes that ended after a moment, the last first: what came back, and why."""
    check_may(act, Action.LOOK)
    rows = db.execute(
        "SELECT * FROM (SELECT *, coalesce(ended_at, until) AS over FROM snoozes) "
        "WHERE over > ? AND over <= ? ORDER BY over DESC, n DESC LIMIT ?",
        (since, act.at, limit),
    )
    return _told(rows, act)


def forget(db: sqlite3.Connection, before: float) -> None:
    """Take out snoozes that ended before a moment."""
    db.execute("DELETE FROM snoozes WHERE ended_at < ?", (before,))


def _open(db: sqlite3.Connection, kind: str, id_: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM snoozes WHERE kind = ? AND about = ? AND ended_at IS NULL", (kind, id_)
    ).fetchone()
    return row


def _end(db: sqlite3.Connection, n: int, at: float, why: Ended, by: str) -> None:
    db.execute("UPDATE snoozes SET ended_at = ?, ended_why = ?, ended_by = ? WHERE n = ?", (at, why, by, n))


def _is_hidden(row: sqlite3.Row, act: Act) -> bool:
    return not act.clearance.sees(MARKINGS[row["tlp"]], row["audience"])


def _told(rows: Iterable[sqlite3.Row], act: Act) -> list[Snooze]:
    return [_snooze(row, hidden=_is_hidden(row, act)) for row in rows]


def _snooze(row: sqlite3.Row, *, hidden: bool) -> Snooze:
    why = row["ended_why"]
    return Snooze(
        n=row["n"],
        kind=row["kind"],
        about=HIDDEN if hidden else row["about"],
        priority=row["priority"],
        until=row["until"],
        reason=HIDDEN if hidden else row["reason"],
        by=row["by"],
        at=row["at"],
        is_hidden=hidden,
        ended_at=row["ended_at"],
        ended_why=None if why is None else Ended(why),
    )
