"""Feed addresses: what one gives, until when, and to whom; its secret is kept nowhere."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.desk import DeskError, Role, at_command_line, feeds, people, sessions, signing_in, standing, trail
from bus.desk.refusals import MAX_FEEDS
from bus.desk.tables import LAYOUT, LAYOUTS
from bus.storage import Database, allowances, lease
from schemas.vocab import Tlp
from tests.support.desks import HOME, NOW, act_of, bare, person, seeded, signed_in

DAY_S = 86_400.0
PATH, QUERY = "/b.atom", "kind=cyber-threat"


def made(db: sqlite3.Connection, who: str = "ann", *, ceiling: Tlp = Tlp.AMBER, days: int = 30) -> str:
    """A feed address of a reader who is added with it."""
    act = person(db, who, Role.READER, ceiling=ceiling)
    return feeds.add(db, act, "calendar", PATH, QUERY, days, seeded(sum(who.encode())))


def reason(call: Callable[[], object]) -> str:
    """The reason with which something is refused; empty where it is not."""
    try:
        call()
    except DeskError as exc:
        return exc.reason
    return ""


@pytest.mark.parametrize("ceiling", list(Tlp))
def test_it_gives_green_at_most(ceiling: Tlp) -> None:
    """And never more than its person may see now."""
    db = bare()
    secret = made(db, ceiling=ceiling)
    expected = Tlp.CLEAR if ceiling is Tlp.CLEAR else Tlp.GREEN
    act, feed = feeds.reading(db, secret, NOW, "192.0.2.9")
    assert (act.clearance.ceiling, act.clearance.audiences) == (expected, frozenset(people.AUDIENCES))
    assert (feed.path, feed.query, feed.person) == (PATH, QUERY, "ann")
    people.change(db, at_command_line(NOW), "ann", ceiling=Tlp.CLEAR, audiences=("public",))
    act, _ = feeds.reading(db, secret, NOW, "192.0.2.9")
    assert (act.clearance.ceiling, act.clearance.audiences) == (Tlp.CLEAR, frozenset({"public"}))


def test_its_secret_is_kept_nowhere() -> None:
    """No column of any table has it; the trail says who made it, for what and for how long."""
    db = bare()
    secret = made(db)
    tables = [row["name"] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    everything = "\n".join(str(tuple(row)) for name in tables for row in db.execute(f"SELECT * FROM {name}"))
    assert secret not in everything
    assert "calendar" in everything
    (entry, *_) = trail.read(db, at_command_line(NOW), who="ann")
    assert (entry.what, entry.about, entry.detail) == (
        "feed-added",
        "calendar",
        f"{PATH}?{QUERY}, for 30 days",
    )


def in_and_out(db: sqlite3.Connection) -> None:
    """Disable a person and let the person in again."""
    people.disable(db, at_command_line(NOW), "ann")
    people.enable(db, at_command_line(NOW), "ann")


ENDS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "by its time": lambda db: None,
    "by its person": lambda db: feeds.end(db, act_of(db, sessions_of(db, "ann")), 1),
    "by an operator": lambda db: feeds.end(db, at_command_line(NOW), 1),
    "with its person": lambda db: people.disable(db, at_command_line(NOW), "ann"),
    "with its person, who is let in again": in_and_out,
    "with a new token of its person": lambda db: signing_in.issue_token(
        db, at_command_line(NOW), "ann", seeded(3)
    ),
    "with the roles that read": lambda db: people.change(
        db, at_command_line(NOW), "ann", roles=[Role.ADMINISTRATOR]
    ),
    "in a copy that is restored": sessions.distrust,
}


def sessions_of(db: sqlite3.Connection, who: str) -> str:
    """A session of somebody."""
    return sessions.begin(db, who, NOW, "192.0.2.7", seeded(5))


@pytest.mark.parametrize("how", ENDS)
def test_it_ends(how: str) -> None:
    """By each way; before, it reads, and so does that of another person after."""
    db = bare()
    secret, other = made(db), made(db, "bob", days=90)
    feeds.reading(db, secret, NOW, "")
    ENDS[how](db)
    later = NOW + 30 * DAY_S if how == "by its time" else NOW
    assert reason(lambda: feeds.reading(db, secret, later, "")) == "feed-ended"
    if how != "in a copy that is restored":
        feeds.reading(db, other, later, "")


@pytest.mark.parametrize("secret", ["", "x", "a" * 10_000, "ann", "\0", "\ud800"])
def test_another_secret_reads_nothing(secret: str) -> None:
    """Whatever it is."""
    db = bare()
    made(db)
    assert reason(lambda: feeds.reading(db, secret, NOW, "")) == "feed-ended"


def test_its_use_is_on_record_once_an_hour() -> None:
    """However often it is read, from wherever; with the address, and when it was last."""
    db = bare()
    secret = made(db)
    for moment in range(0, 3 * 3600, 300):
        feeds.record(db, secret, NOW + moment, "192.0.2.9")
    rows = [each for each in trail.read(db, at_command_line(NOW)) if each.what == "feed-read"]
    assert [each.at - NOW for each in reversed(rows)] == [0, 3600, 7200]
    assert {(each.who, each.about, each.address) for each in rows} == {("ann", "calendar", "192.0.2.9")}
    (listed,) = feeds.listed(db, at_command_line(NOW))
    assert listed.used_at == NOW + 7200
    feeds.record(db, secret, NOW - 100, "")  # the clock was set back
    assert sum(each.what == "feed-read" for each in trail.read(db, at_command_line(NOW))) == 4


REFUSED = {
    "no name": (("", QUERY, 30), "text-empty"),
    "a name that hides something": (("a\u202eb", QUERY, 30), "text-unseen"),
    "a long name": (("a" * 81, QUERY, 30), "text-too-long"),
    "a long filter": (("a", "q=" + "a" * 2000, 30), "text-too-long"),
    "another time": (("a", QUERY, 366), "desk-refused"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    """With its reason, and nothing is made."""
    db = bare()
    act = person(db, "ann", Role.READER)
    (called, query, days), expected = REFUSED[name]
    assert reason(lambda: feeds.add(db, act, called, PATH, query, days, seeded())) == expected
    assert feeds.listed(db, act, "ann") == []


def test_one_person_has_so_many() -> None:
    """Those that have ended are not counted."""
    db = bare()
    act, random = person(db, "ann", Role.READER), seeded()
    for n in range(MAX_FEEDS):
        feeds.add(db, act, f"n {n}", PATH, "", 30, random)
    assert reason(lambda: feeds.add(db, act, "more", PATH, "", 30, random)) == "desk-full"
    later = act_of(db, sessions_of(db, "ann"))
    feeds.end(db, later, 1)
    feeds.add(db, act, "more", PATH, "", 30, random)
    feeds.forget(db, NOW + 31 * DAY_S)
    assert feeds.listed(db, at_command_line(NOW)) == []


def test_who_may_make_see_and_end_one() -> None:
    """Nobody ends or sees another's but an administrator; a wall makes none."""
    db = bare()
    made(db)
    bob, keeper = person(db, "bob", Role.ANALYST), person(db, "kay", Role.ADMINISTRATOR)
    assert reason(lambda: feeds.end(db, bob, 1)) == "not-there"
    assert reason(lambda: feeds.listed(db, bob, "ann")) == "desk-role"
    assert reason(lambda: feeds.add(db, keeper, "a", PATH, "", 30, seeded())) == "desk-role"
    assert [each.n for each in feeds.listed(db, keeper)] == [1]
    duty = act_of(db, signed_in(db, "dora", Role.DUTY))
    key = sessions.open_wall(db, duty, Tlp.GREEN, people.AUDIENCES, seeded(99_991))
    wall = act_of(db, sessions.begin_wall(db, key, NOW, HOME, seeded(99_992)))
    assert reason(lambda: feeds.add(db, wall, "a", PATH, "", 30, seeded())) == "desk-wall"
    feeds.end(db, keeper, 1)
    assert feeds.listed(db, keeper) == []


def test_a_file_of_before_gets_the_table(tmp_path: Path) -> None:
    """A desk that an earlier release has made opens, with its people, and can have feed addresses."""
    before = (LAYOUT, standing.LAYOUT, allowances.LAYOUT, lease.LAYOUT)
    assert set(before) < set(LAYOUTS)

    async def go() -> None:
        path = tmp_path / "desk.db"
        async with Database.open(path, before) as old:
            await old.write(lambda db: signed_in(db, "ann", Role.READER))
        async with Database.open(path, LAYOUTS) as new:
            await new.write(lambda db: made(db, "bob"))
            assert await new.read(lambda db: len(feeds.listed(db, at_command_line(NOW)))) == 1
            assert await new.read(lambda db: people.find(db, "ann")) is not None

    asyncio.run(go())


def test_a_copy_of_before_is_distrusted() -> None:
    """It has no such table."""
    db = bare()
    made(db)
    db.execute("DROP TABLE feeds")
    sessions.distrust(db)
