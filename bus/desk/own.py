"""A person's own data: the last event that they have seen, and saved views. Inside a transaction."""

from __future__ import annotations

import sqlite3

import msgspec

from bus.desk.refusals import MAX_NAME, MAX_QUERY, MAX_VIEWS, check_room, check_text
from bus.desk.roles import Act, Action, check_may, not_there
from bus.storage import single


class Cursor(msgspec.Struct, frozen=True):
    """Up to which event a person has looked, and when that was noted, in seconds since the epoch."""

    n: int
    at: float


class View(msgspec.Struct, frozen=True):
    """A saved view: its name, and the query of its address."""

    name: str
    query: str


def mark_seen(db: sqlite3.Connection, act: Act, n: int) -> None:
    """Note that a person has looked at all events up to a number; it never goes back.

    Raises:
        DeskError: `desk-role`, `desk-wall`.
        ValueError: a number below 0.
    """
    check_may(act, Action.MARK_SEEN)
    if n < 0:
        raise ValueError("events are numbered from 1")
    db.execute(
        "INSERT INTO seen VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = ?2, at = ?3 WHERE ?2 > n",
        (act.who, n, act.at),
    )


def cursor(db: sqlite3.Connection, act: Act) -> Cursor | None:
    """Up to which event a person has looked; None where the person has never said so."""
    row = db.execute("SELECT n, at FROM seen WHERE person = ?", (act.who,)).fetchone()
    return None if row is None else Cursor(row["n"], row["at"])


def begin_anew(db: sqlite3.Connection, last: int) -> None:
    """Take back cursors beyond the last event: the rebuilt projection numbers its events again."""
    db.execute("UPDATE seen SET n = ? WHERE n > ?", (last, last))


def save_view(db: sqlite3.Connection, act: Act, name: str, query: str) -> View:
    """Save a view, or change the one of this name.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `text-too-long`, `text-empty`, `text-unseen`, `desk-full`.
    """
    check_may(act, Action.SAVE_VIEW)
    view = View(
        check_text(name, MAX_NAME, "the name of a view"),
        check_text(query, MAX_QUERY, "a filter", empty=True),
    )
    others = single(db, "SELECT count(*) FROM views WHERE person = ? AND name <> ?", act.who, view.name)
    check_room(others, MAX_VIEWS, "views of yours")
    db.execute("REPLACE INTO views VALUES (?, ?, ?, ?)", (act.who, view.name, view.query, act.at))
    return view


def drop_view(db: sqlite3.Connection, act: Act, name: str) -> None:
    """Take a view out.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`.
    """
    check_may(act, Action.SAVE_VIEW)
    if not db.execute("DELETE FROM views WHERE person = ? AND name = ?", (act.who, name)).rowcount:
        raise not_there("view")


def views(db: sqlite3.Connection, act: Act) -> list[View]:
    """The saved views of a person, by name."""
    rows = db.execute("SELECT name, query FROM views WHERE person = ? ORDER BY name", (act.who,))
    return [View(row["name"], row["query"]) for row in rows]
