"""Drills: the exercises that this hub holds, each with what was said and who answered; nothing on them happened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from bus import drills
from bus.console import rows
from bus.console.asked import Asked
from bus.console.errors import NotHereError
from bus.console.page import Content
from bus.console.rows import Row
from bus.hub import picture
from bus.hub.picture import of_rows
from bus.policy import narrowest
from bus.subscribing import Stored, whole
from schemas.subject import Channel
from schemas.vocab import Status, Tlp

MOST = 500
"""So many bulletins of exercises are looked at, the newest."""
NO_NAME = "unnamed"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to a bulletin of an exercise, and how long it took, in seconds."""

    by: str
    name: str
    verdict: str
    after_s: float
    tlp: str


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that the script expects, by its conductor's report; `others` are the verdicts that came instead. In seconds."""

    by: str
    name: str
    verdict: str
    within_s: int
    after_s: float | None
    is_met: bool
    others: tuple[str, ...]
    tlp: str


class Inject(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin of an exercise; `expected` where this hub has conducted it."""

    row: Row
    replies: tuple[Reply, ...]
    expected: tuple[Expected, ...]


class Exercise(msgspec.Struct, frozen=True, kw_only=True):
    """One exercise, as far as this hub holds it; `met` of the `expected` answers came in time, where it has conducted it.

    `first` is the id of the bulletin whose headline is its title.
    """

    id: str
    first: str
    title: str
    began: dt.datetime
    ended: dt.datetime
    injects: int
    answers: int
    authorities: int
    median_s: float | None
    met: int
    expected: int


class Drills(Content, frozen=True, kw_only=True):
    """The list."""

    exercises: tuple[Exercise, ...]


class OneDrill(Content, frozen=True, kw_only=True):
    """One exercise, bulletin by bulletin; `slowest` is the longest answer, `longest` the longest of all times that are drawn."""

    exercise: Exercise
    injects: tuple[Inject, ...]
    slowest: float
    longest: float


def look(asked: Asked) -> Drills:
    """The exercises, the newest first."""
    every = list(_exercises(asked))
    return Drills(
        marking=_marking(each for _, injects in every for each in injects),
        note=asked.say("Exercises. Nothing on this page happened."),
        is_exercise=True,
        exercises=tuple(sorted((each for each, _ in every), key=lambda each: each.ended, reverse=True)),
    )


def look_at_one(asked: Asked) -> OneDrill:
    """One exercise.

    Raises:
        NotHereError: no bulletin of it is held that the reader may read.
    """
    for exercise, injects in _exercises(asked):
        if exercise.id == asked.place["id"]:
            slowest = max((reply.after_s for each in injects for reply in each.replies), default=0.0)
            limits = (each.within_s for inject in injects for each in inject.expected)
            return OneDrill(
                marking=_marking(injects), note=asked.say("Exercise. Nothing on this page happened."), is_exercise=True, exercise=exercise,
                injects=tuple(injects), slowest=slowest, longest=max(slowest, *limits, 1.0),
            )  # fmt: skip
    raise NotHereError("there is no exercise with this name that you may read")


def _exercises(asked: Asked) -> Iterator[tuple[Exercise, list[Inject]]]:
    groups: dict[str, list[Inject]] = {}
    found, _ = rows.listed(asked, most=MOST, order=rows.TIME, ended=True, status=Status.EXERCISE)
    by_row = {row.row: row for row in found}
    marks = ", ".join("?" * len(by_row))
    sql = f"SELECT * FROM admitted WHERE row IN ({marks}) ORDER BY row"
    said = [
        (kept.bulletin.exercise_id or NO_NAME, kept)
        for kept in whole(asked.db.execute(sql, list(by_row)))
        if kept.bulletin.kind != "feedback"
    ]
    scores = _scores(asked, {name for name, _ in said})
    for name, kept in said:
        replies = tuple(_replies(asked, kept))
        expected = tuple(_expected(asked, scores.get((name, kept.bulletin.id), ()), kept, replies))
        groups.setdefault(name, []).append(Inject(row=by_row[kept.rowid], replies=replies, expected=expected))
    for name, injects in groups.items():
        injects.sort(key=lambda each: each.row.at)
        times = sorted(reply.after_s for each in injects for reply in each.replies)
        exercise = Exercise(
            id=name, first=injects[0].row.id, title=injects[0].row.headline, began=injects[0].row.at, ended=injects[-1].row.at, injects=len(injects),
            answers=len(times), authorities=len({reply.by for each in injects for reply in each.replies}),
            median_s=times[len(times) // 2] if times else None,
            met=sum(one.is_met for each in injects for one in each.expected), expected=sum(len(each.expected) for each in injects),
        )  # fmt: skip
        yield exercise, injects


def _scores(asked: Asked, exercises: Collection[str]) -> dict[tuple[str, str], tuple[drills.Scored, ...]]:
    """What was expected of whom, by the exercise and the id of the bulletin, in the exercises that this hub has conducted."""
    folder = asked.shelf.files
    reports = () if folder is None else drills.reports_of(folder, exercises)
    return {
        (report.exercise, step.id): step.expected
        for report in reports
        for step in report.steps
        if step.id is not None
    }


def _expected(
    asked: Asked, scored: Iterable[drills.Scored], to: Stored, replies: Sequence[Reply]
) -> Iterator[Expected]:
    """Expectations, without those whose answer the reader may not see."""
    for each in scored:
        if each.channel is not None and not asked.clearance.sees_channel(each.channel):
            continue
        missed = each.after_s is None
        yield Expected(
            by=each.by,
            name=asked.name_of(each.by),
            verdict=each.verdict or "",
            within_s=each.within_s,
            after_s=each.after_s,
            is_met=each.met,
            others=tuple(reply.verdict for reply in replies if missed and reply.by == each.by),
            tlp=str(to.bulletin.tlp if each.channel is None else Channel.parse(each.channel).tlp),
        )


def _replies(asked: Asked, kept: Stored) -> Iterator[Reply]:
    lines = of_rows(asked.db, asked.clearance, asked.now, Status.EXERCISE, [kept.rowid])
    every = (
        each
        for line in lines
        for each in picture.answers_of(asked.db, asked.clearance, asked.registry, Status.EXERCISE, line)[0]
    )
    found = sorted(every, key=lambda each: each.at)
    shown = of_rows(asked.db, asked.clearance, asked.now, Status.EXERCISE, [each.row for each in found])
    tlps = {line.row: line.tlp for line in shown}
    for said in found:
        after = (said.at - kept.bulletin.issued).total_seconds()
        yield Reply(
            by=said.by,
            name=asked.name_of(said.by),
            verdict=picture.answers.shown(said.verdict),
            after_s=max(0.0, after),
            tlp=tlps[said.row],
        )


def _marking(injects: Iterable[Inject]) -> str:
    """The narrowest marking of these bulletins and of their answers."""
    found: list[str] = []
    for each in injects:
        found += (each.row.tlp, *(reply.tlp for reply in each.replies), *(one.tlp for one in each.expected))
    return str(narrowest(found) or Tlp.CLEAR)
