"""One's own account: what one may do and read, where one is signed in; and the page that asks once more who one is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from bus import desk
from bus.console.asked import Asked, place_here
from bus.console.page import Content
from bus.console.pages import people
from bus.desk import Act, Action
from bus.languages import marked
from bus.policy import MARKINGS

NOTE = marked("This page tells of your account, and of no bulletin.")


class Account(Content, frozen=True, kw_only=True):
    """The page.

    Attributes:
        name: as colleagues know the person.
        roles: each role with what it is there for.
        tlp: the narrowest marking that the person reads; empty for one who sees no content.
        audiences: what is said to these is read.
        ceilings: the markings that a wall screen may have; empty for who opens none.
        id: with which the person signs in; empty in a demonstration, which has no accounts.
        sessions: where the person is signed in.
    """

    name: str
    roles: dict[str, str]
    tlp: str
    audiences: list[str]
    ceilings: list[str]
    id: str = ""
    sessions: tuple[people.SignedIn, ...] = ()


class Fresh(Content, frozen=True, kw_only=True):
    """The page that asks once more who one is.

    Attributes:
        next: where one is led then.
        has_password: whether the person has one to give; one who signs in otherwise is led there.
    """

    next: str
    has_password: bool = True


def look(asked: Asked) -> Account:
    """What the session says; the rest comes from the desk."""
    viewer = asked.viewer
    may_open = viewer.may(Action.OPEN_WALL)
    return Account(
        marking="amber+strict",
        note=asked.say.plain(NOTE),
        name=viewer.name,
        roles={
            role.value: asked.say.plain(task) for role, task in people.TASKS.items() if role in viewer.roles
        },
        tlp=str(viewer.clearance.ceiling) if viewer.may(Action.LOOK) else "",
        audiences=sorted(viewer.clearance.audiences),
        ceilings=[str(tlp) for tlp in MARKINGS if may_open and viewer.clearance.reaches(tlp)],
    )


def beside(wanted: Content) -> Callable[[sqlite3.Connection, Act], Account] | None:
    """The same, with the sessions."""
    if not isinstance(wanted, Account):
        return None

    def question(db: sqlite3.Connection, act: Act) -> Account:
        if desk.people.find(db, act.who) is None:
            return wanted  # a demonstration has no accounts
        return msgspec.structs.replace(wanted, id=act.who, sessions=people.signed_in(db, act, act.who))

    return question


def look_fresh(asked: Asked) -> Fresh:
    """The page."""
    return Fresh(
        marking="amber+strict", note=asked.say.plain(NOTE), next=place_here(asked.first("next"), "/me")
    )


def beside_fresh(wanted: Content) -> Callable[[sqlite3.Connection, Act], Fresh] | None:
    """The same, with whether the person has a password."""
    if not isinstance(wanted, Fresh):
        return None

    def question(db: sqlite3.Connection, act: Act) -> Fresh:
        person = desk.people.find(db, act.who)
        return wanted if person is None else msgspec.structs.replace(wanted, has_password=person.has_password)

    return question
