"""Judges programs and their tasks by the states that they have written. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from enum import StrEnum

from bus.health.facts import Facts, ProgramSeen, ProgramState, TaskFacts
from bus.health.report import Condition, Level, moment_text

STALE_S = 15.0
"""Seconds after which a state does not count any more, even if its process is alive."""


class Way(StrEnum):
    """The way that a program is in: running, ended, died or stuck."""

    RUNS = "runs"
    STUCK = "stuck"
    ENDED = "ended"
    DIED = "died"


_BEST = {way: place for place, way in enumerate(Way)}


def way_of(seen: ProgramSeen, now: dt.datetime) -> Way:
    """The way that a program is in, by its state and its process."""
    state = seen.state
    if state.ended_at is not None:
        return Way.ENDED
    if not seen.alive:
        return Way.DIED
    # A state written well after now does not count either: the clock was set back since.
    age = abs((now - state.as_of).total_seconds())
    return Way.RUNS if age <= STALE_S else Way.STUCK


def running_now(seen: Sequence[ProgramSeen], now: dt.datetime) -> tuple[ProgramState, ...]:
    """The states of the programs that run."""
    return tuple(each.state for each in seen if way_of(each, now) is Way.RUNS)


def programs(
    seen: Sequence[ProgramSeen], now: dt.datetime, unread: Sequence[str] = ()
) -> Iterator[Condition]:
    """A condition for each program name, by its best process, and for each state that cannot be read."""
    for name in sorted({each.state.program for each in seen}):
        of_name = [each for each in seen if each.state.program == name]
        best = min(of_name, key=lambda each: (_BEST[way_of(each, now)], -each.state.as_of.timestamp()))
        yield _program(best, way_of(best, now))
    for name in unread:
        yield Condition(
            name=f"program {name}",
            level=Level.BAD,
            code="state-unreadable",
            detail=f"the last state of {name} cannot be read; the program may have been killed",
            remedy=f"start it (it writes its state at once); if it must not run: tocsin doctor --forget {name}",
        )


def _program(seen: ProgramSeen, way: Way) -> Condition:
    state = seen.state
    what, name = f"{state.program} (process {state.pid})", f"program {state.program}"
    if way is Way.RUNS:
        detail = f"{what} runs since {moment_text(state.started_at)}"
        return Condition(name=name, level=Level.OK, code="ok", detail=detail, since=state.started_at)
    again = f"start it again; if it must not run: tocsin doctor --forget {state.program}"
    if way is Way.STUCK:
        return Condition(
            name=name,
            level=Level.BAD,
            code="program-stuck",
            detail=f"{what} is alive but has reported nothing since {moment_text(state.as_of)}",
            remedy=f"look whether it is stopped or the disk is full: ps -o pid,stat,cmd {state.pid}",
            since=state.as_of,
        )
    if way is Way.DIED:
        return Condition(
            name=name,
            level=Level.BAD if state.lasting else Level.WARNING,
            code="program-died",
            detail=f"{what} was killed; it ran until {moment_text(state.as_of)}",
            remedy=again,
            since=state.as_of,
        )
    why = f": {state.problem}" if state.problem else ""
    return Condition(
        name=name,
        level=Level.BAD if state.problem else Level.WARNING,
        code="program-ended",
        detail=f"{what} has ended at {moment_text(state.ended_at)}{why}",
        remedy=again,
        since=state.ended_at,
    )


def tasks(facts: Facts, now: dt.datetime) -> Iterator[Condition]:
    """The ended tasks of the reporting program and of every running program."""
    told: list[tuple[str, TaskFacts]] = [("", task) for task in facts.tasks]
    for seen in facts.programs:
        if way_of(seen, now) is Way.RUNS:
            told += [(f"{seen.state.program}: ", task) for task in seen.state.facts.tasks]
    dead = [(where, task) for where, task in told if not task.alive]
    for where, task in dead:
        yield Condition(
            name="tasks",
            level=Level.BAD,
            code="task-died",
            detail=f"{where}the task {task.name!r} has ended: {task.problem or 'without an error'}",
            remedy="start the program again",
            since=task.since,
        )
    if told and not dead:
        yield Condition(name="tasks", level=Level.OK, code="ok", detail=f"all {len(told)} tasks run")
