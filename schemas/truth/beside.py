"""Remarks: dates, hours and numbers in a text that differ from those of the body.

A text gets a remark only if none of its dates (or hours, or numbers) agrees with the body: it may mention further ones.
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
from schemas.vocab import MsgType, SanctionEvent

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
_PLACES = r"(?:polling (?:places|stations)|constituencies|precincts)"
_TOWNS = r"(?:municipalities|districts|villages|towns|communes)"
_VOTERS = r"(?:voters|electors)"
_HOUSEHOLDS = r"households"
_PERSONS = r"(?:voters|donors|members|persons|people|candidates|observers|staff|volunteers|citizens|subscribers|employees)"
_ACCOUNTS = r"(?:accounts|sites|websites|channels|outlets|pages|profiles|domains)"
_ITEMS = r"(?:clips|posts|videos|images|copies|items)"
_MEASURES = r"(?:clips|posts|videos|images|copies|items|offers|advertisements|ads|comments|accounts|pages|measures|decisions)"
_INDIVIDUALS = r"(?:persons|people|individuals)"
_ENTERPRISES = r"(?:enterprises|entities|companies|organisations)"
_USERS = r"(?:users|mailboxes|customers)"
_CLOSE = 0.15

_MONTHS: Mapping[str, tuple[frozenset[str], ...]] = MappingProxyType(
    {
        lang: tuple(frozenset(month.split("/")) for month in months.split())
        for lang, months in {
            "en": "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug september/sep/sept october/oct november/nov "
            "december/dec",
            "de": "januar/jänner februar/feber märz april mai juni juli august september oktober november dezember",
            "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
            "es": "enero febrero marzo abril mayo junio julio agosto septiembre/setiembre octubre noviembre diciembre",
            "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
            "nl": "januari februari maart april mei juni juli augustus september oktober november december",
            "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
            "sv": "januari februari mars april maj juni juli augusti september oktober november december",
            "da": "januar februar marts april maj juni juli august september oktober november december",
            "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
            "ro": "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
            "fi": "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta marraskuuta "
            "joulukuuta",
            "el": "ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου/μαίου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου νοεμβρίου δεκεμβρίου",
            "cs": "ledna února března dubna května června července srpna září října listopadu prosince",
            "sk": "januára februára marca apríla mája júna júla augusta septembra októbra novembra decembra",
            "hr": "siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada studenoga/studenog prosinca",
        }.items()
    }
)
"""The names of the months in dates, by language."""
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
    """The remarks, each with a stable word as its `rule`: `date`, `hours`, `count`."""
    if isinstance(b.body, ElectionCalendar) and b.msg_type is MsgType.ALERT:
        yield from _calendar(b, b.body)
    yield from _counts(b)


def _text(info: Info) -> str:
    return " ".join(filter(None, (info.headline, info.summary, info.public_line)))


def _calendar(b: Bulletin, body: ElectionCalendar) -> Iterator[Violation]:
    try:
        zone = ZoneInfo(body.tz)
        edges = [edge.astimezone(zone) for window in body.windows for edge in (window.start, window.end)]
        days = {
            ((edge + shift).month, (edge + shift).day)
            for edge in edges
            for shift in (-_NEAR, dt.timedelta(), _NEAR)
        }
    except (ZoneInfoNotFoundError, ValueError, OverflowError):
        return
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
                f"tells of day {day} of month {month}, which is not in the calendar",
            )
        spans = [tuple(map(int, found.groups())) for found in _HOURS.finditer(text)]
        if spans and not any({(a, m), (z, o)} <= hours for a, m, z, o in spans):
            a, m, z, o = spans[0]
            yield Violation(
                "hours",
                f"$.info[{n}]",
                f"tells of {a:02}:{m:02} to {z:02}:{o:02}, and no window has these hours in {body.tz}",
            )


def days_told(text: str, lang: str) -> frozenset[tuple[int, int]]:
    """(month, day) of each date spelled out in a text in a language."""
    return frozenset(_dates(text, lang.partition("-")[0]))


def _dates(text: str, lang: str) -> Iterator[tuple[int, int]]:
    """(month, day) of each date spelled out in a text."""
    months = _MONTHS.get(lang)
    if months is None:
        return
    pairs = [(found[1], found[2]) for found in _DAY_MONTH.finditer(text)]
    if lang == "en":
        pairs += [(found[2], found[1]) for found in _MONTH_DAY.finditer(text)]
    for day, word in pairs:
        month = next((n for n, names in enumerate(months, 1) if word.lower() in names), None)
        if month is not None and word[:1].isupper() >= (lang in ("en", "de")) and 1 <= int(day) <= 31:
            yield month, int(day)


def _number(text: str) -> int:
    found = re.fullmatch(r"([0-9]+)(?:[.,]([0-9]{1,2}))?( \D.*)?", text)
    if found is not None and (found[2] or found[3]):
        value = float(f"{found[1]}.{found[2] or 0}")
        return int(value * 1_000_000) if found[3] else int(value)
    word = _NUMBERS.get(text.lower())
    return int(re.sub(r"\D", "", text)) if word is None else word


def _counted(b: Bulletin) -> Iterator[tuple[str, str, int | None, bool]]:
    """(name of a count, pattern of its words, value, whether it may exceed the number in the text)."""
    body = b.body
    if isinstance(body, ElectionIncident):
        yield "units_affected", _PLACES, body.units_affected, False
        yield "units_affected", _TOWNS, body.units_affected, True
        yield "voters_affected", _VOTERS, body.voters_affected, False
        yield "voters_affected", _HOUSEHOLDS, body.voters_affected, True
    elif isinstance(body, DataBreach):
        yield "subjects_approx", _PERSONS, body.subjects_approx, False
    elif isinstance(body, Fimi):
        yield "channel_count", _ACCOUNTS, body.channel_count, False
    elif isinstance(body, PlatformMeasure):
        yield "count", _MEASURES, body.count, False
    elif isinstance(body, CyberIncident):
        yield "users_affected", _USERS, body.users_affected, False
    elif isinstance(body, ContentNotice | ContentOrder):
        yield "items", _ITEMS, len(body.items) or None, False
    elif isinstance(body, SanctionsListing) and body.event in (SanctionEvent.LISTED, SanctionEvent.DELISTED):
        persons = sum(each.subject == "person" for each in body.listed)
        yield "listed", _INDIVIDUALS, persons, False
        yield "listed", _ENTERPRISES, len(body.listed) - persons, False


def _counts(b: Bulletin) -> Iterator[Violation]:
    """A count in a headline, if no number in the text, nor their sum, is that of the body."""
    for name, noun, value, may_be_more in _counted(b):
        if value is None:
            continue
        near = re.compile(rf"(?<![\w.,:/-])({_FIGURE}) (?:[a-z-]+ )?{noun}\b", re.IGNORECASE)
        for n, info in enumerate(b.info):
            found = near.search(info.headline)
            if found is None or (may_be_more and value >= _number(found[1])):
                continue
            told = [_number(each[0]) for each in _EACH_FIGURE.finditer(f"{info.headline} {info.summary}")]
            if all(abs(each - value) > value * _CLOSE for each in (*told, sum(told))):
                yield Violation(
                    "count",
                    f"$.info[{n}].headline",
                    f"says {_number(found[1])}, the body has {value} as {name}",
                )
