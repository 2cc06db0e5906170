"""The people of a hub's desk, as the console asks for them: sign-in, sessions, and the record of who looked at what."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from bus import desk
from bus.console.feeding import fed_by
from bus.console.people import SIGNED, WALL, DeedError, Fed, Looked, Session, SignInError, Viewer
from bus.desk.decisions import Decision
from bus.errors import KeyFileError
from bus.policy import Clearance

T = TypeVar("T")
FIRST = "admin"
"""Who is added where nobody has been: an administrator who may look, too, and who adds the others."""


class DeskPeople:
    """The people in a desk's file."""

    def __init__(self, held: desk.Desk, rng: Callable[[int], bytes]) -> None:
        """Take the file, and a source of random bytes."""
        self._desk, self._rng = held, rng

    @property
    def needs_password(self) -> bool:
        """Always."""
        return True

    async def sign_in(self, name: str, password: str, now: dt.datetime, address: str) -> str:
        """Begin a session.

        Raises:
            SignInError: `sign-in-refused`, `sign-in-wait`, `sign-in-locked`.
        """
        with _told():
            return (await self._desk.sign_in(name, password, now.timestamp(), address)).token

    async def set_password(self, setup: str, password: str, now: dt.datetime, address: str) -> None:
        """Set a first password.

        Raises:
            SignInError: `setup-token`, `weak-passphrase`.
        """
        with _told():
            await self._desk.set_first_password(setup, password, now.timestamp(), address)

    async def confirm(self, token: str, password: str, now: dt.datetime, address: str) -> str:
        """Take a password again. Returns the new token of the session.

        Raises:
            SignInError: `session-ended`, `desk-wall`, `sign-in-refused`, `sign-in-wait`, `sign-in-locked`.
        """
        with _told():
            return await self._desk.confirm(token, password, now.timestamp(), address)

    async def change_password(self, token: str, old: str, new: str, now: dt.datetime, address: str) -> str:
        """Change a password. Returns the new token of the session.

        Raises:
            SignInError: as `confirm`; `weak-passphrase`.
        """
        with _told():
            return await self._desk.change_password(token, old, new, now.timestamp(), address)

    async def begin_wall(self, key: str, now: dt.datetime, address: str) -> str:
        """Begin the session of a wall screen.

        Raises:
            SignInError: `wall-key`.
        """
        with _told():
            return await self._desk.write(
                lambda db: desk.sessions.begin_wall(db, key, now.timestamp(), address, self._rng)
            )

    async def session(self, token: str, now: dt.datetime, address: str) -> Session | None:
        """The session of a token; None where it is over."""
        try:
            return await self._desk.look(token, now.timestamp(), address, _session_of)
        except desk.DeskError:
            return None

    async def standing(self, token: str, now: dt.datetime, address: str) -> Session | None:
        """As `session`, but it counts as no use."""

        def question(db: sqlite3.Connection) -> Session:
            return _session_of(db, desk.sessions.acting(db, token, now.timestamp(), address))

        try:
            return await self._desk.read(question)
        except desk.DeskError:
            return None

    async def sign_out(self, token: str, now: dt.datetime, address: str) -> None:
        """End a session; one that is over stays so."""
        try:
            await self._desk.act(
                token, now.timestamp(), address, lambda db, act: desk.sessions.end(db, act, act.session)
            )
        except desk.DeskError:
            return

    async def looked(self, token: str, now: dt.datetime, address: str, what: Looked) -> None:
        """Put a look on record.

        Raises:
            SignInError: `desk-role`, `desk-wall`, `not-there`, `session-ended`.
        """
        about = desk.About("bulletin", what.id, what.tlp, what.audience) if what.id else None
        with _told():
            await self._desk.act(
                token,
                now.timestamp(),
                address,
                lambda db, act: desk.trail.add_look(db, act, what.how, about, what.words),
            )

    async def feed(self, secret: str, now: dt.datetime, address: str) -> Fed:
        """What is read by a feed address.

        Raises:
            DeedError: `feed-ended`, `desk-too-much`.
        """
        return await fed_by(self._desk, secret, now, address)

    async def decisions(self) -> Sequence[Decision]:
        """Every decision about incidents that holds."""
        return await self._desk.read(desk.decisions.all_holding)

    async def unsigned(self, most: int, skip: int = 0) -> Sequence[tuple[str, str]]:
        """Bulletins that were acknowledged and have no receipt."""
        return await self._desk.read(lambda db: desk.duty.unsigned(db, limit=most, skip=skip))

    async def signed(self, bulletin: str) -> None:
        """Note that the receipt for a bulletin is signed."""
        await self._desk.write(lambda db: desk.duty.note_receipt(db, bulletin, SIGNED))

    async def snoozed(self, now: dt.datetime) -> Sequence[str]:
        """The ids of the bulletins that are put aside now."""
        return await self._desk.read(lambda db: desk.snoozes.open_bulletins(db, now.timestamp()))

    async def graver(self, priorities: Mapping[str, int], now: dt.datetime) -> None:
        """What is graver than before comes back."""
        await self._desk.write(lambda db: desk.snoozes.note_states(db, priorities, now.timestamp()))

    async def told(
        self,
        token: str,
        now: dt.datetime,
        address: str,
        question: Callable[[sqlite3.Connection, desk.Act], T],
    ) -> T | None:
        """What the desk tells a person.

        Raises:
            DeedError: with the code of the desk.
        """
        try:
            return await self._desk.look(token, now.timestamp(), address, question)
        except desk.DeskError as exc:
            raise DeedError(str(exc), reason=exc.reason) from None

    async def do(
        self, token: str, now: dt.datetime, address: str, work: Callable[[sqlite3.Connection, desk.Act], T]
    ) -> T:
        """Do something at the desk.

        Raises:
            DeedError: with the code of the desk.
        """
        try:
            return await self._desk.act(token, now.timestamp(), address, work)
        except desk.DeskError as exc:
            raise DeedError(str(exc), reason=exc.reason) from None

    async def first_token(self, now: dt.datetime, ceiling: Clearance) -> str | None:
        """A token with which the first person sets a password; None where somebody has been added.

        Args:
            now: the present.
            ceiling: what the first person may see.
        """
        roles = (desk.Role.ADMINISTRATOR, desk.Role.READER)

        def work(db: sqlite3.Connection) -> str | None:
            act = desk.at_command_line(now.timestamp())
            known = desk.people.find(db, FIRST)
            if known is None and desk.people.names(db):
                return None
            if known is not None and known.has_password:
                return None
            if known is None:
                desk.people.add(
                    db,
                    act,
                    FIRST,
                    "First administrator",
                    roles,
                    ceiling=ceiling.ceiling,
                    audiences=sorted(ceiling.audiences),
                )
            return desk.signing_in.issue_token(db, act, FIRST, self._rng)

        return await self._desk.write(work)


def _session_of(db: sqlite3.Connection, act: desk.Act) -> Session:
    names = desk.people.names(db)
    viewer = Viewer(
        name=names.get(act.who, act.who),
        roles=(WALL,) if act.is_wall else tuple(sorted(act.roles)),
        clearance=act.clearance,
    )
    return Session(viewer=viewer, seen=desk.own.cursor(db, act))


@contextmanager
def _told() -> Iterator[None]:
    """What a desk refuses, as the console says it."""
    try:
        yield
    except (desk.DeskError, KeyFileError) as exc:
        raise SignInError(str(exc), reason=exc.reason) from None
