"""Who looks at the console: what a page needs to know of a person, and what the console asks of those who keep people."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from bus import desk
from bus.desk.decisions import Decision
from bus.errors import BusError
from bus.policy import Clearance
from schemas.vocab import Tlp

T = TypeVar("T")
READER, WALL = "reader", "wall"
SIGNED = "signed"
"""What the desk keeps where the hub has signed a receipt."""


class SignInError(BusError):
    """Somebody could not sign in; its sentence says nothing of which part was wrong."""

    reason = "sign-in-refused"


class DeedError(BusError):
    """A desk refused what somebody wanted to do; its code is that of the desk, nothing was changed."""

    reason = "desk-role"


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """A person as pages know one.

    Attributes:
        name: as colleagues know the person.
        roles: what the person may do.
        clearance: how much the person may read.
    """

    name: str
    roles: tuple[str, ...] = (READER,)
    clearance: Clearance

    @property
    def initials(self) -> str:
        """At most two letters."""
        return "".join(word[:1] for word in self.name.split()[:2]).upper()

    def may(self, action: desk.Action) -> bool:
        """Whether the person may do this; the desk asks again when it is done."""
        return action in desk.OF_WALLS if self.is_wall else not desk.MAY[action].isdisjoint(self.roles)

    @property
    def is_wall(self) -> bool:
        """Whether it is a wall screen."""
        return self.roles == (WALL,)

    def check_may(self, action: desk.Action) -> None:
        """Refuse what the person may not do.

        Raises:
            DeedError: `desk-role`, `desk-wall`.
        """
        if not self.may(action):
            refused = desk.refusal(action, is_wall=self.is_wall)
            raise DeedError(str(refused), reason=refused.reason)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is signed in; `seen` is up to which event the person has looked, None where the person has never said so."""

    viewer: Viewer
    seen: desk.own.Cursor | None = None


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody has looked at a bulletin, downloaded one, taken a list away, or searched.

    Attributes:
        how: `viewed`, `downloaded`, `exported` or `searched`.
        id: of the bulletin; empty for a list and for a search.
        tlp: its marking.
        audience: its audience.
        words: what was searched for, or which list.
    """

    how: str
    id: str = ""
    tlp: Tlp = Tlp.CLEAR
    audience: str = ""
    words: str = ""


class Fed(msgspec.Struct, frozen=True, kw_only=True):
    """What a program reads by a feed address, and within whose limits.

    Attributes:
        n: the number of the address.
        session: of its person, up to what such an address gives.
        path: the list with its form, as `/b.atom`.
        query: its filter.
    """

    n: int
    session: Session
    path: str
    query: str


class People(Protocol):
    """Who may look, and who is signed in."""

    @property
    def needs_password(self) -> bool:
        """Whether signing in asks for a password."""
        ...

    async def sign_in(self, name: str, password: str, now: dt.datetime, address: str) -> str:
        """Begin a session. Returns its token, which is nowhere kept in clear.

        Raises:
            SignInError: `sign-in-refused` and others of a desk.
        """
        ...

    async def set_password(self, setup: str, password: str, now: dt.datetime, address: str) -> None:
        """Set a first password with a token that somebody has handed over.

        Raises:
            SignInError: `setup-token`, `weak-passphrase`.
        """
        ...

    async def confirm(self, token: str, password: str, now: dt.datetime, address: str) -> str:
        """Take a password again in a session, as an approval needs it. Returns the new token of the session.

        Raises:
            SignInError: `sign-in-refused` and others of a desk.
        """
        ...

    async def change_password(self, token: str, old: str, new: str, now: dt.datetime, address: str) -> str:
        """Change one's own password; all other sessions end. Returns the new token of the session.

        Raises:
            SignInError: `sign-in-refused`, `weak-passphrase` and others of a desk.
        """
        ...

    async def begin_wall(self, key: str, now: dt.datetime, address: str) -> str:
        """Begin the session of a wall screen with the key that a duty officer was given. Returns its token.

        Raises:
            SignInError: `wall-key`.
        """
        ...

    async def session(self, token: str, now: dt.datetime, address: str) -> Session | None:
        """The session of a token; None where it has none, or it is over."""
        ...

    async def standing(self, token: str, now: dt.datetime, address: str) -> Session | None:
        """As `session`, but it counts as no use: a page that is open keeps no session from ending."""
        ...

    async def sign_out(self, token: str, now: dt.datetime, address: str) -> None:
        """End a session; one that is over stays so."""
        ...

    async def looked(self, token: str, now: dt.datetime, address: str, what: Looked) -> None:
        """Put a look on record, before it is shown."""
        ...

    async def feed(self, secret: str, now: dt.datetime, address: str) -> Fed:
        """What is read by a feed address; that is put on record, before it is read.

        Raises:
            DeedError: `feed-ended`, and others of a desk.
        """
        ...

    async def decisions(self) -> Sequence[Decision]:
        """Every decision about incidents in force, for the code that joins them."""
        ...

    async def unsigned(self, most: int, skip: int = 0) -> Sequence[tuple[str, str]]:
        """Bulletins that somebody has acknowledged and for which no receipt is signed, each with that person; after the first `skip`."""
        ...

    async def signed(self, bulletin: str) -> None:
        """Note that the receipt for a bulletin is signed."""
        ...

    async def snoozed(self, now: dt.datetime) -> Sequence[str]:
        """The ids of the bulletins that are put aside now."""
        ...

    async def graver(self, priorities: Mapping[str, int], now: dt.datetime) -> None:
        """Tell of the present priority of bulletins that are put aside: what is graver than before comes back."""
        ...

    async def told(
        self,
        token: str,
        now: dt.datetime,
        address: str,
        question: Callable[[sqlite3.Connection, desk.Act], T],
        *,
        is_use: bool = True,
    ) -> T | None:
        """What the desk tells a person; None where there is no desk. A page that is open and asks again is no use of a session.

        Raises:
            DeedError: with the code of the desk.
        """
        ...

    async def do(
        self, token: str, now: dt.datetime, address: str, work: Callable[[sqlite3.Connection, desk.Act], T]
    ) -> T:
        """Do something at the desk, in one transaction.

        Raises:
            DeedError: with the code of the desk; then nothing was done.
        """
        ...


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
        *,
        is_use: bool = True,
    ) -> T | None:
        """What the desk tells; None without one.

        Raises:
            DeedError: with the code of the desk.
        """
        del is_use  # a demonstration's sessions do not run out
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


async def fed_by(held: desk.Desk, secret: str, now: dt.datetime, address: str) -> Fed:
    """What is read by a feed address of a desk; that is on record once an hour.

    Raises:
        DeedError: `feed-ended`, `desk-too-much`.
    """
    at = now.timestamp()

    def question(db: sqlite3.Connection) -> tuple[Fed, bool]:
        act, feed = desk.feeds.reading(db, secret, at, address)
        viewer = Viewer(name=act.who, roles=tuple(sorted(act.roles)), clearance=act.clearance)
        fed = Fed(n=feed.n, session=Session(viewer=viewer), path=feed.path, query=feed.query)
        return fed, desk.feeds.is_to_be_recorded(feed, at)

    try:
        fed, is_due = await held.read(question)
        if is_due:
            await held.write(lambda db: desk.feeds.record(db, secret, at, address))
    except desk.DeskError as exc:
        raise DeedError(str(exc), reason=exc.reason) from None
    return fed


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
