"""The end of a legal period: by plain addition, and at the latest by Regulation (EEC, Euratom) No 1182/71, Article 3.

An officer acts by `Due.plain`. `Due.latest` is the last time that the law accepts. The hour or day of the event does
not count. A period ends with its last hour. A period in days or months never ends on a Saturday, Sunday or public
holiday. A period of two days or more contains two working days.
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
"""The longest supported period."""


class Period(msgspec.Struct, frozen=True):
    """The length of a period in one unit; the other two are 0."""

    hours: int = 0
    days: int = 0
    months: int = 0


class Due(msgspec.Struct, frozen=True):
    """The two ends of a period, as aware times."""

    plain: dt.datetime
    latest: dt.datetime


def due(
    started: dt.datetime, period: Period, *, zone: dt.tzinfo = dt.UTC, holidays: Container[dt.date] = ()
) -> Due:
    """The end of a period that begins with an event.

    Args:
        started: the event, aware.
        period: its length.
        zone: that of the authority to inform; a period in days or months ends there at midnight.
        holidays: public holidays of that authority.

    Raises:
        ValueError: no unit or several units are above 0, or the period is longer than ten years.
    """
    units = (period.hours, period.days, period.months)
    if sorted(unit > 0 for unit in units) != [False, False, True] or min(units) < 0:
        raise ValueError("give a period in one unit: hours, days or months")
    if period.hours > 24 * MOST_DAYS or period.days > MOST_DAYS or period.months > MOST_MONTHS:
        raise ValueError("a period is at most ten years long")
    local = started.astimezone(zone)
    if period.hours:
        plain = started + period.hours * _HOUR
        # Article 3(1) and 3(2)(a): the hour of the event does not count; the last hour counts to its end.
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
    """The last day of a period in days or months; the last day of the month if the month lacks that day (Article 3(2)(c))."""
    if period.days:
        return day + period.days * _DAY
    years, month = divmod(day.month - 1 + period.months, 12)
    year, month = day.year + years, month + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _with_working_days(
    end: dt.datetime, begun: dt.date, zone: dt.tzinfo, holidays: Container[dt.date]
) -> dt.datetime:
    """The end of the second working day after the event, if a period in hours ends earlier (Article 3(5))."""
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
