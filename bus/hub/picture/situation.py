"""The rows of the situation, and what ends them: written for a whole batch, with one statement for each table.

Threads (`bus.threads`) decide what is superseded or withdrawn: of each the newest version is valid, unless a cancel has
withdrawn the thread. So a batch is written in three steps, and the order of its bulletins makes no difference: its rows, what
they say of others, then the endings of whatever one of the first two may have ended.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bus import threads
from bus.hub.picture import counts, tallies
from bus.hub.rows import SITUATION, TABLE_OF
from bus.storage import insert_rows
from bus.subscribing import Stored, as_json, contested
from schemas.subject import Channel, area_token, priority
from schemas.vocab import MsgType, RefRel, Status

_ENDING = {RefRel.SUPERSEDES: MsgType.UPDATE, RefRel.CANCELS: MsgType.CANCEL}
_ALERT, _CANCEL = MsgType.ALERT, MsgType.CANCEL  # each access to a member of an enumeration costs a search
_SAID = (
    "id", "row", "issuer", "country", "kind", "domain", "tlp", "audience", "priority", "severity", "urgency", "area", "dimensions",
    "headline", "issued", "expires", "status",
)  # fmt: skip
# Columns that are almost always empty are omitted when they are empty.
_STANDING, _WHOLE = (
    {
        table: (f"INSERT INTO {table} ({', '.join(names)})", f"({', '.join('?' * len(names))})")
        for table in SITUATION
    }
    for names in (_SAID, (*_SAID, "election", "incident", "ended_by", "ended_how", "msg_type", "areas"))
)
# The picture has no index of ids of its own: its bulletins are admitted, under the same row. A place whose row has changed leads
# to another bulletin, so the id is compared as well. A withdrawal itself is never in the situation.
NOTE_END = """
UPDATE {} SET ended_by = ?1, ended_how = ?2 WHERE row IN (SELECT row FROM links WHERE id = ?3) AND issuer = ?4 AND status = ?5
AND id = ?3 AND ended_how IS NOT 'withdrawal' AND (ended_by IS NOT ?1 OR ended_how IS NOT ?2)
"""
# A bulletin with a place in a chain of its issuer at its status was said, also if it is erased; but not one refused there, and
# what is shown alone takes no part.
KNOWN = f"""
SELECT l.channel, l.id, l.issued, l.seq FROM json_each(?) j CROSS JOIN links l ON l.id = j.value
WHERE l.reason IS NULL AND l.issued IS NOT NULL AND NOT {contested.muted("l.row")}
AND (l.row IS NULL OR {" OR ".join(f"EXISTS (SELECT 1 FROM {table} s WHERE s.row = l.row)" for table in SITUATION)})
"""
"""Kept bulletins that are not in the picture yet, because it is being rebuilt, are left out: they say themselves what they are."""
_CANCELS = "SELECT EXISTS (SELECT 1 FROM revisions WHERE by = ? AND issuer = ? AND status = ? AND how = ?)"


def show(db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
    """Add bulletins to the situation, with the endings that arrived before them; inside a transaction."""
    _show(db, rows)
    if named := threads.named_among(db, [row.id for row in rows]):
        seen = [_key(row) for row in rows if row.id in named]
        _note_ends(db, threads.take_in(db, (), (), _known, seen=seen))


def take_in(db: sqlite3.Connection, rows: Sequence[Stored]) -> None:
    """As `show`; and end what they supersede or withdraw."""
    _show(db, rows)
    ties = list(_ties(rows))
    named = threads.named_among(db, [row.id for row in rows])
    if ties or named:
        here = [_said(row) for row in rows if row.id in named]
        _note_ends(db, threads.take_in(db, here, ties, _known))


def take_back(db: sqlite3.Connection, rows: Iterable[Stored]) -> None:
    """Restore the bulletins that these had ended, unless another ends them too; their own rows are left."""
    _note_ends(db, threads.take_back(db, ((_key(row), row.rowid) for row in rows)))


def clear(db: sqlite3.Connection) -> None:
    """Empty the situation; what was ended by a bulletin that is not kept any more stays known."""
    for table in SITUATION:
        db.execute(f"DELETE FROM {table}")
    counts.clear(db)
    threads.clear(db, "SELECT row FROM admitted", _known)


def catch_up(db: sqlite3.Connection) -> None:
    """Make the threads of a store of a release that knew none (`threads.is_due`), inside a transaction."""
    for ends in threads.build(db, _known):
        _note_ends(db, ends)


def _show(db: sqlite3.Connection, rows: Iterable[Stored]) -> None:
    standing: dict[str, list[tuple[Any, ...]]] = {table: [] for table in SITUATION}
    others: dict[str, list[tuple[Any, ...]]] = {table: [] for table in SITUATION}
    seen: dict[str, Counter[counts.Came]] = {table: Counter() for table in SITUATION}
    for row in rows:
        b = row.bulletin
        issuer, election, incident = b.issuer, b.election, b.incident_id
        table = TABLE_OF[b.status]
        # Words are given as plain text: for a value of another class sqlite3 searches an adapter.
        kind, tlp, area, issued = b.kind, str(b.tlp), area_token(b), b.issued.timestamp()
        areas, dimensions = counts.areas_of(b, area), as_json(b.dimensions)
        named, rank = None if election is None else election.id, priority(b)
        cell = (
            kind, issuer.domain, issuer.id, issuer.country, tlp, b.audience, rank, area, dimensions, areas, named,
        )  # fmt: skip
        said = (
            b.id,
            row.rowid,
            issuer.id,
            issuer.country,
            kind,
            issuer.domain,
            tlp,
            b.audience,
            rank,
            str(b.severity),
            str(b.urgency),
            area,
            dimensions,
            b.headline,
            issued,
            b.expires.timestamp(),
            str(b.status),
        )
        # A withdrawal says that something is not so; it is no situation by itself.
        is_ended = b.msg_type is _CANCEL
        seen[table][int(issued // counts.HOUR_S), not is_ended, cell] += 1
        if b.msg_type is not _ALERT or election is not None or incident is not None or areas is not None:
            end = (b.id, "withdrawal") if is_ended else (None, None)
            others[table].append((*said, named, incident, *end, str(b.msg_type), areas))
        else:
            standing[table].append(said)
    for table in SITUATION:
        insert_rows(db, *_STANDING[table], standing[table])
        insert_rows(db, *_WHOLE[table], others[table])
        tallies.add(db, table, counts.sorts(seen[table]))
        counts.add(db, table, seen[table])


def _ties(rows: Iterable[Stored]) -> Iterator[threads.Tie]:
    """The bulletins that updates supersede and cancels withdraw. A reference to another issuer or status ends nothing."""
    for row in rows:
        b = row.bulletin
        for ref in b.references:
            if _ENDING.get(ref.rel) is b.msg_type:
                how = threads.SUPERSEDED if ref.rel is RefRel.SUPERSEDES else threads.CANCELLED
                yield threads.Tie(ref.id, _said(row), row.rowid, how)


def _key(row: Stored) -> threads.Key:
    b = row.bulletin
    return threads.Key(b.id, b.issuer.id, str(b.status))


def _said(row: Stored) -> threads.Said:
    b = row.bulletin
    return threads.Said(_key(row), b.issued.timestamp(), b.seq, b.msg_type is _CANCEL)


def _known(db: sqlite3.Connection, keys: Sequence[threads.Key]) -> Iterator[threads.Said]:
    """Those of these bulletins that were said, as far as their places show."""
    for channel, id_, issued, seq in db.execute(KNOWN, (as_json([key.id for key in keys]),)).fetchall():
        place = Channel.parse(channel)
        key = threads.Key(id_, place.issuer, str(place.status))
        (is_cancel,) = db.execute(_CANCELS, (*key, threads.CANCELLED)).fetchone()
        yield threads.Said(key, issued, seq, is_cancel=bool(is_cancel))


def _note_ends(db: sqlite3.Connection, ends: Iterable[threads.End]) -> None:
    """Mark bulletins with what ends them."""
    marks: dict[str, list[tuple[str | None, ...]]] = {}
    for end in ends:
        marks.setdefault(TABLE_OF[Status(end.key.status)], []).append((end.by, end.how, *end.key))
    for table, values in marks.items():
        db.executemany(NOTE_END.format(table), values)
