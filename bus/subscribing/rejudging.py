"""When the registry comes later than a bulletin: what was refused because nobody knew its key is judged again.

A reader that was cut off reads bulletins and the registry's next versions at the same time, from two streams; so a
bulletin may come before the version that lists its key. Each version is tried once on what is in quarantine for that
reason, a part at a time. Runs in the store's thread, on an open transaction.
"""

from __future__ import annotations

import datetime as dt
import sqlite3

from bus.admission.verdict import Refused, verdict
from bus.subscribing.intake import Settling
from bus.subscribing.tables import message_of
from bus.trust.registry import VerifiedRegistry

UNKNOWN = "unknown-key"
AT_ONCE = 500

# The reason stands in the words of the query, so that its partial index serves: this is asked twice a second.
_PART = f"SELECT * FROM quarantine WHERE reason = '{UNKNOWN}' AND n > ? ORDER BY n LIMIT ?"


class Rejudging:
    """The work on one store for one registry."""

    def __init__(self, settling: Settling, registry: VerifiedRegistry, now: dt.datetime) -> None:
        self._settling = settling
        self._registry = registry
        self._now = now

    def is_due(self, db: sqlite3.Connection) -> bool:
        """Whether this version has not been tried yet on all that could stand by it."""
        return bool(db.execute(_PART, (self._after(db), 1)).fetchone())

    def amend(self, db: sqlite3.Connection) -> dict[str, int]:
        """Judge the next part again; what became of those whose key is known now."""
        rows = db.execute(_PART, (self._after(db), AT_ONCE)).fetchall()
        db.execute("DELETE FROM retried")
        db.execute("INSERT INTO retried VALUES (?, ?)", (self._registry.digest, rows[-1]["n"]))
        found = []
        for row in rows:
            each = verdict(message_of(row), self._registry, self._now)
            if not (isinstance(each, Refused) and each.reason == UNKNOWN):
                db.execute("DELETE FROM quarantine WHERE n = ?", (row["n"],))
                found.append(each)
        return self._settling.settle(db, found, None, None, self._now)

    def _after(self, db: sqlite3.Connection) -> int:
        """Up to which row this version has been tried; what comes later is tried by the next one."""
        row = db.execute("SELECT upto FROM retried WHERE registry = ?", (self._registry.digest,)).fetchone()
        return row["upto"] if row else 0
