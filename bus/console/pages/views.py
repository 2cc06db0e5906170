"""Saved views: filters of Bulletins under a name, each of one person; saved, opened, renamed, dropped."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from bus import desk
from bus.console.asked import Given, parameters_of, query_of
from bus.console.doing import Doing
from bus.console.page import Content
from bus.desk import Act, Action

PAGE = "/b"
PARAMETERS = ("q", "priority", "dimension", "area", "election", "kind", "issuer", "tlp", "order", "ended")
"""What a view keeps of an address: not the place in the list."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A saved view; `is_current` while the page shows it."""

    name: str
    address: str
    is_current: bool


class Views(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk tells of saved views.

    Attributes:
        query: the present filters, as a form sends them.
        may_save: whether its reader may save them.
        saved: those of the reader, by name.
        current: the name of the one that is shown; empty for none.
    """

    query: str
    may_save: bool = False
    saved: tuple[View, ...] = ()
    current: str = ""


class HasViews(Content, frozen=True, kw_only=True):
    """A page with saved views."""

    views: Views


def views_of(given: Given) -> Views:
    """What the address says; the rest is asked of the desk (`told`)."""
    return Views(query=_kept(given))


def told(content: Content) -> Callable[[sqlite3.Connection, Act], Content] | None:
    """The question to the desk: the same page, with the saved views of its reader."""
    if not isinstance(content, HasViews):
        return None
    query = content.views.query

    def question(db: sqlite3.Connection, act: Act) -> Content:
        if not desk.may(act, Action.SAVE_VIEW):
            return content
        kept = [(each.name, _kept(parameters_of(each.query))) for each in desk.own.views(db, act)]
        saved = tuple(
            View(name=name, address=_address(saved), is_current=saved == query) for name, saved in kept
        )
        views = Views(
            query=query,
            may_save=True,
            saved=saved,
            current=next((each.name for each in saved if each.is_current), ""),
        )
        return msgspec.structs.replace(content, views=views)

    return question


async def save(doing: Doing) -> str:
    """Save filters under a name, in the place of what has that name; with `old` it is the new name of another view.

    Raises:
        BadRequestError: the filters are no address of this page.
        DeedError: as the desk.
    """
    name, old = doing.field("name"), doing.field("old")
    query = _kept(parameters_of(doing.field("query")))

    def work(db: sqlite3.Connection, act: Act) -> None:
        if old and old != name.strip():
            desk.own.drop_view(db, act, old)
        desk.own.save_view(db, act, name, query)

    await doing.at_desk(work)
    return _address(query)


async def drop(doing: Doing) -> str:
    """Take a view out; the page goes on to show what it shows.

    Raises:
        BadRequestError: the filters are no address of this page.
        DeedError: as the desk.
    """
    query = _kept(parameters_of(doing.field("query")))
    await doing.at_desk(lambda db, act: desk.own.drop_view(db, act, doing.field("name")))
    return _address(query)


def _kept(given: Given) -> str:
    """The query of an address with what a view keeps, in one order."""
    return query_of({name: given[name] for name in PARAMETERS if given.get(name)})


def _address(query: str) -> str:
    return f"{PAGE}?{query}" if query else PAGE
