"""What people here have noted about a bulletin or an alarm."""

from __future__ import annotations

import datetime as dt
import sqlite3

import msgspec

from bus import desk
from bus.storage import utc


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A note of somebody here: what, by whom, when."""

    text: str
    by: str
    at: dt.datetime


def notes_on(db: sqlite3.Connection, act: desk.Act, kind: str, id_: str) -> tuple[Note, ...]:
    """The notes on one thing that a person may see, the newest first."""
    names = desk.people.names(db)
    found = desk.words.notes(db, act, kind, id_)
    return tuple(
        Note(text=each.text, by=names.get(each.by, each.by), at=utc(each.at)) for each in reversed(found)
    )
