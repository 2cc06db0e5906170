"""What forms about people do. The rules are the desk's, as for `tocsin people`; beside them nobody gets what this hub does not read."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Collection
from typing import TypeVar
from urllib.parse import quote

import msgspec

from bus import desk
from bus.console.asked import clearance_of_hub, whole_of
from bus.console.doing import Doing
from bus.console.errors import BadRequestError
from bus.console.page import Done
from bus.desk import Act, Role
from bus.storage import utc
from schemas.vocab import Tlp

T = TypeVar("T")
ROLE, AUDIENCE = "role.", "audience."
"""Fields of check boxes begin so; the rest is what they stand for."""


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown once: an address to hand over, and until when it is good."""

    address: str
    until: dt.datetime


async def add(doing: Doing) -> str:
    """Add a person.

    Raises:
        BadRequestError: no marking, or an audience that this hub does not read.
        DeedError: as the desk.
    """
    id_ = doing.field("id").strip()
    audiences = _audiences(doing, ())

    def work(db: sqlite3.Connection, act: Act) -> None:
        desk.people.add(
            db,
            act,
            id_,
            doing.field("name"),
            _roles(doing),
            ceiling=tlp_of(doing),
            audiences=audiences,
            lang=doing.field("lang").strip() or "en",
            email=doing.field("email").strip(),
        )

    await doing.at_desk(work)
    return _page_of(id_)


async def change(doing: Doing) -> str:
    """Change what differs; the form of one's own account has no roles and limits, and the desk refuses them.

    Raises:
        BadRequestError: no marking, or an audience that this hub does not read.
        DeedError: as the desk.
    """
    id_ = doing.place["id"]
    has_limits = bool(doing.field("limits"))

    def work(db: sqlite3.Connection, act: Act) -> None:
        before = desk.people.get(db, id_)
        roles, ceiling, audiences = before.roles, before.clearance.ceiling, before.clearance.audiences
        if has_limits:
            roles, ceiling = frozenset(_roles(doing)), tlp_of(doing)
            audiences = frozenset(_audiences(doing, before.clearance.audiences))
        desk.people.change(
            db,
            act,
            id_,
            name=_changed(doing.field("name").strip(), before.name),
            roles=_changed(roles, before.roles),
            ceiling=_changed(ceiling, before.clearance.ceiling),
            audiences=_changed(audiences, before.clearance.audiences),
            lang=_changed(doing.field("lang").strip(), before.lang),
            email=_changed(doing.field("email").strip(), before.email),
        )

    await doing.at_desk(work)
    return _page_of(id_)


async def disable(doing: Doing) -> str:
    """Set a person aside: no sign-in, all sessions end.

    Raises:
        DeedError: as the desk.
    """
    return await _of_one(doing, desk.people.disable)


async def enable(doing: Doing) -> str:
    """Restore a person.

    Raises:
        DeedError: as the desk.
    """
    return await _of_one(doing, desk.people.enable)


async def let_in(doing: Doing) -> str:
    """Let a person in again after failed attempts.

    Raises:
        DeedError: as the desk.
    """
    return await _of_one(doing, desk.signing_in.let_in)


async def end_sessions(doing: Doing) -> str:
    """End all sessions of a person, walls too.

    Raises:
        DeedError: as the desk.
    """
    return await _of_one(doing, desk.sessions.end_all)


async def end_session(doing: Doing) -> str:
    """End one session of a person.

    Raises:
        BadRequestError: the form names none.
        DeedError: as the desk.
    """
    await end_one(doing)
    return _page_of(doing.place["id"])


async def token(doing: Doing) -> Done:
    """Issue a token to set a password, which is shown once with its address.

    Raises:
        DeedError: as the desk.
    """
    id_ = doing.place["id"]
    secret = await doing.at_desk(lambda db, act: desk.signing_in.issue_token(db, act, id_, doing.rng))
    until = utc(doing.now.timestamp() + desk.signing_in.TOKEN_S)
    return Done(once=Handed(address=f"{doing.origin}/set-password?token={secret}", until=until))


async def end_one(doing: Doing) -> None:
    """End the session that a form names.

    Raises:
        BadRequestError: it names none.
        DeedError: as the desk.
    """
    number = whole_of(doing.field("n"))
    if number is None:
        raise BadRequestError("the form names no session; load the page anew")
    await doing.at_desk(lambda db, act: desk.sessions.end(db, act, number))


def tlp_of(doing: Doing) -> Tlp:
    """The marking that a form names.

    Raises:
        BadRequestError: it names none.
    """
    try:
        return Tlp(doing.field("tlp"))
    except ValueError:
        raise BadRequestError("choose the narrowest marking that may be read") from None


async def _of_one(doing: Doing, work: Callable[[sqlite3.Connection, Act, str], object]) -> str:
    id_ = doing.place["id"]

    def of_known(db: sqlite3.Connection, act: Act) -> None:
        desk.people.get(db, id_)
        work(db, act, id_)

    await doing.at_desk(of_known)
    return _page_of(id_)


def _roles(doing: Doing) -> list[Role]:
    return [role for role in Role if doing.field(f"{ROLE}{role.value}")]


def _audiences(doing: Doing, kept: Collection[str]) -> list[str]:
    """The audiences that are ticked.

    Raises:
        BadRequestError: one that this hub does not read, and that the person did not have.
    """
    shelf = doing.reading.shelf
    known = clearance_of_hub(shelf.registry(), shelf.authority).audiences | set(kept)
    chosen = [name.removeprefix(AUDIENCE) for name in doing.fields if name.startswith(AUDIENCE)]
    if beyond := sorted(set(chosen) - known):
        raise BadRequestError(
            "this hub does not read what is for %(audiences)s, so nobody here can",
            audiences=", ".join(beyond)[:200],
        )
    return chosen


def _changed(new: T, old: T) -> T | None:
    return None if new == old else new


def _page_of(id_: str) -> str:
    return f"/people/{quote(id_, safe='')}"
