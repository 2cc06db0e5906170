"""An author sends again what was asked for, or what a hub shows that it lacks, and nothing else."""

from __future__ import annotations

import sqlite3

import pytest

from bus.delivery import ledger
from bus.delivery.ladder import DeliveryState, Overdue
from bus.publishing import outbox_table as table
from bus.publishing import resend
from schemas.bodies.system import Wanted
from tests.support.world import shared_world

WORLD = shared_world()
NOW = WORLD.now.timestamp()
GREEN, SECRET = "actual.green.community", "actual.amber-strict.eu-dpas"


@pytest.fixture
def db() -> sqlite3.Connection:
    """The outbox of an authority that has said three bulletins to all and one to its network; all are stored."""
    made = sqlite3.connect(":memory:")
    made.row_factory = sqlite3.Row
    made.executescript(table.SCHEMA + ledger.SCHEMA + resend.SCHEMA)
    made.executemany(
        "INSERT INTO outbox (n, id, digest, channel, seq, status, subject, headers, payload, kept_at, stored_at, state) "
        "VALUES (?, ?, ?, ?, ?, 'actual', '', '{\"Nats-Msg-Id\": \"x\"}', x'', 0, 1, 'stored')",
        [(n, f"id {n}", f"d{n}", GREEN, n) for n in (1, 2, 3)] + [(4, "id 4", "d4", SECRET, 1)],
    )
    return made


def kept(db: sqlite3.Connection) -> list[int]:
    """What is to be sent again."""
    return [row["n"] for row in db.execute("SELECT n FROM outbox WHERE state = 'kept' ORDER BY n")]


ASKED = {
    "by its place": (Wanted(channel=f"xa-dpa/{GREEN}", seq=2), [2]),
    "by its digest": (Wanted(channel=f"xa-dpa/{GREEN}", seq=2, digest="d2"), [2]),
    "another digest than was said": (Wanted(channel=f"xa-dpa/{GREEN}", seq=2, digest="d9"), []),
    "never said": (Wanted(channel=f"xa-dpa/{GREEN}", seq=9), []),
    "another's": (Wanted(channel=f"xa-csirt/{GREEN}", seq=2), []),
    "not for who asks": (Wanted(channel=f"xa-dpa/{SECRET}", seq=1), []),
    "no channel": (Wanted(channel="rubbish", seq=1), []),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_for_is_sent_again_to_who_may_read_it(db: sqlite3.Connection, name: str) -> None:
    """XB's hub asks the data-protection authority of XA, whose network is withheld from it."""
    item, expected = ASKED[name]
    count = resend.resend_asked(db, "xa-dpa", WORLD.registry, "xb-hub", [item, item], NOW)
    assert kept(db) == expected
    assert count == len(expected)


def test_who_asks_often_has_it_sent_once_an_hour(db: sqlite3.Connection) -> None:
    """It goes to every reader again, so nobody can make an author fill the streams; without its message id."""
    item = Wanted(channel=f"xa-dpa/{GREEN}", seq=1)
    sent = []
    for after in (0, 10, 3599, 3600):
        sent.append(resend.resend_asked(db, "xa-dpa", WORLD.registry, "xb-hub", [item], NOW + after))
        row = db.execute("SELECT headers FROM outbox WHERE n = 1").fetchone()
        assert row["headers"] == "{}"
        db.execute("UPDATE outbox SET state = 'stored'")
    assert sent == [1, 0, 0, 1]


def overdue(digest: str, what: str = DeliveryState.RECEIVED) -> Overdue:
    """A hub that has not answered in time."""
    return Overdue(
        id="",
        digest=digest,
        channel=f"xa-dpa/{GREEN}",
        priority="p1",
        phase="none",
        what=what,
        reader="xb-hub",
        due=WORLD.now,
        step=1,
        contact=None,
        mute=False,
    )


@pytest.mark.parametrize(
    ("confirmed", "late", "expected"),
    [
        ((), overdue("d2"), []),
        (("d1",), overdue("d2"), []),
        (("d3",), overdue("d2"), [2]),
        (("d4",), overdue("d2"), []),
        (("d3",), overdue("d2", DeliveryState.READ), []),
    ],
    ids=["it is away", "it is behind", "it has a later one", "of another channel", "it was only not read"],
)
def test_a_hub_that_has_the_later_lacks_the_earlier(
    db: sqlite3.Connection, confirmed: tuple[str, ...], late: Overdue, expected: list[int]
) -> None:
    """Who confirms nothing is away and will read on: for it the streams are not filled twice."""
    db.executemany(
        "INSERT INTO receipts VALUES (?, 'xb-hub', 'verified', 1, 0)", [(each,) for each in confirmed]
    )
    assert ledger.resend_unconfirmed(db, [late], NOW) == len(expected)
    assert kept(db) == expected
