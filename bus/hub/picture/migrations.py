"""Steps from the picture's tables of earlier versions. None is changed once it is released."""

from __future__ import annotations

from bus.filters import BETWEEN
from bus.hub.picture import counts, index, tallies
from bus.hub.picture.clearance import WORDS

_TABLES = ("actual", "exercise", "test_and_system")

# What expires and what was withdrawn was asked of the tables themselves.
_TO_TALLIES = (
    "".join(
        f"ALTER TABLE {name} ADD COLUMN is_over INTEGER NOT NULL DEFAULT 0;\n"
        f"DROP INDEX {name}_in_force;\nDROP INDEX {name}_cancelled;\n"
        for name in _TABLES
    )
    + tallies.COUNT_ALL
    + "".join(
        f"INSERT OR IGNORE INTO newly_withdrawn SELECT row FROM {name} WHERE ended_how = 'cancelled';\n"
        for name in _TABLES
    )
)
# What comes was counted by triggers, and the picture had an index of ids beside that of the admitted bulletins.
_TO_BATCHES = "".join(
    f"DROP TRIGGER IF EXISTS {name}_{comes};\n"
    for name in tallies.COUNTED
    for comes in ("comes", "comes_ended")
) + "".join(f"DROP INDEX IF EXISTS {name}_by_id;\n" for name in _TABLES)
# What superseded what stood here, without its moment and number; a withdrawal that was withdrawn counted as withdrawn.
_SOURCE = "FROM links l WHERE l.id = r.by AND substr(l.channel, 1, length(r.issuer) + 1) = r.issuer || '/'"
_TO_THREADS = f"""
ALTER TABLE revisions RENAME TO revisions_before;
DROP INDEX IF EXISTS revisions_in_order;
CREATE TABLE revisions (
  target TEXT NOT NULL, issuer TEXT NOT NULL, status TEXT NOT NULL, by TEXT NOT NULL, how TEXT NOT NULL,
  row INTEGER NOT NULL, issued REAL NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (target, issuer, status, by)
) WITHOUT ROWID;
INSERT OR IGNORE INTO revisions SELECT r.target, r.issuer, r.status, r.by, r.how, r.row,
  coalesce((SELECT l.issued {_SOURCE} LIMIT 1), 0), coalesce((SELECT l.seq {_SOURCE} LIMIT 1), 0) FROM revisions_before r;
DROP TABLE revisions_before;
CREATE INDEX revisions_by ON revisions (by, issuer, status);
""" + "".join(
    f"UPDATE {name} SET ended_by = id, ended_how = 'withdrawal' WHERE ended_how IN ('cancelled', 'superseded') AND EXISTS "
    f"(SELECT 1 FROM revisions r WHERE r.by = {name}.id AND r.issuer = {name}.issuer AND r.how = 'cancelled');\n"
    for name in _TABLES
)


# Rows had no columns for pages, and what is live was not counted by value.
def _to_counts(name: str) -> str:
    payload = f"(SELECT iif(json_valid(CAST(a.payload AS TEXT)), CAST(a.payload AS TEXT), '{{}}') FROM admitted a WHERE a.row = {name}.row)"
    place = "coalesce(json_extract(p.value, '$.country'), iif(json_extract(p.value, '$.scope') = 'eu', 'EU', NULL))"
    places = (
        f"SELECT {place} AS value FROM json_each({payload}, '$.areas') p "
        f"UNION SELECT upper({name}.area) WHERE {name}.area IN ('multi', 'intl')"
    )
    return (
        "".join(f"ALTER TABLE {name} ADD COLUMN {column};\n" for column in counts.COLUMNS)
        + f"UPDATE {name} SET msg_type = coalesce(json_extract({payload}, '$.msg_type'), 'alert');\n"
        f"UPDATE {name} SET areas = (SELECT json_group_array(value) FROM (SELECT value FROM ({places}) WHERE value IS NOT NULL "
        "ORDER BY value)) WHERE area IN ('multi', 'intl', 'eu');\n"
        f"UPDATE {name} SET areas = NULL WHERE areas = json_array(upper(area));\n"
    )


# Words did not say how a bulletin is marked, and beginnings of words were not indexed.
_WORDS = (
    "CREATE VIRTUAL TABLE words_later USING fts5 (text, tokenize = 'ascii', columnsize = 0, prefix = '2 3');\n"
    + "".join(
        f"INSERT INTO words_later (rowid, text) SELECT w.rowid, w.text || ' {BETWEEN}' || {WORDS.format('x')} FROM words w "
        f"JOIN {name} x ON x.row = w.rowid;\n"
        for name in _TABLES
    )
    + "DROP TABLE words;\nALTER TABLE words_later RENAME TO words;\n"
)
_TO_COUNTS = (
    "DROP INDEX IF EXISTS actual_first;\n" + "".join(map(_to_counts, _TABLES)) + counts.COUNT_ALL + _WORDS
)
STEPS = (_TO_TALLIES, _TO_BATCHES, _TO_THREADS, index.INDEX_ALL, _TO_COUNTS)
