"""The score of a drill: its injects, the answers and their times, as a struct for JSON and as text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from operator import attrgetter

import msgspec

from bus.drills.script import Answer, Expectation, Inject, first_fitting

GRACE = dt.timedelta(seconds=2)  # an answer in time may be received a moment later


class Scored(msgspec.Struct, frozen=True, kw_only=True, rename={"by": "from"}):
    """One expectation and its result; `after_s` counts seconds from the bulletin, `got` has its other verdicts."""

    by: str
    verdict: str | None
    within_s: int
    met: bool
    after_s: float | None
    got: tuple[str, ...]


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin of a drill with its expectations."""

    at_s: int
    speaker: str
    headline: str
    id: str | None
    channel: str | None
    state: str
    problem: str
    injected: dt.datetime | None
    expected: tuple[Scored, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a finished drill."""

    exercise: str
    title: str
    conducted_by: str
    started: dt.datetime
    ended: dt.datetime
    met: int
    expected: int
    steps: tuple[Played, ...]

    @property
    def passed(self) -> bool:
        """Whether all injects were sent and all expected answers came in time."""
        return self.met == self.expected and all(step.state == "stored" for step in self.steps)


class Spoken(msgspec.Struct, kw_only=True):
    """The state of one inject so far."""

    id: str | None = None
    channel: str | None = None
    state: str = "waiting"
    problem: str = ""
    at: dt.datetime | None = None


class Board:
    """The state of a running drill."""

    def __init__(
        self, *, exercise: str, title: str, conducted_by: str, injects: Sequence[Inject], started: dt.datetime
    ) -> None:
        """Begin a drill; `injects` in the order of their times."""
        self.injects = sorted(injects, key=attrgetter("at"))
        self.said = [Spoken() for _ in self.injects]
        self.answers: list[Answer] = []
        self.started = started
        self._exercise, self._title, self._conducted_by = exercise, title, conducted_by

    def waits_until(self, now: dt.datetime) -> dt.datetime | None:
        """The time until which an answer still counts; None if no answer is awaited."""
        deadlines = (
            spoken.at + dt.timedelta(seconds=expectation.within) + GRACE
            for inject, spoken in zip(self.injects, self.said, strict=True)
            if spoken.id is not None and spoken.at is not None
            for expectation in inject.expect
            if first_fitting(expectation, spoken.id, self.answers) is None
        )
        return max((deadline for deadline in deadlines if deadline > now), default=None)

    def report(self, now: dt.datetime) -> Report:
        """The present score."""
        steps = tuple(map(self._played, self.injects, self.said))
        expected = [scored for step in steps for scored in step.expected]
        return Report(
            exercise=self._exercise,
            title=self._title,
            conducted_by=self._conducted_by,
            started=self.started,
            ended=now,
            met=sum(scored.met for scored in expected),
            expected=len(expected),
            steps=steps,
        )

    def _played(self, inject: Inject, spoken: Spoken) -> Played:
        return Played(
            at_s=inject.at,
            speaker=inject.speaker,
            headline=inject.draft.info[0].headline,
            id=spoken.id,
            channel=spoken.channel,
            state=spoken.state,
            problem=spoken.problem,
            injected=spoken.at,
            expected=tuple(self._scored(expectation, spoken) for expectation in inject.expect),
        )

    def _scored(self, expectation: Expectation, spoken: Spoken) -> Scored:
        fitting = first_fitting(expectation, spoken.id, self.answers) if spoken.id else None
        # A speaker may learn that its bulletin is kept after another has answered it.
        after_s = max(0.0, (fitting.at - spoken.at).total_seconds()) if fitting and spoken.at else None
        theirs = [answer for answer in self.answers if (answer.to, answer.by) == (spoken.id, expectation.by)]
        return Scored(
            by=expectation.by,
            verdict=expectation.verdict,
            within_s=expectation.within,
            met=after_s is not None and after_s <= expectation.within,
            after_s=after_s,
            got=tuple(answer.verdict for answer in theirs if answer is not fitting),
        )


def as_text(report: Report) -> list[str]:
    """The report in lines; texts of bulletins are in them unescaped."""
    lines = [
        f"EXERCISE {report.exercise}: {report.title}",
        f"conducted by {report.conducted_by}, {report.started:%Y-%m-%d %H:%M:%S} to {report.ended:%H:%M:%S} UTC",
        f"score {report.met} of {report.expected}" + ("" if report.passed else ", not passed"),
    ]
    for step in report.steps:
        lines += ["", f"+{step.at_s} s  {step.speaker}: {step.headline}"]
        lines.append(f"  {step.state}" + (f", {step.channel}, {step.id}" if step.id else f": {step.problem}"))
        for scored in step.expected:
            wanted = f"{scored.verdict or 'an answer'} by {scored.by} within {scored.within_s} s"
            if scored.after_s is None:
                came = "did not come"
            else:
                came = f"came after {scored.after_s:.1f} s" + ("" if scored.met else ", too late")
            other = f" (it said {', '.join(scored.got)})" if scored.got else ""
            lines.append(f"  {'met    ' if scored.met else 'NOT MET'}  {wanted}: {came}{other}")
    return lines
