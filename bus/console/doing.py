"""What a form may use: its fields, the store within its sender's limits, the desk, and the hub that signs."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec

from bus.console.asked import Asked, Given
from bus.console.errors import NotHereError
from bus.console.incidents import Incidents, Joined
from bus.console.people import People, Session, Viewer
from bus.console.reading import Reading
from bus.console.voices import Voice
from bus.desk import Act
from bus.hub.acting import Outcome, Request

T = TypeVar("T")


class Hub(Protocol):
    """The hub, which has the key."""

    async def ask(self, request: Request) -> Outcome:
        """Have the hub do something. Asked again with the same words, it is done once.

        Raises:
            HubError: `hub-silent`, it did not answer.
        """
        ...


class Doing(msgspec.Struct, frozen=True, kw_only=True):
    """A form that was sent, and what may be used to do what it asks.

    Attributes:
        now: the present.
        session: who has sent it.
        token: of the session.
        address: from where.
        path: of the form.
        place: the parameters in the path, as `id`.
        given: the parameters of the query, which are those of the page that the form stands on.
        fields: of the form; no text of them is checked yet.
        reading: the store.
        people: the desk.
        incidents: those that are kept.
        hub: what signs.
        rng: random bytes, for what is handed out.
        origin: how a browser reaches this console: scheme, host and port.
        voice: the language of who has sent it.
    """

    now: dt.datetime
    session: Session
    token: str
    address: str
    path: str
    place: Mapping[str, str]
    given: Given
    fields: Mapping[str, str]
    reading: Reading
    people: People
    incidents: Incidents
    hub: Hub
    rng: Callable[[int], bytes]
    origin: str
    voice: Voice

    @property
    def viewer(self) -> Viewer:
        """The person who has sent it."""
        return self.session.viewer

    def field(self, name: str) -> str:
        """A field of the form; empty where it was not sent."""
        return self.fields.get(name, "")

    async def look(self, question: Callable[[Asked], T]) -> T:
        """Ask the store, within the limits of the sender.

        Raises:
            StoreError: as `Reading.ask`.
        """
        shelf = self.reading.shelf
        registry = shelf.registry()

        def asked(db: sqlite3.Connection) -> T:
            return question(
                Asked(
                    db=db, now=self.now, shelf=shelf, registry=registry, session=self.session,
                    path=self.path, place=self.place, given={}, voice=self.voice,
                )
            )  # fmt: skip

        return await self.reading.ask(asked)

    async def at_desk(self, work: Callable[[sqlite3.Connection, Act], T]) -> T:
        """Do something at the desk, in one transaction; the rights to do it are checked there.

        Raises:
            DeedError: with the code of the desk; then nothing was done.
        """
        return await self.people.do(self.token, self.now, self.address, work)

    async def joined(self) -> Joined:
        """The incidents as they are now, with all that was decided so far.

        Raises:
            NotHereError: there are none yet.
        """
        kept = await self.incidents.of(self.viewer.clearance, self.now, wait=True)
        if kept.joined is None:
            raise NotHereError("there is no bulletin with this id that you may read")
        return kept.joined
