"""The texts of people: notes on a bulletin, an alarm or an incident, and the journal of an incident. Inside a transaction.

A note can be withdrawn by who wrote it; the journal is only added to. Both bear the marking of what they are about, and are read by
those alone who may see that.
"""

from __future__ import annotations

import sqlite3

import msgspec

from bus.desk import trail
from bus.desk.refusals import (
    MAX_JOURNAL,
    MAX_JOURNAL_OF_PERSON,
    MAX_NOTE,
    MAX_NOTES_OF_PERSON,
    MAX_NOTES_OF_TARGET,
    check_room,
    check_shared,
    check_text,
)
from bus.desk.roles import About, Act, Action, check_may, check_sees, not_there, tlp_rank
from bus.storage import from_row, single


class Word(msgspec.Struct, frozen=True):
    """A note, or an entry of a journal: its number, text, who, when."""

    n: int
    text: str
    by: str
    at: float


def add_note(db: sqlite3.Connection, act: Act, about: About, text: str) -> int:
    """Write a note. Returns its number.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `desk-full`; texts as `check_text`.
    """
    check_may(act, Action.WRITE_NOTE)
    check_sees(act, about)
    kept = check_text(text, MAX_NOTE, "a note", lines=True)
    check_room(
        single(db, "SELECT count(*) FROM notes WHERE by = ?", act.who), MAX_NOTES_OF_PERSON, "notes of yours"
    )
    here, of_mine = _held(db, "notes", act, about)
    check_shared(here, of_mine, MAX_NOTES_OF_TARGET, "notes here")
    n = _insert(db, "notes", act, about, kept)
    trail.add(db, act, "note-written", about.id)
    return n


def withdraw_note(db: sqlite3.Connection, act: Act, n: int) -> None:
    """Withdraw a note of one's own; its text is taken out, that there was one stays.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`.
    """
    check_may(act, Action.WRITE_NOTE)
    changed = db.execute(
        "UPDATE notes SET withdrawn_at = ?, text = '' WHERE n = ? AND by = ? AND withdrawn_at IS NULL",
        (act.at, n, act.who),
    )
    if not changed.rowcount:
        raise not_there("note of yours")
    trail.add(db, act, "note-withdrawn", str(n))


def notes(db: sqlite3.Connection, act: Act, kind: str, id_: str) -> list[Word]:
    """The notes on one thing, the oldest first; those that this reader may see.

    Raises:
        DeskError: `desk-role`.
    """
    return _read(db, act, "notes", "withdrawn_at IS NULL", kind, id_, MAX_NOTES_OF_TARGET)


def add_entry(db: sqlite3.Connection, act: Act, about: About, text: str) -> int:
    """Add an entry to the journal of an incident. Returns its number.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `desk-full`; texts as `check_text`.
    """
    check_may(act, Action.WRITE_JOURNAL)
    check_sees(act, about)
    kept = check_text(text, MAX_NOTE, "an entry", lines=True)
    held, of_mine = _held(db, "journal", act, about)
    check_shared(held, of_mine, MAX_JOURNAL, "entries in this journal")
    mine = single(db, "SELECT count(*) FROM journal WHERE by = ?", act.who)
    check_room(mine, MAX_JOURNAL_OF_PERSON, "entries of yours in journals")
    n = _insert(db, "journal", act, about, kept)
    trail.add(db, act, "journal-written", about.id)
    return n


def journal(db: sqlite3.Connection, act: Act, incident: str) -> list[Word]:
    """The journal of an incident, the oldest entry first; the entries that this reader may see.

    Raises:
        DeskError: `desk-role`.
    """
    return _read(db, act, "journal", "1", "incident", incident, MAX_JOURNAL)


def _held(db: sqlite3.Connection, table: str, act: Act, about: About) -> tuple[int, int]:
    """(how many are kept about a thing, how many of them this person has written)."""
    sql = f"SELECT count(*), coalesce(sum(by = ?), 0) FROM {table} WHERE kind = ? AND about = ?"
    here, mine = db.execute(sql, (act.who, about.kind, about.id)).fetchone()
    return here, mine


def _insert(db: sqlite3.Connection, table: str, act: Act, about: About, text: str) -> int:
    marks = (about.kind, about.id, tlp_rank(about.tlp), about.audience)
    n = db.execute(
        f"INSERT INTO {table} (kind, about, tlp, audience, text, by, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*marks, text, act.who, act.at),
    ).lastrowid
    return int(n or 0)


def _read(
    db: sqlite3.Connection, act: Act, table: str, also: str, kind: str, id_: str, most: int
) -> list[Word]:
    check_may(act, Action.LOOK)
    rows = db.execute(
        f"SELECT n, text, by, at, audience FROM {table} WHERE kind = ? AND about = ? AND tlp <= ? AND {also} "
        "ORDER BY n LIMIT ?",
        (kind, id_, tlp_rank(act.clearance.ceiling), most),
    )
    return [from_row(Word, row) for row in rows if row["audience"] in act.clearance.audiences]
