"""Each condition, by a table of facts: level, code, and verdict."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from bus.health import (
    BusFacts,
    ClockFacts,
    Condition,
    DiskFacts,
    Facts,
    GrantFacts,
    KeyFacts,
    LeaseFacts,
    Level,
    OutboxFacts,
    ProgramSeen,
    ProgramState,
    ReaderFacts,
    RefusedFacts,
    StoreFacts,
    TaskFacts,
    TrustFacts,
    judge,
)

NOW = dt.datetime(2027, 5, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
MIB = 1024**2
READING = ReaderFacts(attached=True, caught_up=True, as_of=NOW, heard_at=NOW, since=NOW - DAY)


def ago(seconds: float) -> dt.datetime:
    """So many seconds before now."""
    return NOW - dt.timedelta(seconds=seconds)


def hence(days: float) -> dt.datetime:
    """So many days from now."""
    return NOW + dt.timedelta(days=days)


def seen(
    facts: Facts | None = None,
    *,
    program: str = "hub",
    age: float = 1,
    alive: bool = True,
    ended: bool = False,
    problem: str = "",
    lasting: bool = True,
) -> ProgramSeen:
    """A program's state as another found it."""
    state = ProgramState(
        program=program,
        owner="boot:7:1:ab",
        started_at=NOW - DAY,
        as_of=ago(age),
        facts=facts or Facts(reader=READING),
        lasting=lasting,
        ended_at=ago(age) if ended else None,
        problem=problem,
    )
    return ProgramSeen(state=state, alive=alive)


def trust(state: str = "fresh", *, expires: float = 80, beacon: float = 0.2) -> TrustFacts:
    """A registry of ninety days with a beacon of six hours."""
    return TrustFacts(
        domain="test",
        version=3,
        state=state,
        issued=hence(expires - 90),
        expires=hence(expires),
        beacon_issued=hence(beacon - 0.25),
        beacon_until=hence(beacon),
    )


def key(use: str = "signing", *, ends: float = 300, reason: str = "") -> KeyFacts:
    """A key of a year."""
    return KeyFacts(
        use=use, kid="k1", not_before=hence(ends - 365), not_after=hence(ends), reason=reason, problem="why"
    )


CASES: dict[str, tuple[Facts, str, str, str]] = {
    "it reads": (Facts(reader=READING), "reader", "ok", "ok"),
    "it stands by": (Facts(reader=ReaderFacts(standing="standing-by")), "reader", "ok", "standing-by"),
    "a hub that began a moment ago": (
        Facts(reader=ReaderFacts(attached=False, since=ago(2))),
        "reader",
        "warning",
        "not-yet-read",
    ),
    "cut off for a moment": (
        Facts(reader=ReaderFacts(attached=False, caught_up=True, as_of=ago(5), since=ago(99))),
        "reader",
        "warning",
        "attaching",
    ),
    "cut off": (
        Facts(reader=ReaderFacts(attached=False, as_of=ago(20), since=ago(99))),
        "reader",
        "bad",
        "not-reading",
    ),
    "it lags a little": (
        Facts(reader=ReaderFacts(attached=True, caught_up=True, as_of=ago(3), behind=900, lag_s=11)),
        "reader",
        "warning",
        "lagging",
    ),
    "it lags": (
        Facts(reader=ReaderFacts(attached=True, as_of=ago(600), behind=90_000, lag_s=600)),
        "reader",
        "bad",
        "lagging",
    ),
    "it never reached the end": (
        Facts(reader=ReaderFacts(attached=True, since=ago(60))),
        "reader",
        "bad",
        "not-yet-read",
    ),
    "a hub's store that nobody reads": (
        Facts(store=StoreFacts(lasting=True, last_at=ago(99))),
        "reader",
        "bad",
        "not-reading",
    ),
    "an office's store that nobody reads": (Facts(store=StoreFacts()), "reader", "warning", "not-reading"),
    "a store that cannot be read": (
        Facts(store=StoreFacts(reason="store-corrupt", problem="why")),
        "reader",
        "bad",
        "store-corrupt",
    ),
    "a process that tells nothing reads": (
        Facts(store=StoreFacts(lasting=True), lease=LeaseFacts(held=True, pid=8)),
        "reader",
        "ok",
        "ok",
    ),
    "the hub has ended": (Facts(programs=(seen(age=99, ended=True),)), "reader", "bad", "not-reading"),
    "the hub was killed": (Facts(programs=(seen(alive=False),)), "reader", "bad", "not-reading"),
    "the hub hangs": (Facts(programs=(seen(age=16),)), "reader", "bad", "not-reading"),
    "a watch was killed": (
        Facts(programs=(seen(program="watch", alive=False, lasting=False),)),
        "reader",
        "warning",
        "not-reading",
    ),
    "one hub ended and another reads": (
        Facts(programs=(seen(age=99, ended=True), seen())),
        "reader",
        "ok",
        "ok",
    ),
    "one hub stands by and another reads": (
        Facts(programs=(seen(Facts(reader=ReaderFacts(standing="standing-by"))), seen(age=2))),
        "reader",
        "ok",
        "ok",
    ),
    "a state from after now": (Facts(programs=(seen(age=-60),)), "program hub", "bad", "program-stuck"),
    "a program runs": (Facts(programs=(seen(),)), "program hub", "ok", "ok"),
    "a program tells of its broker": (
        Facts(
            programs=(
                seen(
                    Facts(
                        more=(
                            Condition(
                                name="broker", level=Level.BAD, code="no-answer", detail="why", remedy="look"
                            ),
                        )
                    )
                ),
            )
        ),
        "broker",
        "bad",
        "no-answer",
    ),
    "a program has ended": (
        Facts(programs=(seen(age=99, ended=True),)),
        "program hub",
        "warning",
        "program-ended",
    ),
    "a program has failed": (
        Facts(programs=(seen(age=99, ended=True, problem="why"),)),
        "program hub",
        "bad",
        "program-ended",
    ),
    "a program was killed": (
        Facts(programs=(seen(alive=False),)),
        "program hub",
        "bad",
        "program-died",
    ),
    "a program hangs": (Facts(programs=(seen(age=16),)), "program hub", "bad", "program-stuck"),
    "what a program said cannot be read": (
        Facts(unread=("hub",)),
        "program hub",
        "bad",
        "state-unreadable",
    ),
    "the bus answers": (Facts(bus=BusFacts(reached=True)), "bus", "ok", "ok"),
    "the bus is dead": (Facts(bus=BusFacts(reason="unreachable")), "bus", "bad", "unreachable"),
    "the bus refuses": (Facts(bus=BusFacts(reason="refused-by-broker")), "bus", "bad", "refused-by-broker"),
    "the bus is dead for a program": (
        Facts(bus=BusFacts(reached=True), programs=(seen(Facts(bus=BusFacts(since=ago(9)))),)),
        "bus",
        "bad",
        "unreachable",
    ),
    "trust is fresh": (Facts(trust=trust()), "trust", "ok", "ok"),
    "trust is stale": (Facts(trust=trust("stale", beacon=-1)), "trust", "bad", "trust-stale"),
    "trust is behind": (Facts(trust=trust("behind")), "trust", "bad", "trust-behind"),
    "the registry has ended": (Facts(trust=trust("expired", expires=-1)), "trust", "bad", "registry-expired"),
    "the registry ends soon": (Facts(trust=trust(expires=29)), "trust", "warning", "registry-ends-soon"),
    "the beacon was not renewed": (Facts(trust=trust(beacon=0.05)), "trust", "warning", "beacon-ends-soon"),
    "a revocation was altered": (
        Facts(trust=msgspec.structs.replace(trust(), is_forgetful=True)),
        "trust",
        "bad",
        "revocation-not-in-force",
    ),
    "there is no registry": (Facts(trust=TrustFacts(reason="pin", problem="why")), "trust", "bad", "pin"),
    "the key is good": (Facts(keys=(key(),)), "signing key", "ok", "ok"),
    "the key is revoked": (Facts(keys=(key(reason="key-revoked"),)), "signing key", "bad", "key-revoked"),
    "the key ends soon": (Facts(keys=(key(ends=29),)), "signing key", "warning", "key-ends-soon"),
    "the key has ended": (Facts(keys=(key(ends=-1),)), "signing key", "bad", "key-not-valid"),
    "the seal key has ended": (Facts(keys=(key("seal", ends=-1),)), "seal key", "warning", "key-not-valid"),
    "the certificate has ended": (
        Facts(keys=(key("certificate", ends=-1),)),
        "certificate",
        "bad",
        "key-not-valid",
    ),
    "grants": (Facts(grants=GrantFacts(publishes=2)), "grants", "ok", "ok"),
    "no grants": (Facts(grants=GrantFacts()), "grants", "bad", "not-permitted"),
    "a hub that may not answer": (
        Facts(grants=GrantFacts(reads=2, answers=0)),
        "grants",
        "warning",
        "no-receipts",
    ),
    "nobody of that name": (
        Facts(grants=GrantFacts(reason="unknown-authority", problem="why")),
        "grants",
        "bad",
        "unknown-authority",
    ),
    "an empty outbox": (Facts(outbox=OutboxFacts(compared=True)), "outbox", "ok", "ok"),
    "it waits for a moment": (
        Facts(outbox=OutboxFacts(waiting=3, oldest_at=ago(59))),
        "outbox",
        "ok",
        "ok",
    ),
    "it waits": (
        Facts(outbox=OutboxFacts(waiting=3, oldest_at=ago(60))),
        "outbox",
        "warning",
        "outbox-waiting",
    ),
    "it waits for an hour": (
        Facts(outbox=OutboxFacts(waiting=3, oldest_at=ago(3600))),
        "outbox",
        "bad",
        "outbox-waiting",
    ),
    "a row is damaged": (Facts(outbox=OutboxFacts(damaged=1, parked=1)), "outbox", "bad", "row-damaged"),
    "the broker refused": (Facts(outbox=OutboxFacts(parked=1)), "outbox", "bad", "outbox-parked"),
    "an old copy": (Facts(outbox=OutboxFacts(behind="why")), "outbox", "bad", "outbox-behind"),
    "an old copy, says a program": (
        Facts(outbox=OutboxFacts(), programs=(seen(Facts(outbox=OutboxFacts(behind="why"))),)),
        "outbox",
        "bad",
        "outbox-behind",
    ),
    "it may be an old copy": (
        Facts(outbox=OutboxFacts(reason="outbox-restored", problem="why")),
        "outbox",
        "bad",
        "outbox-restored",
    ),
    "the clocks agree": (Facts(clock=ClockFacts(ahead_s=0.4)), "clock", "ok", "ok"),
    "the clock is off": (Facts(clock=ClockFacts(ahead_s=-61)), "clock", "warning", "clock-off"),
    "the clock is far off": (Facts(clock=ClockFacts(ahead_s=7200)), "clock", "bad", "clock-off"),
    "an answer that took long": (Facts(clock=ClockFacts(ahead_s=70, within_s=30)), "clock", "ok", "ok"),
    "room": (Facts(disk=DiskFacts(free=999 * MIB)), "disk", "ok", "ok"),
    "little room": (Facts(disk=DiskFacts(free=60 * MIB)), "disk", "warning", "disk-short"),
    "too little for three days": (
        Facts(disk=DiskFacts(free=999 * MIB, a_day=400 * MIB)),
        "disk",
        "warning",
        "disk-short",
    ),
    "no room": (Facts(disk=DiskFacts(free=1000)), "disk", "bad", "store-full"),
    "a program had no room": (
        Facts(disk=DiskFacts(free=99 * MIB), programs=(seen(Facts(disk=DiskFacts(full=True))),)),
        "disk",
        "bad",
        "store-full",
    ),
    "no folder": (Facts(disk=DiskFacts(problem="why", free=999 * MIB)), "disk", "bad", "state-folder"),
    "the lease is ours": (Facts(lease=LeaseFacts(held=True, ours=True)), "lease", "ok", "ok"),
    "the lease was lost": (Facts(lease=LeaseFacts(lost_at=ago(9))), "lease", "warning", "lease-lost"),
    "all tasks run": (Facts(tasks=(TaskFacts(name="a"),)), "tasks", "ok", "ok"),
    "a task has died": (Facts(tasks=(TaskFacts(name="a", alive=False),)), "tasks", "bad", "task-died"),
    "nothing was refused": (Facts(refused=RefusedFacts()), "quarantine", "ok", "ok"),
    "something was refused": (Facts(refused=RefusedFacts(count=2)), "quarantine", "warning", "own-refused"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_condition_by_its_facts(case: str) -> None:
    """Name, level and code; what is not ok says what to do."""
    facts, name, level, code = CASES[case]
    found = judge(facts, NOW).of(name)[0]
    assert (found.level, found.code) == (level, code)
    assert found.detail
    assert bool(found.remedy) or level == "ok"


def test_nothing_known_is_nothing_said() -> None:
    """And nothing is bad."""
    report = judge(Facts(), NOW)
    assert (report.conditions, report.verdict, report.as_of) == ((), Level.OK, NOW)
    assert report.words() == "as of 2027-05-01 12:00:00 UTC; all is well"


def test_the_verdict_is_the_worst() -> None:
    """This holds with any number of good conditions."""
    report = judge(Facts(reader=READING, clock=ClockFacts(ahead_s=61), disk=DiskFacts(free=1)), NOW)
    assert report.verdict is Level.BAD
    assert [each.name for each in report.worst()] == ["disk", "clock"]


def test_a_stopped_hub_is_said_first_and_blind() -> None:
    """It says since when nobody reads; the condition of its program is not repeated."""
    report = judge(Facts(programs=(seen(age=2220, ended=True),)), NOW)
    assert report.words() == "NOT READING since 2027-05-01 11:23:00 UTC: the program hub has ended"
    assert report.is_blind
    assert report.as_of == ago(2220)


@pytest.mark.parametrize("lag", [0, 15, 600])
def test_a_view_is_as_old_as_what_was_read(lag: float) -> None:
    """It says so, and is blind when that is too old."""
    reader = ReaderFacts(attached=True, caught_up=lag < 15, as_of=ago(lag), behind=int(lag), lag_s=lag)
    report = judge(Facts(reader=reader), NOW)
    assert report.as_of == ago(lag)
    assert report.is_blind is (lag > 0)


def test_a_hub_that_was_behind_when_it_ended_had_read_no_further() -> None:
    """That moment counts, not the end of the program."""
    facts = Facts(reader=ReaderFacts(attached=True, behind=9, lag_s=600))
    (reader, *_) = judge(Facts(programs=(seen(facts, age=60, ended=True),)), NOW).conditions
    assert reader.since == ago(660)
