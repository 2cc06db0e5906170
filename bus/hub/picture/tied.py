"""Which bulletins may meet the clocks of which: by the ids that they name, and by the incident under which they are filed.

A key of a bulletin says under which name its clocks are met, or what it may meet. When a key comes or goes, triggers note the
bulletins whose clocks it concerns (`bus.hub.picture.clocked`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from bus.hub.clocks import ANSWERING
from bus.hub.picture.clearance import ask
from bus.hub.rows import TABLE_OF
from bus.policy import Clearance
from bus.subscribing import Stored, as_json, whole
from schemas.bodies.coordination import Feedback, PostElectionReport, Rfi
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.enforcement import Enforcement
from schemas.bulletin import Bulletin
from schemas.vocab import MsgType, RefRel, Status

MOST_OF_ONE = 8
"""So many bulletins of one authority about a bulletin are tried on its clocks, the earliest ones: many of one hide no other's."""
MOST_FILED = 50
"""So many reports of one authority that are filed under one incident are tried on the clocks of each other."""
MOST_STARTED = 50
"""So many bulletins of one authority under one name have clocks that others meet: what names them costs no more."""
INCIDENT = "incident/"
"""Begins the key of an incident."""
DPA = "dpa"
"""An authority of this kind reports a breach for the author that notified it, too."""
MEETS, STARTS = 1, 0

_REPORTS = (CyberIncident, DataBreach, PostElectionReport, Enforcement)
_BODIES = frozenset({Rfi, Feedback, *_REPORTS})
_ACTUAL = TABLE_OF[Status.ACTUAL]


def matters(b: Bulletin) -> bool:
    """Whether a bulletin may start a clock or meet one."""
    if type(b.body) in _BODIES or b.deadlines:
        return True
    return bool(b.actions) and any(each.due is not None for each in b.actions)


def thread(b: Bulletin) -> tuple[str, ...]:
    """The ids of the versions that a bulletin supersedes: what names one of them is about it, too."""
    return tuple(ref.id for ref in b.references if ref.rel is RefRel.SUPERSEDES)


def _filed(b: Bulletin) -> str:
    """The key of the incident under which it is filed; empty of none. An answer counts for what it names alone."""
    return "" if b.incident_id is None or isinstance(b.body, Feedback) else f"{INCIDENT}{b.incident_id}"


def keys(row: Stored) -> Iterator[tuple[int, str, str, float, str]]:
    """The keys of a bulletin: under which its clocks are met, and which it may meet."""
    b = row.bulletin
    if b.msg_type is MsgType.CANCEL or not matters(b):
        return
    author, issued, filed = b.issuer.id, b.issued.timestamp(), _filed(b)
    for key in {b.id, *thread(b), *([filed] if filed else [])}:
        yield STARTS, key, author, issued, b.id
    is_answer = isinstance(b.body, Feedback)
    if is_answer or isinstance(b.body, _REPORTS) or any(each.met for each in b.deadlines):
        for key in {ref.id for ref in b.references if not is_answer or ref.rel in ANSWERING}:
            yield MEETS, key, author, issued, b.id
        # A breach is told of by the authority to which it was notified, too.
        for whose in {author, *([DPA] if b.issuer.kind == DPA else [])} if filed else ():
            yield MEETS, filed, whose, issued, b.id


def keep_keys(db: sqlite3.Connection, row: int, wanted: Iterable[tuple[Any, ...]]) -> None:
    """Bring the keys of a bulletin up to date; those that stay are not touched, so that they note nothing."""
    held = {
        tuple(each)
        for each in db.execute("SELECT how, key, issuer, issued, id FROM clock_keys WHERE row = ?", (row,))
    }
    place = "how = ? AND key = ? AND issuer = ?"
    for key in sorted(held - set(wanted)):
        db.execute(f"DELETE FROM clock_keys WHERE {place} AND issued = ? AND id = ? AND row = ?", (*key, row))
    for key in sorted(set(wanted) - held):
        if key[0] == STARTS:
            (many,) = db.execute(f"SELECT count(*) FROM clock_keys WHERE {place}", key[:3]).fetchone()
            if many >= MOST_STARTED:
                continue
        db.execute("INSERT INTO clock_keys VALUES (?, ?, ?, ?, ?, ?)", (*key, row))


def _authors(db: sqlite3.Connection, key: str) -> Iterator[str]:
    """Whose bulletins name a key, each found by one step of the index."""
    sql = f"SELECT issuer FROM clock_keys WHERE how = {MEETS} AND key = ? AND issuer > ? ORDER BY issuer LIMIT 1"
    issuer = ""
    while (found := db.execute(sql, (key, issuer)).fetchone()) is not None:
        issuer = found[0]
        yield issuer


_FIRST = f"""
SELECT s.row FROM clock_keys k CROSS JOIN {_ACTUAL} s ON s.row = k.row
WHERE k.how = {MEETS} AND k.key = :key AND k.issuer = :issuer AND LIMITS(s) AND s.ended_by IS NULL
ORDER BY k.issued, k.id LIMIT :most
"""


def later_of(db: sqlite3.Connection, b: Bulletin, clearance: Clearance | None = None) -> Iterator[Bulletin]:
    """The valid bulletins that may meet the clocks of a bulletin; of each author so many.

    Args:
        db: a reader's store.
        b: the bulletin.
        clearance: whose limits; None for all that the store holds.
    """
    rows: set[int] = set()

    def first(key: str, issuer: str, most: int) -> None:
        place = {"key": key, "issuer": issuer, "most": most}
        if clearance is None:
            found = db.execute(_FIRST.replace("LIMITS(s)", "1"), place)
        else:
            found = ask(db, clearance, _FIRST, place)
        rows.update(row for (row,) in found)

    for key in {b.id, *thread(b)}:
        for issuer in _authors(db, key):
            first(key, issuer, MOST_OF_ONE)
    if filed := _filed(b):
        for issuer in {b.issuer.id, DPA}:
            first(filed, issuer, MOST_FILED)
    sql = "SELECT * FROM admitted WHERE row IN (SELECT value FROM json_each(?))"
    for row in whole(db.execute(sql, (as_json(sorted(rows)),))):
        if row.bulletin.id != b.id:
            yield row.bulletin
