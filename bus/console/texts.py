"""Words of a page: texts of others made harmless to read, spans and moments as a tired person understands them. Pure."""

from __future__ import annotations

import datetime as dt
import unicodedata

from markupsafe import Markup

from bus.languages import Language, marked

UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
"""Categories of characters that are not seen or that steer how others are shown."""
KEPT = frozenset("\n\t\u200c\u200d\u00ad")
"""Line breaks, and what scripts join letters with."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
MONTHS = (
    marked("January", "", "date"), marked("February", "", "date"), marked("March", "", "date"), marked("April", "", "date"),
    marked("May", "", "date"), marked("June", "", "date"), marked("July", "", "date"), marked("August", "", "date"),
    marked("September", "", "date"), marked("October", "", "date"), marked("November", "", "date"), marked("December", "", "date"),
)  # fmt: skip
"""By themselves, and in a date: some languages bend them there."""
_SHORT = (
    marked("Jan", "short date"), marked("Feb", "short date"), marked("Mar", "short date"), marked("Apr", "short date"),
    marked("May", "short date"), marked("Jun", "short date"), marked("Jul", "short date"), marked("Aug", "short date"),
    marked("Sep", "short date"), marked("Oct", "short date"), marked("Nov", "short date"), marked("Dec", "short date"),
)  # fmt: skip
_WEEKDAYS = (
    marked("Monday", "date"), marked("Tuesday", "date"), marked("Wednesday", "date"), marked("Thursday", "date"),
    marked("Friday", "date"), marked("Saturday", "date"), marked("Sunday", "date"),
)  # fmt: skip


def capital(words: str) -> str:
    """Words with a large first letter, as at the head of a row; a style sheet would take the accent from a Greek one."""
    return words[:1].upper() + words[1:]


def shown(text: str) -> str:
    """A text in which each character that is not seen, or that steers others, stands as its number: `[U+202E]`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"[U+{ord(each):04X}]" if each not in KEPT and unicodedata.category(each) in UNSEEN else each
        for each in text
    )


def finalized(value: object) -> object:
    """What an expression of a template gives, before it is escaped: text is shown, markup stays."""
    if isinstance(value, Markup):
        return value
    return shown(value) if isinstance(value, str) else value


def span(say: Language, seconds: float) -> str:
    """A length of time in two units at most: `2 d 3 h`, `1 h 05 min`, `46 min`, `40 s`."""
    whole = int(abs(seconds))
    days, rest = divmod(whole, _DAY)
    hours, minutes = rest // _HOUR, rest % _HOUR // _MINUTE
    if days:
        return say("%(d)s d %(h)s h", d=days, h=hours) if hours else say("%(d)s d", d=days)
    if hours:
        return say("%(h)s h %(m)s min", h=hours, m=f"{minutes:02d}") if minutes else say("%(h)s h", h=hours)
    return say("%(m)s min", m=minutes) if minutes else say("%(s)s s", s=whole)


def took(say: Language, seconds: float) -> str:
    """A length of time in which seconds count: `1 min 30 s`; from an hour on as `span`."""
    minutes, rest = divmod(int(abs(seconds)), _MINUTE)
    if not 0 < minutes < 60 or not rest:
        return span(say, seconds)
    return say("%(m)s min %(s)s s", m=minutes, s=rest)


def left(say: Language, moment: dt.datetime, now: dt.datetime) -> str:
    """How long until a moment: `in 46 min`, `43 min late`."""
    seconds = (moment - now).total_seconds()
    told = span(say, seconds)
    return say("%(span)s late", span=told) if seconds < 0 else say("in %(span)s", span=told)


def ago(say: Language, moment: dt.datetime, now: dt.datetime) -> str:
    """How long since a moment: `5 min ago`."""
    seconds = (now - moment).total_seconds()
    told = span(say, seconds)
    return say("%(span)s ago", span=told) if seconds >= 0 else say("in %(span)s", span=told)


def day(say: Language, moment: dt.datetime, how: str = "short") -> str:
    """A day in words.

    Args:
        say: the language.
        moment: some time of the day.
        how: `short` for `29 Nov`, `year` for `29 Nov 2026`, `long` for `29 November`, `full` for `29 November 2026`, `whole` with
            the day of the week, too.
    """
    number = moment.day
    if how in ("short", "year"):
        month = say.within("short date", _SHORT[moment.month - 1])
    else:
        month = say.within("date", MONTHS[moment.month - 1])
    if how in ("year", "full"):
        return say.within("date", "%(day)s %(month)s %(year)s", day=number, month=month, year=moment.year)
    if how == "whole":
        weekday = say.within("date", _WEEKDAYS[moment.weekday()])
        return say.within(
            "date",
            "%(weekday)s %(day)s %(month)s %(year)s",
            weekday=weekday,
            day=number,
            month=month,
            year=moment.year,
        )
    return say.within("date", "%(day)s %(month)s", day=number, month=month)


def stamp(moment: dt.datetime) -> str:
    """A moment in UTC for programs: `2026-11-29T20:00:00Z`."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def wall_time(zone: dt.tzinfo, moment: dt.datetime) -> str:
    """What a clock in a zone shows; at the ends of the calendar a zone may lead out of it, and the time is that of UTC."""
    try:
        return f"{moment.astimezone(zone):%H:%M}"
    except OverflowError:
        return f"{moment:%H:%M}"


def both(say: Language, zone: dt.tzinfo, moment: dt.datetime) -> str:
    """A moment in UTC with its day, and as the clock at the hub shows it."""
    return say(
        "%(day)s, %(time)s UTC, %(local)s local",
        day=day(say, moment, "whole"),
        time=f"{moment:%H:%M}",
        local=wall_time(zone, moment),
    )


def number(say: Language, value: float, digits: int = 2) -> str:
    """A number with so many digits after the sign that the language puts there."""
    return f"{value:.{digits}f}".replace(".", say.within("number", "."))


def urgency(moment: dt.datetime, now: dt.datetime) -> str:
    """The class of a moment by which something is due: `over`, `soon` within the hour, nothing today, else `far`."""
    seconds = (moment - now).total_seconds()
    if seconds < 0:
        return "over"
    if seconds < _HOUR:
        return "soon"
    return "" if seconds < _DAY else "far"
