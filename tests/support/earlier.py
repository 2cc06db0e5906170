"""A store as it was before what pages need was counted."""

from __future__ import annotations

import sqlite3

from bus.hub.rows import SITUATION


def before_counts(db: sqlite3.Connection, version: int = 5) -> None:
    """Take what pages need out of the picture's tables, and have the file say a version of before it."""
    for table in SITUATION:
        for trigger in ("uncounted", "recounted", "told", "gone"):
            db.execute(f"DROP TRIGGER IF EXISTS {table}_{trigger}")
        for index in ("gravest", "newest"):
            db.execute(f"DROP INDEX IF EXISTS {table}_{index}")
        for column in ("live", "tlp_rank", "areas", "msg_type"):
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    for trigger in ("alarms_begun", "alarms_ended"):
        db.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    for table in ("tally", "hourly", "events", "events_upto"):
        db.execute(f"DROP TABLE {table}")
    db.execute("DELETE FROM layouts WHERE name = 'events'")
    db.execute("UPDATE layouts SET version = ? WHERE name = 'picture'", (version,))
