"""Finds rows of an outbox whose bytes have changed, and restores them from a stream."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from bus.logs import logger
from bus.publishing import outbox_table as table
from bus.publishing.outbox_rows import sum_of
from schemas.codec import decode
from schemas.codec import digest as digest_of
from schemas.envelope import MESSAGE_ID, SIG_HEADER, hints
from schemas.subject import channel_of, subject_for

log = logger()


def damaged(db: sqlite3.Connection, digests: Iterable[str]) -> list[table.Row]:
    """The digests of those bulletins whose rows have changed bytes."""
    found = (table.first(db, "SELECT * FROM outbox WHERE digest = ?", name) for name in digests)
    return [row for row in found if row is not None and not row.is_whole]


def heal_all(db: sqlite3.Connection, messages: Iterable[tuple[bytes, Mapping[str, str]]]) -> None:
    """Write the payload and headers that a stream holds into the damaged rows, inside a transaction."""
    for payload, headers in messages:
        _heal(db, payload, headers)


def _heal(db: sqlite3.Connection, payload: bytes, headers: Mapping[str, str]) -> None:
    bulletin, name = decode(payload), digest_of(payload)
    sent = hints(name) | {SIG_HEADER: headers[SIG_HEADER]}
    del sent[MESSAGE_ID]  # the stream may remember its message id
    row: dict[str, object] = {"channel": channel_of(bulletin).name, "subject": subject_for(bulletin)}
    row |= {field: getattr(bulletin, field) for field in ("status", "seq", "id", "prev")}
    row |= {
        "sum": sum_of(row, sent),
        "headers": msgspec.json.encode(sent).decode(),
        "payload": payload,
        "opening": None,
    }
    settings = ", ".join(f"{field} = :{field}" for field in row)
    db.execute(f"UPDATE bulletins SET {settings} WHERE digest = :digest", {**row, "digest": name})
    row_of = "(SELECT n FROM bulletins WHERE digest = ?)"
    if db.execute(f"DELETE FROM aside WHERE state = 'damaged' AND n = {row_of}", (name,)).rowcount:
        sql = "INSERT INTO unsent (n, status) SELECT n, status FROM bulletins WHERE digest = ?"
        db.execute(sql, (name,))
    db.execute(f"UPDATE unsent SET problem = NULL WHERE n = {row_of}", (name,))
    log.warning("row_healed", channel=row["channel"], seq=row["seq"], id=row["id"])
