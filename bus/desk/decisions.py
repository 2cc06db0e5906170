"""Decisions about which bulletins belong to an incident, each remembered with who, when and why. Inside a transaction.

Nothing is ever changed but that a decision was undone, and by whom; what holds is the last one that was not. Bulletins are named by
their ids, so that decisions outlive a rebuild.
"""

from __future__ import annotations

import sqlite3
from enum import StrEnum

import msgspec

from bus.desk import trail
from bus.desk.refusals import (
    MAX_DECISIONS,
    MAX_DECISIONS_OF_PERSON,
    MAX_REASON,
    DeskError,
    check_room,
    check_shared,
    check_text,
)
from bus.desk.roles import About, Act, Action, check_may, check_sees, not_there, tlp_rank
from bus.policy import MARKINGS
from bus.storage import from_row, single


class Verdict(StrEnum):
    """The decision about a bulletin and an incident."""

    BELONGS = "belongs"
    DOES_NOT = "does-not"
    SPLIT = "split"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, and by whom it was undone, if it was. Times are seconds since the epoch."""

    n: int
    incident: str
    bulletin: str
    verdict: Verdict
    why: str
    by: str
    at: float
    undone_at: float | None = None
    undone_by: str | None = None
    undone_why: str | None = None


_COLUMNS = ", ".join(Decision.__struct_fields__)


def decide(
    db: sqlite3.Connection, act: Act, incident: str, about: About, verdict: Verdict, why: str = ""
) -> int:
    """Decide whether a bulletin belongs to an incident, or is split off from it. Returns the number of the decision.

    Args:
        db: inside a transaction.
        act: an analyst or a duty officer.
        incident: the incident's id.
        about: the bulletin.
        verdict: what is decided.
        why: for others; may be empty.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `decided-already`, `desk-full`; texts as `check_text`.
    """
    check_may(act, Action.DECIDE_INCIDENT)
    check_sees(act, about)
    reason = check_text(why, MAX_REASON, "a reason", empty=True, lines=True)
    last = _last(db, incident, about.id)
    if last is not None and last["verdict"] == verdict:
        raise DeskError("this has been decided so already", reason="decided-already")
    sql = "SELECT count(*), coalesce(sum(by = ?), 0) FROM decisions WHERE incident = ?"
    here, of_mine = db.execute(sql, (act.who, incident)).fetchone()
    check_shared(here, of_mine, MAX_DECISIONS, "decisions about this incident")
    mine = single(db, "SELECT count(*) FROM decisions WHERE by = ?", act.who)
    check_room(mine, MAX_DECISIONS_OF_PERSON, "decisions of yours")
    n = db.execute(
        "INSERT INTO decisions (incident, bulletin, tlp, audience, verdict, why, by, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            incident,
            about.id,
            tlp_rank(about.tlp),
            about.audience,
            Verdict(verdict).value,
            reason,
            act.who,
            act.at,
        ),
    ).lastrowid
    trail.add(db, act, "incident-decided", about.id, f"{incident}: {verdict}")
    return int(n or 0)


def undo(db: sqlite3.Connection, act: Act, n: int, why: str = "") -> None:
    """Undo the decision that holds now about a bulletin and an incident; the one before holds again.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`; `not-last`, it was undone, or another came after it.
    """
    check_may(act, Action.DECIDE_INCIDENT)
    row = db.execute("SELECT * FROM decisions WHERE n = ?", (n,)).fetchone()
    if row is None or not _sees(act, row):
        raise not_there("decision")
    last = _last(db, row["incident"], row["bulletin"])
    if last is None or last["n"] != n:
        raise DeskError("this does not hold any more; undo the one that holds now", reason="not-last")
    reason = check_text(why, MAX_REASON, "a reason", empty=True, lines=True)
    db.execute(
        "UPDATE decisions SET undone_at = ?, undone_by = ?, undone_why = ? WHERE n = ?",
        (act.at, act.who, reason, n),
    )
    trail.add(db, act, "decision-undone", row["bulletin"], f"{row['incident']}: {row['verdict']}")


def holding(db: sqlite3.Connection, incident: str) -> dict[str, Verdict]:
    """The decision in force about each bulletin of an incident, by its id. For code that joins incidents, which sees all."""
    rows = db.execute(
        "SELECT bulletin, verdict, max(n) FROM decisions WHERE incident = ? AND undone_at IS NULL GROUP BY bulletin",
        (incident,),
    )
    return {row["bulletin"]: Verdict(row["verdict"]) for row in rows}


def all_holding(db: sqlite3.Connection) -> list[Decision]:
    """Each decision in force, in the order they were made. For code that joins incidents again, which sees all."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM decisions WHERE n IN "
        "(SELECT max(n) FROM decisions WHERE undone_at IS NULL GROUP BY incident, bulletin) ORDER BY n"
    )
    return [from_row(Decision, row) for row in rows]


def history(db: sqlite3.Connection, act: Act, incident: str) -> list[Decision]:
    """All that was decided about an incident, the oldest first, undone or not; of the bulletins this reader may see.

    Raises:
        DeskError: `desk-role`.
    """
    check_may(act, Action.LOOK)
    rows = db.execute("SELECT * FROM decisions WHERE incident = ? ORDER BY n", (incident,))
    return [from_row(Decision, row) for row in rows if _sees(act, row)]


def _last(db: sqlite3.Connection, incident: str, bulletin: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM decisions WHERE incident = ? AND bulletin = ? AND undone_at IS NULL ORDER BY n DESC LIMIT 1",
        (incident, bulletin),
    ).fetchone()
    return row


def _sees(act: Act, row: sqlite3.Row) -> bool:
    return act.clearance.sees(MARKINGS[row["tlp"]], row["audience"])
