"""The outbox's tables: a bulletin's row never changes; its state is in other tables.

A row of `bulletins` is written once. Rows to send are also in `unsent`, acknowledged ones in `sent`, and parked,
superseded or damaged ones in `aside`. These tables have narrow rows, so an acknowledgement rewrites no payload. The
view `outbox` joins them. A row is `kept` if it is neither aside nor acknowledged; exactly these rows are in `unsent`.

Shared data is stored once. A row of `sent` covers `count` rows with consecutive numbers at consecutive places in one
stream, as in a batch; such rows never overlap. `openings` has the beginning of a batch's signature header, under the
number of its first row; `headers` of a row with an opening has only the rest.
"""

from __future__ import annotations

from bus.storage import Layout

FILE_TABLE = (
    "CREATE TABLE IF NOT EXISTS outbox_file (one INTEGER PRIMARY KEY CHECK (one = 1), inode INTEGER NOT NULL)"
)


def _tables(of_bulletins: str = "", of_sent: str = "") -> str:
    """The tables of a row in version 3, with later columns."""
    return f"""
CREATE TABLE IF NOT EXISTS bulletins (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  status TEXT NOT NULL,
  channel TEXT NOT NULL,
  seq INTEGER NOT NULL,
  id TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL UNIQUE,
  prev TEXT,
  subject TEXT NOT NULL,
  headers TEXT NOT NULL,
  payload BLOB NOT NULL,
  kept_at REAL NOT NULL,
  sum TEXT,
  attempted_at REAL,
  once TEXT,
  origin TEXT,
  superseded INTEGER NOT NULL DEFAULT 0{of_bulletins}
);
CREATE TABLE IF NOT EXISTS unsent (n INTEGER PRIMARY KEY, status TEXT NOT NULL, problem TEXT);
CREATE TABLE IF NOT EXISTS sent (n INTEGER PRIMARY KEY, stored_at REAL NOT NULL, stream TEXT, stream_seq INTEGER{of_sent});
CREATE TABLE IF NOT EXISTS aside (n INTEGER PRIMARY KEY, state TEXT NOT NULL, problem TEXT);
"""


_OPENING, _COUNT = "opening INTEGER", "count INTEGER NOT NULL DEFAULT 1"
_TABLES = (
    _tables(f",\n  {_OPENING}", f", {_COUNT}")
    + "CREATE TABLE IF NOT EXISTS openings (n INTEGER PRIMARY KEY, last INTEGER NOT NULL, text TEXT NOT NULL);\n"
)

# `superseded` is the row's own number once it is out of the chain, so the place of each other row is unique.
_INDEXES = """
CREATE UNIQUE INDEX IF NOT EXISTS bulletins_place ON bulletins (channel, seq, superseded);
CREATE UNIQUE INDEX IF NOT EXISTS bulletins_once ON bulletins (once) WHERE once IS NOT NULL;
CREATE INDEX IF NOT EXISTS bulletins_origin ON bulletins (origin, n) WHERE origin IS NOT NULL;
CREATE INDEX IF NOT EXISTS unsent_status ON unsent (status);
CREATE INDEX IF NOT EXISTS sent_place ON sent (stream, stream_seq);
CREATE INDEX IF NOT EXISTS aside_state ON aside (state);
"""

# Joins the opening of a batch again. `Nats-Msg-Id` is the digest, unless the row has its whole headers.
_HEADERS = """
  iif(b.opening IS NULL, b.headers, '{"Tocsin-Sig":"' || coalesce(p.text, '') || b.headers || '","Nats-Msg-Id":"' || b.digest || '"}')
"""
_VIEW = f"""
CREATE VIEW IF NOT EXISTS outbox AS
SELECT b.n AS n, b.status AS status, b.channel AS channel, b.seq AS seq, b.id AS id, b.digest AS digest, b.prev AS prev,
  b.subject AS subject, {_HEADERS.strip()} AS headers, b.payload AS payload, b.kept_at AS kept_at, b.attempted_at AS attempted_at,
  s.stored_at AS stored_at, s.stream AS stream, s.stream_seq + b.n - s.n AS stream_seq,
  CASE WHEN a.n IS NOT NULL THEN a.state WHEN s.stream IS NOT NULL THEN 'stored' ELSE 'kept' END AS state,
  coalesce(a.problem, u.problem) AS problem, b.once AS once, b.origin AS origin, b.sum AS sum
FROM bulletins b LEFT JOIN sent s ON s.n = (SELECT max(n) FROM sent WHERE n <= b.n) AND b.n < s.n + s.count
  LEFT JOIN unsent u ON u.n = b.n LEFT JOIN aside a ON a.n = b.n LEFT JOIN openings p ON p.n = b.opening;
"""

_OTHERS = f"""
CREATE TABLE IF NOT EXISTS heads (channel TEXT PRIMARY KEY, seq INTEGER NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pruned_once (
  once TEXT PRIMARY KEY, id TEXT NOT NULL, channel TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL,
  subject TEXT NOT NULL
) WITHOUT ROWID;
{FILE_TABLE};
CREATE TABLE IF NOT EXISTS lost_numbers (
  channel TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT, digest TEXT, found_at REAL NOT NULL, PRIMARY KEY (channel, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_cursors (stream TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
"""

# Version 2 had one table. A row that was stored and must be sent again keeps its moment and has no stream.
_APART = f"""
ALTER TABLE outbox RENAME TO outbox_before;
{_tables().strip()}
INSERT INTO bulletins SELECT n, status, channel, seq, id, digest, prev, subject, headers, payload, kept_at, sum, attempted_at,
  once, origin, iif(state = 'superseded', n, 0) FROM outbox_before ORDER BY n;
INSERT INTO unsent SELECT n, status, problem FROM outbox_before WHERE state = 'kept';
INSERT INTO sent SELECT n, coalesce(stored_at, kept_at), iif(state = 'stored', coalesce(stream, ''), stream), stream_seq
  FROM outbox_before WHERE state = 'stored' OR stored_at IS NOT NULL;
INSERT INTO aside SELECT n, state, problem FROM outbox_before WHERE state NOT IN ('kept', 'stored');
INSERT INTO sqlite_sequence (name, seq) SELECT 'bulletins', 0
  WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'bulletins');
UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox_before'), 0))
  WHERE name = 'bulletins';
DROP TABLE outbox_before;
"""

# In version 3 each row had its headers whole, and a row of `sent` was for one bulletin.
_SHARED = f"""
DROP VIEW IF EXISTS outbox;
ALTER TABLE bulletins ADD COLUMN {_OPENING};
ALTER TABLE sent ADD COLUMN {_COUNT};
"""

# In version 4 only the payloads of updates and cancels had the ids that they name.
_TEXT = "iif(json_valid(CAST(b.payload AS TEXT)), CAST(b.payload AS TEXT), '{}')"
_TO_THREADS = f"""
CREATE TABLE revisions (
  target TEXT NOT NULL, issuer TEXT NOT NULL, status TEXT NOT NULL, by TEXT NOT NULL, how TEXT NOT NULL,
  row INTEGER NOT NULL, issued REAL NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (target, issuer, status, by)
) WITHOUT ROWID;
INSERT OR IGNORE INTO revisions SELECT json_extract(r.value, '$.id'), '', b.status, b.id,
  iif(json_extract(r.value, '$.rel') = 'cancels', 'cancelled', 'superseded'), b.n, b.kept_at, b.seq
  FROM bulletins b, json_each({_TEXT}, '$.references') r WHERE b.superseded = 0
  AND json_extract({_TEXT}, '$.msg_type') || ' ' || json_extract(r.value, '$.rel') IN ('update supersedes', 'cancel cancels');
"""

LAYOUT = Layout(
    "publishing",
    _TABLES + _INDEXES + _VIEW + _OTHERS,
    migrations=("ALTER TABLE outbox ADD COLUMN sum TEXT;\n", _APART, _SHARED, _TO_THREADS),
)
