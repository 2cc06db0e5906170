"""Hubs of several countries compare, ask and help each other over carriers, whatever a union makes of what it carries."""

from __future__ import annotations

import datetime as dt
from itertools import product
from pathlib import Path

from bus.admission import contradiction
from bus.demo.federation import found
from bus.federation.plan import consumer_to
from bus.hub.exchange import missing
from bus.hub.exchange.requests import STREAM
from bus.hub.watch.alarms import recorded_alarms
from bus.transport.jetstream import js_api, publish
from schemas.bulletin import Draft
from schemas.envelope import SIG_HEADER
from schemas.vocab import Severity, Urgency
from tests.support.clocks import Clock
from tests.support.stage import Union, connected, federation, say, speaking
from tests.support.waiting import eventually, longest
from tests.support.watching import ME, PeerHub, beats_of, peer, voice
from tests.support.world import NOW, draft, goes_on

PATIENCE_S = 30.0
INTERVAL_S = 10  # of the heartbeats of `beats_of`


async def lets_through(union: Union, country: str, *priorities: str) -> None:
    """Who holds the union lets only these go to a country; the rest it withholds by their subjects."""
    place = f"WORLD_ACTUAL.{consumer_to(country)}"
    async with union.owner("union") as owner:
        config = (await js_api(owner, f"CONSUMER.INFO.{place}"))["config"]
        narrower = [
            f"{subject.removesuffix('>')}*.*.*.*.*.{priority}"
            for subject, priority in product(config["filter_subjects"], priorities)
        ]
        config = {**config, "filter_subjects": narrower}
        await js_api(owner, f"CONSUMER.CREATE.{place}", {"stream_name": "WORLD_ACTUAL", "config": config})


def grave(text: str) -> Draft:
    """What is not of the lowest priority, as a broker can tell by its subject: p3."""
    return draft(text, severity=Severity.MODERATE)


def pressing(text: str) -> Draft:
    """More so: p2."""
    return draft(text, severity=Severity.SEVERE, urgency=Urgency.IMMEDIATE)


async def copied(one: PeerHub) -> list[int]:
    """The numbers that a hub has from another: admitted, as everything is, and from no stream."""
    sql = "SELECT seq FROM admitted WHERE channel = ? AND stream = ? ORDER BY seq"
    return await one.store.read(lambda db: [row["seq"] for row in db.execute(sql, (ME, STREAM))])


async def noticed_in_time(one: PeerHub) -> bool:
    """Whether every alarm of the channel began within two heartbeats of the beginning."""
    rows = await one.store.read(lambda db: recorded_alarms(db, ended=True))
    return all(row.began - NOW <= dt.timedelta(seconds=2 * INTERVAL_S) for row in rows if row.channel == ME)


async def test_what_a_union_withholds_from_one_country_comes_from_another(tmp_path: Path) -> None:
    """Number 2 goes to XB alone: XC's hub notices within two heartbeats and has it from XB's; its author is gone."""
    async with federation(tmp_path, found(NOW)) as nations:
        clock = Clock(NOW)
        await lets_through(nations, "xc", "p4")
        async with (
            peer(nations.at["xb"], tmp_path, "xb-hub", clock) as whole,
            peer(nations.at["xc"], tmp_path, "xc-hub", clock) as lacking,
        ):
            said = goes_on(nations.at["xa"].world, [], [draft("one"), grave("two"), draft("three")])
            await say(nations.at["xa"], *said)
            await eventually(lambda: whole.holds(1, 2, 3))
            await eventually(lambda: lacking.waits_for(3))
            await whole.beats.beat(anyway=True)
            await eventually(lacking.has_heard)
            clock.pass_(1)  # and the hold-back is over
            await eventually(lambda: lacking.holds(1, 2, 3))
            await eventually(lacking.stands)
            assert await lacking.alarmed() == {"gap"}
            assert await noticed_in_time(lacking)
            assert await copied(lacking) == [2]


async def test_a_tail_that_a_union_withholds_from_one_country_is_missed_and_filled(tmp_path: Path) -> None:
    """The last two go to XB alone: XC's hub learns of them by what XB's says that it holds, and has them from there."""
    async with federation(tmp_path, found(NOW)) as nations:
        clock = Clock(NOW)
        await lets_through(nations, "xc", "p4")
        async with (
            peer(nations.at["xb"], tmp_path, "xb-hub", clock) as whole,
            peer(nations.at["xc"], tmp_path, "xc-hub", clock) as lacking,
        ):
            async with speaking(nations.at["xa"], tmp_path / "author.db", clock=clock) as author:
                await author.publish(draft("one"))
                await beats_of(author).beat(anyway=True)
                for text in ("two", "three"):
                    await author.publish(grave(text))
                assert await author.idle(longest())
            await eventually(lambda: whole.holds(1, 2, 3))
            await eventually(lambda: heard(lacking, 1))
            await eventually(lambda: lacking.holds(1))
            await whole.beats.beat(anyway=True)
            await eventually(lacking.has_heard)
            clock.pass_(INTERVAL_S / 2)  # what is announced is overdue
            await eventually(lambda: lacking.holds(1, 2, 3))
            await eventually(lacking.stands)
            assert await lacking.alarmed() == {"tail"}
            assert await noticed_in_time(lacking)
            assert await copied(lacking) == [2, 3]


async def test_two_histories_that_a_union_tells_apart_are_noticed_and_proved(tmp_path: Path) -> None:
    """Whoever has the author's key and the union shows XB and XC a number 2 each: both hubs come to hold the proof."""
    async with federation(tmp_path, found(NOW)) as nations:
        world, clock = nations.at["xa"].world, Clock(NOW)
        await lets_through(nations, "xb", "p4", "p3")
        await lets_through(nations, "xc", "p4", "p2")
        one = goes_on(world, [], [draft("one"), grave("two"), grave("three")])
        other = goes_on(world, one[:1], [pressing("another two"), pressing("another three")])
        async with (
            peer(nations.at["xb"], tmp_path, "xb-hub", clock) as first,
            peer(nations.at["xc"], tmp_path, "xc-hub", clock) as second,
        ):
            await say(nations.at["xa"], *one, *other[1:])
            for each in (first, second):
                await eventually(lambda each=each: each.holds(1, 2, 3))  # type: ignore[misc]  # bound now
                assert await each.alarmed() == set()
            await first.beats.beat(anyway=True)
            await second.beats.beat(anyway=True)
            for each in (first, second):
                await eventually(each.proofs)
                await eventually(lambda each=each: each.stands("fork"))  # type: ignore[misc]  # bound now
                assert await each.alarmed() == {"split", "fork"}
                assert await noticed_in_time(each)
                for raw in await each.proofs():
                    proved = contradiction.judge_proof(raw, registry=world.registry, now=clock())
                    assert str(proved.channel) == ME


async def test_a_country_that_is_cut_off_accuses_nobody_and_is_helped_when_it_is_joined_again(
    tmp_path: Path,
) -> None:
    """Silence alone is new to it; what it asked for meanwhile comes then; those who were not cut off see nothing wrong."""
    async with federation(tmp_path, found(NOW)) as nations:
        clock = Clock(NOW)
        await lets_through(nations, "xc", "p4")
        async with (
            speaking(nations.at["xa"], tmp_path / "author.db", clock=clock) as author,
            peer(nations.at["xb"], tmp_path, "xb-hub", clock) as near,
            peer(nations.at["xc"], tmp_path, "xc-hub", clock) as away,
        ):
            beats = beats_of(author)
            for each in (draft("one"), grave("two"), draft("three")):
                await author.publish(each)
            await eventually(lambda: near.holds(1, 2, 3))
            await eventually(lambda: away.waits_for(3))
            for pulse in (beats, near.beats):
                await pulse.beat(anyway=True)
            await eventually(away.has_heard)
            await eventually(lambda: heard(away, 1))
            await nations.joins.cut("xc")
            await author.publish(draft("four"))
            for n in (2, 3):
                clock.pass_(INTERVAL_S * 1.5)  # it is late, and not silent yet
                await beats.beat(anyway=True)
                await eventually(lambda n=n: heard(near, n))  # type: ignore[misc]  # bound now
            for pulse in (near.beats, away.beats):
                await pulse.beat(anyway=True)
            await eventually(lambda: away.stands("gap", "silent"))
            await eventually(lambda: has_asked(away, 2))
            assert await away.numbers() == [1, 3]
            await nations.joins.mend("xc")
            await eventually(lambda: away.holds(1, 2, 3, 4))
            await eventually(away.stands)
            assert await away.alarmed() == {"gap", "silent"}
            assert await near.alarmed() == set()
            assert await copied(away) == [2]


async def test_an_author_that_is_asked_from_abroad_is_heard_there_again(tmp_path: Path) -> None:
    """A country's broker has lost number 2 in the midst: the carriers have carried it once, and carry it once more."""
    async with federation(tmp_path, found(NOW)) as nations:
        home, away = nations.at["xa"], nations.at["xc"]
        clock = Clock(NOW)
        async with (
            voice(home, tmp_path / "author.db", "xa-csirt", clock) as author,
            nations.owner("xc") as owner,
        ):
            for text in ("one", "two", "three"):
                await author.publish(draft(text))

            async def have(count: int) -> bool:
                info = await js_api(owner, "STREAM.INFO.XA-CSIRT_ACTUAL")
                return bool(info["state"]["messages"] == count)

            await eventually(lambda: have(3))
            await away.lose("XA-CSIRT_ACTUAL", "WORLD_ACTUAL")
            third, _, first = await author.outbox.rows(status="actual")
            async with connected(nations.joins.carriers["xc"].endpoints["xc"]) as hands:
                for row in (first, third, third):
                    signature = {SIG_HEADER: row.header_map()[SIG_HEADER]}
                    await publish(hands, row.subject, row.payload, signature, longest())
            async with peer(away, tmp_path, "xc-hub", clock) as lacking:
                await eventually(lambda: lacking.waits_for(3))
                clock.pass_(1)  # and the hold-back is over
                await eventually(lambda: lacking.holds(1, 2, 3))
                await eventually(lacking.stands)
                assert await lacking.alarmed() == {"gap"}
                assert await copied(lacking) == []


async def heard(one: PeerHub, count: int) -> bool:
    """Whether so many heartbeats of the author have come."""
    channel = ME.replace("/actual.", "/beat.")
    sql = "SELECT count(*) FROM admitted WHERE channel = ?"
    return await one.store.read(lambda db: bool(db.execute(sql, (channel,)).fetchone()[0] == count))


async def has_asked(one: PeerHub, number: int) -> bool:
    """Whether a hub has asked for a bulletin."""
    return (ME, number, None) in await one.store.read(missing.asked)
