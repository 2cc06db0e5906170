"""Who looks at the console: what a page needs to know of a person, and what the console asks of those who keep people."""

from __future__ import annotations

import datetime as dt
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
    ) -> T | None:
        """What the desk tells a person; None where there is no desk.

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
