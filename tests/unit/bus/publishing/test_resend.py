"""An author sends again what was asked for, or what a hub shows that it lacks, and nothing else."""

from __future__ import annotations

import sqlite3

import pytest

from bus.delivery import ledger
from bus.delivery.ladder import DeliveryState, Overdue
from bus.publishing import resend
from bus.publishing.outbox_layout import LAYOUT
from bus.storage import allowances
from schemas.bodies.system import Wanted
from schemas.subject import Channel
from tests.support.outboxes import add_stored, store_all
from tests.support.world import shared_world

WORLD = shared_world()
NOW = WORLD.now.timestamp()
GREEN, SECRET = "actual.green.community", "actual.amber-strict.eu-dpas"


@pytest.fixture
def db() -> sqlite3.Connection:
    """The outbox of an authority that has said three bulletins to all and one to its network; all are stored."""
    made = sqlite3.connect(":memory:")
    made.row_factory = sqlite3.Row
    made.executescript(LAYOUT.schema + ledger.SCHEMA + resend.SCHEMA + allowances.SCHEMA)
    said = [(n, f"id {n}", f"d{n}", GREEN, n) for n in (1, 2, 3)] + [(4, "id 4", "d4", SECRET, 1)]
    fields = ("n", "id", "digest", "channel", "seq")
    headers = {"headers": '{"Nats-Msg-Id": "x"}'}
    add_stored(made, [dict(zip(fields, each, strict=True)) | headers for each in said], 1.0)
    return made


def kept(db: sqlite3.Connection) -> list[int]:
    """The rows to send again."""
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
        store_all(db)
    assert sent == [1, 0, 0, 1]


def _hundred(db: sqlite3.Connection, size: int, status: str = "actual") -> list[Wanted]:
    """A hundred more bulletins of this size on the open channel, and what asks for them all."""
    name = GREEN.replace("actual", status)
    many = [
        {
            "id": f"many {n}",
            "digest": f"many {n}",
            "channel": name,
            "seq": n,
            "status": status,
            "payload": bytes(size),
        }
        for n in range(1001, 1101)
    ]
    add_stored(db, many, 1.0)
    return [Wanted(channel=f"xa-dpa/{name}", seq=n) for n in range(1001, 1101)]


def _sent(db: sqlite3.Connection, items: list[Wanted], asker: str, moment: float) -> int:
    """The bytes that are sent again for this asker; the broker takes them all."""
    resend.resend_asked(db, "xa-dpa", WORLD.registry, asker, items, moment)
    sql = "SELECT coalesce(sum(length(payload)), 0) FROM outbox WHERE state = 'kept'"
    size = int(db.execute(sql).fetchone()[0])
    store_all(db)
    return size


def test_a_reader_has_so_many_bytes_sent_again_and_no_more(db: sqlite3.Connection) -> None:
    """For any number of requests it gets its burst and a little each day; the file remembers, so a restart gives no more."""
    items = _hundred(db, 20_000)
    first = _sent(db, items, "xb-hub", NOW)
    assert 0 < first <= resend.EACH.burst
    assert _sent(db, items, "xb-hub", NOW + 3601) == 0
    later = sum(_sent(db, items, "xb-hub", NOW + quarter * 21_601) for quarter in range(1, 121))
    assert 20_000 < later <= 31 * resend.EACH.per_day


def test_another_reader_has_its_own_allowance_and_all_have_one(db: sqlite3.Connection) -> None:
    """A reader that asks for much takes nothing from another; many together do not exceed the allowance of all."""
    items = _hundred(db, 20_000)
    assert _sent(db, items[:50], "xb-hub", NOW) > 0
    assert _sent(db, items[50:], "xa-hub", NOW + 3600) > 0
    more = sum(_sent(db, items, asker, NOW + 7200) for asker in ("xb-csirt", "xb-emb", "xa-csirt", "xa-emb"))
    assert more <= resend.ALL.burst


def test_what_is_sent_again_on_status_system_leaves_room_for_heartbeats(db: sqlite3.Connection) -> None:
    """In the week for which they are kept it is less than an eighth of an authority's room with 27 countries."""
    items = _hundred(db, 2_000, "system")
    week = sum(_sent(db, items, "xb-hub", NOW + hour * 3601) for hour in range(0, 7 * 24, 4))
    assert 0 < week <= resend.SYSTEM.burst + 8 * resend.SYSTEM.per_day


def test_old_heartbeats_push_out_no_newer_ones(db: sqlite3.Connection) -> None:
    """A reader that asks for old heartbeats gets none."""
    items = _hundred(db, 1_000, "beat")
    assert WORLD.registry.may_read("xb-hub", Channel.parse(items[0].channel))
    assert _sent(db, items, "xb-hub", NOW) == 0


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
    """A hub that confirms nothing is away and will read on: nothing is sent again for it."""
    db.executemany(
        "INSERT INTO receipts VALUES (?, 'xb-hub', 'verified', 1, 0)", [(each,) for each in confirmed]
    )
    assert ledger.resend_unconfirmed(db, [late], NOW) == len(expected)
    assert kept(db) == expected


def test_who_confirms_selectively_is_charged_as_who_asks(db: sqlite3.Connection) -> None:
    """A hub that confirms the last bulletin alone has the rest sent again within its allowance, and no more for asking."""
    items = _hundred(db, 20_000)
    db.execute("INSERT INTO receipts VALUES ('many 1100', 'xb-hub', 'verified', 1, 0)")
    late = [overdue(f"many {n}") for n in range(1001, 1100)]
    count = ledger.resend_unconfirmed(db, late, NOW)
    assert 0 < count * 20_000 <= resend.EACH.burst
    store_all(db)
    assert _sent(db, items, "xb-hub", NOW + 3601) == 0
