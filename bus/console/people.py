"""Who looks at the console: what a page needs to know of a person, and what the console asks of those who keep people."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from bus.console.clearance import Clearance
from bus.errors import BusError

READER = "reader"


class SignInError(BusError):
    """Somebody could not sign in; its sentence says nothing of which part was wrong."""


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
    """Somebody who is signed in; `seen` is the row of the last event that the person has marked as seen."""

    viewer: Viewer
    until: dt.datetime
    seen: int | None = None


class People(Protocol):
    """Who may look, and who is signed in."""

    @property
    def needs_password(self) -> bool:
        """Whether signing in asks for a password."""
        ...

    async def sign_in(self, name: str, password: str, now: dt.datetime) -> tuple[str, Session]:
        """A new session, by a token that is nowhere kept in clear.

        Raises:
            SignInError: `sign-in-refused`.
        """
        ...

    async def session(self, token: str, now: dt.datetime) -> Session | None:
        """The session of a token; None where it has none, or it is over."""
        ...

    async def sign_out(self, token: str) -> None:
        """End a session."""
        ...


class Demonstration:
    """The people of a demonstration: anybody who gives a name is signed in, without a password."""

    LASTS = dt.timedelta(hours=12)
    MOST = 1000

    def __init__(self, clearance: Clearance, rng: Callable[[int], bytes], roles: tuple[str, ...] = (READER,)) -> None:
        """Take what everybody may read and do, and a source of random bytes."""
        self._clearance, self._rng, self._roles = clearance, rng, roles
        self._sessions: dict[str, Session] = {}

    @property
    def needs_password(self) -> bool:
        """Never."""
        return False

    async def sign_in(self, name: str, password: str, now: dt.datetime) -> tuple[str, Session]:  # noqa: ARG002 (of People)
        """A session of whoever gives a name.

        Raises:
            SignInError: `sign-in-refused`, the name is empty or long.
        """
        plain = " ".join(name.split())
        if not 0 < len(plain) <= 80:
            raise SignInError("a name of 1 to 80 characters is needed", reason="sign-in-refused")
        token = self._rng(32).hex()
        viewer = Viewer(name=plain, roles=self._roles, clearance=self._clearance)
        session = Session(viewer=viewer, until=now + self.LASTS)
        while len(self._sessions) >= self.MOST:
            self._sessions.pop(next(iter(self._sessions)))
        self._sessions[_hashed(token)] = session
        return token, session

    async def session(self, token: str, now: dt.datetime) -> Session | None:
        """The session of a token; None where it has none, or it is over."""
        found = self._sessions.get(_hashed(token))
        return found if found is not None and now < found.until else None

    async def sign_out(self, token: str) -> None:
        """End a session."""
        self._sessions.pop(_hashed(token), None)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
