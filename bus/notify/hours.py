"""Times of the day where people live: quiet hours, and when a digest is due, also on days on which clocks are changed. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from bus.notify.shape import Span

_DAY = dt.timedelta(days=1)


def is_quiet(spans: Iterable[Span], zone: dt.tzinfo, now: dt.datetime) -> bool:
    """Whether a moment is in one of the spans, as a clock on the wall shows it there.

    An hour that comes twice is quiet both times, one that is left out is not missed: the span ends where the clock has passed
    its end.
    """
    wall = now.astimezone(zone).time().replace(fold=0)
    return any(
        each.begins <= wall < each.ends
        if each.begins <= each.ends
        else wall >= each.begins or wall < each.ends
        for each in spans
    )


def next_hour(hours: Iterable[dt.time], zone: dt.tzinfo, after: dt.datetime) -> dt.datetime | None:
    """The first moment after another at which one of the times of the day comes; None without any.

    A time that comes twice on a day counts once, the first time; one that is left out counts when it would have been.
    """
    return min((each for each in _coming(tuple(hours), zone, after) if each > after), default=None)


def _coming(hours: tuple[dt.time, ...], zone: dt.tzinfo, after: dt.datetime) -> Iterator[dt.datetime]:
    today = after.astimezone(zone).date()
    for day in (today - _DAY, today, today + _DAY, today + 2 * _DAY):
        for hour in hours:
            yield dt.datetime.combine(day, hour, zone).astimezone(dt.UTC)
