"""Running totals, so that a question need not read all rows: holes, refusals, and the number of admitted bulletins.

Triggers update these tables with each row that is added or deleted in any way. A bulletin that follows the last of its
channel, the normal case, changes none of them.

- `holes`: the spans of missing numbers between the held ones of a channel. `missing_numbers` has their sum by channel.
- `refusals`: the number of quarantine rows by channel and reason; the channel is empty without a proven author.
- `admitted_gone`: the number of deleted admitted rows; row numbers are never reused, so the last one gives the rest.
"""

from __future__ import annotations

import datetime as dt
import sqlite3

from bus.storage import single, utc
from bus.subscribing import bodies


def _trigger(name: str, event: str, *statements: str, when: str = "1") -> str:
    """A trigger on one line, because layouts are split at line ends."""
    body = " ".join(f"{' '.join(statement.split())};" for statement in statements)
    table = name.partition("__")[0]
    return f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {table} WHEN {' '.join(when.split())} BEGIN {body} END;"


def _link(row: str, condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM places WHERE channel = {row}.channel AND {condition})"


# A place has the number of its channel, a hole the name.
_NEW, _OLD = (f"(SELECT text FROM texts WHERE n = {row}.channel)" for row in ("new", "old"))
_BEFORE = f"(SELECT max(low) FROM holes WHERE channel = {_NEW} AND low < new.seq)"
_BEFORE_OLD = f"(SELECT max(low) FROM holes WHERE channel = {_OLD} AND low < old.seq)"
_LINK_COMES = (
    # In a hole: keep its rest after the number, then its rest before it.
    f"""INSERT OR IGNORE INTO holes SELECT channel, new.seq + 1, high FROM holes
    WHERE channel = {_NEW} AND low IN (new.seq, {_BEFORE}) AND high > new.seq""",
    f"UPDATE OR IGNORE holes SET high = new.seq - 1 WHERE channel = {_NEW} AND low = {_BEFORE} AND high >= new.seq",
    f"DELETE FROM holes WHERE channel = {_NEW} AND low = new.seq",
    # Beyond the last, or before the first.
    f"""INSERT OR IGNORE INTO holes SELECT {_NEW}, last + 1, new.seq - 1
    FROM (SELECT max(seq) AS last FROM places WHERE channel = new.channel AND seq < new.seq)
    WHERE last < new.seq - 1 AND NOT {_link("new", "seq > new.seq")}""",
    f"""INSERT OR IGNORE INTO holes SELECT {_NEW}, new.seq + 1, first - 1
    FROM (SELECT min(seq) AS first FROM places WHERE channel = new.channel AND seq > new.seq)
    WHERE first > new.seq + 1 AND NOT {_link("new", "seq < new.seq")}""",
)
_LINK_GOES = (
    # At an end: no hole lies beyond it.
    f"""DELETE FROM holes WHERE channel = {_OLD}
    AND low > coalesce((SELECT max(seq) FROM places WHERE channel = old.channel), 0)""",
    f"""DELETE FROM holes WHERE channel = {_OLD}
    AND low < (SELECT min(seq) FROM places WHERE channel = old.channel)""",
    # Between two: a hole of its own, joined with the ones that touch it.
    f"""INSERT OR IGNORE INTO holes SELECT {_OLD}, old.seq, coalesce(
      (SELECT high FROM holes WHERE channel = {_OLD} AND low = old.seq + 1), old.seq)
    WHERE {_link("old", "seq < old.seq")} AND {_link("old", "seq > old.seq")}""",
    f"""DELETE FROM holes WHERE channel = {_OLD} AND low = old.seq + 1
    AND EXISTS (SELECT 1 FROM holes WHERE channel = {_OLD} AND low = old.seq)""",
    f"""UPDATE OR IGNORE holes SET high = (SELECT high FROM holes WHERE channel = {_OLD} AND low = old.seq)
    WHERE channel = {_OLD} AND low = {_BEFORE_OLD} AND high = old.seq - 1
    AND EXISTS (SELECT 1 FROM holes WHERE channel = {_OLD} AND low = old.seq)""",
    f"""DELETE FROM holes WHERE channel = {_OLD} AND low = old.seq
    AND EXISTS (SELECT 1 FROM holes WHERE channel = {_OLD} AND low = {_BEFORE_OLD} AND high >= old.seq)""",
)


def _sum(row: str, change: str) -> tuple[str, str]:
    return (
        f"INSERT OR IGNORE INTO missing_numbers VALUES ({row}.channel, 0)",
        f"UPDATE OR IGNORE missing_numbers SET count = count + {change} WHERE channel = {row}.channel",
    )


def _refusals(row: str, sign: str) -> tuple[str, str]:
    place = f"coalesce({row}.channel, ''), {row}.reason"
    return (
        f"INSERT OR IGNORE INTO refusals VALUES ({place}, 0)",
        f"UPDATE OR IGNORE refusals SET count = count {sign} 1 WHERE (channel, reason) = ({place})",
    )


TABLES = """
CREATE TABLE IF NOT EXISTS holes (
  channel TEXT NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL, PRIMARY KEY (channel, low)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS missing_numbers (channel TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refusals (
  channel TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (channel, reason)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS admitted_gone (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL);
INSERT OR IGNORE INTO admitted_gone VALUES (1, 0);
"""
_TRIGGERS = (
    _trigger(
        "places__come",
        "INSERT",
        *_LINK_COMES,
        # The last of all others is not the one before it; a single look-up, since this runs for every bulletin.
        when="""(SELECT seq FROM places WHERE channel = new.channel AND seq != new.seq ORDER BY seq DESC LIMIT 1)
        IS NOT new.seq - 1""",
    ),
    _trigger("places__go", "DELETE", *_LINK_GOES),
    _trigger("holes__open", "INSERT", *_sum("new", "new.high - new.low + 1")),
    _trigger("holes__change", "UPDATE OF high", *_sum("new", "new.high - old.high")),
    _trigger("holes__close", "DELETE", *_sum("old", "(old.low - old.high - 1)")),
    _trigger("quarantine__come", "INSERT", *_refusals("new", "+")),
    _trigger("quarantine__go", "DELETE", *_refusals("old", "-")),
    _trigger("bodies__go", "DELETE", "UPDATE OR IGNORE admitted_gone SET count = count + 1"),
)
SCHEMA = TABLES + "\n".join(_TRIGGERS)
# For a file of version 1, which has none of these tables.
COUNT_ALL = f"""{TABLES}
INSERT INTO holes SELECT channel, before + 1, seq - 1 FROM (
  SELECT channel, seq, lag(seq) OVER (PARTITION BY channel ORDER BY seq) AS before FROM links
) WHERE seq > before + 1;
INSERT INTO missing_numbers SELECT channel, sum(high - low + 1) FROM holes GROUP BY channel;
INSERT INTO refusals SELECT coalesce(channel, ''), reason, count(*) FROM quarantine GROUP BY 1, 2;
UPDATE admitted_gone SET count =
coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'admitted'), 0) - (SELECT count(*) FROM admitted)
"""


def missing(db: sqlite3.Connection) -> dict[str, int]:
    """The count of missing numbers between held ones, by channel; only channels with a hole."""
    return dict(db.execute("SELECT channel, count FROM missing_numbers WHERE count > 0").fetchall())


def refused_by_channel(db: sqlite3.Connection) -> dict[str, int]:
    """The number of quarantined messages with a proven issuer, by channel."""
    sql = (
        "SELECT channel, sum(count) FROM refusals WHERE channel != '' GROUP BY channel HAVING sum(count) > 0"
    )
    return dict(db.execute(sql).fetchall())


def refused_by_reason(db: sqlite3.Connection) -> dict[str, int]:
    """The number of quarantined messages, by reason."""
    sql = "SELECT reason, sum(count) FROM refusals GROUP BY reason HAVING sum(count) > 0 ORDER BY reason"
    return dict(db.execute(sql).fetchall())


def newest_at(db: sqlite3.Connection) -> dt.datetime | None:
    """When the newest that is held came in; None where nothing has."""
    found = db.execute("SELECT admitted_at FROM admitted ORDER BY admitted_at DESC LIMIT 1").fetchone()
    return None if found is None else utc(found[0])


def admitted(db: sqlite3.Connection) -> int:
    """The number of admitted and kept bulletins."""
    return bodies.last_row(db) - single(db, "SELECT count FROM admitted_gone")
