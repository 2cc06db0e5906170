"""Channels: whom this hub hears, whom it does not, and what is missing."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from bus.console.asked import Asked
from bus.console.page import Content
from bus.console.pages.notes import Note, notes_on
from bus.console.pages.under_hubs import alone, key_of
from bus.desk import Act
from bus.hub import picture, watch
from bus.hub.watch import ChannelRow, Liveness
from bus.languages import marked
from schemas.subject import Channel
from schemas.vocab import Status, Tlp

STATES = ("live", "late", "silent", "planned", "unheard", "unknown")
WORST = ("silent", "late", "unknown", "planned", "unheard", "live")
"""States from what needs a person first to what is well."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """One way to reach an authority."""

    role: str
    ways: tuple[str, ...]
    confirmed: dt.date


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with a channel, and whom to call; `key` is its name at the desk.

    `where` is the channel in words. `also` says of a silent hub how many other channels of its country are silent, which then are no
    alarms of their own.
    """

    key: str
    tlp: str
    audience: str
    authority: str
    name: str
    channel: str
    where: str
    reason: str
    words: str
    detail: str
    began: dt.datetime
    ended: dt.datetime | None
    state: str
    reach: tuple[Reach, ...]
    also: str = ""
    notes: tuple[Note, ...] = ()


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One channel in the matrix; `trouble` says what is missing or contradicted."""

    tlp: str
    audience: str
    state: str
    heard: dt.datetime | None
    interval_s: int
    trouble: str
    uptime: dict[str, int]


class Speaker(msgspec.Struct, frozen=True, kw_only=True):
    """An authority with its channels, by column of the matrix; None where it has none."""

    id: str
    name: str
    cells: tuple[Cell | None, ...]


class Country(msgspec.Struct, frozen=True, kw_only=True):
    """The authorities of a country, and how they are together."""

    code: str
    name: str
    is_well: bool
    live: int
    channels: int
    speakers: tuple[Speaker, ...]


class Channels(Content, frozen=True, kw_only=True):
    """The page."""

    tally: dict[str, int]
    alarms: tuple[Alarm, ...]
    ended: int
    columns: tuple[tuple[str, str], ...]
    countries: tuple[Country, ...]
    show: str
    is_blind: bool


_WORDS = {
    "silent": marked("%(name)s is silent"),
    "gap": marked("%(name)s lacks bulletins"),
    "tail": marked("%(name)s has said more than came"),
    "fork": marked("%(name)s contradicts itself"),
    "split": marked("%(name)s is told differently elsewhere"),
    "blind": marked("%(name)s is not read"),
    "from-the-future": marked("%(name)s is ahead of this clock"),
}
_OTHER = "%(name)s: %(reason)s"
_STATES = {"silent": "silent", "gap": "fail", "tail": "fail", "fork": "fail", "split": "fail"}


def look(asked: Asked) -> Channels:
    """The page, for what its reader may read."""
    show = asked.first("show", "unwell")
    rows = channel_rows(asked, with_uptime=show == "uptime")
    every = [row for row in watch.recorded_alarms(asked.db, ended=True) if _may_see(asked, row.channel)]
    standing = [row for row in every if row.ended is None]
    day = asked.now - dt.timedelta(days=1)
    columns = tuple(
        sorted({_column(row) for row in rows}, key=lambda pair: (-list(Tlp).index(Tlp(pair[0])), pair[1]))
    )
    return Channels(
        marking="green",
        note=asked.say("This page says who is heard, and nothing of what was said."),
        tally=tally(rows),
        alarms=tuple(alarms(asked, every[:200])) if show == "history" else tuple(_alone(asked, standing)),
        ended=sum(1 for row in every if row.ended is not None and row.ended > day),
        columns=columns,
        countries=_countries(asked, rows, columns),
        show=show if show in ("unwell", "all", "uptime", "history") else "unwell",
        is_blind=asked.is_blind,
    )


def beside(content: Content) -> Callable[[sqlite3.Connection, Act], Content] | None:
    """The question to the desk: the same page, with what people have noted about its alarms."""
    if not isinstance(content, Channels):
        return None
    page = content

    def question(db: sqlite3.Connection, act: Act) -> Content:
        noted = tuple(
            msgspec.structs.replace(each, notes=notes_on(db, act, "alarm", each.key)) for each in page.alarms
        )
        return msgspec.structs.replace(page, alarms=noted)

    return question


def channel_rows(asked: Asked, *, with_uptime: bool = False) -> tuple[ChannelRow, ...]:
    """The actual channels that the reader may read."""
    rows = watch.channel_rows(
        asked.db, asked.now, asked.registry, asked.hub, blind=asked.is_blind, with_uptime=with_uptime
    )
    return tuple(row for row in watch.real(rows) if row.status is Status.ACTUAL and _may_see(asked, row.name))


def tally(rows: Iterable[ChannelRow]) -> dict[str, int]:
    """How many channels are in which state; each state is named."""
    counts = Counter(str(row.state) for row in rows)
    return {state: counts[state] for state in STATES if counts[state] or state != "unknown"}


def alarms(asked: Asked, rows: Iterable[watch.alarms.AlarmRow]) -> Iterable[Alarm]:
    """Alarms in words, with whom to call."""
    for row in rows:
        authority, _, channel = row.channel.partition("/")
        parsed = Channel.parse(row.channel)
        yield Alarm(
            key=key_of(row),
            tlp=str(parsed.tlp),
            audience=parsed.audience,
            authority=authority,
            name=asked.name_of(authority),
            channel=channel,
            where=picture.channel_in_words(asked.say, parsed),
            reason=row.reason,
            words=asked.say(_WORDS.get(row.reason, _OTHER), name=asked.name_of(authority), reason=row.reason),
            detail=row.detail,
            began=row.began,
            ended=row.ended,
            state=_STATES.get(row.reason, "late"),
            reach=tuple(reach(asked.shelf.contacts or (), authority)),
        )


def every_alarm(asked: Asked) -> tuple[Alarm, ...]:
    """The alarms that stand and that the reader may know of."""
    return tuple(alarms(asked, _standing(asked)))


def standing_alarms(asked: Asked) -> tuple[Alarm, ...]:
    """As `every_alarm`; a hub that is silent says it for every channel of its country, as in messages."""
    return tuple(_alone(asked, _standing(asked)))


def how_many_stand(asked: Asked) -> int:
    """How many alarms `standing_alarms` has."""
    return len(alone(asked, _standing(asked))[0])


def _standing(asked: Asked) -> list[watch.alarms.AlarmRow]:
    return [row for row in watch.recorded_alarms(asked.db, ended=False) if _may_see(asked, row.channel)]


def _alone(asked: Asked, rows: Sequence[watch.alarms.AlarmRow]) -> Iterator[Alarm]:
    """Alarms, of which that of a silent hub stands for all that is silent in its country."""
    left, others = alone(asked, rows)
    for row, alarm in zip(left, alarms(asked, left), strict=True):
        n = others.get(key_of(row), 0)
        words = asked.say.many(
            "%(num)s more channel of its country is silent.",
            "%(num)s more channels of its country are silent.",
            n,
        )
        yield msgspec.structs.replace(alarm, also=words if n else "")


def reach(contacts: Sequence[picture.Contact], authority: str) -> Iterable[Reach]:
    """How an authority is reached."""
    for each in contacts:
        if each.authority == authority:
            yield Reach(role=each.role, ways=tuple(map(str, each.reach)), confirmed=each.confirmed)


def by_country(asked: Asked, rows: Iterable[ChannelRow]) -> dict[str, str]:
    """By country, the worst state of its channels."""
    worst: dict[str, str] = {}
    for row in rows:
        record = asked.registry.document.authorities.get(row.authority)
        if record is None:
            continue
        state, held = str(row.state), worst.get(record.country, "live")
        if WORST.index(state) < WORST.index(held) or record.country not in worst:
            worst[record.country] = state
    return worst


def _may_see(asked: Asked, name: str) -> bool:
    return asked.clearance.sees_channel(name)


def _column(row: ChannelRow) -> tuple[str, str]:
    channel = Channel.parse(row.name)
    return str(channel.tlp), channel.audience


def _countries(
    asked: Asked, rows: Sequence[ChannelRow], columns: Sequence[tuple[str, str]]
) -> tuple[Country, ...]:
    groups: dict[str, dict[str, list[ChannelRow]]] = {}
    for row in rows:
        record = asked.registry.document.authorities.get(row.authority)
        country = record.country if record is not None else "INTL"
        groups.setdefault(country, {}).setdefault(row.authority, []).append(row)
    found = []
    for code, authorities in groups.items():
        every = [row for mine in authorities.values() for row in mine]
        live = sum(row.state is Liveness.LIVE and not row.has_trouble for row in every)
        speakers = []
        for authority, mine in sorted(authorities.items()):
            by_column = {_column(row): _cell(asked, row) for row in mine}
            cells = tuple(by_column.get(column) for column in columns)
            speakers.append(Speaker(id=authority, name=asked.name_of(authority), cells=cells))
        found.append(
            Country(
                code=code,
                name=asked.country_name(code),
                is_well=live == len(every),
                live=live,
                channels=len(every),
                speakers=tuple(speakers),
            )
        )
    return tuple(sorted(found, key=lambda country: (country.is_well, country.code)))


def _cell(asked: Asked, row: ChannelRow) -> Cell:
    tlp, audience = _column(row)
    say, lacking = asked.say, row.gaps + row.announced
    parts = [
        (lacking, say.many("%(num)s missing", "%(num)s missing", lacking)),
        (row.forks, say.many("%(num)s contradicted", "%(num)s contradicted", row.forks)),
        (len(row.split), say.many("%(num)s told differently", "%(num)s told differently", len(row.split))),
        (row.refused, say.many("%(num)s refused", "%(num)s refused", row.refused)),
    ]
    return Cell(
        tlp=tlp,
        audience=audience,
        state=str(row.state),
        heard=row.last_heard,
        interval_s=row.interval_s,
        trouble=", ".join(words for n, words in parts if n),
        uptime=row.uptime,
    )
