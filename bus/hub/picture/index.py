"""The index of the bulletins in the picture: facts, observables and words of each, by which filters find it.

It follows the picture. Taking a bulletin in notes only that it is to be indexed; the index is made when the hub has nothing
better to do, a part at a time (docs/adr/048). A question reads what still waits, so its answer never lacks it. Rows go with
what is erased, and what FTS5 keeps of deleted words is merged away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from bus.filters import BETWEEN, indexed, observed, said
from bus.hub.picture.clearance import words_of
from bus.hub.rows import INDEX
from bus.storage import insert_rows
from bus.subscribing import Stored, whole
from schemas.bulletin import Bulletin
from schemas.vocab import TALK, TLP_RANK

EVERY_S = 1.0
AT_ONCE = 200
"""So many bulletins are indexed in one transaction."""
REST_S = 0.02
"""So many seconds between two parts, for what else waits for the store."""
BUSY = 400
"""More bulletins than this between two looks, and the index waits."""
PATIENCE = 30
"""So many times the index waits, then a part of it is made all the same."""
_PAGES = 200
"""So many pages of the words are merged in one transaction, after some were deleted."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS to_index (row INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS fact_names (n INTEGER PRIMARY KEY, field TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (field, value));
CREATE TABLE IF NOT EXISTS fact_rows (fact INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (fact, row)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS facts_of_row ON fact_rows (row);
CREATE VIEW IF NOT EXISTS facts AS SELECT n.field, n.value, r.row FROM fact_names n JOIN fact_rows r ON r.fact = n.n;
CREATE TABLE IF NOT EXISTS observables (
  norm TEXT NOT NULL, row INTEGER NOT NULL, type TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (norm, row, type, role)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS observables_of_row ON observables (row);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (text, tokenize = 'ascii', columnsize = 0, prefix = '2 3');
CREATE TABLE IF NOT EXISTS words_deleted (n INTEGER PRIMARY KEY, is_begun INTEGER NOT NULL DEFAULT 0);
"""
# Bulletins that were in the picture before there was an index.
_INDEXED = ("status = 'actual'", "status = 'exercise'", "status = 'test'")
INDEX_ALL = SCHEMA + "".join(
    f"INSERT OR IGNORE INTO to_index SELECT row FROM {table} WHERE {which};\n"
    for table, which in zip(("actual", "exercise", "test_and_system"), _INDEXED, strict=True)
)


def note(db: sqlite3.Connection, rows: Iterable[Stored]) -> None:
    """Note bulletins as such that are to be indexed; what programs say to each other is not."""
    numbers = [(row.rowid,) for row in rows if row.bulletin.status not in TALK]
    insert_rows(db, "INSERT OR IGNORE INTO to_index (row)", "(?)", numbers)


def clear(db: sqlite3.Connection) -> None:
    """Empty the index."""
    for table in (*INDEX, "fact_names", "words", "words_deleted"):
        db.execute(f"DELETE FROM {table}")


def progress(db: sqlite3.Connection) -> tuple[int, bool]:
    """The last row that was admitted, and whether anything is to be indexed or merged."""
    return int(db.execute("SELECT coalesce(max(row), 0) FROM to_index").fetchone()[0]), is_due(db)


def is_due(db: sqlite3.Connection) -> bool:
    """Whether anything waits to be indexed, or deleted words to be merged away."""
    sql = "SELECT EXISTS (SELECT 1 FROM to_index) OR EXISTS (SELECT 1 FROM words_deleted)"
    return bool(db.execute(sql).fetchone()[0])


def waiting(db: sqlite3.Connection) -> int:
    """The number of bulletins that wait to be indexed."""
    return int(db.execute("SELECT count(*) FROM to_index").fetchone()[0])


def advance(db: sqlite3.Connection, most: int = AT_ONCE) -> bool:
    """Index what has waited longest, at most so many, inside a transaction. Returns whether something is left to do."""
    rows = [row for (row,) in db.execute("SELECT row FROM to_index ORDER BY row LIMIT ?", (most,)).fetchall()]
    if not rows:
        _merge(db)
        return is_due(db)
    marks = ", ".join("?" * len(rows))
    found = whole(db.execute(f"SELECT * FROM admitted WHERE row IN ({marks}) ORDER BY row", rows))
    _write(db, [(row.rowid, row.bulletin) for row in found])
    db.execute(f"DELETE FROM to_index WHERE row IN ({marks})", rows)
    return is_due(db)


def _write(db: sqlite3.Connection, found: Sequence[tuple[int, Bulletin]]) -> None:
    """Write what bulletins say, each under its row."""
    facts: dict[tuple[str, str], list[int]] = {}
    for n, b in found:
        for fact in said(b):
            facts.setdefault(fact, []).append(n)
    insert_rows(db, "INSERT OR IGNORE INTO fact_names (field, value)", "(?, ?)", sorted(facts))
    pairs: list[tuple[int, int]] = []
    for fact, rows in facts.items():
        (number,) = db.execute("SELECT n FROM fact_names WHERE field = ? AND value = ?", fact).fetchone()
        pairs += ((number, row) for row in rows)
    insert_rows(db, "INSERT OR IGNORE INTO fact_rows (fact, row)", "(?, ?)", sorted(pairs))
    insert_rows(
        db, "INSERT OR IGNORE INTO observables (norm, row, type, role)", "(?, ?, ?, ?)", sorted(_seen(found))
    )
    db.executemany(
        "INSERT OR REPLACE INTO words (rowid, text) VALUES (?, ?)", [(n, text_of(b)) for n, b in found]
    )


def text_of(b: Bulletin) -> str:
    """The indexed words of a bulletin; its marking and its audience are added as words that no text contains."""
    return f"{indexed(b)} {BETWEEN} {words_of(TLP_RANK[b.tlp], b.audience)}"


def _seen(found: Iterable[tuple[int, Bulletin]]) -> Iterator[tuple[str, int, str, str]]:
    for n, b in found:
        yield from ((value, n, type_, role) for value, type_, role in observed(b))


def _merge(db: sqlite3.Connection) -> None:
    """Merge a part of the words, so that nothing of deleted ones remains; at the end delete facts that no bulletin states.

    https://www.sqlite.org/fts5.html, sections 6.8 and 6.9: a negative number begins, a positive one goes on, and it is done when
    less than two rows change.
    """
    row = db.execute("SELECT is_begun FROM words_deleted").fetchone()
    if row is None:
        return
    db.execute("PRAGMA secure_delete = ON")
    before = db.total_changes
    db.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (_PAGES if row[0] else -_PAGES,))
    if db.total_changes - before < 2:
        db.execute("DELETE FROM words_deleted")
        db.execute("DELETE FROM fact_names WHERE NOT EXISTS (SELECT 1 FROM fact_rows WHERE fact = n)")
    else:
        db.execute("UPDATE words_deleted SET is_begun = 1")
