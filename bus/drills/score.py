"""The score of a drill: what was injected, who answered, how fast; as a struct for JSON and as text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from bus.drills.script import Answer, Inject, first_fitting

GRACE = dt.timedelta(seconds=2)  # what came in time may be heard a moment later


class Scored(msgspec.Struct, frozen=True, kw_only=True, rename={"by": "from"}):
    """One expectation, and what became of it; `after_s` counts from the bulletin, `got` are its other verdicts."""

    by: str
    verdict: str | None
    within_s: int
    met: bool
    after_s: float | None
    got: tuple[str, ...]


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin of a drill."""

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
    """A drill that has been played."""

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
        """Whether everything went out, and all that was expected came in time."""
        return self.met == self.expected and all(each.state == "stored" for each in self.steps)


class Spoken(msgspec.Struct, kw_only=True):
    """What has become of one inject so far."""

    id: str | None = None
    channel: str | None = None
    state: str = "waiting"
    problem: str = ""
    at: dt.datetime | None = None


class Board:
    """What is known of a running drill."""

    def __init__(
        self, *, exercise: str, title: str, conducted_by: str, injects: Sequence[Inject], started: dt.datetime
    ) -> None:
        """Begin; the injects in the order of their times."""
        self.injects = sorted(injects, key=lambda each: each.at)
        self.said = [Spoken() for _ in self.injects]
        self.answers: list[Answer] = []
        self.started = started
        self._exercise, self._title, self._conducted_by = exercise, title, conducted_by

    def waits_until(self, now: dt.datetime) -> dt.datetime | None:
        """Until when something may still come that counts; None when nothing is waited for."""
        last = None
        for inject, said in zip(self.injects, self.said, strict=True):
            if said.id is None or said.at is None:
                continue
            for each in inject.expect:
                deadline = said.at + dt.timedelta(seconds=each.within) + GRACE
                if deadline > now and first_fitting(each, said.id, self.answers) is None:
                    last = deadline if last is None else max(last, deadline)
        return last

    def report(self, now: dt.datetime) -> Report:
        """The score as it stands."""
        steps = tuple(self._played(*each) for each in zip(self.injects, self.said, strict=True))
        expected = [each for step in steps for each in step.expected]
        return Report(
            exercise=self._exercise,
            title=self._title,
            conducted_by=self._conducted_by,
            started=self.started,
            ended=now,
            met=sum(each.met for each in expected),
            expected=len(expected),
            steps=steps,
        )

    def _played(self, inject: Inject, said: Spoken) -> Played:
        scored = []
        for each in inject.expect:
            found = first_fitting(each, said.id, self.answers) if said.id else None
            after = (found.at - said.at).total_seconds() if found and said.at else None
            scored.append(
                Scored(
                    by=each.by,
                    verdict=each.verdict,
                    within_s=each.within,
                    met=after is not None and after <= each.within,
                    after_s=after,
                    got=tuple(
                        a.verdict
                        for a in self.answers
                        if (a.to, a.by) == (said.id, each.by) and a is not found
                    ),
                )
            )
        return Played(
            at_s=inject.at,
            speaker=inject.speaker,
            headline=inject.draft.info[0].headline,
            id=said.id,
            channel=said.channel,
            state=said.state,
            problem=said.problem,
            injected=said.at,
            expected=tuple(scored),
        )


def as_text(report: Report) -> list[str]:
    """The report in lines; what bulletins say stands in them as it came."""
    lines = [
        f"EXERCISE {report.exercise}: {report.title}",
        f"conducted by {report.conducted_by}, {report.started:%Y-%m-%d %H:%M:%S} to {report.ended:%H:%M:%S} UTC",
        f"score {report.met} of {report.expected}" + ("" if report.passed else ", not passed"),
    ]
    for step in report.steps:
        lines += ["", f"+{step.at_s} s  {step.speaker}: {step.headline}"]
        lines.append(f"  {step.state}" + (f", {step.channel}, {step.id}" if step.id else f": {step.problem}"))
        for each in step.expected:
            wanted = f"{each.verdict or 'an answer'} by {each.by} within {each.within_s} s"
            if each.after_s is None:
                came = "did not come"
            else:
                came = f"came after {each.after_s:.1f} s" + ("" if each.met else ", too late")
            other = f" (it said {', '.join(each.got)})" if each.got else ""
            lines.append(f"  {'met    ' if each.met else 'NOT MET'}  {wanted}: {came}{other}")
    return lines
