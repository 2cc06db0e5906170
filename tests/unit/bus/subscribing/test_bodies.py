"""A row has the decoded values, by every way of reading it."""

from __future__ import annotations

import datetime as dt
import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.subscribing import bodies
from bus.subscribing.tables import LAYOUT
from schemas.codec import encode
from schemas.envelope import TYP_BULLETIN, Context, protected_for
from schemas.parts import Handling
from schemas.vocab import PersonalFlag
from tests.support.held import hold
from tests.support.world import shared_world
from tests.unit.bus.hub.test_retention import ABOUT, PERSONAL

CHANNEL = "xa-csirt/actual.green.community"
DAYS = st.dates(dt.date(2026, 1, 1), dt.date(2029, 12, 31))
WORLD = shared_world()


@contextmanager
def empty() -> Iterator[sqlite3.Connection]:
    """The tables of a reader's store."""
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    db.executescript(LAYOUT.schema)
    try:
        yield db
    finally:
        db.close()


@given(st.sampled_from(PersonalFlag), DAYS, DAYS)
def test_the_day_on_which_it_goes_is_that_of_a_look_at_its_bytes(
    flag: PersonalFlag, last: dt.date, expires: dt.date
) -> None:
    """With personal data and without, with days of retention and without, whichever day it is; and with nothing said of it."""
    said = msgspec.structs.replace(PERSONAL, flag=flag, retention_until=last)
    moment = dt.datetime.combine(expires, dt.time(23, 59, 59), dt.UTC)
    for personal, days in itertools.product((said, None), (None, 1, 400)):
        made = msgspec.structs.replace(
            ABOUT.bulletin, personal_data=personal, expires=moment, handling=Handling(retention_days=days)
        )
        with empty() as db:
            (found,) = db.execute(
                f"SELECT {bodies.UNTIL} FROM (SELECT ? AS payload)", (encode(made),)
            ).fetchone()
        assert bodies.last_day(made) == found


@pytest.mark.parametrize("issued", ["now", "2027-13-41T00:00:00Z", "20270523", 7, None])
@pytest.mark.parametrize("days", [3, -3, 10**17, True, "three"])
def test_a_refused_payload_that_names_no_day_is_kept(issued: object, days: object) -> None:
    """Whatever it writes: an index over quarantine takes no word for the present."""
    payload = msgspec.json.encode(
        {"issued": issued, "expires": "2027-06-01T00:00:00Z", "handling": {"retention_days": days}}
    )
    with empty() as db:
        (found,) = db.execute(f"SELECT {bodies.UNTIL} FROM (SELECT ? AS payload)", (payload,)).fetchone()
        db.execute(
            "INSERT INTO quarantine (at, reason, detail, subject, headers, payload, digest, kids, variant, size) "
            "VALUES (0, 'schema', '', '', '[]', ?, 'd', '', '', 1)",
            (payload,),
        )
    assert found is None


@given(st.text(alphabet="ab.,~", max_size=20))
def test_a_signature_is_the_same_after_it_was_parted(signature: str) -> None:
    """This holds for any form of the header."""
    assert "".join(bodies.parted(signature)) == signature


@pytest.mark.parametrize(
    ("of_its_own", "is_shared"), [({}, True), ({"iat": 1}, False), ({"x5t": "t" * 43}, False)]
)
def test_an_opening_is_shared_where_it_is_the_same_on_all(
    of_its_own: dict[str, Any], is_shared: bool
) -> None:
    """One with a time or a certificate would stay when its bulletin goes, and fill a table that is never emptied."""
    head = protected_for("Ed25519", "k" * 43, Context(TYP_BULLETIN, "test"), **of_its_own)
    assert bodies.parted(f"{head}..sig") == ((f"{head}.", ".sig") if is_shared else ("", f"{head}..sig"))


@given(
    st.lists(st.text(alphabet="abc", min_size=1, max_size=2), max_size=12),
    st.lists(st.text(alphabet="abc", max_size=2)),
)
def test_the_ids_that_a_place_has_are_those_of_a_look_through_everything(
    held: list[str], asked: list[str]
) -> None:
    """Newer than all that are held, older, and the same."""
    with empty() as db:
        for seq, each in enumerate(held, 1):
            hold(db, CHANNEL, seq, f"d{seq}", id=each)
        assert bodies.used_ids(db, asked) == {each for each in asked if each in held}


def test_one_place_is_taken_once() -> None:
    """This holds for any content and each way of writing."""
    with empty() as db:
        hold(db, CHANNEL, 1, "d", row=1)
        place = bodies.Place(1, 1, 2, "another", None, "i", 1, 0.0, 0.0, 1, None)
        with pytest.raises(sqlite3.IntegrityError):
            bodies.add(db, [place[:-1]], [])
        with pytest.raises(sqlite3.IntegrityError):
            bodies.add_anywhere(db, place, None)
        assert [row["digest"] for row in db.execute("SELECT digest FROM links")] == ["d"]


def test_what_is_erased_keeps_its_place_and_what_is_removed_does_not() -> None:
    """And neither its bytes."""
    with empty() as db:
        for seq in (1, 2, 3):
            hold(db, CHANNEL, seq, f"d{seq}", row=seq)
        bodies.erase(db, 1)
        bodies.remove(db, CHANNEL, 2, "another")
        bodies.remove(db, CHANNEL, 3, "d3")
        assert [tuple(row) for row in db.execute("SELECT seq, row FROM links ORDER BY seq")] == [
            (1, None),
            (2, 2),
        ]
        assert [row["row"] for row in db.execute("SELECT row FROM admitted")] == [2]
        assert bodies.last_row(db) == 3


def test_what_is_removed_takes_no_other_with_it() -> None:
    """Though the number of its row has changed to that of another."""
    with empty() as db:
        for seq in (1, 2):
            hold(db, CHANNEL, seq, f"d{seq}", row=seq)
        db.execute("UPDATE places SET row = 2 WHERE seq = 1")
        bodies.remove(db, CHANNEL, 1, "d1")
        assert [row["seq"] for row in db.execute("SELECT seq FROM links")] == [2]
        assert [row["row"] for row in db.execute("SELECT row FROM bodies ORDER BY row")] == [1, 2]


def test_a_row_that_is_taken_is_given_to_no_other() -> None:
    """Though the record of the last one was set back by a flipped bit; every batch would have failed from then on."""
    with empty() as db:
        for seq in (1, 2, 3):
            hold(db, CHANNEL, seq, f"d{seq}", row=seq)
        db.execute("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'bodies'")
        assert bodies.last_row(db) == 3


def test_nobody_is_given_anothers_row() -> None:
    """A place that leads to another, or nowhere, has none; what has lost its place itself is given, and is shown as damaged."""
    with empty() as db:
        for seq in (1, 2):
            hold(db, CHANNEL, seq, f"d{seq}", row=seq)
        for row, found in ((2, []), (4096, []), (1, [1])):
            db.execute("UPDATE places SET row = ? WHERE seq = 1", (row,))
            assert (bodies.rows_of(db, "d1"), bodies.rows_of(db, "d2")) == (found, [2])
        db.execute("UPDATE bodies SET seq = 9 WHERE row = 1")
        assert bodies.rows_of(db, "d1") == [1]
