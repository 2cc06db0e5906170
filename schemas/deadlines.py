"""When a legal period ends: as plainly added, and at the latest by Regulation (EEC, Euratom) No 1182/71, Article 3.

An officer acts by `Due.plain`. `Due.latest` is what the law would still take: the hour or day of the event does not count, a
period ends with its last hour, one that is not in hours never on a Saturday, Sunday or public holiday, and one of two days or
more has two working days in it.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Container

import msgspec

_HOUR = dt.timedelta(hours=1)
_DAY = dt.timedelta(days=1)
_MIDNIGHT = dt.time()
MOST_DAYS, MOST_MONTHS = 3_660, 120
"""The longest period that is computed."""


class Period(msgspec.Struct, frozen=True):
    """How long a clock runs, in one unit; the other two are 0."""

    hours: int = 0
    days: int = 0
    months: int = 0


class Due(msgspec.Struct, frozen=True):
    """When a period ends, both aware."""

    plain: dt.datetime
    latest: dt.datetime


def due(
    started: dt.datetime, period: Period, *, zone: dt.tzinfo = dt.UTC, holidays: Container[dt.date] = ()
) -> Due:
    """When a period ends that an event began.

    Args:
        started: the event, aware.
        period: how long it runs.
        zone: of the authority that is to be told; a period in days or months ends there at midnight.
        holidays: its public holidays.

    Raises:
        ValueError: not exactly one unit is above 0, or the period is longer than ten years.
    """
    units = (period.hours, period.days, period.months)
    if sorted(unit > 0 for unit in units) != [False, False, True] or min(units) < 0:
        raise ValueError("a period has one unit: hours, days or months")
    if period.hours > 24 * MOST_DAYS or period.days > MOST_DAYS or period.months > MOST_MONTHS:
        raise ValueError("a period is at most ten years long")
    local = started.astimezone(zone)
    if period.hours:
        plain = started + period.hours * _HOUR
        # Article 3(1) and 3(2)(a): the hour of the event does not count, the last one does to its end.
        begun = started - dt.timedelta(
            minutes=local.minute, seconds=local.second, microseconds=local.microsecond
        )
        latest = begun + (period.hours + 1) * _HOUR
        if period.hours >= 48:
            latest = max(latest, _with_working_days(latest, local.date(), zone, holidays))
        return Due(plain.astimezone(dt.UTC), latest.astimezone(dt.UTC))
    last = _later(local.date(), period)
    plain = dt.datetime.combine(last, local.timetz().replace(tzinfo=None), zone)
    while _is_free(last, holidays):  # Article 3(4)
        last += _DAY
    if period.days >= 2 or period.months:
        last = max(last, _second_working_day(local.date(), holidays))
    return Due(plain.astimezone(dt.UTC), _end_of(last, zone).astimezone(dt.UTC))


def _later(day: dt.date, period: Period) -> dt.date:
    """The last day of a period in days or months; the last of its month where the month has no such day (Article 3(2)(c))."""
    if period.days:
        return day + period.days * _DAY
    years, month = divmod(day.month - 1 + period.months, 12)
    year, month = day.year + years, month + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _with_working_days(
    end: dt.datetime, begun: dt.date, zone: dt.tzinfo, holidays: Container[dt.date]
) -> dt.datetime:
    """The end of the second working day after the event's, where a period in hours ends before (Article 3(5))."""
    second = _second_working_day(begun, holidays)
    return end if end.astimezone(zone).date() > second else _end_of(second, zone)


def _second_working_day(begun: dt.date, holidays: Container[dt.date]) -> dt.date:
    """The second working day after a day."""
    day, left = begun, 2
    while left:
        day += _DAY
        left -= not _is_free(day, holidays)
    return day


def _is_free(day: dt.date, holidays: Container[dt.date]) -> bool:
    return day.weekday() >= 5 or day in holidays


def _end_of(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    """The midnight that ends a day."""
    return dt.datetime.combine(day + _DAY, _MIDNIGHT, zone)
