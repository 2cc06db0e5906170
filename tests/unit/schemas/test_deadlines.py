"""Legal periods, against cases that were worked by hand with a calendar, and against another way of counting."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Container
from zoneinfo import ZoneInfo

import pytest

from schemas.deadlines import MOST_DAYS, MOST_MONTHS, Due, Period, due

UTC = dt.UTC
BRUSSELS = ZoneInfo("Europe/Brussels")
KOLKATA = ZoneInfo("Asia/Kolkata")
NONE: frozenset[dt.date] = frozenset()
CHRISTMAS = frozenset({dt.date(2026, 12, 25)})
NEW_YEAR = frozenset({dt.date(2027, 1, 1)})
EASTER = frozenset({dt.date(2027, 3, 26), dt.date(2027, 3, 29)})
MAY = frozenset({dt.date(2027, 5, 1), dt.date(2027, 5, 6), dt.date(2027, 5, 7), dt.date(2027, 5, 17)})
"""A Saturday, a Thursday with the Friday after it, and a Monday."""


def H(n: int) -> Period:  # noqa: N802
    """Hours."""
    return Period(hours=n)


def D(n: int) -> Period:  # noqa: N802
    """Days."""
    return Period(days=n)


def M(n: int) -> Period:  # noqa: N802
    """Months."""
    return Period(months=n)


CASES: tuple[tuple[str, str, Period, dt.tzinfo, Container[dt.date], str, str], ...] = (
    ("a day in hours", "2026-11-23T10:20:00", H(24), UTC, NONE, "2026-11-24T10:20:00", "2026-11-24T11:00:00"),
    ("from the full hour", "2026-11-23T10:00:00", H(24), UTC, NONE, "2026-11-24T10:00:00", "2026-11-24T11:00:00"),
    ("72 hours from Monday", "2026-11-23T10:20:00", H(72), UTC, NONE, "2026-11-26T10:20:00", "2026-11-26T11:00:00"),
    ("from the last second of Tuesday", "2026-11-24T23:59:59", H(72), UTC, NONE, "2026-11-27T23:59:59", "2026-11-28T00:00:00"),
    ("from Wednesday: hours end on a Saturday", "2026-11-25T10:20:00", H(72), UTC, NONE, "2026-11-28T10:20:00", "2026-11-28T11:00:00"),
    ("from Thursday: one working day is missing", "2026-11-26T10:20:00", H(72), UTC, NONE, "2026-11-29T10:20:00", "2026-12-01T00:00:00"),
    ("from Friday", "2026-11-27T10:20:00", H(72), UTC, NONE, "2026-11-30T10:20:00", "2026-12-02T00:00:00"),
    ("from Saturday", "2026-11-28T08:00:00", H(72), UTC, NONE, "2026-12-01T08:00:00", "2026-12-02T00:00:00"),
    ("from Sunday", "2026-11-29T22:30:00", H(72), UTC, NONE, "2026-12-02T22:30:00", "2026-12-02T23:00:00"),
    ("over Christmas", "2026-12-24T09:00:00", H(72), UTC, CHRISTMAS, "2026-12-27T09:00:00", "2026-12-30T00:00:00"),
    ("over a Christmas that is no holiday", "2026-12-24T09:00:00", H(72), UTC, NONE, "2026-12-27T09:00:00", "2026-12-29T00:00:00"),
    ("48 hours are two days", "2026-11-27T10:20:00", H(48), UTC, NONE, "2026-11-29T10:20:00", "2026-12-02T00:00:00"),
    ("47 are not", "2026-11-27T10:20:00", H(47), UTC, NONE, "2026-11-29T09:20:00", "2026-11-29T10:00:00"),
    ("96 hours from Friday", "2026-11-27T10:20:00", H(96), UTC, NONE, "2026-12-01T10:20:00", "2026-12-02T00:00:00"),
    ("96 hours from Monday", "2026-11-23T10:20:00", H(96), UTC, NONE, "2026-11-27T10:20:00", "2026-11-27T11:00:00"),
    ("hours pass as they do when clocks go back", "2026-10-24T10:30:00", H(24), BRUSSELS, NONE, "2026-10-25T10:30:00", "2026-10-25T11:00:00"),
    ("a day ends by the local clock", "2026-10-23T10:30:00", H(72), BRUSSELS, NONE, "2026-10-26T10:30:00", "2026-10-27T23:00:00"),
    ("over Easter, and clocks go forward", "2027-03-26T08:15:00", H(72), BRUSSELS, EASTER, "2027-03-29T08:15:00", "2027-03-31T22:00:00"),
    ("hours of a clock that is half an hour off", "2026-11-23T10:20:00", H(24), KOLKATA, NONE, "2026-11-24T10:20:00", "2026-11-24T10:30:00"),
    ("fourteen days", "2026-11-02T09:00:00", D(14), UTC, NONE, "2026-11-16T09:00:00", "2026-11-17T00:00:00"),
    ("to a Saturday", "2026-10-31T09:00:00", D(14), UTC, NONE, "2026-11-14T09:00:00", "2026-11-17T00:00:00"),
    ("to Christmas", "2026-12-11T09:00:00", D(14), UTC, CHRISTMAS, "2026-12-25T09:00:00", "2026-12-29T00:00:00"),
    ("one day from Friday", "2026-11-27T15:00:00", D(1), UTC, NONE, "2026-11-28T15:00:00", "2026-12-01T00:00:00"),
    ("two days from Friday", "2026-11-27T15:00:00", D(2), UTC, NONE, "2026-11-29T15:00:00", "2026-12-02T00:00:00"),
    ("three days from Thursday", "2026-11-26T15:00:00", D(3), UTC, NONE, "2026-11-29T15:00:00", "2026-12-01T00:00:00"),
    ("thirty days to a Sunday", "2026-10-23T08:00:00", D(30), UTC, NONE, "2026-11-22T08:00:00", "2026-11-24T00:00:00"),
    ("two days within a week", "2026-11-23T08:00:00", D(2), UTC, NONE, "2026-11-25T08:00:00", "2026-11-26T00:00:00"),
    ("two days before Christmas", "2026-12-23T08:00:00", D(2), UTC, CHRISTMAS, "2026-12-25T08:00:00", "2026-12-29T00:00:00"),
    ("into the new year", "2026-12-31T10:00:00", D(1), UTC, NEW_YEAR, "2027-01-01T10:00:00", "2027-01-05T00:00:00"),
    ("a year of days", "2027-02-28T12:00:00", D(365), UTC, NONE, "2028-02-28T12:00:00", "2028-02-29T00:00:00"),
    ("a month", "2026-10-23T08:00:00", M(1), UTC, NONE, "2026-11-23T08:00:00", "2026-11-24T00:00:00"),
    ("a month from the 31st, to a Sunday", "2027-01-31T08:00:00", M(1), UTC, NONE, "2027-02-28T08:00:00", "2027-03-02T00:00:00"),
    ("to the 29th of February", "2028-01-31T08:00:00", M(1), UTC, NONE, "2028-02-29T08:00:00", "2028-03-01T00:00:00"),
    ("into the next year", "2026-12-31T08:00:00", M(1), UTC, NONE, "2027-01-31T08:00:00", "2027-02-02T00:00:00"),
    ("a month from a Saturday", "2026-11-28T06:30:00", M(1), UTC, NONE, "2026-12-28T06:30:00", "2026-12-29T00:00:00"),
    ("a month to Christmas", "2026-11-25T06:30:00", M(1), UTC, CHRISTMAS, "2026-12-25T06:30:00", "2026-12-29T00:00:00"),
    ("three months to a shorter one", "2026-11-30T06:30:00", M(3), UTC, NONE, "2027-02-28T06:30:00", "2027-03-02T00:00:00"),
    ("a year from a leap day", "2028-02-29T06:30:00", M(12), UTC, NONE, "2029-02-28T06:30:00", "2029-03-01T00:00:00"),
    ("a month by a local date, clocks go forward", "2027-03-04T23:30:00", M(1), BRUSSELS, NONE, "2027-04-04T22:30:00", "2027-04-05T22:00:00"),
    ("a month by a local date, to New Year", "2026-11-30T23:30:00", M(1), BRUSSELS, NEW_YEAR, "2026-12-31T23:30:00", "2027-01-04T23:00:00"),
    ("days to a holiday", "2027-05-03T09:00:00", D(14), UTC, MAY, "2027-05-17T09:00:00", "2027-05-19T00:00:00"),
    ("to what is a holiday of another state", "2027-05-03T09:00:00", D(14), UTC, NONE, "2027-05-17T09:00:00", "2027-05-18T00:00:00"),
    ("to a Saturday before a holiday", "2027-05-12T09:00:00", D(3), UTC, MAY, "2027-05-15T09:00:00", "2027-05-19T00:00:00"),
    ("to two holidays before a Saturday", "2027-05-04T09:00:00", D(2), UTC, MAY, "2027-05-06T09:00:00", "2027-05-11T00:00:00"),
    ("to a Saturday that is a holiday", "2027-04-29T09:00:00", D(2), UTC, MAY, "2027-05-01T09:00:00", "2027-05-04T00:00:00"),
    ("from a holiday", "2027-05-17T10:20:00", D(1), UTC, MAY, "2027-05-18T10:20:00", "2027-05-19T00:00:00"),
    ("24 hours end on a holiday", "2027-05-05T10:20:00", H(24), UTC, MAY, "2027-05-06T10:20:00", "2027-05-06T11:00:00"),
    ("72 hours end on a holiday", "2027-05-03T10:20:00", H(72), UTC, MAY, "2027-05-06T10:20:00", "2027-05-06T11:00:00"),
    ("72 hours over two holidays", "2027-05-05T10:20:00", H(72), UTC, MAY, "2027-05-08T10:20:00", "2027-05-12T00:00:00"),
    ("a month to a holiday", "2027-04-17T09:00:00", M(1), UTC, MAY, "2027-05-17T09:00:00", "2027-05-19T00:00:00"),
    ("to a holiday by the local date", "2027-05-02T22:30:00", D(14), BRUSSELS, MAY, "2027-05-16T22:30:00", "2027-05-18T22:00:00"),
)  # fmt: skip


def at(text: str) -> dt.datetime:
    """A moment in UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_case_worked_by_hand(
    case: tuple[str, str, Period, dt.tzinfo, Container[dt.date], str, str],
) -> None:
    """Fifty-one of them: when it ends as plainly added, and at the latest."""
    _, started, period, zone, holidays, plain, latest = case
    assert due(at(started), period, zone=zone, holidays=holidays) == Due(at(plain), at(latest))


def counted(started: dt.datetime, period: Period, zone: dt.tzinfo, holidays: Container[dt.date]) -> Due:
    """The same by walking: hour after hour, day after day, month after month."""

    def working(day: dt.date) -> bool:
        return day.isoweekday() not in (6, 7) and day not in holidays

    def midnight_after(day: dt.date) -> dt.datetime:
        following = dt.date.fromordinal(day.toordinal() + 1)
        return dt.datetime(following.year, following.month, following.day, tzinfo=zone).astimezone(UTC)

    local = started.astimezone(zone)
    today = local.date()
    after = (dt.date.fromordinal(today.toordinal() + n) for n in range(1, 10_000))
    worked = [day for day in (next(after) for _ in range(60)) if working(day)][:2]
    if period.hours:
        plain = started
        edge = started
        while edge.astimezone(zone).strftime("%M:%S.%f") != "00:00.000000" or edge == started:
            left = 60 - edge.astimezone(zone).minute
            step = dt.timedelta(minutes=left) - dt.timedelta(
                seconds=edge.second, microseconds=edge.microsecond
            )
            edge += step  # to the end of the hour of the event
        for _ in range(period.hours):
            plain += dt.timedelta(minutes=60)
            edge += dt.timedelta(minutes=60)
        if period.hours >= 48 and edge.astimezone(zone).date() <= worked[1]:
            edge = midnight_after(worked[1])
        return Due(plain, edge)
    last = today
    for _ in range(period.days):
        last = dt.date.fromordinal(last.toordinal() + 1)
    if period.months:
        number = today.year * 12 + today.month - 1 + period.months
        first = dt.date(number // 12, number % 12 + 1, 1)
        last = first
        while last.day < today.day and dt.date.fromordinal(last.toordinal() + 1).month == first.month:
            last = dt.date.fromordinal(last.toordinal() + 1)
    plain = dt.datetime(
        last.year,
        last.month,
        last.day,
        local.hour,
        local.minute,
        local.second,
        local.microsecond,
        tzinfo=zone,
    ).astimezone(UTC)
    while not working(last) or ((period.days > 1 or period.months) and last < worked[1]):
        last = dt.date.fromordinal(last.toordinal() + 1)
    return Due(plain, midnight_after(last))


def test_ten_thousand_periods_end_where_walking_ends() -> None:
    """By chance, over years, zones, holidays and all three units."""
    chance = random.Random(1182)
    begin = at("2026-01-01T00:00:00")
    for _ in range(10_000):
        started = begin + dt.timedelta(seconds=chance.randrange(6 * 365 * 86_400))
        unit, most = chance.choice((("hours", 200), ("days", 60), ("months", 30)))
        period = Period(**{unit: chance.randint(1, most)})
        zone = chance.choice((UTC, BRUSSELS, ZoneInfo("Europe/Athens"), ZoneInfo("Atlantic/Azores"), KOLKATA))
        near = started.date().toordinal()
        holidays = {dt.date.fromordinal(near + chance.randrange(100)) for _ in range(chance.randrange(12))}
        found = due(started, period, zone=zone, holidays=holidays)
        assert found == counted(started, period, zone, holidays), (started, period, zone, holidays)
        assert started < found.plain
        assert found.plain <= found.latest


@pytest.mark.parametrize(
    "period",
    [
        Period(),
        Period(hours=1, days=1),
        Period(hours=-1),
        Period(days=2, months=-1),
        Period(days=MOST_DAYS + 1),
        Period(hours=24 * MOST_DAYS + 1),
        Period(months=MOST_MONTHS + 1),
    ],
)
def test_what_is_no_period_is_refused(period: Period) -> None:
    """None, several, negative, or without end."""
    with pytest.raises(ValueError, match="period"):
        due(at("2026-11-28T00:00:00"), period)
