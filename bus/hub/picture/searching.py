"""What stands in bulletins: the newest matches of some words, then the best of these first.

So many of the newest matches are looked at (`MOST`), however many there are, and who searches is told when there are more. What
waits for the index is looked at too.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from itertools import islice

import msgspec

from bus.filters import Selection, phrase_of
from bus.hub.picture.clearance import ask, within
from bus.hub.picture.lines import Line, of_rows
from bus.hub.picture.narrowing import waiting
from bus.hub.rows import TABLE_OF
from bus.policy import Clearance
from bus.subscribing import as_json
from schemas.vocab import Status

MOST = 2000
SIZE = 50
SHORTEST = 2
"""The beginning of a word has so many characters at least: fewer stand in nearly all, and are looked for as a whole word."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search has found.

    Attributes:
        lines: the best first: what is live, what has the words in its headline, the gravest, the newest.
        looked_at: how many matches were looked at that the person may see.
        has_more: whether more of the store has these words than was looked at.
    """

    lines: tuple[Line, ...]
    looked_at: int
    has_more: bool


def search(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    text: tuple[str, ...],
    *,
    status: Status = Status.ACTUAL,
    size: int = SIZE,
) -> Found:
    """Search for phrases, all of which must stand in a bulletin.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present, aware.
        text: phrases as `Selection.text` has them; an `*` at the end takes any ending.
        status: actual or exercise.
        size: so many lines at most.
    """
    phrases = tuple(_bounded(phrase) for phrase in text)
    table, asked = TABLE_OF[status], Selection(text=phrases)
    match = within(clearance, " AND ".join(map(phrase_of, phrases)))
    # Matches that the person may not see count for none of the two numbers that are told.
    sql = (
        f"SELECT s.row, s.ended_by IS NULL AND s.expires > :now AS live, s.priority, s.headline FROM words w CROSS JOIN {table} s "
        "ON s.row = w.rowid WHERE w.words MATCH :match AND LIMITS(s) AND s.msg_type != 'cancel' ORDER BY w.rowid DESC LIMIT :most"
    )
    moment = now.timestamp()
    rows = [tuple(row) for row in ask(db, clearance, sql, {"match": match, "now": moment, "most": MOST + 1})]
    late = [key.row for key in islice(waiting(db, clearance, now, status, asked, None), MOST)]
    sql = (
        f"SELECT s.row, s.ended_by IS NULL AND s.expires > :now AS live, s.priority, s.headline FROM {table} s "
        "WHERE LIMITS(s) AND s.row IN (SELECT value FROM json_each(:rows))"
    )
    rows += [tuple(row) for row in ask(db, clearance, sql, {"rows": as_json(late), "now": moment})]
    once = list({row[0]: row for row in rows}.values())
    beginnings = [phrase.rstrip("*").split() for phrase in phrases]

    def rank(row: tuple[int, int, str, str]) -> tuple[bool, bool, str, int]:
        words = row[3].casefold()
        is_named = all(each in words for phrase in beginnings for each in phrase)
        return not row[1], not is_named, row[2], -row[0]

    best = sorted(once[:MOST], key=rank)[:size]
    lines = of_rows(db, clearance, now, status, [row[0] for row in best])
    return Found(lines=lines, looked_at=min(len(once), MOST), has_more=len(once) > MOST)


def _bounded(phrase: str) -> str:
    *_, last = phrase.rstrip("*").split() or [""]
    return phrase.rstrip("*") if phrase.endswith("*") and len(last) < SHORTEST else phrase
