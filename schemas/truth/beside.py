"""Words beside figures: the dates, hours and numbers that a text gives, and those of the body. For remarks alone.

A text is only doubted where nothing of its kind in it agrees with the body: it may tell of more than the body has.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentNotice, ContentOrder, PlatformMeasure
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.foreign import Fimi, SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.parts import Info
from schemas.vocab import MsgType

_NUMBERS = MappingProxyType(
    {
        word: n
        for n, word in enumerate(
            re.findall(
                r"\w+",
                "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
                "seventeen eighteen nineteen twenty",
            )
        )
    }
)
_MILLION = r"(?: (?:million|millions|millones|millionen|milioni|miljoner|miljoonaa|mln\.?|m)\b)?"
_FIGURE = rf"(?:[0-9]{{1,3}}(?:[ \u00a0\u202f,.’'][0-9]{{3}})+|[0-9]{{1,9}}(?:[.,][0-9]{{1,2}})?{_MILLION}|(?:{'|'.join(_NUMBERS)})\b)"
_EACH_FIGURE = re.compile(rf"(?<![\w.,:/-]){_FIGURE}(?![\w:/])", re.IGNORECASE)
_UNITS = r"(?:polling (?:places|stations)|constituencies|municipalities|districts|villages|towns|communes|precincts)"
_VOTERS = r"(?:voters|households|electors|polling cards|voting cards|ballots)"
_PERSONS = r"(?:voters|donors|members|persons|people|candidates|observers|staff|volunteers|citizens|subscribers|employees)"
_ACCOUNTS = r"(?:accounts|sites|websites|channels|outlets|pages|profiles|domains)"
_ITEMS = r"(?:clips|posts|videos|images|copies|items|links|offers|advertisements|ads|comments|accounts|pages|measures|decisions)"
_LISTED = r"(?:persons|people|individuals|enterprises|entities|companies|organisations)"
_USERS = r"(?:users|mailboxes|accounts|customers)"
_CLOSE = 0.15

_MONTHS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        lang: tuple(stems.split())
        for lang, stems in {
            "en": "jan feb mar apr may jun jul aug sep oct nov dec",
            "de": "jan feb mär apr mai jun jul aug sep okt nov dez",
            "fr": "janv févr mars avr mai juin juil août sept oct nov déc",
            "es": "ene feb mar abr may jun jul ago sep oct nov dic",
            "it": "gen feb mar apr mag giu lug ago set ott nov dic",
            "nl": "jan feb maa apr mei jun jul aug sep okt nov dec",
            "pt": "jan fev mar abr mai jun jul ago set out nov dez",
            "sv": "jan feb mar apr maj jun jul aug sep okt nov dec",
            "da": "jan feb mar apr maj jun jul aug sep okt nov dec",
            "pl": "sty lut mar kwi maj cze lip sie wrz paź lis gru",
            "ro": "ian feb mar apr mai iun iul aug sep oct noi dec",
            "fi": "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
            "el": "ιαν φεβ μαρ απρ μα ιουν ιουλ αυγ σεπ οκτ νοε δεκ",
        }.items()
    }
)
"""How the months begin, by language."""
_DAY_MONTH = re.compile(
    r"(?<![\d.:/-])([0-9]{1,2})(?:\.|º|er|ης|η|th|st|nd|rd)? (?:(?:de|do|di|of|of the) )?([^\W\d_]{3,})"
)
_MONTH_DAY = re.compile(r"\b([^\W\d_]{3,9}) ([0-9]{1,2})(?:th|st|nd|rd)?\b(?![:.]\d)")
_HOURS = re.compile(
    r"(?<![\d.:/])([0-2]?[0-9])[:.h]([0-5][0-9])(?: ?Uhr| ?h)? ?(?:to|until|till|and|–|—|-|bis|à|a|al?le|do|til|till|tot|και|έως)(?: las| les)? ?"
    r"([0-2]?[0-9])[:.h]([0-5][0-9])(?![\d:/])"
)
_NEAR = dt.timedelta(days=1)


def beside(b: Bulletin) -> Iterator[Violation]:
    """Each with a stable word as its `rule`: `date`, `hours`, `count`."""
    if isinstance(b.body, ElectionCalendar) and b.msg_type is MsgType.ALERT:
        yield from _calendar(b, b.body)
    yield from _counts(b)


def _text(info: Info) -> str:
    return " ".join(filter(None, (info.headline, info.summary, info.public_line)))


def _calendar(b: Bulletin, body: ElectionCalendar) -> Iterator[Violation]:
    try:
        zone = ZoneInfo(body.tz)
        edges = [edge.astimezone(zone) for window in body.windows for edge in (window.start, window.end)]
    except (ZoneInfoNotFoundError, ValueError, OverflowError):
        return
    days = {
        ((edge + shift).month, (edge + shift).day)
        for edge in edges
        for shift in (-_NEAR, dt.timedelta(), _NEAR)
    }
    hours = {(each.hour, each.minute) for each in edges} | {
        (edge.hour, edge.minute) for window in body.windows for edge in (window.start, window.end)
    }
    for n, info in enumerate(b.info):
        text = _text(info)
        told = set(_dates(text, info.lang.partition("-")[0]))
        if told and not told & days:
            month, day = min(told)
            yield Violation(
                "date",
                f"$.info[{n}]",
                f"tells of day {day} of month {month}, which is none of the calendar's",
            )
        spans = [tuple(map(int, found.groups())) for found in _HOURS.finditer(text)]
        if spans and not any({(a, m), (z, o)} <= hours for a, m, z, o in spans):
            a, m, z, o = spans[0]
            yield Violation(
                "hours",
                f"$.info[{n}]",
                f"tells of {a:02}:{m:02} to {z:02}:{o:02}, and no window has these hours in {body.tz}",
            )


def _dates(text: str, lang: str) -> Iterator[tuple[int, int]]:
    """Month and day of each date that a text spells out."""
    stems = _MONTHS.get(lang)
    if stems is None:
        return
    pairs = [(found[1], found[2]) for found in _DAY_MONTH.finditer(text)]
    if lang == "en":
        pairs += [(found[2], found[1]) for found in _MONTH_DAY.finditer(text)]
    for day, word in pairs:
        month = next((n for n, stem in enumerate(stems, 1) if word.lower().startswith(stem)), None)
        if month is not None and word[:1].isupper() >= (lang in ("en", "de")) and 1 <= int(day) <= 31:
            yield month, int(day)


def _number(text: str) -> int:
    found = re.fullmatch(r"([0-9]+)(?:[.,]([0-9]{1,2}))?( \D.*)?", text)
    if found is not None and (found[2] or found[3]):
        value = float(f"{found[1]}.{found[2] or 0}")
        return int(value * 1_000_000) if found[3] else int(value)
    word = _NUMBERS.get(text.lower())
    return int(re.sub(r"\D", "", text)) if word is None else word


def _counted(b: Bulletin) -> Iterator[tuple[str, str, int | None]]:
    """Name and value of what a body counts, and the words for it."""
    body = b.body
    if isinstance(body, ElectionIncident):
        yield "units_affected", _UNITS, body.units_affected
        yield "voters_affected", _VOTERS, body.voters_affected
    elif isinstance(body, DataBreach):
        yield "subjects_approx", _PERSONS, body.subjects_approx
    elif isinstance(body, Fimi):
        yield "channel_count", _ACCOUNTS, body.channel_count
    elif isinstance(body, PlatformMeasure):
        yield "count", _ITEMS, body.count
    elif isinstance(body, CyberIncident):
        yield "users_affected", _USERS, body.users_affected
    elif isinstance(body, ContentNotice | ContentOrder):
        yield "items", _ITEMS, len(body.items) or None
    elif isinstance(body, SanctionsListing):
        yield "listed", _LISTED, len(body.listed)


def _counts(b: Bulletin) -> Iterator[Violation]:
    """A number in a headline of what the body counts, where no number of the words is that of the body."""
    for name, noun, value in _counted(b):
        if value is None:
            continue
        near = re.compile(rf"(?<![\w.,:/-])({_FIGURE}) (?:[a-z-]+ )?{noun}\b", re.IGNORECASE)
        for n, info in enumerate(b.info):
            found = near.search(info.headline)
            if found is None:
                continue
            told = [_number(each[0]) for each in _EACH_FIGURE.finditer(f"{info.headline} {info.summary}")]
            if all(abs(each - value) > value * _CLOSE for each in told):
                yield Violation(
                    "count",
                    f"$.info[{n}].headline",
                    f"says {_number(found[1])}, the body has {value} as {name}",
                )
