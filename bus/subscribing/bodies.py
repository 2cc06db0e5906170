"""Stores the places and the bytes of bulletins, without repeats. Only this module knows the three tables.

- `texts`: texts that many rows share, by number: names of channels, subjects, streams, keys, openings of signatures.
  Its rows are never deleted, so it holds nothing that must be erased.
- `places`: the places of chains, in narrow rows, so that a chain is read without its bytes. `row` is the row of the
  bytes, and empty for a refused or erased bulletin. A digest has no index, because the bytes name their channel, number
  and id.
- `bodies`: the bytes of admitted bulletins, with the labels and state that this reader gave them.

Other modules read two views. `links` has every place; query it by channel, number or id. `admitted` has the kept
bulletins; query it only by row or time, and otherwise through the `row` of a link. It also shows a body without its
place, as damaged. The `row` of a link may be corrupt like any value: code that changes or deletes the body compares the
digests first. `max` and LEFT JOIN read a whole view: get the last row by ORDER BY and LIMIT, or by a subquery.

Functions that change rows run in the store's thread, on an open transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from bus.storage import insert_rows, single
from schemas import passing_on
from schemas.bulletin import Bulletin
from schemas.envelope import comes_again

_at = "json_extract(CAST(payload AS TEXT), '$.{}')".format
_FLAG, _END, _DAYS = map(
    _at, ("personal_data.flag", "personal_data.retention_until", "handling.retention_days")
)
_ISSUED, _EXPIRES = map(_at, ("issued", "expires"))
_PERSONAL = f"CASE WHEN {_FLAG} != 'none' AND typeof({_END}) = 'text' THEN {_END} END"
# An index allows no function of the present time.
_IS_DAY = f"{_ISSUED} GLOB '{'-'.join('[0-9]' * n for n in (4, 2, 2))}*'"
_KEPT = f"CASE WHEN typeof({_DAYS}) = 'integer' AND {_IS_DAY} THEN date(substr({_ISSUED}, 1, 10), {_DAYS} || ' days') END"
UNTIL = (
    f"CASE WHEN json_valid(CAST(payload AS TEXT)) AND typeof({_EXPIRES}) = 'text' "
    f"THEN max(coalesce(min({_PERSONAL}, {_KEPT}), {_PERSONAL}, {_KEPT}), substr({_EXPIRES}, 1, 10)) END"
)
"""SQL: the last day on which a payload may be kept (as `last_day`); NULL if it sets none, or does not expire."""

TABLES = """
CREATE TABLE IF NOT EXISTS texts (n INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS places (
  channel INTEGER NOT NULL, seq INTEGER NOT NULL, row INTEGER, digest TEXT NOT NULL, prev TEXT, id TEXT NOT NULL, reason TEXT,
  kids INTEGER NOT NULL, received_at REAL NOT NULL, issued REAL, believed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (channel, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bodies (
  row INTEGER PRIMARY KEY AUTOINCREMENT, channel INTEGER NOT NULL, seq INTEGER NOT NULL, admitted_at REAL NOT NULL,
  is_talk INTEGER NOT NULL, until TEXT, subject INTEGER NOT NULL, kid INTEGER NOT NULL, labels TEXT NOT NULL,
  trust TEXT NOT NULL, endorsers TEXT NOT NULL, stream INTEGER, stream_seq INTEGER, tries INTEGER NOT NULL DEFAULT 0,
  retry_at REAL, problem TEXT, opening INTEGER NOT NULL, signature TEXT NOT NULL, payload BLOB NOT NULL
);
"""
SCHEMA = (
    TABLES
    + """
CREATE INDEX IF NOT EXISTS places_by_id ON places (id);
CREATE INDEX IF NOT EXISTS bodies_by_time ON bodies (admitted_at);
CREATE INDEX IF NOT EXISTS bodies_failing ON bodies (row) WHERE tries > 0;
CREATE INDEX IF NOT EXISTS bodies_of_persons ON bodies (until) WHERE until IS NOT NULL;
CREATE INDEX IF NOT EXISTS bodies_of_talk ON bodies (admitted_at) WHERE is_talk;
CREATE VIEW IF NOT EXISTS links AS
SELECT c.text AS channel, p.seq, p.digest, p.prev, p.id, p.reason, (SELECT text FROM texts WHERE n = p.kids) AS kids,
  p.received_at, p.issued, p.believed, p.row
FROM places p JOIN texts c ON c.n = p.channel;
CREATE VIEW IF NOT EXISTS admitted AS
SELECT b.row, p.digest, p.id, c.text AS channel, b.seq, (SELECT text FROM texts WHERE n = b.subject) AS subject,
  coalesce((SELECT text FROM texts WHERE n = b.opening), '') || b.signature AS signature, b.payload,
  (SELECT text FROM texts WHERE n = b.kid) AS kid, b.admitted_at, b.labels, b.trust, b.endorsers,
  (SELECT text FROM texts WHERE n = b.stream) AS stream, b.stream_seq, b.tries, b.retry_at, b.problem,
  (SELECT text FROM texts WHERE n = p.kids) AS kids, b.until, b.is_talk
FROM bodies b LEFT JOIN places p ON p.channel = b.channel AND p.seq = b.seq AND p.row = b.row
LEFT JOIN texts c ON c.n = b.channel;
"""
)
# The next row gets an explicit number: if a flipped bit made SQLite choose a used number, every batch would stop.
_LAST_ROW = (
    "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'bodies'), 0), "
    "coalesce((SELECT max(row) FROM bodies), 0))"
)


class Texts(dict[str, int]):
    """The number of each text, remembered for one transaction; a new text gets its number at the first request."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __missing__(self, text: str) -> int:
        number = number_of(self._db, text)
        if number is None:
            number = self._db.execute("INSERT INTO texts (text) VALUES (?)", (text,)).lastrowid or 0
        self[text] = number
        return number


def number_of(db: sqlite3.Connection, text: str) -> int | None:
    """The number of a text; None if no row has it."""
    row = db.execute("SELECT n FROM texts WHERE text = ?", (text,)).fetchone()
    return None if row is None else int(row[0])


def last_row(db: sqlite3.Connection) -> int:
    """The highest row number ever given to a body, deleted or not."""
    return single(db, _LAST_ROW)


def used_ids(db: sqlite3.Connection, ids: Collection[str]) -> set[str]:
    """The given ids that a place has."""
    last = db.execute("SELECT max(id) FROM places").fetchone()[0] or ""
    older = [id_ for id_ in ids if id_ <= last]  # ids begin with their time, so most are newer than all
    if not older:
        return set()
    sql = "SELECT id FROM places WHERE id IN (SELECT value FROM json_each(?))"
    return {row[0] for row in db.execute(sql, (json.dumps(older),))}


def rows_of(db: sqlite3.Connection, wanted: str) -> list[int]:
    """The rows of bulletins admitted under an id or a digest; a digest has no index, so each place is read.

    A bulletin that has lost its place is among them, shown as damaged; another bulletin that a corrupt place points to
    is not.
    """
    for name in ("id", "digest"):
        its = f"EXISTS (SELECT 1 FROM admitted a WHERE a.row = p.row AND coalesce(a.{name}, ?1) = ?1)"
        sql = f"SELECT row FROM places p WHERE {name} = ?1 AND row IS NOT NULL AND {its} ORDER BY row"
        if rows := db.execute(sql, (wanted,)).fetchall():
            return [row[0] for row in rows]
    return []


def not_first(db: sqlite3.Connection, ids: Collection[str]) -> dict[int, str]:
    """Of the bulletins admitted under these ids, those that another was admitted before under the same: the digest by the row."""
    several = "SELECT p.id FROM json_each(?) j CROSS JOIN places p ON p.id = j.value GROUP BY p.id HAVING count(*) > 1"
    later = "SELECT row, digest FROM places p WHERE id = ? AND EXISTS (SELECT 1 FROM places f WHERE f.id = p.id AND f.row < p.row)"
    shared = [id_ for (id_,) in db.execute(several, (json.dumps(sorted(set(ids))),)).fetchall()]
    return {row: digest for id_ in shared for row, digest in db.execute(later, (id_,))}


def admitted_row(db: sqlite3.Connection, wanted: str) -> sqlite3.Row | None:
    """The row of an admitted bulletin, by its id or digest: the first that has it."""
    sql = "SELECT * FROM admitted WHERE row = ?"
    row: sqlite3.Row | None = db.execute(sql, rows_of(db, wanted)[:1] or (None,)).fetchone()
    return row


class Place(NamedTuple):
    """A place in a chain, as a row: `channel` and `kids` by their numbers."""

    channel: int
    seq: int
    row: int | None
    digest: str
    prev: str | None
    id: str
    kids: int
    received_at: float
    issued: float
    believed: int
    reason: str | None


class Body(NamedTuple):
    """An admitted bulletin, as a row: `channel`, `subject`, `kid`, `stream` and `opening` by their numbers."""

    row: int
    channel: int
    seq: int
    admitted_at: float
    is_talk: int
    subject: int
    kid: int
    labels: str
    trust: str
    endorsers: str
    stream: int
    stream_seq: int
    opening: int
    signature: str
    payload: bytearray
    until: str | None


_INTO = "INSERT OR FAIL INTO {} ({})"
# A statement that may fail and has a trigger copies each page it changes; with OR FAIL the transaction alone is undone.
_PLACE, _BODY = (
    f"{_INTO.format(table, ', '.join(kind._fields))} VALUES ({', '.join('?' * len(kind._fields))})"
    for table, kind in (("places", Place), ("bodies", Body))
)
# For None, as for bytes and bool, sqlite3 looks for an adapter, at the cost of two columns; the last one almost always is None.
_STANDING, _LASTING = (
    (_INTO.format(table, ", ".join(kind._fields[:-1])), f"({', '.join('?' * (len(kind._fields) - 1))})")
    for table, kind in (("places", Place), ("bodies", Body))
)


def add(
    db: sqlite3.Connection,
    places: Sequence[tuple[Any, ...]],
    bodies: Sequence[tuple[Any, ...]],
    passing: Iterable[Body] = (),
) -> None:
    """Keep the next bulletins of their channels, none of them refused; the caller undoes the transaction after an error.

    Each is a `Place` and a `Body` without its last column; `passing` has the bodies with a last day.
    """
    insert_rows(db, *_STANDING, places)
    insert_rows(db, *_LASTING, bodies)
    db.executemany(_BODY, passing)


def add_anywhere(db: sqlite3.Connection, place: Place, body: Body | None) -> None:
    """Keep a bulletin at any place, with its bytes if they are kept here."""
    # The triggers ignore an existing hole; OR FAIL would apply to them too.
    db.execute(_PLACE.replace(" OR FAIL", ""), place)
    if body is not None:
        db.execute(_BODY, body)


def parted(signature: str) -> tuple[str, str]:
    """(opening of a signature header, shared by all of the same keys; the rest).

    An opening with a time or a certificate belongs to one bulletin. It stays in that row and is deleted with it.
    """
    head, dot, rest = signature.partition(".")
    return (head + dot, rest) if dot and comes_again(head) else ("", signature)


def last_day(bulletin: Bulletin) -> str | None:
    """The last day on which a bulletin may be kept, in UTC, as `UNTIL`; None if it sets none."""
    return day.isoformat() if (day := passing_on.last_day(bulletin)) else None


def sign_again(db: sqlite3.Connection, row: int, signature: str, endorsers: str, labels: str) -> None:
    """Change the signatures of a bulletin."""
    opening, rest = parted(signature)
    db.execute(
        "UPDATE bodies SET opening = ?, signature = ?, endorsers = ?, labels = ? WHERE row = ?",
        (Texts(db)[opening], rest, endorsers, labels, row),
    )


def label(db: sqlite3.Connection, row: int, labels: str) -> None:
    """Change the labels of a bulletin."""
    db.execute("UPDATE bodies SET labels = ? WHERE row = ?", (labels, row))


def unlabel(db: sqlite3.Connection, channel: str, label: str) -> None:
    """Remove a label from all bulletins of a channel."""
    db.execute(
        "UPDATE bodies SET labels = (SELECT json_group_array(value) FROM json_each(labels) WHERE value != ?2) "
        "WHERE row IN (SELECT row FROM places WHERE channel = ?1 AND row IS NOT NULL)",
        (number_of(db, channel), label),
    )


def note_tries(
    db: sqlite3.Connection, row: int, tries: int, retry_at: float | None, problem: str | None
) -> None:
    """Note the number of failed tries to take a bulletin into the picture, the time of the next, and the error."""
    db.execute(
        "UPDATE bodies SET tries = ?, retry_at = ?, problem = ? WHERE row = ?",
        (tries, retry_at, problem, row),
    )


def erase(db: sqlite3.Connection, row: int) -> None:
    """Delete the bytes of a bulletin; its place stays."""
    db.execute(
        "UPDATE places SET row = NULL WHERE row = ?1 AND (channel, seq) = (SELECT channel, seq FROM bodies WHERE row = ?1)",
        (row,),
    )
    db.execute("DELETE FROM bodies WHERE row = ?", (row,))


def remove(db: sqlite3.Connection, channel: str, seq: int, digest: str) -> None:
    """Free the place of a bulletin, and delete its bytes if they are here."""
    here = "channel = ?1 AND seq = ?2 AND digest = ?3"
    place = (number_of(db, channel), seq, digest)
    its = f"row = (SELECT row FROM places WHERE {here}) AND channel = ?1 AND seq = ?2"
    db.execute(f"DELETE FROM bodies WHERE {its}", place)
    db.execute(f"DELETE FROM places WHERE {here}", place)


def unpark(db: sqlite3.Connection) -> int:
    """Make the picture try again all bulletins with too many failed tries. Returns their number."""
    return db.execute(
        "UPDATE bodies SET tries = 1, retry_at = 0 WHERE tries > 0 AND retry_at IS NULL"
    ).rowcount
