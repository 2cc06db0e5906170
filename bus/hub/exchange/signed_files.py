"""The proven contradictions in a store, as files that anybody can check (`bus.admission.contradiction`)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from schemas.codec import digest as digest_of
from schemas.envelope import SIG_HEADER, file_form, write_contradiction
from schemas.errors import EnvelopeError


class Proof(NamedTuple):
    """Proof that an issuer contradicts itself at a number of a channel: a file with both signed bulletins."""

    seq: int
    file: bytes


def contradictions(db: sqlite3.Connection, channel: str) -> Iterator[Proof]:
    """Each number at which a channel's issuer contradicts itself, with the proof: the held bulletin and the one that denies it."""
    for sql, as_file in ((_REFUSED, _of_quarantine), (_ANNOUNCED, _of_admitted)):
        for row in db.execute(sql, (channel,)).fetchall():
            try:
                other = as_file(row)
            except EnvelopeError:
                continue  # a damaged row is no proof
            if (held := signed_file(db, row["digest"], row["row"])) is not None:
                yield Proof(row["seq"], write_contradiction(held, other))


_REFUSED = """
SELECT q.seq, q.headers, q.payload, l.digest, l.row FROM quarantine q JOIN links l ON l.channel = q.channel AND l.seq = q.seq
WHERE q.channel = ? AND q.reason = 'fork' AND length(q.payload) ORDER BY q.seq, q.n
"""
_ANNOUNCED = """
SELECT a.seq, m.signature, m.payload, l.digest, l.row FROM announced_heads a JOIN admitted m ON m.row = a.row
JOIN links l ON l.channel = a.channel AND l.seq = a.seq WHERE a.channel = ? AND l.digest != a.digest ORDER BY a.seq, a.row
"""


def signed_file(db: sqlite3.Connection, digest: str, at: int | None) -> bytes | None:
    """The bulletin with a digest as a signed file; a refused one that keeps its place is in quarantine.

    Args:
        db: the store.
        digest: of its payload.
        at: the row of its bytes, if it is admitted.
    """
    row = db.execute("SELECT signature, payload FROM admitted WHERE row = ?", (at,)).fetchone()
    if row is not None:
        if digest_of(row["payload"]) != digest:
            return None  # it is damaged
        try:
            return _of_admitted(row)
        except EnvelopeError:
            return None  # its signature is
    # A bulletin with a place is proven to be its issuer's; the same bytes may be there under other headers. One may
    # have been erased.
    sql = (
        "SELECT headers, payload FROM quarantine WHERE digest = ? AND channel IS NOT NULL AND length(payload)"
    )
    row = db.execute(sql, (digest,)).fetchone()
    return None if row is None or digest_of(row["payload"]) != digest else _of_quarantine(row)


def _of_admitted(row: sqlite3.Row) -> bytes:
    return file_form(row["payload"], row["signature"])


def _of_quarantine(row: sqlite3.Row) -> bytes:
    signature = next(
        value for name, value in json.loads(row["headers"]) if name.lower() == SIG_HEADER.lower()
    )
    return file_form(row["payload"], signature)
