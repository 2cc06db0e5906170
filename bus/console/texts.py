"""Words of a page: texts of others made harmless to read, spans and moments as a tired person understands them. Pure."""

from __future__ import annotations

import datetime as dt
import unicodedata

from markupsafe import Markup

UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
"""Categories of characters that are not seen or that steer how others are shown."""
KEPT = frozenset("\n\t\u200c\u200d\u00ad")
"""Line breaks, and what scripts join letters with."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


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


def span(seconds: float) -> str:
    """A length of time in two units at most: `2 d 3 h`, `1 h 05 min`, `46 min`, `40 s`."""
    whole = int(abs(seconds))
    days, rest = divmod(whole, _DAY)
    hours, minutes = rest // _HOUR, rest % _HOUR // _MINUTE
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{whole} s"


def left(moment: dt.datetime, now: dt.datetime) -> str:
    """How long until a moment: `in 46 min`, `43 min late`."""
    seconds = (moment - now).total_seconds()
    return f"{span(seconds)} late" if seconds < 0 else f"in {span(seconds)}"


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """How long since a moment: `5 min ago`."""
    seconds = (now - moment).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(seconds)}"


def urgency(moment: dt.datetime, now: dt.datetime) -> str:
    """The class of a moment by which something is due: `over`, `soon` within the hour, nothing today, else `far`."""
    seconds = (moment - now).total_seconds()
    if seconds < 0:
        return "over"
    if seconds < _HOUR:
        return "soon"
    return "" if seconds < _DAY else "far"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its word: `1 bulletin`, `62 bulletins`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
