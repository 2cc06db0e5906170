"""The election that matters most here: its phases as a ribbon, and what comes next."""

from __future__ import annotations

import datetime as dt

import msgspec

from bus.console.asked import Asked
from bus.console.pages.elections import title_of
from bus.hub import Calendar
from bus.languages import marked
from schemas.elections import coarse, phase_at
from schemas.vocab import Phase

PHASES = {
    Phase.ANNOUNCED: marked("Announced"),
    Phase.REGISTRATION: marked("Registration"),
    Phase.CAMPAIGN: marked("Campaign"),
    Phase.ADVANCE_VOTING: marked("Advance vote"),
    Phase.SILENCE: marked("Silence"),
    Phase.POLLING: marked("Polling"),
    Phase.COUNTING: marked("Counting"),
    Phase.CERTIFICATION: marked("Certification"),
    Phase.DISPUTE: marked("Dispute"),
    Phase.REVIEW: marked("Review"),
}
CORE = frozenset({Phase.SILENCE, Phase.POLLING, Phase.COUNTING})
"""Phases that a narrow page shows as well, beside that which is open."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A phase in the ribbon; `state` is `past`, `open`, `now` or `next`."""

    key: str
    name: str
    start: dt.datetime
    end: dt.datetime
    state: str
    is_core: bool


class Ribbon(msgspec.Struct, frozen=True, kw_only=True):
    """The election that matters most here: what comes next, and its phases."""

    election: str
    title: str
    words: str
    due: dt.datetime | None
    phases: tuple[Moment, ...]


def main_calendar(asked: Asked) -> Calendar | None:
    """The election that matters most: at home before elsewhere, then the gravest phase, then that which changes first."""
    last = dt.datetime.max.replace(tzinfo=dt.UTC)
    order = list(PHASES)

    def gravity(each: Calendar) -> tuple[bool, int, dt.datetime]:
        phase = phase_at(each.body, asked.now)
        under = {"during": 0, "before": 1, "after": 2}.get(coarse(phase), 3)
        ahead = min((w.start for w in each.body.windows if w.start > asked.now), default=last)
        return (
            each.country != asked.country,
            under * 100 + (order.index(phase) if phase in order else 99),
            ahead,
        )

    return min(asked.calendars, key=gravity, default=None)


def ribbon(asked: Asked) -> Ribbon | None:
    """The phases of the election that matters most; None where no calendar is known."""
    calendar = main_calendar(asked)
    if calendar is None:
        return None
    present = phase_at(calendar.body, asked.now)
    moments = []
    for phase, name in PHASES.items():
        windows = [window for window in calendar.body.windows if window.phase is phase]
        if not windows:
            continue
        running = next((window for window in windows if window.start <= asked.now < window.end), None)
        ahead = next(
            (window for window in sorted(windows, key=lambda w: w.start) if window.start > asked.now), None
        )
        window = running or ahead or max(windows, key=lambda each: each.end)
        state = "now" if phase is present else "open" if running else "next" if ahead else "past"
        moments.append(
            Moment(
                key=str(phase),
                name=asked.say.plain(name),
                start=window.start,
                end=window.end,
                state=state,
                is_core=phase in CORE or phase is present,
            )
        )
    words, due = _next_words(asked, calendar)
    return Ribbon(
        election=calendar.election,
        title=title_of(asked, calendar),
        words=words,
        due=due,
        phases=tuple(moments),
    )


def _next_words(asked: Asked, calendar: Calendar) -> tuple[str, dt.datetime | None]:
    """What the election comes to next, and when."""
    say, now = asked.say, asked.now
    polls = sorted((w for w in calendar.body.windows if w.phase is Phase.POLLING), key=lambda w: w.start)
    running = next((window for window in polls if window.start <= now < window.end), None)
    if running is not None:
        return say("Polls close"), running.end
    ahead = next((window for window in polls if window.start > now), None)
    if ahead is not None:
        return say("Polls open"), ahead.start
    edge = min((edge for w in calendar.body.windows for edge in (w.start, w.end) if edge > now), default=None)
    return (say("The phase changes"), edge) if edge is not None else (say("It is over"), None)


def phase_at_home(asked: Asked) -> Phase:
    """The gravest phase of this country's elections."""
    found = asked.phases.get(asked.country)
    return Phase(found.phase) if found is not None else Phase.NONE


def band(asked: Asked, hours: int) -> tuple[dt.datetime, dt.datetime] | None:
    """The voting that is under way, or was in the last so many hours, of the election that matters most."""
    calendar = main_calendar(asked)
    start = asked.now - dt.timedelta(hours=hours)
    if calendar is None:
        return None
    for window in calendar.body.windows:
        if window.phase is Phase.POLLING and window.start < asked.now and window.end > start:
            return window.start, window.end
    return None
