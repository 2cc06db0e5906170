"""Quiet hours and digests, also on the days on which clocks are changed."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bus.notify.hours import is_quiet, next_hour
from bus.notify.shape import Span

TALLINN = ZoneInfo("Europe/Tallinn")
NIGHT = Span(dt.time(22), dt.time(6))
SPRING, AUTUMN = dt.date(2027, 3, 28), dt.date(2027, 10, 31)  # 03:00 is followed by 04:00; 04:00 by 03:00


def local(day: dt.date, hour: int, minute: int = 0, fold: int = 0) -> dt.datetime:
    """A moment by the clock on the wall."""
    return dt.datetime.combine(day, dt.time(hour, minute, fold=fold), TALLINN).astimezone(dt.UTC)


def quiet_minutes(day: dt.date, span: Span) -> int:
    """How many minutes from noon before a day until its noon are quiet."""
    begin, end = local(day - dt.timedelta(days=1), 12), local(day, 12)
    minutes = int((end - begin).total_seconds()) // 60
    return sum(is_quiet([span], TALLINN, begin + dt.timedelta(minutes=n)) for n in range(minutes))


def test_a_night_over_midnight() -> None:
    """Quiet from its first minute, and not in that of its end."""
    day = dt.date(2027, 5, 2)
    quiet = [is_quiet([NIGHT], TALLINN, local(day, hour)) for hour in (21, 22, 23, 0, 5, 6, 12)]
    assert quiet == [False, True, True, True, True, False, False]


def test_the_night_follows_the_wall_when_clocks_change() -> None:
    """It has eight hours, seven in spring, nine in autumn."""
    found = [quiet_minutes(day, NIGHT) / 60 for day in (dt.date(2027, 5, 2), SPRING, AUTUMN)]
    assert found == [8, 7, 9]


def test_an_hour_that_comes_twice_is_quiet_twice_and_one_left_out_holds_nothing() -> None:
    """A span from three to four: two hours in autumn, none in spring."""
    span = Span(dt.time(3), dt.time(4))
    assert (quiet_minutes(AUTUMN, span), quiet_minutes(SPRING, span)) == (120, 0)


def test_an_end_that_is_left_out_ends_the_span() -> None:
    """Until half past three, on a day on which three is followed by four: nothing is held at four."""
    span = Span(dt.time(1), dt.time(3, 30))
    assert is_quiet([span], TALLINN, local(SPRING, 2, 59))
    assert not is_quiet([span], TALLINN, local(SPRING, 4))


def test_a_digest_comes_once_on_each_day() -> None:
    """Also at an hour that comes twice, or is left out."""
    for day in (SPRING, AUTUMN):
        due, found = local(day - dt.timedelta(days=1), 12), []
        while (due := next_hour([dt.time(3, 30)], TALLINN, due) or due) < local(
            day + dt.timedelta(days=1), 12
        ):
            found.append(due)
        assert len(found) == 2


def test_without_hours_no_digest_comes() -> None:
    """Never."""
    assert next_hour([], TALLINN, local(SPRING, 1)) is None


@given(
    st.integers(0, 366 * 86_400).map(
        lambda n: dt.datetime(2027, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=n)
    ),
    st.lists(st.times(), min_size=1, max_size=4),
)
def test_the_next_digest_is_later_and_within_two_days(after: dt.datetime, hours: list[dt.time]) -> None:
    """Whatever the hours are."""
    due = next_hour(hours, TALLINN, after)
    assert due is not None
    assert dt.timedelta(0) < due - after <= dt.timedelta(hours=49)
