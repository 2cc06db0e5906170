"""The desk's file, open: everything that people do, in one SQLite file beside the projection.

**Who writes.** The console and commands may write at the same time, from several processes. Each change is one transaction that
begins with the lock of the one writer (`BEGIN IMMEDIATE`), reads what it decides by inside it, and is on the disk when it returns
(`bus.storage.sqlite`); so no decision uses data that another has just changed. Nothing of it is kept in memory between two
transactions. The actor is read from the session in the same transaction (`Desk.act`), so that a person who was disabled a moment
ago does nothing more.

Hashing a password is done between two transactions, in a thread, for two people at a time at most: each takes 64 MiB.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from bus.desk import attempts, drafts, duty, feeds, handed_on, links, sessions, signing_in, snoozes, trail
from bus.desk.people import Person
from bus.desk.refusals import DAY_S
from bus.desk.roles import Act
from bus.desk.signing_in import Challenge, SignedIn
from bus.desk.tables import LAYOUTS
from bus.desk.tokens import Random
from bus.errors import StoreError
from bus.keys import COST, Cost, check_password, hash_password, is_outdated, is_password, nobodys_hash
from bus.storage import Database, Store

T = TypeVar("T")

SALT_BYTES = 16
HASHES_AT_ONCE = 2


class Kept(msgspec.Struct, frozen=True):
    """The time for which finished things are kept, in seconds.

    Attributes:
        trail_s: rows of the audit trail.
        closed_s: drafts and their approvals, snoozes, handovers, acknowledgements.
    """

    trail_s: float = 730 * DAY_S
    closed_s: float = 365 * DAY_S


class Desk(Store):
    """The records of people, in a file of its own. Use `Desk.open`."""

    def __init__(self, database: Database, random: Random, cost: Cost = COST) -> None:
        super().__init__(database)
        self._random = random
        self._cost = cost
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, random: Random, *, cost: Cost = COST) -> AsyncIterator[Desk]:
        """Open or make the file.

        Args:
            path: the file; made for its owner alone.
            random: so many random bytes; `os.urandom`.
            cost: what hashing a password costs.

        Raises:
            StoreError: as `Database.open`.
        """
        async with Database.open(path, LAYOUTS) as database:
            yield cls(database, random, cost)

    # -- in a session -------------------------------------------------------------------------------------------------

    async def act(
        self, token: str, at: float, address: str, work: Callable[[sqlite3.Connection, Act], T]
    ) -> T:
        """Do something in a session, in one transaction with the question whose session it is.

        Args:
            token: the session's id, from the cookie.
            at: the present, in seconds since the epoch.
            address: from where, as the server trusts it.
            work: what is done; it gets who does it.

        Raises:
            DeskError: `session-ended`, or as `work`; then nothing was done.
        """

        def whole(db: sqlite3.Connection) -> T:
            act = sessions.acting(db, token, at, address)
            if sessions.is_to_be_touched(act):
                sessions.touch(db, act)
            return work(db, act)

        return await self.write(whole)

    async def look(
        self, token: str, at: float, address: str, question: Callable[[sqlite3.Connection, Act], T]
    ) -> T:
        """Read something in a session; all of it is of one moment.

        Raises:
            DeskError: `session-ended`, or as `question`.
        """

        def whole(db: sqlite3.Connection) -> tuple[Act, T]:
            act = sessions.acting(db, token, at, address)
            return act, question(db, act)

        act, answer = await self.read(whole)
        if sessions.is_to_be_touched(act):
            with contextlib.suppress(StoreError):  # a full disk keeps nobody from reading
                await self.write(lambda db: sessions.touch(db, act), brief=True)
        return answer

    # -- passwords ----------------------------------------------------------------------------------------------------

    async def sign_in(self, name: str, password: str, at: float, address: str) -> SignedIn:
        """Sign a person in, with a new session.

        Args:
            name: the id, as it was typed.
            password: as it was typed.
            at: the present, in seconds since the epoch.
            address: from where.

        Raises:
            DeskError: `sign-in-refused`, `sign-in-wait`, `sign-in-locked`.
        """
        asked = await self.write(lambda db: signing_in.challenge(db, name, address, at))
        is_right = await self._fits(password, asked)
        new_hash = ""
        if is_right and is_outdated(asked.hash, self._cost):
            new_hash = await self._hashed(password)
        signed_in = await self.write(
            lambda db: signing_in.finish(db, asked, is_right=is_right, new_hash=new_hash, random=self._random)
        )
        if signed_in is None:
            raise signing_in.refused()
        return signed_in

    async def confirm(self, token: str, password: str, at: float, address: str) -> str:
        """Give the password again in a session, as an approval needs it. Returns the session's new id; the old one is void.

        Raises:
            DeskError: `session-ended`, `sign-in-refused`, `sign-in-wait`, `sign-in-locked`.
        """
        asked = await self._asked_again(token, at, address)
        is_right = await self._fits(password, asked)
        new = await self.act(
            token,
            at,
            address,
            lambda db, act: signing_in.confirm(db, act, asked, is_right=is_right, random=self._random),
        )
        if new is None:
            raise signing_in.refused("the password")
        return new

    async def set_first_password(self, setup: str, password: str, at: float, address: str) -> Person:
        """Set a password with a token that an administrator has handed over.

        Raises:
            DeskError: `setup-token`.
            KeyFileError: `weak-passphrase`; the token is still good.
        """
        person = await self.read(lambda db: signing_in.holder_of(db, setup, at))
        check_password(password, known=(person.id, person.name))
        new_hash = await self._hashed(password)
        return await self.write(lambda db: signing_in.set_first(db, setup, new_hash, at, address))

    async def change_password(self, token: str, old: str, new: str, at: float, address: str) -> str:
        """Change one's own password. Returns the session's new id; all other sessions of this person end.

        Raises:
            DeskError: `session-ended`, `desk-wall`, `sign-in-refused`, `sign-in-wait`, `sign-in-locked`.
            KeyFileError: `weak-passphrase`.
        """
        who = await self.look(token, at, address, lambda _, act: act.who)
        check_password(new, known=(who,))
        asked = await self._asked_again(token, at, address)
        is_right = await self._fits(old, asked)
        new_hash = await self._hashed(new) if is_right else ""
        id_ = await self.act(
            token,
            at,
            address,
            lambda db, act: signing_in.change(
                db, act, asked, is_right=is_right, new_hash=new_hash, random=self._random
            ),
        )
        if id_ is None:
            raise signing_in.refused("the password")
        return id_

    async def _asked_again(self, token: str, at: float, address: str) -> Challenge:
        return await self.act(token, at, address, signing_in.challenge_again)

    async def _fits(self, password: str, asked: Challenge) -> bool:
        """Whether a password is right; as slow for a name that nobody has."""
        async with self._hashing:
            return await asyncio.to_thread(is_password, password, asked.hash or nobodys_hash(self._cost))

    async def _hashed(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(hash_password, password, self._random(SALT_BYTES), self._cost)

    # -- single sign-on -----------------------------------------------------------------------------------------------

    async def sign_in_linked(
        self, issuer: str, subject: str, *, fresh_at: float, at: float, address: str
    ) -> SignedIn:
        """Sign in the person whom a sign-on has shown to be there.

        Raises:
            DeskError: `link-missing`, `person-disabled`.
        """
        return await self.write(
            lambda db: links.sign_in(
                db, issuer, subject, fresh_at=fresh_at, at=at, address=address, random=self._random
            )
        )

    async def confirm_linked(
        self, token: str, issuer: str, subject: str, *, fresh_at: float, at: float, address: str
    ) -> str:
        """Note in a session that a sign-on has asked its person again. Returns the session's new id; the old one is void.

        Raises:
            DeskError: `session-ended`, `link-missing`, `person-disabled`, `own-work`.
        """
        return await self.act(
            token,
            at,
            address,
            lambda db, act: links.confirm(db, act, issuer, subject, fresh_at=fresh_at, random=self._random),
        )

    # -- upkeep -------------------------------------------------------------------------------------------------------

    async def tidy(self, at: float, kept: Kept = Kept()) -> None:  # noqa: B008 (frozen)
        """Mark what has ended, and take out what need not be kept any more; once an hour is often enough."""

        def work(db: sqlite3.Connection) -> None:
            sessions.forget(db, at)
            feeds.forget(db, at)
            attempts.forget(db, at)
            snoozes.end_by_time(db, at)
            snoozes.forget(db, at - kept.closed_s)
            handed_on.forget(db, at - kept.closed_s)
            drafts.forget(db, at - kept.closed_s)
            duty.forget(db, at - kept.closed_s)
            trail.forget(db, at, kept.trail_s)

        await self.write(work)
