"""A hub's elections: the calendar that counts, and the phase of an election and of a country.

A calendar dates one election in its issuer's own country. For an election of the Union each country has its own calendar.
The newest calendar of a country counts, and an electoral authority's takes precedence. A superseded or withdrawn one
does not count. An expired one still counts and is marked: no channel may slow down during a vote because a date was set
too early.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from operator import attrgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from bus.policy import Clearance
from bus.storage import utc
from bus.subscribing import Inbox, Stored, contested, stored
from schemas.bodies.electoral import ElectionCalendar
from schemas.elections import coarse, next_change, phase_at, phase_over
from schemas.vocab import Domain, Phase

UNION = "EU"

_SQL = """
SELECT a.*, c.election, t.country, t.expires, t.domain FROM calendars c
JOIN admitted a ON a.row = c.row JOIN actual t ON t.row = c.row
WHERE t.ended_by IS NULL ORDER BY c.election, t.country, t.domain = ? DESC, c.issued DESC, c.row DESC
"""


class Election(msgspec.Struct, frozen=True, kw_only=True):
    """One election in one country, at one moment."""

    election: str
    country: str
    issuer: str
    phase: str
    coarse: str
    next_change: dt.datetime | None
    confirmed: bool
    expired: bool
    bulletin: str


class CountryPhase(msgspec.Struct, frozen=True, kw_only=True):
    """A country's phase: the gravest phase of all its elections."""

    country: str
    phase: str
    coarse: str
    elections: tuple[str, ...]


class Calendar(NamedTuple):
    """The calendar that counts for an election in a country, with its bulletin."""

    election: str
    country: str
    body: ElectionCalendar
    row: Stored
    expires: dt.datetime


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One window, in the election's own time and in UTC."""

    phase: str
    round: int
    state: str
    start: dt.datetime
    end: dt.datetime
    local_start: str
    local_end: str
    note: str | None


def calendars(db: sqlite3.Connection) -> tuple[Calendar, ...]:
    """The calendar that counts, for each election in each country."""
    counting: dict[tuple[str, str], Calendar] = {}
    for row in db.execute(_SQL, (Domain.ELECTORAL,)):
        if (row["election"], row["country"]) in counting:
            continue  # an older one is not even decoded
        kept = stored(row)
        bulletin = kept.bulletin
        if not isinstance(bulletin.body, ElectionCalendar) or bulletin.election is None:
            continue
        election, country = bulletin.election.id, row["country"]
        if home(election) not in (UNION, country):
            continue
        calendar = Calendar(election, country, bulletin.body, kept, bulletin.expires)
        counting.setdefault((election, country), calendar)
    return tuple(counting.values())


def home(election: str) -> str:
    """The country that an election id names, or `EU`."""
    return election.partition("-")[0].upper()


def elections(db: sqlite3.Connection, now: dt.datetime) -> tuple[Election, ...]:
    """Every election with a calendar that counts, in its present state."""
    return tuple(standing(calendar, now) for calendar in calendars(db))


def standing(calendar: Calendar, now: dt.datetime) -> Election:
    """The present state of an election."""
    phase = phase_at(calendar.body, now)
    return Election(
        election=calendar.election,
        country=calendar.country,
        issuer=calendar.row.bulletin.issuer.id,
        phase=phase,
        coarse=coarse(phase),
        next_change=next_change(calendar.body, now),
        confirmed=calendar.body.confirmed,
        expired=calendar.expires <= now,
        bulletin=calendar.row.id,
    )


def by_country(known: Iterable[Calendar], now: dt.datetime) -> tuple[CountryPhase, ...]:
    """The phase of every country that has a calendar; several elections at once have the gravest."""
    groups: dict[str, list[Calendar]] = {}
    for calendar in known:
        groups.setdefault(calendar.country, []).append(calendar)
    return tuple(
        CountryPhase(
            country=country,
            phase=(phase := phase_over((calendar.body for calendar in group), now)),
            coarse=coarse(phase),
            elections=tuple(sorted(calendar.election for calendar in group)),
        )
        for country, group in sorted(groups.items())
    )


def of_country(known: Iterable[Calendar], country: str) -> tuple[ElectionCalendar, ...]:
    """The calendars of a country; for the Union, of any."""
    return tuple(calendar.body for calendar in known if country in (UNION, calendar.country))


def present_phase(db: sqlite3.Connection, country: str, now: dt.datetime) -> Phase:
    """The present phase of a country over all its elections; for the Union, over all countries."""
    return phase_over(of_country(calendars(db), country), now)


def phase_in(store: Inbox, country: str) -> Callable[[dt.datetime], Awaitable[Phase]]:
    """A function that returns a country's phase at a moment, by the calendars in a store."""

    async def phase(now: dt.datetime) -> Phase:
        return await store.read(lambda db: present_phase(db, country, now))

    return phase


def last_exercises(db: sqlite3.Connection, clearance: Clearance | None = None) -> dict[str, dt.datetime]:
    """By authority, the time of its newest exercise bulletin with effect; with a clearance, of those that it sees."""
    rows = db.execute(
        "SELECT issuer, tlp, audience, max(issued) AS last FROM exercise "
        f"WHERE NOT {contested.muted('exercise.row')} GROUP BY issuer, tlp, audience ORDER BY last"
    )
    return {
        row["issuer"]: utc(row["last"])
        for row in rows
        if clearance is None or clearance.sees(row["tlp"], row["audience"])
    }


def windows(calendar: ElectionCalendar, now: dt.datetime) -> tuple[Window, ...]:
    """Every window in the order of their start, each in the time of its own zone."""
    return tuple(
        Window(
            phase=window.phase,
            round=window.round,
            start=window.start,
            end=window.end,
            note=window.note or (window.area.name or window.area.scope if window.area else None),
            state="open" if window.start <= now < window.end else "past" if window.end <= now else "to come",
            local_start=_local(window.start, zone_of(window.tz or calendar.tz)),
            local_end=_local(window.end, zone_of(window.tz or calendar.tz)),
        )
        for window in sorted(calendar.windows, key=attrgetter("start", "end"))
    )


def zone_of(name: str) -> dt.tzinfo:
    """The zone, or UTC if this machine has no data for it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return dt.UTC


def vote_end(calendar: ElectionCalendar) -> dt.datetime | None:
    """When the last window of the election period closes; readiness must last until then."""
    return max((window.end for window in calendar.windows if coarse(window.phase) == "during"), default=None)


def _local(moment: dt.datetime, zone: dt.tzinfo) -> str:
    try:
        there = moment.astimezone(zone)
    except OverflowError:  # at the ends of the calendar a zone may lead out of it
        there = moment
    return f"{there:%Y-%m-%d %H:%M %Z}"
