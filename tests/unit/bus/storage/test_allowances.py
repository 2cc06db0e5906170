"""Allowances: so much at once, a little each day, and one moment as their whole state."""

from __future__ import annotations

import sqlite3

import pytest

from bus.storage import allowances
from bus.storage.allowances import ALL, DAY_S, Allowance, spend

EACH = Allowance(burst=100, per_day=10)
EVERYBODY = Allowance(burst=150, per_day=10)
NOW = 1e9


@pytest.fixture
def db() -> sqlite3.Connection:
    """A file with the table."""
    made = sqlite3.connect(":memory:")
    made.executescript(allowances.SCHEMA)
    return made


def one(db: sqlite3.Connection, amount: int, after: float = 0.0, who: str = "a") -> bool:
    """One spends so much, so many days later."""
    return spend(db, "p", {who: EACH, ALL: EVERYBODY}, amount, NOW + after * DAY_S)


def test_a_burst_and_then_a_little_each_day(db: sqlite3.Connection) -> None:
    """What was not spent is not lost, and what is refused costs nothing."""
    spent = [
        one(db, *each) for each in ((60,), (60,), (40,), (1,), (10, 0.9), (10, 1.0), (10, 1.0), (20, 3.1))
    ]
    assert spent == [True, False, True, False, False, True, False, True]


def test_one_takes_nothing_of_another_but_for_what_all_may(db: sqlite3.Connection) -> None:
    """A second has its own bucket; the third comes when the bucket of all is empty."""
    assert [one(db, 100), one(db, 50, who="b"), one(db, 10, who="c")] == [True, True, False]
    assert spend(db, "q", {"c": EACH}, 100, NOW)


def test_what_is_larger_than_a_bucket_passes_when_it_is_full(db: sqlite3.Connection) -> None:
    """And empties it; nothing more is owed."""
    assert [one(db, 1000), one(db, 1, 0.05), one(db, 10, 1.0)] == [True, False, True]


def test_a_clock_that_was_years_ahead_delays_nobody(db: sqlite3.Connection) -> None:
    """Right again, it begins anew; one that is set back by seconds gives nothing anew."""
    assert one(db, 100, 4000)
    assert one(db, 100)
    assert not one(db, 1)
    assert not one(db, 1, -1e-4)


def test_a_full_bucket_has_no_row(db: sqlite3.Connection) -> None:
    """The table holds those that have lately spent."""
    for n in range(50):
        spend(db, "p", {f"a{n}": EACH}, 10, NOW)
    spend(db, "p", {"last": EACH}, 10, NOW + 2 * DAY_S)
    assert [row[0] for row in db.execute("SELECT who FROM allowances")] == ["last"]
