"""A desk's file in a folder, with people who have signed in."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from bus.desk import About, Act, Desk, Role, at_command_line, people, sessions, signing_in
from bus.desk.tables import LAYOUTS
from bus.keys import Cost
from schemas.vocab import Tlp

CHEAP = Cost(memory_kib=64, passes=1, lanes=1)
"""Hashing that a test can afford."""
NOW = 1_790_000_000.0
PASSWORD = "seven brown hats on a shelf"
HOME = "192.0.2.7"
GREEN = About("bulletin", "0199-green", Tlp.GREEN, "community")
AMBER = About("bulletin", "0199-amber", Tlp.AMBER, "eu-csirts")
INCIDENT = About("incident", "i-1", Tlp.GREEN, "community")


def seeded(seed: int = 7) -> Callable[[int], bytes]:
    """Bytes that are the same in each run."""
    return random.Random(seed).randbytes


@asynccontextmanager
async def open_desk(folder: Path, seed: int = 7) -> AsyncIterator[Desk]:
    """The desk in a folder, its passwords hashed cheaply."""
    async with Desk.open(folder / "desk.db", seeded(seed), cost=CHEAP) as desk:
        yield desk


async def add(
    desk: Desk,
    id_: str,
    *roles: Role,
    at: float = NOW,
    ceiling: Tlp = Tlp.GREEN,
    audiences: Iterable[str] = people.AUDIENCES,
) -> str:
    """A person with a password. Returns the id of a session."""
    token = await invite(desk, id_, *roles, at=at, ceiling=ceiling, audiences=audiences)
    await desk.set_first_password(token, PASSWORD, at, HOME)
    return (await desk.sign_in(id_, PASSWORD, at, HOME)).token


async def invite(
    desk: Desk,
    id_: str,
    *roles: Role,
    at: float = NOW,
    ceiling: Tlp = Tlp.GREEN,
    audiences: Iterable[str] = people.AUDIENCES,
) -> str:
    """A person without a password. Returns the token to set one."""
    by = at_command_line(at)

    def work(db: sqlite3.Connection) -> str:
        people.add(
            db, by, id_, f"Name of {id_}", roles or (Role.READER,), ceiling=ceiling, audiences=audiences
        )
        return signing_in.issue_token(db, by, id_, seeded(sum(id_.encode())))

    return await desk.write(work)


def bare() -> sqlite3.Connection:
    """The tables of a desk in memory, outside of any transaction, for what is tried a thousand times."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    for layout in LAYOUTS:
        db.executescript(layout.schema)
    return db


def signed_in(
    db: sqlite3.Connection,
    id_: str,
    *roles: Role,
    at: float = NOW,
    ceiling: Tlp = Tlp.GREEN,
    audiences: Iterable[str] = people.AUDIENCES,
) -> str:
    """A person in bare tables. Returns the id of a session."""
    by = at_command_line(at)
    people.add(db, by, id_, f"Name of {id_}", roles or (Role.READER,), ceiling=ceiling, audiences=audiences)
    return sessions.begin(db, id_, at, HOME, seeded(sum(id_.encode())))


def act_of(db: sqlite3.Connection, token: str, at: float = NOW) -> Act:
    """Who acts in a session of bare tables."""
    return sessions.acting(db, token, at, HOME)


def person(
    db: sqlite3.Connection,
    id_: str,
    *roles: Role,
    ceiling: Tlp = Tlp.GREEN,
    audiences: Iterable[str] = people.AUDIENCES,
) -> Act:
    """A person in bare tables who has just signed in."""
    return act_of(db, signed_in(db, id_, *roles, ceiling=ceiling, audiences=audiences))


async def acting(desk: Desk, token: str, at: float = NOW) -> Act:
    """Who acts in a session."""
    return await desk.look(token, at, HOME, lambda _, act: act)
