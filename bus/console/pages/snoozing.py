"""Things that are put aside for a time: on the page of a bulletin, and for alarms; everybody sees who, why and until when."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from bus import desk
from bus.console.asked import Asked, whole_of
from bus.console.doing import Doing
from bus.console.errors import BadRequestError, NotHereError
from bus.console.pages import channels
from bus.console.pages.bulletin_desk import page_of
from bus.console.pages.held import held, name_at_desk, named
from bus.console.pages.needs import Need
from bus.console.pages.since import Returned
from bus.console.people import People
from bus.console.reading import Reading
from bus.desk import About
from bus.desk.snoozes import Ended, Snooze
from bus.hub.picture import of_rows, versions
from bus.languages import marked
from bus.sheets import chosen_info
from bus.storage import utc
from schemas.vocab import Tlp

SNOOZE_ENDS = {
    "15": marked("for 15 minutes"),
    "60": marked("for an hour"),
    "phase": marked("until the phase ends"),
}
_PRIORITY_OF_ALARM = 3
_BACK = {
    Ended.TIME: marked("its time is over"),
    Ended.WORSE: marked("it has become graver"),
    Ended.BY_HAND: marked("it was ended by hand"),
}


class Snoozed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is put aside; `words` says what, or that it is above what the reader may see."""

    n: int
    words: str
    address: str
    by: str
    reason: str
    until: dt.datetime


def titles_of(asked: Asked) -> tuple[dict[str, str], tuple[Tlp, ...]]:
    """What is or was put aside, in words, by its name at the desk, and how each is marked; what is here no more is left out."""
    wanted = asked.aside | asked.back
    if not wanted:
        return {}, ()
    found: dict[str, tuple[str, Tlp]] = {
        each.key: (each.words, Tlp(each.tlp)) for each in channels.every_alarm(asked)
    }
    for _, name in wanted:
        with suppress(NotHereError):
            b = named(asked, name).bulletin
            found[name] = (chosen_info(b.info, asked.voice.tag).headline, b.tlp)
    mine = {name: found[name] for _, name in wanted if name in found}
    return {name: words for name, (words, _) in mine.items()}, tuple(tlp for _, tlp in mine.values())


def told(
    db: sqlite3.Connection,
    act: desk.Act,
    needs: Sequence[Need],
    titles: Mapping[str, str],
    since: dt.datetime,
) -> tuple[tuple[Need, ...], tuple[Snoozed, ...], tuple[Returned, ...]]:
    """(what needs a person and is not put aside, what is put aside, what is back since a moment), of what the desk says."""
    names = desk.people.names(db)
    holding = desk.snoozes.holding(db, act)
    put = desk.snoozes.named(holding)
    back = desk.snoozes.ended(db, act, since.timestamp())
    return (
        tuple(need for need in needs if (need.sort, need.about) not in put),
        tuple(_snoozed(each, names, titles) for each in holding),
        tuple(_returned(each, names, titles) for each in back if not each.is_hidden),
    )


def _snoozed(each: Snooze, names: Mapping[str, str], titles: Mapping[str, str]) -> Snoozed:
    return Snoozed(
        n=each.n,
        words=_words(each, titles),
        address=_address(each),
        by=names.get(each.by, each.by),
        reason=each.reason,
        until=utc(each.until),
    )


def _returned(each: Snooze, names: Mapping[str, str], titles: Mapping[str, str]) -> Returned:
    return Returned(
        words=_words(each, titles),
        address=_address(each),
        why=_BACK[each.ended_why or Ended.TIME],
        by=names.get(each.by, each.by),
        at=utc(each.ended_at if each.ended_at is not None else each.until),
    )


def _words(each: Snooze, titles: Mapping[str, str]) -> str:
    if each.is_hidden:
        return marked("Something above what you may read")
    return titles.get(each.about) or each.about


def _address(each: Snooze) -> str:
    if each.is_hidden:
        return ""
    return f"/b/{each.about}" if each.kind == "bulletin" else "/channels"


async def snooze_bulletin(doing: Doing) -> str:
    """Put a bulletin aside.

    Raises:
        NotHereError: it is not here, or its sender may not read it.
        BadRequestError: the form says no end.
        DeedError: as the desk.
    """

    def look(asked: Asked) -> tuple[About, int, float]:
        kept = held(asked)
        b = kept.bulletin
        line = next(iter(of_rows(asked.db, asked.clearance, asked.now, b.status, [kept.rowid])), None)
        if line is None:
            raise NotHereError("the picture has not taken this bulletin in yet; try again in a moment")
        priority = int(line.priority.removeprefix("p"))
        about = About("bulletin", name_at_desk(asked, kept), b.tlp, b.audience)
        return about, priority, until_of(asked, doing.field("end"))

    about, priority, until = await doing.look(look)
    await _put(doing, about, priority, until)
    return page_of(about)


async def snooze_alarm(doing: Doing) -> str:
    """Put an alarm of a channel aside.

    Raises:
        NotHereError: no such alarm stands, or its sender may not know of it.
        BadRequestError: the form says no end.
        DeedError: as the desk.
    """

    def look(asked: Asked) -> tuple[About, float]:
        return alarm_about(asked, doing.field("alarm")), until_of(asked, doing.field("end"))

    about, until = await doing.look(look)
    await _put(doing, about, _PRIORITY_OF_ALARM, until)
    return "/channels"


async def end_snooze(doing: Doing) -> str:
    """End a snooze before its time.

    Raises:
        BadRequestError: that is no number.
        DeedError: as the desk.
    """
    number = whole_of(doing.place["n"])
    if number is None:
        raise BadRequestError("a snooze has a number")
    await doing.at_desk(lambda db, act: desk.snoozes.end(db, act, number))
    return "/"


def alarm_about(asked: Asked, key: str) -> About:
    """An alarm that stands, as the desk names it.

    Raises:
        NotHereError: no such alarm stands, or its reader may not know of it.
    """
    for alarm in channels.every_alarm(asked):
        if alarm.key == key:
            return About("alarm", key, Tlp(alarm.tlp), alarm.audience)
    raise NotHereError("no such alarm stands any more")


def until_of(asked: Asked, end: str) -> float:
    """The end of a snooze, in seconds since the epoch.

    Raises:
        BadRequestError: the form says none, or no phase ends.
    """
    if end == "phase":
        ends = [
            edge
            for calendar in asked.calendars
            if calendar.country == asked.country
            for window in calendar.body.windows
            for edge in (window.start, window.end)
            if edge > asked.now
        ]
        if not ends:
            raise BadRequestError("no phase of an election here has an end; choose a time")
        return min(ends).timestamp()
    if end not in SNOOZE_ENDS:
        raise BadRequestError("choose until when it is put aside")
    return asked.now.timestamp() + int(end) * 60


async def _put(doing: Doing, about: About, priority: int, until: float) -> None:
    reason = doing.field("reason")
    await doing.at_desk(
        lambda db, act: desk.snoozes.put(db, act, about, priority=priority, until=until, reason=reason)
    )


async def end_worsened(people: People, reading: Reading, now: dt.datetime) -> None:
    """End the snoozes of bulletins that have become graver, in a newer version or as they are.

    Raises:
        StoreError: as `Reading.ask`.
    """
    aside = await people.snoozed(now)
    if not aside:
        return
    await people.graver(await reading.ask(lambda db: _priorities(db, aside)), now)


def _priorities(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """The priority of the version of each bulletin that is in force; what has none is left out."""
    found: dict[str, int] = {}
    for id_ in ids:
        thread = versions.find(db, id_)
        if thread is None:
            continue
        sql = "SELECT priority FROM actual WHERE id = ? AND issuer = ? AND ended_by IS NULL"
        row = db.execute(sql, (thread.living, thread.key.issuer)).fetchone()
        if row is not None:
            found[id_] = int(row["priority"].removeprefix("p"))
    return found
