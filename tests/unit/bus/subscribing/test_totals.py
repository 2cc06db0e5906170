"""Holes, refusals and the number of admitted rows are counted as they come, and are what a look through everything finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hypothesis import given
from hypothesis import strategies as st

from bus.hub.watch.holdings import holes
from bus.subscribing import bodies, totals
from bus.subscribing.tables import LAYOUT
from tests.support.held import hold

CHANNELS = ("xa/actual.green.all", "xa/system.green.all")
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("come", "go", "refuse", "let go")), st.sampled_from(CHANNELS), st.integers(1, 12)
    ),
    max_size=60,
)


@contextmanager
def empty() -> Iterator[sqlite3.Connection]:
    """The tables of a reader's store."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    for statement in filter(str.strip, LAYOUT.schema.split(";\n")):
        db.execute(statement)
    try:
        yield db
    finally:
        db.close()


def change(db: sqlite3.Connection, what: str, channel: str, n: int) -> None:
    """A link or a refusal comes or goes."""
    if what == "come":
        with suppress(sqlite3.IntegrityError):
            hold(db, channel, n, "d")
    elif what == "go":
        bodies.remove(db, channel, n, "d")
    elif what == "refuse":
        name, reason = (None, "unknown-key") if n % 3 == 0 else (channel, f"reason-{n % 2}")
        db.execute(
            "INSERT OR IGNORE INTO quarantine (at, reason, detail, subject, headers, payload, digest, channel, kids, variant, size) "
            "VALUES (0, ?, '', '', '[]', '', ?, ?, 'k', '', 1)",
            (reason, f"{channel}{n}", name),
        )
    else:
        db.execute("DELETE FROM quarantine WHERE digest = ?", (f"{channel}{n}",))


HOLES = """
SELECT before + 1, seq - 1 FROM (SELECT seq, lag(seq) OVER (ORDER BY seq) AS before FROM links WHERE channel = ?)
WHERE seq > before + 1 ORDER BY seq
"""
MISSING = "SELECT channel, max(seq) - min(seq) + 1 - count(*) AS n FROM links GROUP BY channel HAVING n > 0"
BY_CHANNEL = "SELECT channel, count(*) FROM quarantine WHERE channel IS NOT NULL GROUP BY channel"
BY_REASON = "SELECT reason, count(*) FROM quarantine GROUP BY reason ORDER BY reason"


def by_reading(db: sqlite3.Connection) -> tuple[object, ...]:
    """The answers of a look through everything."""
    return (
        {name: [tuple(row) for row in db.execute(HOLES, (name,))] for name in CHANNELS},
        dict(db.execute(MISSING).fetchall()),
        dict(db.execute(BY_CHANNEL).fetchall()),
        dict(db.execute(BY_REASON).fetchall()),
    )


def by_totals(db: sqlite3.Connection) -> tuple[object, ...]:
    """The same answers, from what was counted."""
    return (
        {name: [tuple(hole) for hole in holes(db, name, 100)] for name in CHANNELS},
        totals.missing(db),
        totals.refused_by_channel(db),
        totals.refused_by_reason(db),
    )


@given(CHANGES)
def test_what_is_counted_is_what_a_look_through_everything_finds(changes: list[tuple[str, str, int]]) -> None:
    """After every step: links and refusals come and go in any order."""
    with empty() as db:
        for each in changes:
            change(db, *each)
            assert by_totals(db) == by_reading(db)


@given(CHANGES)
def test_a_file_of_the_version_before_is_counted_once(changes: list[tuple[str, str, int]]) -> None:
    """As if all had come one by one."""
    with empty() as db:
        for each in changes:
            change(db, *each)
        for table in ("holes", "missing_numbers", "refusals"):
            db.execute(f"DELETE FROM {table}")
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        for statement in filter(str.strip, totals.COUNT_ALL.split(";\n")):
            db.execute(statement)
        assert by_totals(db) == by_reading(db)


def test_a_bulletin_that_follows_the_last_changes_nothing_that_is_counted() -> None:
    """The rule costs no row."""
    with empty() as db:
        for n in range(1, 6):
            change(db, "come", CHANNELS[0], n)
        before = db.total_changes
        change(db, "come", CHANNELS[0], 6)
        assert db.total_changes == before + 1


@given(st.lists(st.sampled_from(("come", "go", "undone")), max_size=30))
def test_the_number_of_admitted_rows_is_known_without_counting(events: list[str]) -> None:
    """Rows that were deleted, the last among them, and rows that a transaction took back are not counted."""
    with empty() as db:
        for n, event in enumerate(events):
            if event == "go":
                db.execute("DELETE FROM bodies WHERE row = (SELECT max(row) FROM bodies)")
                continue
            db.execute("BEGIN")
            hold(db, CHANNELS[0], n, f"{n}", row=bodies.last_row(db) + 1)
            db.execute("COMMIT" if event == "come" else "ROLLBACK")
        assert totals.admitted(db) == db.execute("SELECT count(*) FROM admitted").fetchone()[0]
