"""Help: what keys do, what shapes and words mean, how accessible the console is, and whom to tell what hinders."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from bus import desk
from bus.console.asked import Asked
from bus.console.page import Content
from bus.console.pages import channels
from bus.desk import Act


class Help(Content, frozen=True, kw_only=True):
    """The page.

    Attributes:
        reach: how the desk of this hub is reached, where it keeps a list of contacts.
        helpers: the names of the administrators; none in a demonstration.
    """

    reach: tuple[channels.Reach, ...]
    helpers: tuple[str, ...] = ()


def look(asked: Asked) -> Help:
    """The page; it says nothing of any bulletin."""
    return Help(
        marking="clear",
        note=asked.say("This page tells of the console, and of no bulletin."),
        reach=tuple(channels.reach(asked.shelf.contacts or (), asked.hub)),
    )


def beside(content: Content) -> Callable[[sqlite3.Connection, Act], Content] | None:
    """The question to the desk: the same page, with who can help."""
    if not isinstance(content, Help):
        return None
    page = content

    def question(db: sqlite3.Connection, _: Act) -> Content:
        return msgspec.structs.replace(page, helpers=tuple(desk.people.administrators(db)))

    return question
