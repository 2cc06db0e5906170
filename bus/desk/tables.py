"""The tables of a desk's file: what people do, which no rebuild of the projection touches.

Times are seconds since the epoch. A row about a bulletin, an alarm or an incident also has its marking, as its rank
(`tlp`, 0 to 4) and `audience`, so that one condition keeps it from those who may not see it. Bulletins are named by their ids, which
no rebuild changes. Rows of `trail` and `journal` are added and never changed; triggers hold them to it.
"""

from __future__ import annotations

from bus.desk import feeds, handed_on, standing
from bus.storage import Layout, allowances, lease

_ABOUT = "kind TEXT NOT NULL, about TEXT NOT NULL, tlp INTEGER NOT NULL, audience TEXT NOT NULL"

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS people (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, roles TEXT NOT NULL, ceiling TEXT NOT NULL, audiences TEXT NOT NULL,
  lang TEXT NOT NULL, email TEXT NOT NULL, is_active INTEGER NOT NULL, made_at REAL NOT NULL,
  password TEXT NOT NULL DEFAULT '', token TEXT NOT NULL DEFAULT '', token_until REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS people_token ON people (token) WHERE token <> '';
CREATE TABLE IF NOT EXISTS attempts (
  key TEXT PRIMARY KEY, is_known INTEGER NOT NULL, failures INTEGER NOT NULL, until REAL NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attempts_by_end ON attempts (until, at) WHERE is_known = 0;
CREATE TABLE IF NOT EXISTS places (
  person TEXT NOT NULL REFERENCES people (id), key TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (person, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
  n INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL UNIQUE, person TEXT NOT NULL REFERENCES people (id),
  is_wall INTEGER NOT NULL, made_at REAL NOT NULL, used_at REAL NOT NULL, fresh_at REAL NOT NULL, ends_at REAL NOT NULL,
  address TEXT NOT NULL, ceiling TEXT NOT NULL, audiences TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS sessions_of ON sessions (person, n);
CREATE TABLE IF NOT EXISTS seen (person TEXT PRIMARY KEY REFERENCES people (id), n INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS views (
  person TEXT NOT NULL REFERENCES people (id), name TEXT NOT NULL, query TEXT NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (person, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snoozes (
  n INTEGER PRIMARY KEY AUTOINCREMENT, {_ABOUT}, priority INTEGER NOT NULL, until REAL NOT NULL, reason TEXT NOT NULL,
  by TEXT NOT NULL, at REAL NOT NULL, ended_at REAL, ended_why TEXT, ended_by TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS snoozes_open ON snoozes (kind, about) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS snoozes_ended ON snoozes (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS notes (
  n INTEGER PRIMARY KEY AUTOINCREMENT, {_ABOUT}, text TEXT NOT NULL, by TEXT NOT NULL, at REAL NOT NULL, withdrawn_at REAL
);
CREATE INDEX IF NOT EXISTS notes_about ON notes (kind, about, n);
CREATE INDEX IF NOT EXISTS notes_by ON notes (by);
CREATE TABLE IF NOT EXISTS journal (
  n INTEGER PRIMARY KEY AUTOINCREMENT, {_ABOUT}, text TEXT NOT NULL, by TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS journal_about ON journal (about, n);
CREATE INDEX IF NOT EXISTS journal_by ON journal (by);
CREATE TRIGGER IF NOT EXISTS journal_stays BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
CREATE TABLE IF NOT EXISTS decisions (
  n INTEGER PRIMARY KEY AUTOINCREMENT, incident TEXT NOT NULL, bulletin TEXT NOT NULL, tlp INTEGER NOT NULL,
  audience TEXT NOT NULL, verdict TEXT NOT NULL, why TEXT NOT NULL, by TEXT NOT NULL, at REAL NOT NULL,
  undone_at REAL, undone_by TEXT, undone_why TEXT
);
CREATE INDEX IF NOT EXISTS decisions_of ON decisions (incident, bulletin, n);
CREATE INDEX IF NOT EXISTS decisions_by ON decisions (by);
CREATE TABLE IF NOT EXISTS drafts (
  n INTEGER PRIMARY KEY AUTOINCREMENT, person TEXT NOT NULL, title TEXT NOT NULL, version INTEGER NOT NULL,
  tlp INTEGER NOT NULL, audience TEXT NOT NULL, at REAL NOT NULL, closed_at REAL, closed_why TEXT
);
CREATE INDEX IF NOT EXISTS drafts_open ON drafts (person) WHERE closed_at IS NULL;
CREATE TABLE IF NOT EXISTS draft_versions (
  draft INTEGER NOT NULL REFERENCES drafts (n), version INTEGER NOT NULL, text BLOB NOT NULL, digest TEXT NOT NULL,
  by TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (draft, version)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS draft_versions_by ON draft_versions (by, length(text));
CREATE TABLE IF NOT EXISTS draft_hands (
  draft INTEGER NOT NULL REFERENCES drafts (n), person TEXT NOT NULL, PRIMARY KEY (draft, person)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS approvals (
  n INTEGER PRIMARY KEY AUTOINCREMENT, draft INTEGER NOT NULL REFERENCES drafts (n), version INTEGER NOT NULL,
  digest TEXT NOT NULL, tlp INTEGER NOT NULL, audience TEXT NOT NULL, by TEXT NOT NULL, at REAL NOT NULL, until REAL NOT NULL,
  state TEXT NOT NULL, decided_by TEXT, decided_at REAL, why TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS approvals_open ON approvals (state, until);
CREATE INDEX IF NOT EXISTS approvals_draft ON approvals (draft);
CREATE TABLE IF NOT EXISTS handovers (
  n INTEGER PRIMARY KEY AUTOINCREMENT, by TEXT NOT NULL, at REAL NOT NULL, words TEXT NOT NULL, items TEXT NOT NULL,
  tlp INTEGER NOT NULL, audiences TEXT NOT NULL, digest TEXT NOT NULL, taken_by TEXT, taken_at REAL
);
CREATE INDEX IF NOT EXISTS handovers_by ON handovers (by);
CREATE TABLE IF NOT EXISTS acknowledged (
  bulletin TEXT NOT NULL, person TEXT NOT NULL, at REAL NOT NULL, receipt TEXT NOT NULL DEFAULT '', PRIMARY KEY (bulletin, person)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS acknowledged_by ON acknowledged (person);
CREATE TABLE IF NOT EXISTS trail (
  n INTEGER PRIMARY KEY, at REAL NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL, address TEXT NOT NULL,
  detail TEXT NOT NULL, chain TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS trail_looks ON trail (who, what, about, n);
CREATE INDEX IF NOT EXISTS trail_of ON trail (who, n);
CREATE TABLE IF NOT EXISTS trail_begins (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL, chain TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS trail_stays BEFORE UPDATE ON trail BEGIN SELECT RAISE(ABORT, 'the trail is only added to'); END;
CREATE TRIGGER IF NOT EXISTS trail_is_kept BEFORE DELETE ON trail
  WHEN old.n > coalesce((SELECT n FROM trail_begins), 0) BEGIN SELECT RAISE(ABORT, 'the trail is kept'); END;
"""

LAYOUT = Layout("desk", SCHEMA)

SIGNING_IN = Layout(
    "signing-in",
    """
CREATE TABLE IF NOT EXISTS links (
  issuer TEXT NOT NULL, subject TEXT NOT NULL, person TEXT NOT NULL REFERENCES people (id), at REAL NOT NULL,
  PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_of ON links (person);
CREATE TABLE IF NOT EXISTS passkeys (
  id BLOB PRIMARY KEY, person TEXT NOT NULL REFERENCES people (id), name TEXT NOT NULL, credential BLOB NOT NULL,
  count INTEGER NOT NULL, at REAL NOT NULL, used_at REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS passkeys_of ON passkeys (person);
""",
)
LAYOUTS = (
    LAYOUT,
    SIGNING_IN,
    handed_on.LAYOUT,
    feeds.LAYOUT,
    standing.LAYOUT,
    allowances.LAYOUT,
    lease.LAYOUT,
)
