"""Whom approvals count: what an administrator changes about people holds for them a day later, until then what held before.

An administrator can add a second person, hand the token of an existing one to anybody, or take the approvers their role. Each of these
would make two pairs of eyes out of one. A day is long enough that somebody sees it. What an operator changes on the machine itself
holds at once, for who may write this file needs no approval; and so does everything at a desk that is younger than a day, where nobody
is there yet to be pushed aside (ADR-070). Inside a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from bus.desk.refusals import DeskError
from bus.desk.roles import COMMAND_LINE, Act, Action, Role, roles_may
from bus.storage import Layout, single

DAY_S = 24 * 3600.0

LAYOUT = Layout(
    "standing",
    """
CREATE TABLE IF NOT EXISTS standing (
  person TEXT PRIMARY KEY REFERENCES people (id), stands_from REAL NOT NULL, counts_until REAL NOT NULL
) WITHOUT ROWID;
""",
)
"""From when a person stands for approvals, and until when one who could approve before counts as an approver all the same."""


def approvers(db: sqlite3.Connection, at: float) -> list[str]:
    """The ids of those who may approve now: active, with the role, and standing."""
    rows = db.execute(
        "SELECT id, roles FROM people WHERE is_active AND id NOT IN (SELECT person FROM standing WHERE stands_from > ?) ORDER BY id",
        (at,),
    )
    return [row["id"] for row in rows if roles_may(map(Role, row["roles"].split()), Action.APPROVE)]


def counted(db: sqlite3.Connection, at: float) -> frozenset[str]:
    """The ids of those for whose sake a second person is needed: who may approve, and who could a day ago."""
    rows = db.execute("SELECT person FROM standing WHERE counts_until > ?", (at,))
    return frozenset((*approvers(db, at), *(row["person"] for row in rows)))


def begun_anew(db: sqlite3.Connection, act: Act, person: str, before: Iterable[str]) -> None:
    """Note that a person was added, restored, has other roles or another way in.

    Args:
        db: inside a transaction.
        act: who has changed it.
        person: the id.
        before: those who could approve before that (`approvers`).
    """
    _note(db, act, person, before, stands_from=act.at + DAY_S)


def set_aside(db: sqlite3.Connection, act: Act, person: str, before: Iterable[str]) -> None:
    """Note that a person may not sign in any more; as `begun_anew`."""
    _note(db, act, person, before, stands_from=from_when(db, person))


def from_when(db: sqlite3.Connection, person: str) -> float:
    """From when a person stands, in seconds since the epoch; 0 for always."""
    row = db.execute("SELECT stands_from FROM standing WHERE person = ?", (person,)).fetchone()
    return 0.0 if row is None else float(row["stands_from"])


def check(db: sqlite3.Connection, act: Act, asker: str) -> None:
    """Refuse an approval by somebody who does not stand yet, or by an administrator to somebody who does not.

    Args:
        db: inside a transaction.
        act: who would approve.
        asker: who has asked for it.

    Raises:
        DeskError: `changed-lately`.
    """
    if from_when(db, act.who) > act.at:
        raise DeskError(
            "an administrator has added you, or changed your roles or your way in, less than a day ago: until a day has passed you approve nothing; "
            "an operator of this hub can lift that (tocsin people role)",
            reason="changed-lately",
        )
    if Role.ADMINISTRATOR in act.roles and from_when(db, asker) > act.at:
        raise DeskError(
            "who asks was added or changed less than a day ago, and no administrator approves that; ask another approver",
            reason="changed-lately",
        )


def _note(
    db: sqlite3.Connection, act: Act, person: str, before: Iterable[str], *, stands_from: float
) -> None:
    if act.who == COMMAND_LINE:
        db.execute("DELETE FROM standing WHERE person = ?", (person,))
        return
    first = single(db, "SELECT min(made_at) FROM people")
    if act.at < first + DAY_S:
        return
    counts_until = act.at + DAY_S if person in before else 0.0
    db.execute(
        "INSERT INTO standing VALUES (?1, ?2, ?3) ON CONFLICT (person) DO UPDATE SET "
        "stands_from = ?2, counts_until = max(counts_until, ?3)",
        (person, stands_from, counts_until),
    )
