"""The state of a row is in other tables, and the view shows it as part of the row."""

from __future__ import annotations

import sqlite3
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bus import threads
from bus.publishing import outbox_table as table
from bus.publishing.acknowledged import settle
from bus.publishing.outbox_layout import LAYOUT
from bus.publishing.outbox_rows import RowState, Settled

ONE_TABLE = """
CREATE TABLE outbox (
  n INTEGER PRIMARY KEY, status TEXT, headers TEXT, stored_at REAL, stream TEXT, stream_seq INTEGER, state TEXT DEFAULT 'kept',
  problem TEXT, once TEXT, origin TEXT
);
"""
COLUMNS = "n, status, headers, stored_at, stream, stream_seq, state, problem, once, origin"
HEADERS = '{"Nats-Msg-Id":"d","ce-id":"i"}'
ROWS = 4
STEP = st.tuples(
    st.sampled_from(
        [
            "keep",
            "settle",
            "settle",
            "park",
            "release",
            "aside",
            "damaged",
            "unsent",
            "note",
            "drop",
            "remove",
        ]
    ),
    st.lists(st.integers(1, ROWS), min_size=1, max_size=3, unique=True),
)


class OneTable:
    """The plain way: a row has all that became of it."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:")
        self.db.executescript(ONE_TABLE)

    def take(self, step: str, ns: list[int], at: int) -> None:
        """One step, each row by itself."""
        if step == "release":
            self.db.execute("UPDATE outbox SET state = 'kept', problem = NULL WHERE state = 'parked'")
            return
        sql = {
            "keep": "INSERT OR IGNORE INTO outbox (n, status, headers, once, origin) "
            f"VALUES (:n, 'actual', '{HEADERS}', 'k' || :n, 'o')",
            "settle": "UPDATE outbox SET state = 'stored', stored_at = coalesce(stored_at, :at), stream = 'S', stream_seq = :at + :n, "
            "problem = NULL WHERE n = :n AND state NOT IN ('stored', 'superseded')",
            "park": "UPDATE outbox SET state = 'parked', problem = 'why' WHERE n = :n AND state = 'kept'",
            "aside": "UPDATE outbox SET state = 'superseded', problem = 'why', once = NULL, origin = NULL WHERE n = :n",
            "damaged": "UPDATE outbox SET state = 'damaged', problem = 'its bytes are not those that were signed' "
            "WHERE n = :n AND state = 'kept'",
            "unsent": "UPDATE outbox SET state = 'kept', stream = NULL, stream_seq = NULL, problem = 'why', "
            "headers = json_remove(headers, '$.\"Nats-Msg-Id\"') WHERE n = :n AND state = 'stored'",
            "note": "UPDATE outbox SET problem = 'note' WHERE n = :n AND state = 'kept'",
            "drop": "UPDATE outbox SET headers = json_remove(headers, '$.\"Nats-Msg-Id\"') WHERE n = :n",
            "remove": "DELETE FROM outbox WHERE n = :n",
        }[step]
        self.db.executemany(sql, [{"n": n, "at": at} for n in ns])


class Tables:
    """The tables of the product."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:")
        self.db.row_factory = sqlite3.Row
        self.db.executescript(LAYOUT.schema + threads.LAYOUT.schema)

    def take(self, step: str, ns: list[int], at: int) -> None:
        """The same step, as the product does it."""
        db = self.db
        waiting = {row["n"] for row in db.execute("SELECT n FROM unsent")}
        if step == "keep":
            there = {row["n"] for row in db.execute("SELECT n FROM bulletins")}
            for n in [n for n in ns if n not in there]:
                said = (n, "actual", "c", n, f"i{n}", f"d{n}", "s", HEADERS, b"", 0.0, f"k{n}", "o")
                db.execute(
                    "INSERT INTO bulletins (n, status, channel, seq, id, digest, subject, headers, payload, kept_at, once, origin) "
                    f"VALUES ({', '.join('?' * len(said))})",
                    said,
                )
                db.execute("INSERT INTO unsent (n, status) VALUES (?, 'actual')", (n,))
        elif step == "settle":
            settle(db, [Settled(n=n, stream="S", stream_seq=at + n) for n in ns], at)
        elif step == "park":
            table.park(db, ns, "why")
        elif step == "release":
            table.release(db)
        elif step == "aside":
            table.set_aside(
                db, [row for n in ns for row in table.rows(db, "SELECT * FROM outbox WHERE n = ?", n)], "why"
            )
        elif step == "damaged":
            for n in waiting & set(ns):
                table.set_damaged(db, n)
        elif step == "unsent":
            table.mark_unsent(db, ns, "why")
        elif step == "note":
            db.executemany("UPDATE unsent SET problem = 'note' WHERE n = ?", [(n,) for n in ns])
        elif step == "drop":
            for n in ns:
                table.drop_message_id(db, n)
        else:
            table.remove(db, ns)


def rows_of(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """All rows, with all that became of them."""
    return [tuple(row) for row in db.execute(f"SELECT {COLUMNS} FROM outbox ORDER BY n")]


@settings(deadline=None)
@given(st.lists(STEP, max_size=14))
def test_whatever_happens_the_rows_read_as_those_of_one_table(steps: list[tuple[str, list[int]]]) -> None:
    """Every column after every step; what is kept waits to be sent, and nothing else does; nothing is left of what is removed."""
    plain, ours = OneTable(), Tables()
    for at, (step, ns) in enumerate([("keep", [1, 2, 3, 4]), *steps], 1):
        for each in (plain, ours):
            each.take(step, ns, at)
        found = rows_of(ours.db)
        assert found == rows_of(plain.db)
        states = {row[0]: row[6] for row in found}
        assert [row[0] for row in ours.db.execute("SELECT n FROM unsent ORDER BY n")] == [
            n for n in states if states[n] == RowState.KEPT
        ]
        sent = [
            n for row in ours.db.execute("SELECT n, count FROM sent") for n in range(row[0], row[0] + row[1])
        ]
        assert len(sent) == len(set(sent))
        assert {*sent, *(row[0] for row in ours.db.execute("SELECT n FROM aside"))} <= set(states)
        counted = {state: list(states.values()).count(state) for state in RowState}
        assert table.counts(ours.db) == counted


def test_a_row_that_is_set_aside_leaves_its_place_to_another() -> None:
    """And no two others may have one place, however many were set aside there."""
    ours = Tables()
    db = ours.db
    ours.take("keep", [1], 1)
    for n in (2, 3):
        try:
            _again(db, n)
            raise AssertionError("two rows in one place")
        except sqlite3.IntegrityError:
            ours.take("aside", [n - 1], 1)
            _again(db, n)


def _again(db: sqlite3.Connection, n: int) -> None:
    """A row in the place of the first."""
    columns = "status, channel, seq, prev, subject, headers, payload, kept_at"
    sql = f"INSERT INTO bulletins (n, id, digest, {columns}) SELECT ?1, 'i' || ?1, 'd' || ?1, {columns} FROM bulletins WHERE n = 1"
    db.execute(sql, (n,))
