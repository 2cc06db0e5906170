"""A list as a calendar (RFC 5545, names and refreshing by RFC 7986): all times in UTC, no alarm, no method. Pure.

The lines are written here: a library would bring four packages for a few properties. Tests read them with that library.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from bus.console import texts
from bus.console.forms.shape import Item, Listing

KIND = "text/calendar; charset=utf-8"
MOST_OCTETS = 75
"""A longer line is folded (RFC 5545, section 3.1)."""
_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


def write(listing: Listing) -> bytes:
    """The bytes of a calendar."""
    return b"".join(_folded(line) for line in _lines(listing))


def _lines(listing: Listing) -> Iterator[str]:
    title = f"{listing.title}, {listing.hub}"
    yield "BEGIN:VCALENDAR"
    yield "VERSION:2.0"
    yield "PRODID:-//tocsin//console//EN"
    yield "CALSCALE:GREGORIAN"
    yield f"NAME:{_text(title)}"
    yield f"X-WR-CALNAME:{_text(title)}"
    yield f"DESCRIPTION:{_text(' '.join((f'Up to TLP:{listing.marking.upper()}.', *listing.notes)))}"
    yield "REFRESH-INTERVAL;VALUE=DURATION:PT1H"
    for item in listing.items:
        if item.start is not None:
            yield from _event(listing, item, item.start)
    yield "END:VCALENDAR"


def _event(listing: Listing, item: Item, start: dt.datetime) -> Iterator[str]:
    marking = f"TLP:{item.tlp.upper()}"
    yield "BEGIN:VEVENT"
    yield f"UID:{listing.uuid_of(item)}"
    yield f"DTSTAMP:{_moment(listing.now)}"
    yield f"DTSTART:{_moment(start)}"
    if item.end is not None and item.end > start:
        yield f"DTEND:{_moment(item.end)}"
    yield f"SUMMARY:{_text(f'{item.title} [{marking}]')}"
    yield f"DESCRIPTION:{_text(f'{marking}. {item.words}')}"
    yield f"URL:{listing.base}{item.path}"
    yield f"CATEGORIES:{_several((marking, *item.tags))}"
    yield f"CLASS:{'PUBLIC' if item.tlp == 'clear' else 'CONFIDENTIAL'}"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _several(words: Iterable[str]) -> str:
    return ",".join(map(_text, words))


def _text(text: str) -> str:
    """A value of type TEXT (section 3.3.11): what nobody sees is shown, tabs are blanks, the rest is escaped."""
    return texts.shown(text).replace("\t", " ").translate(_ESCAPES)


def _moment(moment: dt.datetime) -> str:
    # `%Y` writes the year 1 with one digit, and a calendar with that is read by nobody.
    text = moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    return f"{text.replace('-', '').replace(':', '')}Z"


def _folded(line: str) -> bytes:
    """A line in pieces of at most so many octets, none cut within a character."""
    raw, pieces, most = line.encode("utf-8"), [], MOST_OCTETS
    while len(raw) > most:
        cut = most
        while raw[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(raw[:cut])
        raw, most = raw[cut:], MOST_OCTETS - 1
    return b"\r\n ".join((*pieces, raw)) + b"\r\n"
