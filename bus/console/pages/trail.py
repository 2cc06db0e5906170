"""Audit trail: who did or looked at what in this console, and whether the trail is whole.

An administrator sees no content: ids of bulletins, words of searches and titles stay in the trail, and the command line shows them.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from urllib.parse import urlencode

import msgspec

from bus import desk
from bus.audit import AuditError
from bus.console.asked import Asked, whole_of
from bus.console.page import Content
from bus.desk import Act
from bus.languages import marked
from bus.storage import utc

SIZE = 100
MOST_CHECKED = 100_000
"""So many of the newest rows are checked from a page, in about a second; the command line checks all."""
SPANS = {"hour": 3600.0, "day": 86_400.0, "week": 7 * 86_400.0, "month": 30 * 86_400.0, "all": 0.0}
NOTE = marked("This page tells of people at this hub, and of no bulletin. It stays in this hub.")
OF_PEOPLE = frozenset(
    (
        "signed-in",
        "signed-in-freshly",
        "sign-in-failed",
        "sign-in-locked",
        "password-set",
        "password-changed",
        "person-added",
        "person-changed",
        "person-disabled",
        "person-enabled",
        "token-issued",
        "let-in",
        "session-ended",
        "sessions-ended",
        "wall-opened",
        "wall-begun",
        desk.trail.FORGOTTEN,
    )
)
"""What is about people: of these rows a page shows everything. Their words are in `bus.console.codes`."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row: its number, when, who, what as its code, about whom, from where; `is_hidden` where it is about content."""

    n: int
    at: dt.datetime
    who: str
    name: str
    what: str
    about: str
    detail: str
    address: str
    is_hidden: bool


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a check has found: the rows that are whole, with the head of the trail; or the problem.

    Attributes:
        first, last: the rows that were checked.
        head: of the trail, to be written down elsewhere.
        is_all: whether they are all rows.
        problem: what is wrong; empty for nothing.
        reason: its code.
    """

    first: int = 0
    last: int = 0
    head: str = ""
    is_all: bool = True
    problem: str = ""
    reason: str = ""


class Trail(Content, frozen=True, kw_only=True):
    """The page; `before` is the number under which it begins, 0 for the newest; `older` the address of the next page."""

    who: str
    since: str
    before: int
    rows: tuple[Row, ...] = ()
    older: str = ""
    people: dict[str, str] = msgspec.field(default_factory=dict)
    wants_check: bool = False
    head: str = ""
    verified: Verified | None = None


def look(asked: Asked) -> Trail:
    """What of it is asked for; the rows come from the desk."""
    since, before = asked.first("since"), asked.first("before")
    return Trail(
        marking="amber+strict",
        note=asked.say.plain(NOTE),
        who=asked.first("who").strip()[:80],
        since=since if since in SPANS else "all",
        before=whole_of(before) or 0,
        wants_check=bool(asked.first("verify")),
        head=asked.first("head").strip(),
    )


def beside(wanted: Content) -> Callable[[sqlite3.Connection, Act], Trail] | None:
    """The same, with the rows."""
    if not isinstance(wanted, Trail):
        return None

    def question(db: sqlite3.Connection, act: Act) -> Trail:
        span = SPANS[wanted.since]
        found = rows(
            db,
            act,
            since=act.at - span if span else 0.0,
            who=wanted.who,
            before=wanted.before,
            limit=SIZE + 1,
        )
        shown = found[:SIZE]
        return msgspec.structs.replace(
            wanted,
            rows=shown,
            older=_older(wanted, shown[-1].n) if len(found) > SIZE else "",
            people=desk.people.names(db),
            verified=_verified(db, wanted.head) if wanted.wants_check else None,
        )

    return question


def rows(
    db: sqlite3.Connection, act: Act, *, since: float = 0.0, who: str = "", before: int = 0, limit: int = SIZE
) -> tuple[Row, ...]:
    """Rows of the trail as a page shows them; arguments as `desk.trail.read`.

    Raises:
        DeskError: `desk-role`.
    """
    names = desk.people.names(db)
    found = desk.trail.read(db, act, since=since, who=who, before=before, limit=limit)
    return tuple(_row(each, names) for each in found)


def _row(entry: desk.trail.Entry, names: dict[str, str]) -> Row:
    is_hidden = entry.what not in OF_PEOPLE
    return Row(
        n=entry.n,
        at=utc(entry.at),
        who=entry.who,
        name=names.get(entry.who, entry.who),
        what=entry.what,
        about="" if is_hidden else entry.about,
        detail="" if is_hidden else entry.detail,
        address=entry.address,
        is_hidden=is_hidden and bool(entry.about or entry.detail),
    )


def _older(wanted: Trail, before: int) -> str:
    return f"/audit?{urlencode({'who': wanted.who, 'since': wanted.since, 'before': before})}"


def _verified(db: sqlite3.Connection, head: str) -> Verified:
    try:
        standing = desk.trail.verify_audit(db, head=head or None, most=MOST_CHECKED)
    except AuditError as problem:
        return Verified(problem=str(problem), reason=problem.reason)
    is_all = standing.last - standing.first + 1 < MOST_CHECKED
    return Verified(first=standing.first, last=standing.last, head=standing.head, is_all=is_all)
