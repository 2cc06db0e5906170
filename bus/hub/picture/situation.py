"""The rows of the situation, and what ends them: written for a whole batch, with one statement for each table.

A bulletin is ended by an update or a cancel of its own issuer and status, whichever of the two came first. So a batch is written
in three steps, and the order of its bulletins makes no difference: its rows, what they say of others, then the endings of
whatever one of the first two may have ended.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bus.hub.picture import tallies
from bus.hub.rows import SITUATION, TABLE_OF
from bus.storage import insert_rows
from bus.subscribing import Stored, as_json
from schemas.subject import area_token, priority
from schemas.vocab import MsgType, RefRel, Status

_ENDING = {RefRel.SUPERSEDES: MsgType.UPDATE, RefRel.CANCELS: MsgType.CANCEL}
_CANCEL = MsgType.CANCEL  # a member of an enumeration is found anew each time
_SAID = (
    "id", "row", "issuer", "country", "kind", "domain", "tlp", "audience", "priority", "severity", "urgency", "area", "dimensions",
    "headline", "issued", "expires", "status",
)  # fmt: skip
# What almost always is empty is left out where it is.
_STANDING, _WHOLE = (
    {
        table: (f"INSERT INTO {table} ({', '.join(names)})", f"({', '.join('?' * len(names))})")
        for table in SITUATION
    }
    for names in (_SAID, (*_SAID, "election", "incident", "ended_by", "ended_how"))
)
_REVISE = "INSERT OR IGNORE INTO revisions VALUES (?, ?, ?, ?, ?, ?)"
_ENDED = "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM revisions WHERE target = value)"
FIRST_END = """
SELECT by, how FROM revisions INDEXED BY revisions_in_order WHERE target = ? AND issuer = ? AND status = ?
ORDER BY how, row LIMIT 1
"""
# The picture has no index of ids of its own: what stands in it is admitted, under the same row. A place whose row has changed leads
# to another bulletin, so the id is compared as well.
NOTE_END = """
UPDATE {} SET ended_by = ?, ended_how = ? WHERE row IN (SELECT row FROM links WHERE id = ?) AND issuer = ? AND status = ? AND id = ?
"""
# What is a withdrawal itself is no situation, whichever bulletin has ended it.
_WITHDRAWAL = """
UPDATE {} SET ended_by = id, ended_how = 'withdrawal' WHERE id = ?1 AND issuer = ?2 AND status = ?3 AND row IN (
  SELECT a.row FROM links l JOIN admitted a ON a.row = l.row WHERE l.id = ?1
  AND iif(json_valid(CAST(a.payload AS TEXT)), json_extract(CAST(a.payload AS TEXT), '$.msg_type'), '') = ?4
)
"""


class Target(NamedTuple):
    """What an ending may be of: a bulletin by its id, as said by an issuer at a status."""

    id: str
    issuer: str
    status: Status


def show(db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
    """Have bulletins stand in the situation, with the endings that came before them; inside a transaction."""
    _show(db, rows)
    _end(db, _ended_before(db, rows))


def take_in(db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
    """As `show`; and end what they supersede or withdraw."""
    _show(db, rows)
    revised = _revise(db, rows)
    _end(db, dict.fromkeys((*_ended_before(db, rows), *revised)))


def take_back(db: sqlite3.Connection, row: Stored) -> None:
    """Have what a bulletin ended stand again, unless another has ended it too; the bulletin's own row is left."""
    b = row.bulletin
    for ref in b.references:
        gone = db.execute(
            "DELETE FROM revisions WHERE target = ? AND issuer = ? AND status = ? AND row = ?",
            (ref.id, b.issuer.id, b.status, row.rowid),
        ).rowcount
        if gone:
            target = Target(ref.id, b.issuer.id, b.status)
            _note_end(db, target, None, None)
            db.execute(_WITHDRAWAL.format(TABLE_OF[target.status]), (*target, str(MsgType.CANCEL)))
            _end(db, [target])


def _show(db: sqlite3.Connection, rows: Iterable[Stored]) -> None:
    standing: dict[str, list[tuple[Any, ...]]] = {table: [] for table in SITUATION}
    others: dict[str, list[tuple[Any, ...]]] = {table: [] for table in SITUATION}
    counts: dict[str, Counter[tallies.Sort]] = {table: Counter() for table in SITUATION}
    for row in rows:
        b = row.bulletin
        issuer, election, incident = b.issuer, b.election, b.incident_id
        table = TABLE_OF[b.status]
        # Words are given as plain text: sqlite3 looks for an adapter of whatever is of a class of its own.
        sort = tallies.Sort(priority(b), b.kind, str(b.tlp), area_token(b), as_json(b.dimensions))
        said = (
            b.id,
            row.rowid,
            issuer.id,
            issuer.country,
            sort.kind,
            issuer.domain,
            sort.tlp,
            b.audience,
            sort.priority,
            str(b.severity),
            str(b.urgency),
            sort.area,
            sort.dimensions,
            b.headline,
            b.issued.timestamp(),
            b.expires.timestamp(),
            str(b.status),
        )
        # A withdrawal says that something is not so; it is no situation by itself.
        is_ended = b.msg_type is _CANCEL
        if not is_ended:
            counts[table][sort] += 1
        if is_ended or election is not None or incident is not None:
            end = (b.id, "withdrawal") if is_ended else (None, None)
            others[table].append((*said, None if election is None else election.id, incident, *end))
        else:
            standing[table].append(said)
    for table in SITUATION:
        insert_rows(db, *_STANDING[table], standing[table])
        insert_rows(db, *_WHOLE[table], others[table])
        tallies.add(db, table, counts[table])


def _revise(db: sqlite3.Connection, rows: Iterable[Stored]) -> list[Target]:
    """Record what updates supersede and cancels withdraw. All is recorded; that of another issuer ends nothing."""
    revised: list[Target] = []
    values: list[tuple[Any, ...]] = []
    for row in rows:
        b = row.bulletin
        for ref in b.references:
            if _ENDING.get(ref.rel) is not b.msg_type:
                continue
            how = "superseded" if ref.rel is RefRel.SUPERSEDES else "cancelled"
            revised.append(Target(ref.id, b.issuer.id, b.status))
            values.append((ref.id, b.issuer.id, str(b.status), row.rowid, b.id, how))
    if values:
        db.executemany(_REVISE, values)
    return revised


def _ended_before(db: sqlite3.Connection, rows: Iterable[Stored]) -> list[Target]:
    """Those bulletins of a batch that something on record names as superseded or withdrawn."""
    by_id = {row.bulletin.id: row.bulletin for row in rows}
    found = db.execute(_ENDED, (as_json(list(by_id)),)).fetchall()
    return [Target(id_, by_id[id_].issuer.id, by_id[id_].status) for (id_,) in found]


def _end(db: sqlite3.Connection, targets: Iterable[Target]) -> None:
    """Mark bulletins with their endings; withdrawn outranks superseded, then the first counts."""
    for target in targets:
        ended = db.execute(FIRST_END, target).fetchone()
        if ended is not None:
            _note_end(db, target, *ended)


def _note_end(db: sqlite3.Connection, target: Target, by: str | None, how: str | None) -> None:
    db.execute(NOTE_END.format(TABLE_OF[target.status]), (by, how, *target, target.id))
