"""What interrupts one person: what is to be acknowledged soon, and what waits for an approval; not what was put aside."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus import desk
from bus.console import Demonstration, Reading, interrupts
from bus.console import live as module
from bus.console.asked import Asked
from bus.console.interrupts import of_person, unread
from bus.console.live import _fresh
from bus.console.pages import clocks
from bus.console.people import Viewer
from bus.console.personal import Personal
from bus.desk.four_eyes import Waiting
from bus.hub.clocks import ACKNOWLEDGEMENT, Standing
from bus.hub.picture import Owed, owed_within
from bus.notify import Item, Sort, nearly_due
from bus.policy import Clearance
from schemas.parts import Action, Area
from schemas.vocab import Certainty, Severity, Tlp, Urgency
from tests.support.consoles import AUDIENCES, EVERYTHING, HUB, Speaker, fill, numbers, shelf
from tests.support.world import NOW

HOUR = dt.timedelta(hours=1)
HOME = (Area(scope="national", country="XA"),)
GRAVE = {"severity": Severity.SEVERE, "urgency": Urgency.IMMEDIATE, "certainty": Certainty.OBSERVED}
ITEM = Item(
    sort=Sort.DUE,
    at=NOW,
    about="an-id",
    tlp=Tlp.GREEN,
    audience="community",
    priority="p2",
    issuer="xb-csirt",
    kind="cyber-threat",
    headline="A flood",
    start=NOW - 3 * HOUR,
    due=NOW + HOUR,
)
ASKED = Waiting(
    approval=4,
    draft=7,
    title="For few",
    by="Ann",
    at=NOW.timestamp() - 60,
    until=NOW.timestamp() + 60,
    tlp=3,
    audience="eu-csirts",
    is_granted=False,
)


def ack(**changes: object) -> Item:
    """Something to acknowledge."""
    return msgspec.structs.replace(ITEM, **changes)


OWED = Owed(
    id="an-id",
    rule=ACKNOWLEDGEMENT,
    place="",
    owner=(HUB,),
    start=NOW - 3 * HOUR,
    due=NOW + HOUR,
    latest=None,
    met=None,
    met_by=None,
    standing=Standing.RUNNING,
    issuer="xb-csirt",
    kind="cyber-threat",
    headline="A flood",
    tlp="green",
    audience="community",
)


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({}, True),
        ({"due": NOW + HOUR + dt.timedelta(seconds=1)}, False),
        ({"due": NOW}, False),
        ({"due": NOW + dt.timedelta(seconds=1)}, True),
        ({"rule": "rfi"}, False),
    ],
    ids=["a quarter is left", "more is left", "it is late", "hardly any is left", "it is another duty"],
)
def test_an_acknowledgement_interrupts_in_its_last_quarter(changes: dict[str, object], is_told: bool) -> None:
    """While something of its time is left."""
    assert bool(nearly_due([msgspec.structs.replace(OWED, **changes)], NOW)) is is_told


def test_what_is_asked_of_a_person_says_no_word_of_it() -> None:
    """Which draft it is, and where; what was approved, or has run out, asks for nothing."""
    granted, over = (
        msgspec.structs.replace(ASKED, **each) for each in ({"is_granted": True}, {"until": 1.0})
    )
    (alert,) = of_person((), (ASKED, granted, over), NOW)
    assert (alert.once, alert.address, alert.name, alert.alarm) == (
        "approval 4",
        "/approvals/4",
        "7",
        "approval",
    )
    assert "For few" not in msgspec.json.encode(alert).decode()


def test_what_belongs_together_has_one_key() -> None:
    """As with all that interrupts: an incident is one toast; each is told once by its own name."""
    of_incident = [ack(about=f"id-{n}", incident="inc", priority=f"p{n}") for n in (1, 3)]
    found = of_person(of_incident, (), NOW)
    assert [each.once for each in found] == ["due xb-csirt/id-1", "due xb-csirt/id-3"]
    assert len({each.key for each in found}) == 1
    assert found[0].key != of_person([ack(tlp=Tlp.AMBER, incident="inc")], (), NOW)[0].key


def test_a_line_tells_each_once_and_forgets_what_stands_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at a time; the others come with the next look."""
    monkeypatch.setattr(module, "MOST_ALERTS", 2)
    found = of_person([ack(about=f"id-{n}") for n in range(3)], (), NOW)
    told: dict[str, None] = {}
    assert [_fresh(found, told) for _ in range(3)] == [list(found[:2]), [found[2]], []]
    assert _fresh(found[:1], told) == []
    assert list(told) == [found[0].once]


async def test_a_flood_of_duties_hides_no_acknowledgement(tmp_path: Path) -> None:
    """Whatever one author asks of this hub in the same minute, what is to be acknowledged is told."""
    path = tmp_path / "store.db"
    wide, flood = Speaker("xb-csirt", areas=HOME), Speaker("xa-emb", areas=HOME)
    wide.say("For all", 4 * 3600.0, **GRAVE)
    acts = tuple(
        Action(kind="patch", to=(HUB,), text=f"Do {n}.", due=NOW + dt.timedelta(seconds=60))
        for n in range(30)
    )
    for n in range(11):
        flood.say(f"Asked {n}", 4 * 3600.0 - n, actions=acts)
    await fill(path, [*wide.made, *flood.made], now=NOW - 3.5 * HOUR)
    async with Reading.open(path, shelf()) as reading:
        found = await reading.ask(lambda db: unread(db, shelf(), EVERYTHING, NOW))
    assert [each.headline for each in found] == ["For all"]


async def test_it_is_asked_of_the_store_and_of_the_desk(tmp_path: Path) -> None:
    """Of what the person may read and may acknowledge; a snooze at the desk ends it."""
    path = tmp_path / "store.db"
    narrow = Speaker("xb-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts", areas=HOME)
    wide = Speaker("xb-csirt", areas=HOME)
    wide.say("For all", 4 * 3600.0, **GRAVE)
    narrow.say("For few", 4 * 3600.0, **GRAVE)
    await fill(path, [*wide.made, *narrow.made], now=NOW - 3.5 * HOUR)
    low = Clearance(Tlp.GREEN, AUDIENCES)
    async with (
        desk.Desk.open(tmp_path / "desk.db", numbers(5)) as held,
        Reading.open(path, shelf()) as reading,
    ):
        found = await reading.ask(lambda db: unread(db, shelf(), EVERYTHING, NOW))
        assert sorted(each.headline for each in found) == ["For all", "For few"]
        people = Demonstration(EVERYTHING, numbers(), ("analyst", "duty-officer"), held)
        token = await people.sign_in("Ann", "", NOW, "192.0.2.7")
        personal = Personal(reading, people, lambda: NOW)

        async def told(*roles: str, clearance: Clearance = EVERYTHING) -> list[str]:
            viewer = Viewer(name="Ann", roles=roles, clearance=clearance)
            return [each.title for each in await personal.alerts(viewer, token, "192.0.2.7")]

        assert sorted(await told("duty-officer")) == ["For all", "For few"]
        # Who signs in next with the same browser, which keeps what it has told, is told too.
        next_one = await people.sign_in("Ben", "", NOW, "192.0.2.7")
        viewer = Viewer(name="Ann", roles=("duty-officer",), clearance=EVERYTHING)
        mine, theirs = [
            {each.once for each in await personal.alerts(viewer, each, "192.0.2.7")}
            for each in (token, next_one)
        ]
        assert (len(mine), len(theirs), mine & theirs) == (2, 2, set())
        assert await told("duty-officer", clearance=low) == ["For all"]
        assert await told("reader") == []
        about = desk.About("bulletin", wide.made[0].bulletin.id, Tlp.GREEN, "community")
        until = NOW.timestamp() + 900
        await people.do(
            token,
            NOW,
            "192.0.2.7",
            lambda db, act: desk.snoozes.put(db, act, about, priority=2, until=until, reason="Later."),
        )
        assert await told("duty-officer") == ["For few"]


async def test_what_is_to_be_acknowledged_is_asked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a page and for all who listen, while nothing comes."""
    asked: list[object] = []

    def counted(*args: Any, **of: Any) -> tuple[Owed, ...]:
        asked.extend([of["by_author"]] if of["by_author"] else [])
        return owed_within(*args, **of)

    monkeypatch.setattr("bus.console.pages.clocks.owed_within", counted)
    path, wide = tmp_path / "store.db", Speaker("xb-csirt", areas=HOME)
    wide.say("For all", 4 * 3600.0, **GRAVE)
    await fill(path, wide.made, now=NOW - 3.5 * HOUR)
    async with Reading.open(path, shelf()) as reading:
        people = Demonstration(EVERYTHING, numbers(), ("duty-officer",))
        token = await people.sign_in("Ann", "", NOW, "192.0.2.7")
        session = await people.session(token, NOW, "192.0.2.7")
        assert session is not None
        known = Asked(
            db=sqlite3.connect(":memory:"), now=NOW, shelf=reading.shelf, registry=reading.shelf.registry(),
            session=session, path="/", place={}, given={},
        )  # fmt: skip
        page = await reading.ask(lambda db: clocks.ours(msgspec.structs.replace(known, db=db)))
        personal = Personal(reading, people, lambda: NOW)
        alerts = [await personal.alerts(session.viewer, token, "192.0.2.7") for _ in range(3)]
        assert [each.headline for each in page] == ["For all"]
        assert [[each.title for each in some] for some in alerts] == [["For all"]] * 3
        assert len(asked) == 1


async def test_what_is_put_aside_leaves_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many the gravest interrupt; one that is put aside is not counted among them."""
    monkeypatch.setattr(interrupts, "MOST_UNREAD", 2)
    path, wide = tmp_path / "store.db", Speaker("xb-csirt", areas=HOME)
    for n in range(3):
        wide.say(f"No. {n}", 4 * 3600.0 - n, **GRAVE)
    await fill(path, wide.made, now=NOW - 3.5 * HOUR)
    async with Reading.open(path, shelf()) as reading:

        async def near(*aside: str) -> list[str]:
            found = await reading.ask(lambda db: unread(db, shelf(), EVERYTHING, NOW, aside))
            return [each.headline for each in found]

        assert await near() == ["No. 0", "No. 1"]
        assert await near(wide.made[0].bulletin.id) == ["No. 1", "No. 2"]
