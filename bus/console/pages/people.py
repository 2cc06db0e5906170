"""People: who may use this console, what each may do and read, where each is signed in. For administrators; of no bulletin."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Callable

import msgspec

from bus import desk
from bus.console.asked import Asked, clearance_of_hub
from bus.console.page import Content
from bus.console.pages import trail
from bus.desk import Act, Person, Role
from bus.languages import marked
from bus.policy import MARKINGS
from bus.storage import utc

LATELY = 10
"""So many rows of the trail stand on the page of a person."""
TASKS = {
    Role.READER: marked("reads bulletins, channels and clocks"),
    Role.ANALYST: marked("decides about incidents, writes notes, answers"),
    Role.DUTY: marked("acknowledges, snoozes, hands over, opens wall screens"),
    Role.PUBLISHER: marked("writes drafts and publishes"),
    Role.APPROVER: marked("approves what another has written"),
    Role.ADMINISTRATOR: marked("keeps people, and sees no content"),
}
"""What each role is there for."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A person: `state` is `active`, `no password` or `disabled`; `sessions` counts where the person is signed in, walls too."""

    id: str
    name: str
    roles: list[str]
    tlp: str
    audiences: list[str]
    lang: str
    email: str
    state: str
    made: dt.datetime
    sessions: int


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A session, by its number; `is_this` is that of the reader, `is_begun` False for a wall that no screen shows yet."""

    n: int
    is_wall: bool
    is_begun: bool
    is_this: bool
    made: dt.datetime
    used: dt.datetime
    ends: dt.datetime
    address: str


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What can be chosen for a person: roles with their tasks, markings, and what this hub itself reads."""

    roles: dict[str, str]
    ceilings: list[str]
    audiences: list[str]


class People(Content, frozen=True, kw_only=True):
    """The page."""

    choices: Choices
    people: tuple[Listed, ...] = ()


class One(Content, frozen=True, kw_only=True):
    """The page of one person.

    Attributes:
        id: as the path names it.
        choices: what can be chosen.
        person: the person; None only until the desk has told.
        is_self: whether it is its reader.
        token_until: until when a token to set a password is good; None without one.
        stands_from: from when what was changed counts for approvals; None where it does already.
        sessions: where the person is signed in.
        lately: the newest rows of the trail about what the person did.
    """

    id: str
    choices: Choices
    person: Listed | None = None
    is_self: bool = False
    token_until: dt.datetime | None = None
    stands_from: dt.datetime | None = None
    sessions: tuple[SignedIn, ...] = ()
    lately: tuple[trail.Row, ...] = ()


def look(asked: Asked) -> People:
    """What can be chosen; the people come from the desk."""
    return People(marking="amber+strict", note=asked.say.plain(trail.NOTE), choices=_choices(asked))


def look_at_one(asked: Asked) -> One:
    """The same, of one person."""
    return One(
        marking="amber+strict",
        note=asked.say.plain(trail.NOTE),
        id=asked.place["id"],
        choices=_choices(asked),
    )


def beside(wanted: Content) -> Callable[[sqlite3.Connection, Act], People] | None:
    """The same, with the people: those who may sign in before those who may not."""
    if not isinstance(wanted, People):
        return None

    def question(db: sqlite3.Connection, act: Act) -> People:
        found = sorted(desk.people.listed(db, act), key=lambda each: (not each.is_active, each.id))
        sessions = Counter(each.person for each in desk.sessions.listed(db, act))
        return msgspec.structs.replace(
            wanted, people=tuple(_listed(each, sessions[each.id]) for each in found)
        )

    return question


def beside_one(wanted: Content) -> Callable[[sqlite3.Connection, Act], One] | None:
    """The same, with what the desk knows of the person."""
    if not isinstance(wanted, One):
        return None

    def question(db: sqlite3.Connection, act: Act) -> One:
        person = desk.people.get(db, wanted.id)
        sessions = signed_in(db, act, person.id)
        stands_from = desk.standing.from_when(db, person.id)
        return msgspec.structs.replace(
            wanted,
            person=_listed(person, len(sessions)),
            is_self=person.id == act.who,
            token_until=utc(person.token_until) if person.token_until > act.at else None,
            stands_from=utc(stands_from) if stands_from > act.at else None,
            sessions=sessions,
            lately=trail.rows(db, act, who=person.id, limit=LATELY),
            choices=_with(wanted.choices, person),
        )

    return question


def signed_in(db: sqlite3.Connection, act: Act, person: str) -> tuple[SignedIn, ...]:
    """Where a person is signed in, the newest first.

    Raises:
        DeskError: `desk-role`, `desk-wall`.
    """
    return tuple(
        SignedIn(
            n=each.n,
            is_wall=each.is_wall,
            is_begun=each.is_begun,
            is_this=each.n == act.session,
            made=utc(each.made_at),
            used=utc(each.used_at),
            ends=utc(each.ends_at),
            address=each.address,
        )
        for each in desk.sessions.listed(db, act, person)
    )


def _choices(asked: Asked) -> Choices:
    hub = clearance_of_hub(asked.registry, asked.hub)
    return Choices(
        roles={role.value: asked.say.plain(TASKS[role]) for role in Role},
        ceilings=[str(tlp) for tlp in MARKINGS if hub.reaches(tlp)],
        audiences=sorted(hub.audiences),
    )


def _with(choices: Choices, person: Person) -> Choices:
    """The choices, with what the person has already: it is not taken away by a form that could not show it."""
    kept = {*choices.ceilings, str(person.clearance.ceiling)}
    return msgspec.structs.replace(
        choices,
        ceilings=[str(tlp) for tlp in MARKINGS if str(tlp) in kept],
        audiences=sorted({*choices.audiences, *person.clearance.audiences}),
    )


def _listed(person: Person, sessions: int) -> Listed:
    return Listed(
        id=person.id,
        name=person.name,
        roles=person.role_names,
        tlp=str(person.clearance.ceiling),
        audiences=sorted(person.clearance.audiences),
        lang=person.lang,
        email=person.email,
        state=person.state,
        made=utc(person.made_at),
        sessions=sessions,
    )
