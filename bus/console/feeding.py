"""What a program reads by a feed address of a desk."""

from __future__ import annotations

import datetime as dt
import sqlite3

from bus import desk
from bus.console.people import DeedError, Fed, Session, Viewer


async def fed_by(held: desk.Desk, secret: str, now: dt.datetime, address: str) -> Fed:
    """What is read by a feed address of a desk; that is on record once an hour.

    Raises:
        DeedError: `feed-ended`, `desk-too-much`.
    """
    at = now.timestamp()

    def question(db: sqlite3.Connection) -> tuple[Fed, bool]:
        act, feed = desk.feeds.reading(db, secret, at, address)
        viewer = Viewer(name=act.who, roles=tuple(sorted(act.roles)), clearance=act.clearance)
        fed = Fed(n=feed.n, session=Session(viewer=viewer), path=feed.path, query=feed.query)
        return fed, desk.feeds.is_to_be_recorded(feed, at)

    try:
        fed, is_due = await held.read(question)
        if is_due:
            await held.write(lambda db: desk.feeds.record(db, secret, at, address))
    except desk.DeskError as exc:
        raise DeedError(str(exc), reason=exc.reason) from None
    return fed
