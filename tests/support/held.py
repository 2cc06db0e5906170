"""Rows of a reader's store that are written by hand, without a bulletin."""

from __future__ import annotations

import sqlite3

from bus.subscribing.bodies import Body, Place, Texts, add_anywhere


def hold(
    db: sqlite3.Connection,
    channel: str,
    seq: int,
    digest: str,
    *,
    id: str = "",  # noqa: A002 (the field's own name)
    row: int | None = None,
    kids: str = "",
    admitted_at: float = 0.0,
    payload: bytes = b"",
) -> None:
    """A place in a chain; with a row it has bytes of its own.

    Args:
        db: the store, on an open transaction.
        channel: its name.
        seq: the number there.
        digest: what is there.
        id: of that; the digest when it is empty.
        row: the row of its bytes; without, it has none.
        kids: the keys that signed it.
        admitted_at: when it was admitted, in seconds since the epoch.
        payload: its bytes.
    """
    texts = Texts(db)
    number = texts[channel]
    place = Place(number, seq, row, digest, None, id or digest, texts[kids], 0.0, 0.0, 1, None)
    empty = texts[""]
    body = None
    if row is not None:
        found = (empty, empty, "[]", "fresh", "[]", empty, seq, empty, "", bytearray(payload), None)
        body = Body(row, number, seq, admitted_at, 0, *found)
    add_anywhere(db, place, body)
