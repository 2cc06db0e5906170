"""Who looks at the console: what a page needs to know of a person, and what the console asks of those who keep people."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from bus.errors import BusError
from bus.hub.picture import Clearance
from schemas.vocab import Tlp

READER = "reader"


class SignInError(BusError):
    """Somebody could not sign in; its sentence says nothing of which part was wrong."""

    reason = "sign-in-refused"


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


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is signed in; `seen` is the last row that the person has marked as seen, None where that is not known."""

    viewer: Viewer
    seen: int | None = None


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody has looked at a bulletin, downloaded one, or searched: `viewed`, `downloaded`, `searched`.

    Attributes:
        how: which of them.
        id: of the bulletin; empty for a search.
        tlp: its marking.
        audience: its audience.
        words: what was searched for.
    """

    how: str
    id: str = ""
    tlp: Tlp = Tlp.CLEAR
    audience: str = ""
    words: str = ""


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


class Demonstration:
    """The people of a demonstration: anybody who gives a name is signed in, without a password."""

    MOST = 1000
    LASTS = dt.timedelta(hours=12)

    def __init__(
        self, clearance: Clearance, rng: Callable[[int], bytes], roles: tuple[str, ...] = (READER,)
    ) -> None:
        """Take what everybody may read and do, and a source of random bytes."""
        self._clearance, self._rng, self._roles = clearance, rng, roles
        self._sessions: dict[str, tuple[Session, dt.datetime]] = {}

    @property
    def needs_password(self) -> bool:
        """Never."""
        return False

    async def sign_in(self, name: str, password: str, now: dt.datetime, address: str) -> str:
        """A session of whoever gives a name.

        Raises:
            SignInError: `sign-in-refused`, the name is empty or long.
        """
        del password, address
        plain = " ".join(name.split())
        if not 0 < len(plain) <= 80:
            raise SignInError("a name of 1 to 80 characters is needed")
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

    async def session(self, token: str, now: dt.datetime, address: str) -> Session | None:
        """The session of a token; None where it has none, or it is over."""
        del address
        session, until = self._sessions.get(_hashed(token), (None, now))
        return session if now < until else None

    async def standing(self, token: str, now: dt.datetime, address: str) -> Session | None:
        """As `session`."""
        return await self.session(token, now, address)

    async def sign_out(self, token: str, now: dt.datetime, address: str) -> None:
        """End a session."""
        del now, address
        self._sessions.pop(_hashed(token), None)

    async def looked(self, token: str, now: dt.datetime, address: str, what: Looked) -> None:
        """Nothing is put on record: nothing of a demonstration happened."""


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
