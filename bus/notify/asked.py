"""Drafts that wait for the approval of a second person, as items: which one, and no word of it. Reads the desk's file only."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

from bus import desk
from bus.notify.looking import read
from bus.notify.shape import Item, Sort
from bus.storage import utc

PREFIX = "approval-"


def approvals_asked(path: Path, now: dt.datetime) -> tuple[Item, ...]:
    """The approvals that are asked for; none where there is no desk.

    Args:
        path: the desk's file.
        now: the present, aware.

    Raises:
        StoreError: `store-unreadable`.
    """
    if not path.exists():
        return ()

    def question(db: sqlite3.Connection) -> tuple[Item, ...]:
        return tuple(
            Item(
                sort=Sort.APPROVAL,
                at=utc(each.at),
                about=f"{PREFIX}{each.n}",
                tlp=each.tlp,
                audience=each.audience,
                priority="p2",
                headline=f"draft {each.draft}",
            )
            for each in desk.approvals.asked(db, now.timestamp())
        )

    return read(path, question)
