"""A store's channels: heartbeats compared with received bulletins, recorded alarms, uptime."""

from __future__ import annotations

import datetime as dt
import itertools
import sqlite3
from pathlib import Path

import msgspec
import pytest

from bus.hub.picture import summary
from bus.hub.picture.projection import MAX_HEADS, Projection
from bus.hub.watch import alarms, holdings, watch
from bus.hub.watch.alarms import Condition
from bus.hub.watch.channels import ChannelRow, channel_rows, real
from bus.hub.watch.liveness import Alarm, Liveness, Reason, Signs, state_of
from bus.hub.watch.watch import look_at
from bus.publishing import heartbeat
from bus.subscribing.inbox import Inbox
from bus.trust.grants import granted
from schemas.bodies.system import Head, HeldHead
from schemas.registry import PublishGrant
from schemas.subject import Channel
from schemas.vocab import ChannelState, Status, Tlp
from tests.support.hubs import beat, judged
from tests.support.watching import ME
from tests.support.world import NOW, Message, bulletin, chain, draft, shared_world, sign

WORLD = shared_world()
GREEN = Channel(issuer="xa-csirt", status=Status.SYSTEM, tlp=Tlp.GREEN, audience="community")
NAME = "actual.green.community"
CHAIN = chain(WORLD, 6)


def head(message: Message, channel: str = NAME) -> Head:
    """The head that a bulletin is."""
    return Head(channel=channel, seq=message.bulletin.seq, digest=message.digest)


async def take(store: Inbox, *messages: Message, later: float = 0.0) -> None:
    """Take messages in and hold nothing back any longer."""
    now = NOW + dt.timedelta(seconds=later)
    await store.settle([judged(each, now=now) for each in messages], None, None, now)
    await store.release(now + dt.timedelta(minutes=1))


async def found(store: Inbox, later: float = 0.0) -> dict[str, list[str]]:
    """The reasons of the alarms by channel, so much later."""
    now = NOW + dt.timedelta(seconds=later)
    seen = await store.read(lambda db: look_at(db, now, WORLD.registry, "xb-hub"))
    by_channel: dict[str, list[str]] = {}
    for each in seen.alarms:
        by_channel.setdefault(each.channel, []).append(str(each.reason))
    return by_channel


async def row_of(store: Inbox, later: float = 0.0, name: str = ME) -> ChannelRow:
    """One channel, so much later."""
    now = NOW + dt.timedelta(seconds=later)
    rows = await store.read(lambda db: channel_rows(db, now, WORLD.registry, "xb-hub"))
    return next(row for row in rows if row.name == name)


@pytest.fixture
async def store(tmp_path: Path):  # type: ignore[no-untyped-def]  # an async fixture
    """A hub's store."""
    async with Inbox.open(tmp_path / "store.db", projector=Projection(), hold_s=0.0) as opened:
        yield opened


async def test_a_cut_tail_is_an_alarm_until_it_comes(store: Inbox) -> None:
    """Announced and undelivered bulletins raise an alarm after a short grace; it ends with the bulletins."""
    await take(store, CHAIN[0], beat(head(CHAIN[2])))
    assert await found(store) == {}
    assert await found(store, 31) == {ME: ["tail"]}
    assert (await row_of(store, 31)).announced == 2
    await take(store, CHAIN[1], later=32)
    assert await found(store, 33) == {ME: ["tail"]}
    await take(store, CHAIN[2], later=34)
    assert await found(store, 35) == {}


async def test_a_busy_channel_withheld_whole_is_no_less_an_alarm(store: Inbox) -> None:
    """Each heartbeat names a newer head; the clock runs from the first that has not come."""
    first = beat(head(CHAIN[1]))
    second = beat(head(CHAIN[4]), seq=2, prev=first.digest)
    await take(store, first)
    await take(store, second, later=25)
    assert await found(store, 31) == {ME: ["tail"]}


async def test_a_hole_is_an_alarm_that_names_the_numbers(store: Inbox) -> None:
    """Found by the chain alone, without any heartbeat."""
    await take(store, CHAIN[0])
    await take(store, CHAIN[3])
    assert await found(store) == {ME: ["gap"]}
    seen = await store.read(lambda db: look_at(db, NOW, WORLD.registry, "xb-hub"))
    assert "number 2 to 3" in seen.alarms[0].detail


async def test_a_heartbeat_far_ahead_does_not_silence_the_alarm_about_silence(store: Inbox) -> None:
    """A stolen key says, with a number of much later, that silence is planned: it counts until the authority is heard again.

    On status beat nothing is missing between two numbers, so no other alarm would stand for it.
    """
    channel = Channel(issuer="xa-csirt", status=Status.BEAT, tlp=Tlp.GREEN, audience="community")

    async def say(seq: int, prev: str | None, later: float, interval_s: int, state: ChannelState) -> str:
        issued = NOW + dt.timedelta(seconds=later)
        wording = heartbeat.draft(channel, (), interval_s, issued, state=state)
        message = sign(WORLD, bulletin(WORLD, seq=seq, prev=prev, issued=issued, say=wording))
        await take(store, message, later=later)
        return message.digest

    first = await say(1, None, 0, 60, ChannelState.UP)
    await say(10**9, "A" * 43, 61, 86_400, ChannelState.PLANNED_OUTAGE)
    assert (await row_of(store, 62)).state is Liveness.PLANNED
    await say(2, first, 120, 60, ChannelState.UP)
    row = await row_of(store, 121)
    assert (row.state, row.said) == (Liveness.LIVE, None)
    assert row.interval_s == WORLD.registry.authority("xa-csirt").heartbeat_s
    assert (await found(store, 121 + 3 * row.interval_s))[ME] == ["silent"]


async def test_a_beginning_that_is_no_longer_kept_is_no_alarm(store: Inbox) -> None:
    """A reader that came later, and a head from before its time."""
    await take(store, CHAIN[3], CHAIN[4], beat(head(CHAIN[1])))
    assert await found(store, 40) == {}


@pytest.mark.parametrize("order", [*itertools.permutations(range(2))])
async def test_a_head_that_is_not_what_is_held_is_a_fork(store: Inbox, order: tuple[int, ...]) -> None:
    """The authority told its readers two things; whichever of them comes first."""
    other = sign(WORLD, bulletin(WORLD, say=draft("the other one")))
    come = (CHAIN[0], beat(head(other)))
    for n in order:
        await take(store, come[n])
    assert await found(store) == {ME: ["fork", "split"]}
    assert (await row_of(store)).forks == 1


async def test_nobody_is_alarmed_about_what_it_may_not_read(store: Inbox) -> None:
    """A heartbeat that names a channel elsewhere, or none at all, is refused; what it names is missed by nobody."""
    strange = Head(channel="actual.amber-strict.eu-dpas", seq=9, digest="A" * 43)
    await take(store, beat(strange), beat(Head(channel="no channel", seq=9, digest="A" * 43)))
    assert await found(store, 40) == {}
    assert [each.reason for each in await store.read(lambda db: summary.quarantine(db, 9))] == [
        "rule:R31",
        "rule:R31",
    ]


async def test_of_a_channels_heads_the_last_are_kept_and_the_first_contradictions(store: Inbox) -> None:
    """However many its issuer announces; a contradiction is not hidden by what it announces after."""
    other = sign(WORLD, bulletin(WORLD, say=draft("the other one")))
    prev, beats = None, []
    for n in range(1, 3 * MAX_HEADS):
        named = head(other) if n == 1 else Head(channel=NAME, seq=100 + n, digest="A" * 43)
        beats.append(beat(named, seq=n, prev=prev))
        prev = beats[-1].digest
    await take(store, CHAIN[0], *beats)
    rows = await store.read(lambda db: db.execute("SELECT seq FROM announced_heads ORDER BY seq").fetchall())
    assert [row["seq"] for row in rows] == [1, *range(100 + 2 * MAX_HEADS, 100 + 3 * MAX_HEADS)]
    assert "fork" in (await found(store))[ME]


async def test_a_look_costs_what_is_kept_and_not_what_was_said(
    store: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times as many claims, each of which pushes out another: the statements of a look run as many steps as before."""
    monkeypatch.setattr(holdings, "MAX_CLAIMS", 50)

    async def steps(first: int, count: int) -> int:
        def work(db: sqlite3.Connection) -> None:
            for n in range(first, first + count):
                name = f"xa-o{n}/actual.green.community"
                holdings.note(
                    db, "xa-hub", (HeldHead(channel=name, seq=9, digest="A" * 43),), "green.community", n, 0.0
                )

        await store.write(work)

        def look(db: sqlite3.Connection) -> int:
            taken = [0]
            db.set_progress_handler(lambda: taken.__setitem__(0, taken[0] + 1), 1)
            look_at(db, NOW, WORLD.registry, "xb-hub")
            db.set_progress_handler(None, 0)
            return taken[0]

        return await store.read(look)

    few = await steps(1, 100)
    assert abs(await steps(101, 1000) - few) <= few // 10


async def test_what_was_refused_is_not_missing(store: Inbox) -> None:
    """A bulletin that broke a rule was delivered: that it is refused is another matter, and its place is taken."""
    broken = sign(WORLD, bulletin(WORLD, expires=NOW - dt.timedelta(days=1)))
    await take(store, broken, beat(head(broken)))
    assert [each.reason for each in await store.read(lambda db: summary.quarantine(db, 9))] == ["rule:R5"]
    assert await found(store, 40) == {}


async def test_silence_is_an_alarm_of_the_actual_channel(store: Inbox) -> None:
    """Late is none yet; silent is one; a bulletin or a heartbeat ends it."""
    await take(store, beat())
    assert (await row_of(store, 61)).state == "late"
    assert await found(store, 61) == {}
    assert await found(store, 121) == {ME: ["silent"]}


async def test_planned_silence_is_no_alarm_while_it_lasts(store: Inbox) -> None:
    """It is none until the announced end."""
    until = NOW + dt.timedelta(hours=2)
    await take(store, CHAIN[0], beat(state=ChannelState.PLANNED_OUTAGE, until=until))
    assert (await row_of(store, 7000)).state == "planned"
    assert await found(store, 7000) == {}
    assert await found(store, 7200 + 121) == {ME: ["silent"]}


async def test_who_may_not_send_heartbeats_is_not_blamed_for_silence(store: Inbox) -> None:
    """Its bulletins are all there is to judge by; no registry promises more."""
    document = WORLD.registry.document
    record = document.authorities["xa-csirt"]
    spoken = tuple(grant for grant in record.publish if Status.SYSTEM not in grant.statuses)
    assert all(isinstance(each, PublishGrant) for each in spoken)
    mute = msgspec.structs.replace(
        document,
        authorities={**document.authorities, "xa-csirt": msgspec.structs.replace(record, publish=spoken)},
    )
    registry = object.__new__(type(WORLD.registry))
    ways = {**WORLD.registry.__dict__["_publishes"], "xa-csirt": granted(spoken)}
    registry.__dict__.update(WORLD.registry.__dict__, document=mute, _publishes=ways)
    await take(store, CHAIN[0])
    hour = NOW + dt.timedelta(hours=1)
    seen = await store.read(lambda db: look_at(db, hour, registry, "xb-hub"))
    assert seen.alarms == ()
    assert next(row for row in seen.rows if row.name == ME).state == "silent"


async def test_a_drill_is_judged_by_itself(store: Inbox) -> None:
    """What is missing in an exercise is an alarm of the exercise, and the picture counts the actual channels alone."""
    drill = [
        sign(WORLD, bulletin(WORLD, seq=n, prev=p, say=draft("drill", status=Status.EXERCISE, exercise_id="autumn")))
        for n, p in ((1, None), (3, "A" * 43))
    ]  # fmt: skip
    await take(store, *drill)
    assert await found(store) == {"xa-csirt/exercise.green.community": ["gap"]}
    picture = await store.read(lambda db: summary.picture(db, NOW, WORLD.registry, "xb-hub"))
    actual = await store.read(lambda db: look_at(db, NOW, WORLD.registry, "xb-hub").conditions)
    assert sum(picture.channels_by_state.values()) == len(actual)
    assert not any("exercise" in name for name in actual)


async def test_the_order_of_arrival_does_not_matter(tmp_path: Path) -> None:
    """Bulletins and heartbeats in any order, and made anew from the signed bytes: the same channels."""
    first = beat(head(CHAIN[1]))
    come = [CHAIN[0], CHAIN[1], first, beat(head(CHAIN[2]), seq=2, prev=first.digest)]
    results = set()
    for n, order in enumerate(itertools.permutations(come)):
        async with Inbox.open(tmp_path / f"{n}.db", projector=Projection(), hold_s=0.0) as opened:
            await take(opened, *order)
            results.add(msgspec.json.encode(await row_of(opened, 40)))
            await opened.rebuild()
            results.add(msgspec.json.encode(await row_of(opened, 40)))
    assert len(results) == 1


async def test_a_record_outlives_the_picture(store: Inbox) -> None:
    """Alarms are history: recorded at their begin and end, and not rebuilt with the picture."""
    silent = Alarm(channel=ME, reason=Reason.SILENT, detail="nothing heard")
    await store.write(lambda db: alarms.record_alarms(db, [silent], [], 10.0))
    await store.rebuild()
    assert await store.read(alarms.standing) == {(ME, Reason.SILENT)}
    await store.write(lambda db: alarms.record_alarms(db, [], [(ME, Reason.SILENT)], 20.0))
    await store.write(lambda db: alarms.record_alarms(db, [silent], [], 30.0))
    every = await store.read(lambda db: alarms.recorded_alarms(db, ended=True))
    assert [(each.began.timestamp(), each.ended and each.ended.timestamp()) for each in every] == [
        (30.0, None),
        (10.0, 20.0),
    ]
    assert len(await store.read(lambda db: alarms.recorded_alarms(db, ended=False))) == 1


async def test_who_comes_and_goes_fills_no_record(store: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its last alarms and states are kept; those of another channel stay."""
    monkeypatch.setattr(alarms, "MOST_ALARMS", 3)
    monkeypatch.setattr(alarms, "MOST_SPANS", 4)
    silent = Alarm(channel=ME, reason=Reason.SILENT, detail="nothing heard")
    other = msgspec.structs.replace(silent, channel="xb-csirt/actual.green.community")

    def comes_and_goes(db: sqlite3.Connection) -> None:
        alarms.record_alarms(db, [other], [(other.channel, Reason.SILENT)], 0.0)
        for n in range(20):
            alarms.record_alarms(db, [silent], [], float(n))
            alarms.record_alarms(db, [], [(ME, Reason.SILENT)], float(n))
            alarms.record_spans(db, {ME: Condition("none", str(n))}, float(n))

    await store.write(comes_and_goes)
    rows = await store.read(lambda db: alarms.recorded_alarms(db, ended=True))
    assert [row.channel for row in rows].count(ME) <= 4
    assert other.channel in [row.channel for row in rows]
    spans = await store.read(lambda db: [row[0] for row in db.execute("SELECT state FROM spans ORDER BY n")])
    assert spans == ["16", "17", "18", "19"]


CULPRIT = ("WORLD_ACTUAL", "xa-csirt")


def test_a_stream_that_stays_incomplete_is_read_again_less_and_less() -> None:
    """At once, then after waits that double up to a day."""
    again: dict[watch.Culprit, watch.Again] = {}
    moments = []
    for moment in range(0, 3 * 86_400, 60):
        due, again = watch.read_again({CULPRIT}, again, float(moment))
        moments += [moment] * len(due)
    assert moments[:4] == [0, 900, 2700, 6300]
    assert len(moments) == 9
    assert watch.read_again({CULPRIT}, {}, 9.0)[0] == ["WORLD_ACTUAL"]


def test_a_hole_made_and_filled_each_minute_has_a_stream_read_no_more_often() -> None:
    """The wait outlives its cause; another authority's hole has its own wait; a calm week resets it."""
    again: dict[watch.Culprit, watch.Again] = {}
    moments = []
    for moment in range(0, 3 * 86_400, 30):
        due, again = watch.read_again({CULPRIT} if moment % 60 else set(), again, float(moment))
        moments += [moment] * len(due)
    assert len(moments) == 9
    last = float(moments[-1])
    other = {("WORLD_ACTUAL", "xb-csirt")}
    assert watch.read_again(other, again, last + watch.AGAIN_S[0])[0] == ["WORLD_ACTUAL"]
    calm = watch.read_again(set(), again, 3 * 86_400 + watch.CALM_S)
    assert calm == ([], {})


def test_who_claims_that_something_of_everybody_is_missing_has_a_stream_read_four_times_an_hour() -> None:
    """A lie about each of many authorities is a first hole for each of them; the stream rests all the same."""
    again: dict[watch.Culprit, watch.Again] = {}
    moments = []
    for moment in range(0, 86_400, 60):
        lacking = {("WORLD_ACTUAL", f"xa-o{moment // 60}")}
        due, again = watch.read_again(lacking, again, float(moment))
        moments += [moment] * len(due)
    assert len(moments) == 96


async def test_uptime_counts_what_was_watched(store: Inbox) -> None:
    """Uptime is by phase; time without a running hub does not count."""
    during, calm = Condition("during", "live"), Condition("none", "live")
    looks = [
        (0, during),
        (30, during),
        (60, Condition("during", "silent")),
        (70, calm),
        (80, calm),
        (5000, calm),
    ]
    for moment, condition in looks:
        await store.write(lambda db, m=moment, c=condition: alarms.record_spans(db, {ME: c}, float(m)))  # type: ignore[misc]
    assert await store.read(alarms.uptimes) == {ME: {"during": round(60 / 70 * 1e6), "none": 1_000_000}}


def test_heartbeats_stand_beside_no_channel_that_they_keep_alive() -> None:
    """A system channel is shown for itself where there is no actual one, or when something is wrong with it."""
    names = (
        "xa-emb/actual.green.all",
        "xa-emb/system.green.all",
        "xa-emb/exercise.green.all",
        "xa-hub/system.green.all",
    )
    rows = [
        ChannelRow(authority=name.partition("/")[0], channel=name.partition("/")[2], state=Liveness.LIVE)
        for name in names
    ]
    assert [row.name for row in real(rows)] == [names[0], names[3]]
    rows[1] = msgspec.structs.replace(rows[1], gaps=1)
    assert [row.name for row in real(rows)] == [names[0], names[1], names[3]]


async def test_nothing_is_missing_between_heartbeats(store: Inbox) -> None:
    """Their stream keeps the newest: they are admitted at once, in whatever order, without a label, a gap or an alarm."""
    numbers = (40, 47, 44)
    said = [beat(seq=n, prev="A" * 43) for n in numbers]
    outcome = await store.settle([judged(each) for each in said], None, None, NOW)
    assert outcome["admitted"] == len(numbers)
    rows = await store.read(lambda db: db.execute("SELECT labels FROM admitted").fetchall())
    assert [row["labels"] for row in rows] == ["[]"] * len(numbers)
    seen = await store.read(lambda db: look_at(db, NOW, WORLD.registry, "xb-hub"))
    assert seen.alarms == ()
    assert all(row.gaps == 0 for row in seen.rows)


async def test_another_heartbeat_at_a_place_is_a_contradiction(store: Inbox) -> None:
    """A dropped heartbeat is not requested; held ones are judged as before."""
    await take(store, beat(seq=40, prev="A" * 43), beat(seq=40, prev="B" * 43))
    (name,) = await store.read(
        lambda db: [row["channel"] for row in db.execute("SELECT channel FROM channels")]
    )
    assert (await found(store))[name] == ["fork"]


async def test_what_is_held_is_said_again_once_in_a_while(store: Inbox) -> None:
    """A reader that was away has only the newest heartbeats."""
    await take(store, *CHAIN[:2])
    holding = holdings.Holdings("xb-hub", store)
    channel = Channel(issuer="xb-hub", status=Status.BEAT, tlp=Tlp.GREEN, audience="community")
    told = []
    for _ in range(holdings.AGAIN_EVERY + 1):
        news = await holding.news(channel)
        told.append(len(news))
        holding.note_reported(channel, news)
    assert told == [*[1] * holdings.TIMES, *[0] * (holdings.AGAIN_EVERY - holdings.TIMES), 1]


async def test_who_withholds_what_a_hub_reports_withholds_a_silence(store: Inbox) -> None:
    """A head is in so many heartbeats, one after the other, that without them the hub is silent at its reader."""
    await take(store, *CHAIN[:2])
    holding = holdings.Holdings("xb-hub", store)
    channel = Channel(issuer="xb-hub", status=Status.BEAT, tlp=Tlp.GREEN, audience="community")
    told = []
    for _ in range(6):
        news = await holding.news(channel)
        told.append(len(news))
        holding.note_reported(channel, news)
    withheld = told.count(1)
    assert told == [1] * withheld + [0] * (6 - withheld)
    interval_s = 60
    signs = Signs(last_heard=NOW.timestamp(), interval_s=interval_s)
    next_s = (withheld + 1) * heartbeat.PROMPT * interval_s
    assert state_of(signs, NOW + dt.timedelta(seconds=next_s - heartbeat.TICK_S)) is Liveness.SILENT


async def test_busy_channels_keep_no_other_from_being_reported(
    store: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its turn, though those before it by name go on with each heartbeat."""
    monkeypatch.setattr(holdings, "AT_ONCE", 1)
    others = chain(WORLD, 1, "xa-emb")
    await take(store, CHAIN[0], *others)
    holding = holdings.Holdings("xb-hub", store)
    channel = Channel(issuer="xb-hub", status=Status.BEAT, tlp=Tlp.GREEN, audience="community")
    reported = set()
    for following in CHAIN[1:4]:
        news = await holding.news(channel)
        holding.note_reported(channel, news)
        reported |= {head.channel.partition("/")[0] for head in news}
        await take(store, following)
    assert reported == {"xa-csirt", "xa-emb"}
