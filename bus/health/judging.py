"""Judges facts: the conditions, the level of each, and its remedy. Pure; docs/health.md has the table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

from bus.health.facts import (
    BusFacts,
    ClockFacts,
    Facts,
    OutboxFacts,
    ProgramState,
    ReaderFacts,
)
from bus.health.holding import disk, grants, keys, outbox, refused, trust
from bus.health.report import READER, UNSEEING, Condition, Level, Report, moment_text, worst_of
from bus.health.running import Way, programs, tasks, way_of

LAG_WARNING_S = 10.0
LAG_BAD_S = 15.0
"""Seconds. A reader that took in everything longer ago than this judges no channel; `bus.subscribing` counts it as caught up within it."""
CLOCK_WARNING_S = 60.0
CLOCK_BAD_S = 300.0
"""Seconds that a bulletin may be dated ahead of a hub's clock: `bus.trust.CLOCK_SKEW`."""


class _Reading(NamedTuple):
    """The reading of an identity: its program, the way that the program is in, and its facts."""

    facts: ReaderFacts
    way: Way
    state: ProgramState | None


def judge(facts: Facts, now: dt.datetime) -> Report:
    """Judge the facts of an identity and its programs.

    Args:
        facts: the facts.
        now: the present, aware.
    """
    reading = _reading(facts, now)
    conditions = (
        *_reader(facts, reading, now),
        *_bus(facts, now),
        *trust(facts.trust, now),
        *keys(facts.keys, now),
        *grants(facts.grants),
        *outbox(_outbox(facts, now), now),
        *_clock(facts, now),
        *disk(facts),
        *_lease(facts, now),
        *programs(facts.programs, now, facts.unread),
        *tasks(facts, now),
        *refused(facts.refused),
        *facts.more,
        *_told(facts, now),
    )
    blind_since = next((each.since for each in conditions if each.code in UNSEEING), None)
    return Report(as_of=blind_since or now, verdict=worst_of(conditions), conditions=conditions)


def _reading(facts: Facts, now: dt.datetime) -> _Reading | None:
    """The program that reads, or else the one that read last; None if none ever has."""
    if facts.reader is not None:
        return _Reading(facts.reader, Way.RUNS, None)
    found = [
        _Reading(seen.state.facts.reader, way_of(seen, now), seen.state)
        for seen in facts.programs
        if seen.state.facts.reader is not None
    ]

    def worth(each: _Reading) -> tuple[bool, bool, bool, float]:
        runs = each.way is Way.RUNS
        is_at_it = each.facts.standing == "reading"
        written = each.state.as_of.timestamp() if each.state is not None else 0.0
        return runs, is_at_it, each.facts.attached, written

    return max(found, key=worth, default=None)


def _reader(facts: Facts, reading: _Reading | None, now: dt.datetime) -> Iterator[Condition]:
    """Whether a program reads into the store, and how far it is behind."""
    if facts.store is not None and facts.store.reason:
        yield Condition(
            name=READER,
            level=Level.BAD,
            code=facts.store.reason,
            detail=facts.store.problem,
            remedy="tocsin hub scrub",
        )
    lease = facts.lease
    if (
        lease is not None
        and lease.held
        and not lease.ours
        and (reading is None or reading.way is not Way.RUNS)
    ):
        detail = f"process {lease.pid} reads into this store and reports no state of its own"
        yield Condition(name=READER, level=Level.OK, code="ok", detail=detail)
        return
    if reading is None:
        if facts.store is None:
            return
        level = Level.BAD if facts.store.lasting else Level.WARNING
        yield _not_reading(level, facts.store.last_at, "no program reads into this store")
        return
    facts_of, way, state = reading
    if way is not Way.RUNS and state is not None:
        is_lasting = state.lasting or (facts.store is not None and facts.store.lasting)
        ended = {
            Way.ENDED: f"the program {state.program} has ended",
            Way.DIED: f"the program {state.program} was killed",
            Way.STUCK: f"the program {state.program} (process {state.pid}) is alive but reports nothing",
        }[way]
        yield _not_reading(
            Level.BAD if is_lasting else Level.WARNING, _last_read(facts_of, state.as_of), ended
        )
    elif facts_of.standing != "reading":
        yield Condition(
            name=READER,
            level=Level.OK,
            code="standing-by",
            detail="it waits while another program reads into this store",
        )
    elif not facts_of.attached:
        yield _cut_off(facts_of, now)
    else:
        yield from _lag(facts_of, now)


def _cut_off(reader: ReaderFacts, now: dt.datetime) -> Condition:
    """The condition of a reader without a connection to the bus; a short cut is only a warning."""
    since = reader.as_of or reader.heard_at or reader.since
    why = reader.problem or "the streams of the bus are not attached"
    if since is None or (now - since).total_seconds() >= LAG_BAD_S:
        return _not_reading(Level.BAD, since, why)
    return Condition(
        name=READER,
        level=Level.WARNING,
        code="attaching" if reader.caught_up else "not-yet-read",
        detail=f"the reader is not attached to the bus since {moment_text(since)}: {why}",
        remedy="wait a moment",
        since=since,
    )


def _last_read(reader: ReaderFacts, as_of: dt.datetime) -> dt.datetime:
    """The moment up to which an ended reader had read: its last state, or earlier if it was cut off or behind."""
    cut_off = reader.heard_at if not reader.attached else None
    return min(as_of - dt.timedelta(seconds=reader.lag_s), cut_off or as_of)


def _not_reading(level: Level, since: dt.datetime | None, why: str) -> Condition:
    return Condition(
        name=READER,
        level=level,
        code="not-reading",
        detail=f"NOT READING since {moment_text(since)}: {why}",
        remedy="tocsin hub run; tocsin doctor says more",
        since=since,
    )


def _lag(reader: ReaderFacts, now: dt.datetime) -> Iterator[Condition]:
    """How far an attached reader is behind."""
    behind = "1 bulletin" if reader.behind == 1 else f"{reader.behind} bulletins"
    if reader.caught_up and reader.lag_s < LAG_WARNING_S:
        yield Condition(name=READER, level=Level.OK, code="ok", detail=f"reading, {behind} behind")
        return
    since = reader.as_of or reader.since or now
    age = max(reader.lag_s, (now - since).total_seconds())
    is_late = bool(reader.behind or reader.lag_s)
    yield Condition(
        name=READER,
        level=Level.BAD if age >= LAG_BAD_S else Level.WARNING,
        code="lagging" if is_late else "not-yet-read",
        detail=f"LAGGING: {behind} behind, the oldest for {reader.lag_s:.0f} seconds"
        if is_late
        else "the bus has not been read to its end yet",
        remedy="wait; if it grows, check the load and the disk of this machine",
        since=since,
    )


def _bus(facts: Facts, now: dt.datetime) -> Iterator[Condition]:
    """Whether the broker answers: by a fresh look, or else by the programs' facts."""
    found: list[BusFacts] = [facts.bus] if facts.bus is not None else []
    running = [seen.state.facts.bus for seen in facts.programs if way_of(seen, now) is Way.RUNS]
    found += [bus for bus in running if bus is not None]
    if not found:
        return
    lost = [bus for bus in found if not bus.reached]
    if not lost:
        yield Condition(
            name="bus",
            level=Level.OK,
            code="ok",
            detail=f"{found[0].place} answers".strip(),
            since=found[0].since,
        )
        return
    worst = lost[0]
    since = min((bus.since for bus in lost if bus.since is not None), default=None)
    yield Condition(
        name="bus",
        level=Level.BAD,
        code=worst.reason or "unreachable",
        detail=worst.problem or f"{worst.place} does not answer",
        remedy="check that the broker runs (tocsin server check) and that its registry has this identity",
        since=since,
    )


def _outbox(facts: Facts, now: dt.datetime) -> OutboxFacts | None:
    """The outbox as found, with the sending programs' facts about the bus."""
    told = [seen.state.facts.outbox for seen in facts.programs if way_of(seen, now) is Way.RUNS]
    own = [facts.outbox, *told]
    present = [each for each in own if each is not None]
    if not present:
        return None
    first = present[0]
    compared = next((each.compared for each in present if each.compared is not None), None)
    return OutboxFacts(
        waiting=first.waiting,
        parked=first.parked,
        damaged=first.damaged,
        oldest_at=first.oldest_at,
        compared=compared,
        behind=next((each.behind for each in present if each.behind), ""),
        problem=next((each.problem for each in present if each.reason), first.problem),
        reason=next((each.reason for each in present if each.reason), first.reason),
    )


def _clock(facts: Facts, now: dt.datetime) -> Iterator[Condition]:
    """How far this clock is from the broker's."""
    told = [seen.state.facts.clock for seen in facts.programs if way_of(seen, now) is Way.RUNS]
    clocks: list[ClockFacts] = [each for each in (facts.clock, *told) if each is not None]
    if not clocks:
        return
    found = clocks[0]
    off = abs(found.ahead_s)
    way = "ahead of" if found.ahead_s > 0 else "behind"
    level = Level.OK
    if off - found.within_s > CLOCK_BAD_S:
        level = Level.BAD
    elif off - found.within_s > CLOCK_WARNING_S:
        level = Level.WARNING
    yield Condition(
        name="clock",
        level=level,
        code="ok" if level is Level.OK else "clock-off",
        detail=f"this clock is {off:.0f} seconds {way} the broker's" if off >= 1 else "as the broker's",
        remedy="" if level is Level.OK else "timedatectl status; set the clock that is wrong",
        since=None if level is Level.OK else found.measured_at,
    )


def _told(facts: Facts, now: dt.datetime) -> Iterator[Condition]:
    """The conditions that running programs have judged themselves: broker, carrier, keeper."""
    for seen in facts.programs:
        if way_of(seen, now) is Way.RUNS:
            yield from seen.state.facts.more


def _lease(facts: Facts, now: dt.datetime) -> Iterator[Condition]:
    """The holder of the store's lease, and whether the reporting program lost it."""
    told = [seen.state.facts.lease for seen in facts.programs if way_of(seen, now) is Way.RUNS]
    lost = [each for each in (facts.lease, *told) if each is not None and each.lost_at is not None]
    for each in lost:
        yield Condition(
            name="lease",
            level=Level.WARNING,
            code="lease-lost",
            detail=f"a program lost the lease of this store at {moment_text(each.lost_at)}, and stands by",
            remedy="nothing to do while another program reads; check whether this machine was stopped or too busy",
            since=each.lost_at,
        )
    if (lease := facts.lease) is not None and not lost:
        holder = "this program" if lease.ours else f"process {lease.pid}" if lease.held else "nobody"
        yield Condition(name="lease", level=Level.OK, code="ok", detail=f"held by {holder}")
