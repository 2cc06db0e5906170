"""The bulletin that a path names, as it was admitted, for somebody who may read it."""

from __future__ import annotations

import sqlite3

from bus.console.asked import Asked
from bus.console.errors import NotHereError
from bus.subscribing import Stored, bodies, whole
from schemas.vocab import Status


def held(asked: Asked) -> Stored:
    """The bulletin that the path names, as it was admitted.

    Raises:
        NotHereError: it is not here, or the reader may not read it.
    """
    return named(asked, asked.place["id"])


def named(asked: Asked, wanted: str) -> Stored:
    """The bulletin of an id or a digest, as it was admitted.

    Raises:
        NotHereError: as `held`.
    """
    for n in bodies.rows_of(asked.db, wanted):
        for kept in whole(asked.db.execute("SELECT * FROM admitted WHERE row = ?", (n,))):
            b = kept.bulletin
            if b.status not in (Status.ACTUAL, Status.EXERCISE, Status.TEST):
                continue
            if asked.clearance.sees(b.tlp, b.audience):
                return kept
    raise NotHereError("there is no bulletin with this id that you may read")


def name_at_desk(asked: Asked, kept: Stored) -> str:
    """What a bulletin is called in what people do about it: its id, or its digest where another that is held has taken the same id.

    An author chooses its ids. The hub takes an id for the first bulletin that has it, as is done here, so a second one is named by its
    digest: nobody acknowledges, answers or puts aside another bulletin than was shown.
    """
    first = bodies.rows_of(asked.db, kept.id)[:1]
    return kept.id if first == [kept.rowid] else kept.digest


def name_of(db: sqlite3.Connection, id_: str, issuer: str) -> str:
    """As `name_at_desk`, of the bulletin that an author has under an id."""
    rows = bodies.rows_of(db, id_)
    for row in rows:
        kept = db.execute("SELECT channel, digest FROM admitted WHERE row = ?", (row,)).fetchone()
        if kept is not None and kept["channel"].partition("/")[0] == issuer:
            return id_ if row == rows[0] else str(kept["digest"])
    return id_
