"""Hubs of several countries compare, ask and help each other over carriers, whatever a union makes of what it carries."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path

import msgspec
import pytest

from bus.admission import contradiction
from bus.demo.federation import COUNTRIES, Joined, found, joined
from bus.federation.plan import consumer_to
from bus.hub.exchange import missing
from bus.hub.exchange.requests import STREAM
from bus.hub.watch.alarms import alarms
from bus.transport.connection import Connection
from bus.transport.jetstream import js_api, publish
from schemas.bulletin import Draft
from schemas.envelope import SIG_HEADER
from schemas.vocab import Severity, Urgency
from tests.integration.conftest import Bus
from tests.integration.test_federation import provisioner
from tests.integration.test_heartbeats import Clock, beats_of, lose
from tests.integration.test_peers import ME, Hub, brought, hub, is_, voice
from tests.integration.test_publisher import speaking
from tests.integration.test_subscriber import until
from tests.worlds import NOW, World, draft, goes_on

PATIENCE_S = 30.0
INTERVAL_S = 10  # of the heartbeats of `beats_of`

pytestmark = pytest.mark.timeout(120)


class Federation(msgspec.Struct, frozen=True, kw_only=True):
    """Three countries and a union: the broker of each, as one that a test of a single broker has."""

    joins: Joined
    at: dict[str, Bus]

    async def lets_through(self, country: str, *priorities: str) -> None:
        """Whoever holds the union lets only these go to a country; the rest it withholds by their subjects."""
        place = f"WORLD_ACTUAL.{consumer_to(country)}"
        async with provisioner(self.joins, "union") as owner:
            config = (await js_api(owner, f"CONSUMER.INFO.{place}"))["config"]
            narrower = [
                f"{each.removesuffix('>')}*.*.*.*.*.{priority}"
                for each, priority in product(config["filter_subjects"], priorities)
            ]
            config = {**config, "filter_subjects": narrower}
            await js_api(owner, f"CONSUMER.CREATE.{place}", {"stream_name": "WORLD_ACTUAL", "config": config})


@asynccontextmanager
async def federation(folder: Path) -> AsyncIterator[Federation]:
    """All of it, running, and the carriers with it."""
    founded = found(NOW)
    world = World(now=NOW, pin=founded.registry.digest, **msgspec.structs.asdict(founded))
    async with joined(folder, founded) as joins:
        yield Federation(
            joins=joins,
            at={
                cc: Bus(
                    world=world,
                    server=joins.servers[cc],
                    provisioner=joins.provisioners[cc],
                    seat=joins.seats[cc],
                )
                for cc in COUNTRIES
            },
        )


def grave(text: str) -> Draft:
    """What is not of the lowest priority, as a broker can tell by its subject: p3."""
    return draft(text, severity=Severity.MODERATE)


def pressing(text: str) -> Draft:
    """More so: p2."""
    return draft(text, severity=Severity.SEVERE, urgency=Urgency.IMMEDIATE)


async def copied(one: Hub) -> list[int]:
    """The numbers that a hub has from another: admitted, as everything is, and from no stream."""
    sql = "SELECT seq FROM admitted WHERE channel = ? AND stream = ? ORDER BY seq"
    return await one.store.read(lambda db: [row["seq"] for row in db.execute(sql, (ME, STREAM))])


async def noticed_in_time(one: Hub) -> bool:
    """Whether every alarm of the channel began within two heartbeats of the beginning."""
    rows = await one.store.read(lambda db: alarms(db, ended=True))
    return all(row.began - NOW <= dt.timedelta(seconds=2 * INTERVAL_S) for row in rows if row.channel == ME)


async def test_what_a_union_withholds_from_one_country_comes_from_another(tmp_path: Path) -> None:
    """Number 2 goes to XB alone: XC's hub notices within two heartbeats and has it from XB's; its author is gone."""
    async with federation(tmp_path) as nations:
        clock = Clock(nations.at["xa"])
        await nations.lets_through("xc", "p4")
        async with (
            hub(nations.at["xb"], tmp_path, "xb-hub", clock) as whole,
            hub(nations.at["xc"], tmp_path, "xc-hub", clock) as lacking,
        ):
            said = goes_on(nations.at["xa"].world, [], [draft("one"), grave("two"), draft("three")])
            await brought(nations.at["xa"], said)
            await until(lambda: whole.holds(1, 2, 3), PATIENCE_S)
            await until(lambda: lacking.waits_for(3), PATIENCE_S)
            await whole.beats.beat(anyway=True)
            await until(lacking.has_heard, PATIENCE_S)
            clock.pass_(1)  # and the hold-back is over
            await until(lambda: lacking.holds(1, 2, 3), PATIENCE_S)
            await until(lambda: is_(lacking.stands(), set()))
            assert await lacking.alarmed() == {"gap"}
            assert await noticed_in_time(lacking)
            assert await copied(lacking) == [2]


async def test_a_tail_that_a_union_withholds_from_one_country_is_missed_and_filled(tmp_path: Path) -> None:
    """The last two go to XB alone: XC's hub learns of them by what XB's says that it holds, and has them from there."""
    async with federation(tmp_path) as nations:
        clock = Clock(nations.at["xa"])
        await nations.lets_through("xc", "p4")
        async with (
            hub(nations.at["xb"], tmp_path, "xb-hub", clock) as whole,
            hub(nations.at["xc"], tmp_path, "xc-hub", clock) as lacking,
        ):
            async with speaking(nations.at["xa"], tmp_path / "author.db", clock=clock) as author:
                await author.publish(draft("one"))
                await beats_of(author).beat(anyway=True)
                for text in ("two", "three"):
                    await author.publish(grave(text))
                assert await author.idle(10)
            await until(lambda: whole.holds(1, 2, 3), PATIENCE_S)
            await until(lambda: heard(lacking, 1), PATIENCE_S)
            await until(lambda: lacking.holds(1), PATIENCE_S)
            await whole.beats.beat(anyway=True)
            await until(lacking.has_heard, PATIENCE_S)
            clock.pass_(INTERVAL_S / 2)  # what is announced is overdue
            await until(lambda: lacking.holds(1, 2, 3), PATIENCE_S)
            await until(lambda: is_(lacking.stands(), set()))
            assert await lacking.alarmed() == {"tail"}
            assert await noticed_in_time(lacking)
            assert await copied(lacking) == [2, 3]


async def test_two_histories_that_a_union_tells_apart_are_noticed_and_proved(tmp_path: Path) -> None:
    """Whoever has the author's key and the union shows XB and XC a number 2 each: both hubs come to hold the proof."""
    async with federation(tmp_path) as nations:
        world, clock = nations.at["xa"].world, Clock(nations.at["xa"])
        await nations.lets_through("xb", "p4", "p3")
        await nations.lets_through("xc", "p4", "p2")
        one = goes_on(world, [], [draft("one"), grave("two"), grave("three")])
        other = goes_on(world, one[:1], [pressing("another two"), pressing("another three")])
        async with (
            hub(nations.at["xb"], tmp_path, "xb-hub", clock) as first,
            hub(nations.at["xc"], tmp_path, "xc-hub", clock) as second,
        ):
            await brought(nations.at["xa"], [*one, *other[1:]])
            for each in (first, second):
                await until(lambda each=each: each.holds(1, 2, 3), PATIENCE_S)  # type: ignore[misc]  # bound now
                assert await each.alarmed() == set()
            await first.beats.beat(anyway=True)
            await second.beats.beat(anyway=True)
            for each in (first, second):
                await until(each.proofs, PATIENCE_S)
                await until(lambda each=each: is_(each.stands(), {"fork"}))  # type: ignore[misc]  # bound now
                assert await each.alarmed() == {"split", "fork"}
                assert await noticed_in_time(each)
                for raw in await each.proofs():
                    proved = contradiction.judge(raw, registry=world.registry, now=clock())
                    assert str(proved.channel) == ME


async def test_a_country_that_is_cut_off_accuses_nobody_and_is_helped_when_it_is_joined_again(
    tmp_path: Path,
) -> None:
    """Silence alone is new to it; what it asked for meanwhile comes then; those who were not cut off see nothing wrong."""
    async with federation(tmp_path) as nations:
        clock = Clock(nations.at["xa"])
        await nations.lets_through("xc", "p4")
        async with (
            speaking(nations.at["xa"], tmp_path / "author.db", clock=clock) as author,
            hub(nations.at["xb"], tmp_path, "xb-hub", clock) as near,
            hub(nations.at["xc"], tmp_path, "xc-hub", clock) as away,
        ):
            beats = beats_of(author)
            for each in (draft("one"), grave("two"), draft("three")):
                await author.publish(each)
            await until(lambda: near.holds(1, 2, 3), PATIENCE_S)
            await until(lambda: away.waits_for(3), PATIENCE_S)
            for pulse in (beats, near.beats):
                await pulse.beat(anyway=True)
            await until(away.has_heard, PATIENCE_S)
            await until(lambda: heard(away, 1), PATIENCE_S)
            await nations.joins.cut("xc")
            await author.publish(draft("four"))
            for n in (2, 3):
                clock.pass_(INTERVAL_S * 1.5)  # it is late, and not silent yet
                await beats.beat(anyway=True)
                await until(lambda n=n: heard(near, n), PATIENCE_S)  # type: ignore[misc]  # bound now
            for pulse in (near.beats, away.beats):
                await pulse.beat(anyway=True)
            await until(lambda: is_(away.stands(), {"gap", "silent"}))
            await until(lambda: has_asked(away, 2))
            assert await away.numbers() == [1, 3]
            await nations.joins.mend("xc")
            await until(lambda: away.holds(1, 2, 3, 4), PATIENCE_S)
            await until(lambda: is_(away.stands(), set()), PATIENCE_S)
            assert await away.alarmed() == {"gap", "silent"}
            assert await near.alarmed() == set()
            assert await copied(away) == [2]


async def test_an_author_that_is_asked_from_abroad_is_heard_there_again(tmp_path: Path) -> None:
    """A country's broker has lost number 2 in the midst: the carriers have carried it once, and carry it once more."""
    async with federation(tmp_path) as nations:
        home, away = nations.at["xa"], nations.at["xc"]
        clock = Clock(home)
        async with (
            voice(home, tmp_path / "author.db", "xa-csirt", clock) as author,
            provisioner(nations.joins, "xc") as owner,
        ):
            for text in ("one", "two", "three"):
                await author.publish(draft(text))

            async def have(count: int) -> bool:
                info = await js_api(owner, "STREAM.INFO.XA_ACTUAL")
                return bool(info["state"]["messages"] == count)

            await until(lambda: have(3), PATIENCE_S)
            await lose(away, "XA_ACTUAL", "WORLD_ACTUAL")
            third, _, first = await author.outbox.rows(status="actual")
            async with Connection.open(nations.joins.carriers["xc"].endpoints["xc"]) as hands:
                await hands.until_connected(5)
                for row in (first, third, third):
                    await publish(hands, row.subject, row.payload, {SIG_HEADER: row.header_map()[SIG_HEADER]})
            async with hub(away, tmp_path, "xc-hub", clock) as lacking:
                await until(lambda: lacking.waits_for(3), PATIENCE_S)
                clock.pass_(1)  # and the hold-back is over
                await until(lambda: lacking.holds(1, 2, 3), PATIENCE_S)
                await until(lambda: is_(lacking.stands(), set()))
                assert await lacking.alarmed() == {"gap"}
                assert await copied(lacking) == []


async def heard(one: Hub, count: int) -> bool:
    """Whether so many heartbeats of the author have come."""
    channel = ME.replace("/actual.", "/system.")
    sql = "SELECT count(*) FROM admitted WHERE channel = ?"
    return await one.store.read(lambda db: bool(db.execute(sql, (channel,)).fetchone()[0] == count))


async def has_asked(one: Hub, number: int) -> bool:
    """Whether a hub has asked for a bulletin."""
    return (ME, number, None) in await one.store.read(missing.asked)
