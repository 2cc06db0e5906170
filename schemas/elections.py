"""Pure functions on election calendars: the phase at a time, and its next change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from schemas.bodies.electoral import ElectionCalendar
from schemas.vocab import ElectionType, Phase

RANKING = (
    Phase.POLLING,
    Phase.COUNTING,
    Phase.SILENCE,
    Phase.ADVANCE_VOTING,
    Phase.CERTIFICATION,
    Phase.DISPUTE,
    Phase.CAMPAIGN,
    Phase.REGISTRATION,
    Phase.ANNOUNCED,
    Phase.REVIEW,
)
"""Ranking of phases: windows overlap, and the first open phase in this order counts."""

_COARSE: Mapping[Phase, str] = MappingProxyType(
    {
        Phase.NONE: "none",
        Phase.ANNOUNCED: "before",
        Phase.REGISTRATION: "before",
        Phase.CAMPAIGN: "before",
        Phase.SILENCE: "during",
        Phase.ADVANCE_VOTING: "during",
        Phase.POLLING: "during",
        Phase.COUNTING: "during",
        Phase.CERTIFICATION: "during",
        Phase.DISPUTE: "after",
        Phase.REVIEW: "after",
    }
)

TYPE_TOKENS: Mapping[str, ElectionType] = MappingProxyType(
    {
        "ep": ElectionType.EUROPEAN_PARLIAMENT,
        "pres": ElectionType.PRESIDENTIAL,
        "parl": ElectionType.PARLIAMENTARY,
        "sen": ElectionType.UPPER_HOUSE,
        "reg": ElectionType.REGIONAL,
        "mun": ElectionType.MUNICIPAL,
        "ref": ElectionType.REFERENDUM,
        "byel": ElectionType.BY_ELECTION,
        "oth": ElectionType.OTHER,
    }
)
"""The type token of an election id, such as `parl` in `xa-parl-2027`."""

CALLED_OFF = "called-off"
"""The state of a calendar whose election is called off."""


def phase_at(calendar: ElectionCalendar, now: dt.datetime) -> Phase:
    """The highest ranked phase whose window is open; a window includes its start and excludes its end."""
    return phase_over((calendar,), now)


def phase_over(calendars: Iterable[ElectionCalendar], now: dt.datetime) -> Phase:
    """The highest ranked phase open in any of several elections; it is the phase of a country.

    An election that is called off has no phase.
    """
    open_now = {
        window.phase
        for calendar in calendars
        if calendar.state != CALLED_OFF
        for window in calendar.windows
        if window.start <= now < window.end
    }
    return next((phase for phase in RANKING if phase in open_now), Phase.NONE)


def coarse(phase: Phase) -> str:
    """`before`, `during`, `after` or `none`."""
    return _COARSE[phase]


def next_change(calendar: ElectionCalendar, now: dt.datetime) -> dt.datetime | None:
    """The next time at which the phase changes; None if it does not change."""
    present = phase_at(calendar, now)
    edges = sorted({edge for window in calendar.windows for edge in (window.start, window.end) if edge > now})
    return next((edge for edge in edges if phase_at(calendar, edge) is not present), None)
