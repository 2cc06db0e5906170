"""The bulletin that a path names, as it was admitted, for somebody who may read it."""

from __future__ import annotations

from bus.console.asked import Asked
from bus.console.errors import NotHereError
from bus.subscribing import Stored, bodies, whole
from schemas.vocab import Status


def held(asked: Asked) -> Stored:
    """The bulletin that the path names, as it was admitted.

    Raises:
        NotHereError: it is not here, or the reader may not read it.
    """
    wanted = asked.place["id"]
    for n in bodies.rows_of(asked.db, wanted):
        for kept in whole(asked.db.execute("SELECT * FROM admitted WHERE row = ?", (n,))):
            b = kept.bulletin
            if b.status not in (Status.ACTUAL, Status.EXERCISE, Status.TEST):
                continue
            if asked.clearance.sees(b.tlp, b.audience):
                return kept
    raise NotHereError("no bulletin that you may read is called so")
