"""Feed addresses: which a person has, which can be made, and what becomes of one. Its secret is shown once, and nowhere kept."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec

from bus import desk
from bus.console.asked import Asked, Given, query_of, whole_of
from bus.console.doing import Doing
from bus.console.errors import BadRequestError
from bus.console.page import Content, Done
from bus.console.pages import bulletins, outward
from bus.desk import Act, Action
from bus.storage import utc
from schemas.vocab import TLP_RANK

PAGE, WHERE = "/feeds", "/feed/"
LIST = "list"
"""The parameter that names a list; all others are its filter."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A feed address in words; `person` is empty for one's own."""

    n: int
    name: str
    list: str
    form: str
    filter: str
    person: str
    made: dt.datetime
    ends: dt.datetime
    used: dt.datetime | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The list that an address is asked for: its name, its filter in words, and the query by which it is asked for."""

    list: str
    form: str
    filter: str
    query: str


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new address, which is shown once: of which list, and until when it is good."""

    address: str
    list: str
    form: str
    until: dt.datetime


class Feeds(Content, frozen=True, kw_only=True):
    """The page; `ceiling` is what an address made now gives at most."""

    wanted: Wanted | None
    ceiling: str
    may_make: bool
    days: tuple[int, ...] = desk.feeds.LASTS_DAYS
    addresses: tuple[Address, ...] = ()


def look(asked: Asked) -> Feeds:
    """What can be made; what there is, is asked of the desk (`told`)."""
    return Feeds(
        marking="green",
        note=asked.say("This page names lists and says nothing of what is in them."),
        wanted=_wanted(asked.given),
        ceiling=str(min(asked.viewer.clearance.ceiling, desk.feeds.CEILING, key=TLP_RANK.__getitem__)),
        may_make=asked.viewer.may(Action.EXPORT),
    )


def told(content: Content) -> Callable[[sqlite3.Connection, Act], Content]:
    """The question to the desk: the same page, with the addresses of its reader; an administrator sees those of all, without what others look for."""

    def question(db: sqlite3.Connection, act: Act) -> Content:
        names, is_keeper = desk.people.names(db), desk.may(act, Action.SEE_PEOPLE)
        found = desk.feeds.listed(db, act, "" if is_keeper else act.who)
        addresses = tuple(
            Address(
                n=each.n,
                name=each.name,
                list=_list(each.path),
                form=_form(each.path),
                filter=_in_words(each.query) if each.person == act.who else "",
                person="" if each.person == act.who else names.get(each.person, each.person),
                made=utc(each.made_at),
                ends=utc(each.ends_at),
                used=None if each.used_at is None else utc(each.used_at),
            )
            for each in found
        )
        return msgspec.structs.replace(content, addresses=addresses)

    return question


async def make(doing: Doing) -> Done:
    """Make an address for the list that the page is asked for, and show it.

    Raises:
        BadRequestError: there is no such list, its filter cannot be read, or the days are none.
        DeedError: as the desk.
    """
    days = doing.field("days")
    path, given = _asked_for(doing.given)
    form = outward.FEEDS.get(path)
    if form is None or days not in map(str, desk.feeds.LASTS_DAYS):
        raise BadRequestError("choose a list and for how long")
    if path.startswith(f"{bulletins.PATH}."):
        await doing.look(lambda asked: _must_read(asked, given))
    query = query_of(given)

    def work(db: sqlite3.Connection, act: Act) -> str:
        return desk.feeds.add(db, act, doing.field("name"), path, query, int(days), doing.rng)

    secret = await doing.at_desk(work)
    until = doing.now + dt.timedelta(days=int(days))
    address = f"{doing.origin}{WHERE}{secret}.{form.ending}"
    return Done(once=Made(address=address, list=form.list, form=form.title, until=until))


async def end(doing: Doing) -> str:
    """End an address by its number.

    Raises:
        BadRequestError: that is no number.
        DeedError: as the desk.
    """
    number = whole_of(doing.field("n"))
    if number is None:
        raise BadRequestError("a feed address has a number")
    await doing.at_desk(lambda db, act: desk.feeds.end(db, act, number))
    return PAGE


def _must_read(asked: Asked, given: Given) -> None:
    """Refuse a filter that cannot be read: its feed would have everything."""
    found = bulletins.look(msgspec.structs.replace(asked, given=given))
    if found.problem:
        raise BadRequestError("the filter cannot be read: %(problem)s", problem=found.problem)


def _asked_for(given: Given) -> tuple[str, Given]:
    """The list that the page is asked for, by its path, and its filter."""
    return next(iter(given.get(LIST, ())), ""), {
        name: values for name, values in given.items() if name != LIST
    }


def _wanted(given: Given) -> Wanted | None:
    path, rest = _asked_for(given)
    form = outward.FEEDS.get(path)
    if form is None:
        return None
    return Wanted(
        list=form.list,
        form=form.title,
        filter=_in_words(query_of(rest)),
        query=query_of({LIST: (path,), **rest}),
    )


def _in_words(query: str) -> str:
    """A filter as one would write it: `flood priority:p1 priority:p2`."""
    return " ".join(
        value if name == "q" else f"{name}:{value}"
        for name, value in parse_qsl(query, keep_blank_values=True)
    )


def _list(path: str) -> str:
    """What a list is called; it is said in the language of the page."""
    form = outward.FEEDS.get(path)
    return path if form is None else form.list


def _form(path: str) -> str:
    form = outward.FEEDS.get(path)
    return "" if form is None else form.title
