"""What is counted as it comes says what a look through everything would say, at every moment, whatever has happened."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st

from bus.hub.picture import tallies
from bus.hub.picture.projection import SCHEMA
from bus.hub.picture.tallies import IN_FORCE, OVER, WITHDRAWN, Sort
from bus.storage import single

MOST = 5
MOMENTS = st.integers(0, 20)


@contextmanager
def empty() -> Iterator[sqlite3.Connection]:
    """The tables of a picture."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("CREATE TABLE admitted (row INTEGER PRIMARY KEY)")
    for statement in filter(str.strip, SCHEMA.split(";\n")):
        db.execute(statement)
    try:
        yield db
    finally:
        db.close()


def add(
    db: sqlite3.Connection, table: str, row: int, priority: str, area: str, issued: int, expires: int
) -> None:
    """A bulletin in the picture, counted as the projection counts it."""
    sort = Sort(
        priority,
        f"kind-{row % 2}",
        ("green", "amber")[row % 3 == 0],
        area,
        json.dumps(["one", "two"][: row % 3]),
    )
    tallies.add(db, table, {sort: 1})
    db.execute(
        f"INSERT INTO {table} (id, row, issuer, country, kind, domain, tlp, audience, priority, severity, urgency, area, "
        "dimensions, headline, issued, expires, status) VALUES (?, ?, 'i', 'XA', ?, 'd', ?, 'a', ?, 's', 'u', ?, ?, 'h', ?, ?, ?)",
        (
            f"id{row * 7919 % 97:02d}",
            row,
            sort.kind,
            sort.tlp,
            priority,
            area,
            sort.dimensions,
            issued,
            expires,
            table,
        ),
    )


ROW = st.integers(1, 12)
TABLE = st.sampled_from(tallies.COUNTED)
CHANGES = st.one_of(
    st.tuples(
        st.just("add"),
        TABLE,
        ROW,
        st.sampled_from(("p1", "p2", "p3")),
        st.sampled_from(("xa", "xb")),
        MOMENTS,
        MOMENTS,
    ),
    st.tuples(st.just("go"), TABLE, ROW),
    st.tuples(st.just("end"), TABLE, ROW, st.sampled_from(("cancelled", "superseded", None))),
    st.tuples(st.just("roll"), MOMENTS),
)


def change(db: sqlite3.Connection, what: str, *how: object) -> None:
    """One event."""
    if what == "roll":
        tallies.roll(db, float(str(how[0])))
        return
    table, row, *rest = how
    if what == "add":
        if not single(db, f"SELECT EXISTS (SELECT 1 FROM {table} WHERE row = ?)", row):
            add(db, str(table), int(str(row)), *rest)  # type: ignore[arg-type]
    elif what == "go":
        db.execute(f"DELETE FROM {table} WHERE row = ?", (row,))
    else:
        how_ended = rest[0]
        db.execute(
            f"UPDATE {table} SET ended_by = ?, ended_how = ? WHERE row = ?",
            ("x" if how_ended else None, how_ended, row),
        )


def by_reading(db: sqlite3.Connection, moment: float) -> tuple[object, ...]:
    """The answers of a look through everything."""
    rows = db.execute("SELECT * FROM actual WHERE ended_by IS NULL AND expires > ?", (moment,)).fetchall()
    ranked = sorted(rows, key=lambda row: (row["priority"], -row["issued"], row["id"]))
    over = "SELECT count(*) FROM {} WHERE ended_by IS NULL AND expires <= ?"
    return (
        Counter(Sort(*(row[name] for name in Sort._fields)) for row in rows),
        [row["row"] for row in ranked[:MOST]],
        single(db, over.format("actual"), moment),
        single(db, "SELECT count(*) FROM actual WHERE ended_how = 'cancelled'"),
        single(db, "SELECT count(*) FROM exercise WHERE ended_by IS NULL AND expires > ?", moment),
    )


def by_tallies(db: sqlite3.Connection, moment: float) -> tuple[object, ...]:
    """The same answers, from what was counted."""
    return (
        tallies.in_force(db, moment),
        [row["row"] for row in tallies.first(db, moment, MOST)],
        tallies.number(db, "actual", OVER, moment),
        tallies.number(db, "actual", WITHDRAWN, moment),
        tallies.number(db, "exercise", IN_FORCE, moment),
    )


@given(st.lists(CHANGES, max_size=40), MOMENTS)
def test_what_is_counted_is_what_a_look_through_everything_finds(
    changes: list[tuple[str, ...]], moment: float
) -> None:
    """Bulletins come, go, are ended and are in force again, and are rolled at any moment, also one that lies ahead."""
    with empty() as db:
        for each in changes:
            change(db, *each)
        assert by_tallies(db, moment) == by_reading(db, moment)


@given(st.lists(CHANGES, max_size=30))
def test_a_file_of_the_version_before_is_counted_once(changes: list[tuple[str, ...]]) -> None:
    """As if its bulletins had come one by one."""
    with empty() as db:
        for each in changes:
            if each[0] != "roll":
                change(db, *each)
        counted = sorted(map(tuple, db.execute("SELECT * FROM tallies WHERE count")))
        db.execute("DELETE FROM tallies")
        for statement in filter(str.strip, tallies.COUNT_ALL.split(";\n")):
            db.execute(statement)
        assert sorted(map(tuple, db.execute("SELECT * FROM tallies WHERE count"))) == counted


def test_much_that_expires_is_moved_in_parts() -> None:
    """Others come in between."""
    with empty() as db:
        for row in range(1, 2 * tallies.AT_ONCE + 2):
            add(db, "actual", row, "p1", "xa", 1, 2)
        rounds = 1
        while tallies.roll(db, 3.0):
            rounds += 1
        assert rounds == 3
        assert tallies.number(db, "actual", OVER, 3.0) == 2 * tallies.AT_ONCE + 1
        assert not tallies.is_due(db, 3.0)
