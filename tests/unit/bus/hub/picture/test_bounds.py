"""What one authority can make a hub's picture keep or do: so much, and at its own cost."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.hub import elections
from bus.hub.picture import projection, situation
from bus.hub.picture.projection import Projection
from bus.subscribing.inbox import Inbox
from bus.subscribing.tables import Stored, stored
from bus.threads import keeping
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.parts import ElectionRef, Ref
from schemas.vocab import ElectionType, MsgType, Phase, RefRel, Tlp
from tests.support.hubs import judged
from tests.support.world import NOW, Message, bulletin, chain, draft, goes_on, shared_world, sign

WORLD = shared_world()
POLLS = PhaseWindow(phase=Phase.POLLING, start=NOW, end=NOW + dt.timedelta(hours=9))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Inbox]:
    """A hub's store with nothing in it."""
    async with Inbox.open(tmp_path / "store.db", projector=Projection(), hold_s=0.0) as opened:
        yield opened


async def take(store: Inbox, *messages: Message) -> None:
    """Take messages in."""
    await store.settle([judged(each) for each in messages], None, None, NOW)
    await store.release(NOW)


def calendars(*names: str, issuer: str = "xa-emb") -> list[Message]:
    """A calendar for each of these elections, on one channel, each newer than the one before."""
    messages: list[Message] = []
    for n, name in enumerate(names):
        say = draft(
            body=ElectionCalendar(windows=(POLLS,), tz="Europe/Vienna"),
            election=ElectionRef(id=name, type=ElectionType.PARLIAMENTARY, phase=Phase.CAMPAIGN),
            tlp=Tlp.CLEAR,
            audience="public",
        )
        prev = messages[-1].digest if messages else None
        issued = NOW - dt.timedelta(seconds=len(names) - n)
        messages.append(sign(WORLD, bulletin(WORLD, issuer, seq=n + 1, prev=prev, say=say, issued=issued)))
    return messages


async def kept(store: Inbox) -> list[tuple[str, int]]:
    """Issuers with the number of their calendars that are kept."""
    sql = "SELECT issuer, count(*) FROM calendars GROUP BY issuer ORDER BY issuer"
    return await store.read(lambda db: [tuple(row) for row in db.execute(sql)])


async def test_of_one_authoritys_calendars_for_an_election_the_newest_are_kept(
    store: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it says one anew; the newest counts, and another authority's stay."""
    monkeypatch.setattr(projection, "MAX_OF_ELECTION", 3)
    await take(store, *calendars("xb-parl-2027", issuer="xb-emb"), *calendars(*["xa-parl-2027"] * 9))
    assert await kept(store) == [("xa-emb", 3), ("xb-emb", 1)]
    known = await store.read(elections.calendars)
    assert {(each.election, each.row.seq) for each in known} == {("xa-parl-2027", 9), ("xb-parl-2027", 1)}


async def test_who_invents_elections_pushes_out_its_own(
    store: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each look decodes is bounded, and another authority's calendar stays."""
    monkeypatch.setattr(projection, "MAX_CALENDARS", 4)
    invented = [f"xa-parl-2027-n{n:02}" for n in range(12)]
    await take(store, *calendars("xb-parl-2027", issuer="xb-emb"), *calendars(*invented))
    assert await kept(store) == [("xa-emb", 4), ("xb-emb", 1)]
    known = await store.read(elections.calendars)
    assert [each.election for each in known] == [*invented[-4:], "xb-parl-2027"]


async def test_a_calendar_that_is_not_the_newest_is_not_decoded(
    store: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look costs what it shows."""
    await take(store, *calendars(*["xa-parl-2027"] * 5))
    decoded: list[int] = []

    def noting(row: sqlite3.Row) -> Stored:
        decoded.append(row["seq"])
        return stored(row)

    monkeypatch.setattr("bus.hub.elections.stored", noting)
    assert len(await store.read(elections.calendars)) == 1
    assert decoded == [5]


async def test_the_end_of_a_much_amended_bulletin_is_found_without_reading_all_amendments(
    store: Inbox,
) -> None:
    """The first in order is taken from an index, so that a thousand updates of one bulletin cost a thousand steps."""
    first = chain(WORLD, 1)
    ref = Ref(id=first[0].bulletin.id, rel=RefRel.SUPERSEDES)
    update = draft("more", msg_type=MsgType.UPDATE, references=(ref,))
    await take(store, *goes_on(WORLD, first, [update] * 5))
    plan = await store.read(_plan)
    assert "TEMP B-TREE" not in plan
    assert "SCAN" not in plan
    ended = await store.read(
        lambda db: db.execute("SELECT ended_by FROM actual WHERE id = ?", (ref.id,)).fetchone()
    )
    assert ended["ended_by"] is not None


def _plan(db: sqlite3.Connection) -> str:
    found = db.execute(f"EXPLAIN QUERY PLAN {keeping.DIRECTLY}", ("[]",)).fetchall()
    found = [row for row in found if "json_each" not in row["detail"] and "SCAN j" not in row["detail"]]
    noted = db.execute(
        f"EXPLAIN QUERY PLAN {situation.NOTE_END.format('actual')}", ("b", "h", "t", "i", "s")
    ).fetchall()
    return "; ".join(row["detail"] for row in (*found, *noted))
