"""The duty desk: what a shift hands over to the next, and which person has acknowledged a bulletin. Inside a transaction.

A handover lists open, snoozed and promised things. The next officer reads it and signs exactly that text; nobody signs their own,
nor one with something in it that they may not see. An acknowledgement by a person is kept beside the hub's signed receipt, which
names no person.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from bus.desk import trail
from bus.desk.refusals import (
    MAX_ACKNOWLEDGED,
    MAX_HANDOVER,
    MAX_HANDOVERS_OF_PERSON,
    MAX_ITEMS,
    MAX_REASON,
    DeskError,
    check_room,
    check_text,
)
from bus.desk.roles import About, Act, Action, check_may, check_sees, not_there, tlp_rank
from bus.policy import MARKINGS, Clearance
from bus.storage import single
from schemas.codec import digest


class Left(StrEnum):
    """The handover to the next shift."""

    OPEN = "open"
    SNOOZED = "snoozed"
    PROMISED = "promised"


class Item(msgspec.Struct, frozen=True):
    """A line of a handover: what kind, about what, in words."""

    left: Left
    about: About
    line: str


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """A handover; of one that this reader may not see all of, `words`, `items` and `digest` are empty.

    Attributes:
        n: its number.
        by: who gives it.
        at: when.
        words: what is to be known beside.
        items: line by line.
        digest: of all that, to be named by who signs.
        taken_by: the person who has read and signed it; None before that.
        taken_at: when.
        is_hidden: something in it is above what the reader may see.
    """

    n: int
    by: str
    at: float
    words: str = ""
    items: tuple[Item, ...] = ()
    digest: str = ""
    taken_by: str | None = None
    taken_at: float | None = None
    is_hidden: bool = False


class Acknowledged(msgspec.Struct, frozen=True):
    """The person who acknowledged, the time, and a word that the hub's receipt is signed; empty until it is."""

    person: str
    at: float
    receipt: str


def hand_over(db: sqlite3.Connection, act: Act, words: str, items: Sequence[Item]) -> Handover:
    """Give a shift over. The words count as marked like the narrowest of the items, at the least.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `desk-full`; texts as `check_text`.
    """
    check_may(act, Action.HAND_OVER)
    check_room(len(items) - 1, MAX_ITEMS, "lines")
    given = single(db, "SELECT count(*) FROM handovers WHERE by = ?", act.who)
    check_room(given, MAX_HANDOVERS_OF_PERSON, "handovers of yours")
    for item in items:
        check_sees(act, item.about)
        check_text(item.line, MAX_REASON, "a line")
    told = check_text(words, MAX_HANDOVER, "what you leave", lines=True, empty=bool(items))
    kept = msgspec.json.encode(items).decode()
    n = db.execute(
        "INSERT INTO handovers (by, at, words, items, tlp, audiences, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            act.who,
            act.at,
            told,
            kept,
            max((tlp_rank(item.about.tlp) for item in items), default=0),
            " ".join(sorted({item.about.audience for item in items})),
            digest(json.dumps([act.who, float(act.at), told, kept]).encode()),
        ),
    ).lastrowid
    trail.add(db, act, "handed-over", str(n), f"{len(items)} line(s)")
    return _handover(_row(db, int(n or 0)), act.clearance)


def take_over(db: sqlite3.Connection, act: Act, n: int, shown: str) -> Handover:
    """Sign a handover that was read.

    Args:
        db: inside a transaction.
        act: a duty officer, another than who gave it.
        n: the handover.
        shown: the digest of what was read.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `own-work`, `above-ceiling`, `digest-differs`, `handover-taken`.
    """
    check_may(act, Action.HAND_OVER)
    row = _row(db, n)
    if row["by"] == act.who:
        raise DeskError("the next officer signs a handover, not the one who gives it", reason="own-work")
    handover = _handover(row, act.clearance)
    if handover.is_hidden:
        raise DeskError(
            "something in this handover is above what you may see; another officer must take it",
            reason="above-ceiling",
        )
    if row["taken_by"] is not None:
        raise DeskError("somebody has taken this over already", reason="handover-taken")
    if not hmac.compare_digest(shown.encode("utf-8", "replace"), row["digest"].encode()):
        raise DeskError(
            "the content here is different; load the page and read it again", reason="digest-differs"
        )
    db.execute("UPDATE handovers SET taken_by = ?, taken_at = ? WHERE n = ?", (act.who, act.at, n))
    trail.add(db, act, "taken-over", str(n), row["digest"])
    return _handover(_row(db, n), act.clearance)


def handovers(db: sqlite3.Connection, act: Act, *, limit: int = 20) -> list[Handover]:
    """The last handovers: of each person the one that waits for a signature before the rest, so that nobody pushes out another's.

    Raises:
        DeskError: `desk-role`, `desk-wall`.
    """
    check_may(act, Action.HAND_OVER)
    rows = db.execute(
        "SELECT *, row_number() OVER (PARTITION BY by, taken_by IS NULL ORDER BY n DESC) AS nth FROM handovers "
        "ORDER BY taken_by IS NOT NULL, iif(taken_by IS NULL, nth, 0), n DESC LIMIT ?",
        (limit,),
    )
    return [_handover(row, act.clearance) for row in rows]


def acknowledge(db: sqlite3.Connection, act: Act, about: About) -> bool:
    """Note that a person has acknowledged a bulletin. Returns False when the person had before; then nothing changes.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`, `desk-full`.
    """
    check_may(act, Action.ACKNOWLEDGE)
    check_sees(act, about)
    there = db.execute(
        "SELECT 1 FROM acknowledged WHERE bulletin = ? AND person = ?", (about.id, act.who)
    ).fetchone()
    if there is not None:
        return False
    held = single(db, "SELECT count(*) FROM acknowledged WHERE person = ?", act.who)
    check_room(held, MAX_ACKNOWLEDGED, "acknowledgements of yours")
    db.execute(
        "INSERT INTO acknowledged (bulletin, person, at) VALUES (?, ?, ?)", (about.id, act.who, act.at)
    )
    trail.add(db, act, "acknowledged", about.id)
    return True


def answer(
    db: sqlite3.Connection, act: Act, about: About, verdict: str, key: str, reviewed: str = ""
) -> None:
    """Put on record that a person answers a bulletin, before the hub signs the answer.

    Args:
        db: inside a transaction.
        act: an analyst or a duty officer.
        about: the bulletin.
        verdict: what the answer says.
        key: names the answer; the audit record of the hub has the same.
        reviewed: why it is right in spite of doubts; the hub puts it into its audit record.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `not-there`; texts as `check_text`.
    """
    check_may(act, Action.ANSWER)
    check_sees(act, about)
    check_text(reviewed, MAX_REASON, "a reason", empty=True)
    trail.add(db, act, "answered", about.id, f"{verdict} {key}")


def unsigned(db: sqlite3.Connection, *, limit: int, skip: int = 0) -> list[tuple[str, str]]:
    """Bulletins that a person has acknowledged and for which no receipt is signed yet, each with that person: the oldest first."""
    rows = db.execute(
        "SELECT bulletin, person FROM acknowledged WHERE receipt = '' ORDER BY at, person LIMIT ? OFFSET ?",
        (limit, skip),
    )
    return [(row["bulletin"], row["person"]) for row in rows]


def still_unsigned(db: sqlite3.Connection) -> tuple[int, float | None]:
    """How many acknowledgements have no signed receipt, and since when the oldest waits; None where none does."""
    waits, since = db.execute("SELECT count(*), min(at) FROM acknowledged WHERE receipt = ''").fetchone()
    return int(waits), since


def note_receipt(db: sqlite3.Connection, bulletin: str, receipt: str) -> None:
    """Note that the hub has signed its receipt, beside each person who has acknowledged so far. For the code that has it signed."""
    db.execute("UPDATE acknowledged SET receipt = ? WHERE bulletin = ? AND receipt = ''", (receipt, bulletin))


def acknowledged(db: sqlite3.Connection, act: Act, about: About) -> list[Acknowledged]:
    """The people who have acknowledged a bulletin, the first first.

    Raises:
        DeskError: `desk-role`, `not-there`.
    """
    check_may(act, Action.LOOK)
    check_sees(act, about)
    rows = db.execute("SELECT * FROM acknowledged WHERE bulletin = ? ORDER BY at, person", (about.id,))
    return [Acknowledged(row["person"], row["at"], row["receipt"]) for row in rows]


def forget(db: sqlite3.Connection, before: float) -> None:
    """Take out handovers that were given, and acknowledgements that were made, before a moment."""
    db.execute("DELETE FROM handovers WHERE at < ?", (before,))
    db.execute("DELETE FROM acknowledged WHERE at < ?", (before,))


def _row(db: sqlite3.Connection, n: int) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute("SELECT * FROM handovers WHERE n = ?", (n,)).fetchone()
    if row is None:
        raise not_there("handover")
    return row


def _handover(row: sqlite3.Row, clearance: Clearance) -> Handover:
    about = {"n": row["n"], "by": row["by"], "at": row["at"]} | {
        "taken_by": row["taken_by"],
        "taken_at": row["taken_at"],
    }
    needed = Clearance(MARKINGS[row["tlp"]], frozenset(row["audiences"].split()))
    if not clearance.covers(needed):
        return Handover(**about, is_hidden=True)
    items = msgspec.json.decode(row["items"], type=tuple[Item, ...])
    return Handover(**about, words=row["words"], items=items, digest=row["digest"])
