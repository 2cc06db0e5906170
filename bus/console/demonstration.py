"""The people of a demonstration: anybody who gives a name is let in, and acts at a desk of its own."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from bus import desk
from bus.console.feeding import fed_by
from bus.console.people import READER, SIGNED, DeedError, Fed, Looked, Session, SignInError, Viewer
from bus.desk.decisions import Decision
from bus.policy import Clearance

T = TypeVar("T")


class Demonstration:
    """The people of a demonstration: anybody who gives a name is signed in, without a password."""

    MOST = 1000
    LASTS = dt.timedelta(hours=12)

    def __init__(
        self,
        clearance: Clearance,
        rng: Callable[[int], bytes],
        roles: tuple[str, ...] = (READER,),
        held: desk.Desk | None = None,
    ) -> None:
        """Take what everybody may read and do, a source of random bytes, and the desk at which they act, if any."""
        self._desk = held
        self._clearance, self._rng, self._roles = clearance, rng, roles
        self._sessions: dict[str, tuple[Session, dt.datetime]] = {}

    @property
    def needs_password(self) -> bool:
        """Never."""
        return False

    async def sign_in(self, name: str, password: str, now: dt.datetime, address: str) -> str:
        """A session for a visitor who gives a name.

        Raises:
            SignInError: `sign-in-refused`, the name is empty or long.
        """
        del password, address
        plain = " ".join(name.split())
        if not 0 < len(plain) <= 80:
            raise SignInError("a name of 1 to 80 characters is needed")
        if self._desk is not None:
            roles, clearance = tuple(map(desk.Role, self._roles)), self._clearance
            try:
                await self._desk.write(
                    lambda db: desk.people.welcome(db, plain, roles, clearance, now.timestamp())
                )
            except desk.DeskError as exc:
                raise SignInError(str(exc), reason=exc.reason) from None
        token = self._rng(32).hex()
        viewer = Viewer(name=plain, roles=self._roles, clearance=self._clearance)
        while len(self._sessions) >= self.MOST:
            self._sessions.pop(next(iter(self._sessions)))
        self._sessions[_hashed(token)] = (Session(viewer=viewer), now + self.LASTS)
        return token

    async def set_password(self, setup: str, password: str, now: dt.datetime, address: str) -> None:
        """There are no passwords.

        Raises:
            SignInError: `sign-in-refused`.
        """
        del setup, password, now, address
        raise SignInError("a demonstration has no passwords; sign in by your name alone")

    async def confirm(self, token: str, password: str, now: dt.datetime, address: str) -> str:
        """There are no passwords, so each session counts as fresh."""
        del password, now, address
        return token

    async def change_password(self, token: str, old: str, new: str, now: dt.datetime, address: str) -> str:
        """There are no passwords.

        Raises:
            SignInError: `sign-in-refused`.
        """
        del token, old, new, now, address
        raise SignInError("a demonstration has no passwords; sign in by your name alone")

    async def begin_wall(self, key: str, now: dt.datetime, address: str) -> str:
        """There are no sessions of walls: anybody may look at the wall.

        Raises:
            SignInError: `wall-key`.
        """
        del key, now, address
        raise SignInError("a demonstration has no wall screens of their own; open /wall", reason="wall-key")

    async def session(self, token: str, now: dt.datetime, address: str) -> Session | None:
        """The session of a token; None where it has none, or it is over."""
        session, until = self._sessions.get(_hashed(token), (None, now))
        if session is None or now >= until:
            return None
        if self._desk is None:
            return session
        act = self._act(session, now, address)
        seen = await self._desk.read(lambda db: desk.own.cursor(db, act))
        return msgspec.structs.replace(session, seen=seen)

    async def standing(self, token: str, now: dt.datetime, address: str) -> Session | None:
        """As `session`."""
        return await self.session(token, now, address)

    async def sign_out(self, token: str, now: dt.datetime, address: str) -> None:
        """End a session."""
        del now, address
        self._sessions.pop(_hashed(token), None)

    async def looked(self, token: str, now: dt.datetime, address: str, what: Looked) -> None:
        """Nothing is put on record: nothing of a demonstration happened."""

    async def feed(self, secret: str, now: dt.datetime, address: str) -> Fed:
        """What is read by a feed address.

        Raises:
            DeedError: `feed-ended`.
        """
        if self._desk is None:
            raise DeedError(
                "this demonstration has no desk, so it has no feed addresses", reason="feed-ended"
            )
        return await fed_by(self._desk, secret, now, address)

    async def decisions(self) -> Sequence[Decision]:
        """Every decision that holds."""
        return [] if self._desk is None else await self._desk.read(desk.decisions.all_holding)

    async def unsigned(self, most: int, skip: int = 0) -> Sequence[tuple[str, str]]:
        """Bulletins that were acknowledged and have no receipt."""
        if self._desk is None:
            return []
        return await self._desk.read(lambda db: desk.duty.unsigned(db, limit=most, skip=skip))

    async def signed(self, bulletin: str) -> None:
        """Note that the receipt for a bulletin is signed."""
        if self._desk is not None:
            await self._desk.write(lambda db: desk.duty.note_receipt(db, bulletin, SIGNED))

    async def snoozed(self, now: dt.datetime) -> Sequence[str]:
        """The ids of the bulletins that are put aside now."""
        if self._desk is None:
            return []
        return await self._desk.read(lambda db: desk.snoozes.open_bulletins(db, now.timestamp()))

    async def graver(self, priorities: Mapping[str, int], now: dt.datetime) -> None:
        """What is graver than before comes back."""
        if self._desk is not None:
            await self._desk.write(lambda db: desk.snoozes.note_states(db, priorities, now.timestamp()))

    async def told(
        self,
        token: str,
        now: dt.datetime,
        address: str,
        question: Callable[[sqlite3.Connection, desk.Act], T],
    ) -> T | None:
        """What the desk tells; None without one.

        Raises:
            DeedError: with the code of the desk.
        """
        if self._desk is None:
            return None
        act = self._act(await self._must_be_in(token, now, address), now, address)
        try:
            return await self._desk.read(lambda db: question(db, act))
        except desk.DeskError as exc:
            raise DeedError(str(exc), reason=exc.reason) from None

    async def do(
        self, token: str, now: dt.datetime, address: str, work: Callable[[sqlite3.Connection, desk.Act], T]
    ) -> T:
        """Do something at the desk.

        Raises:
            DeedError: `desk-role` without a desk, or with the code of the desk.
        """
        if self._desk is None:
            raise DeedError("this demonstration has no desk, so nothing can be done at it")
        act = self._act(await self._must_be_in(token, now, address), now, address)
        try:
            return await self._desk.write(lambda db: work(db, act))
        except desk.DeskError as exc:
            raise DeedError(str(exc), reason=exc.reason) from None

    async def _must_be_in(self, token: str, now: dt.datetime, address: str) -> Session:
        session = await self.session(token, now, address)
        if session is None:
            raise DeedError("this session has ended; sign in again", reason="session-ended")
        return session

    @staticmethod
    def _act(session: Session, now: dt.datetime, address: str) -> desk.Act:
        return desk.Act(
            who=session.viewer.name,
            roles=frozenset(desk.Role(each) for each in session.viewer.roles),
            clearance=session.viewer.clearance,
            at=now.timestamp(),
            address=address,
            fresh_at=now.timestamp(),
            is_visitor=True,
        )


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
