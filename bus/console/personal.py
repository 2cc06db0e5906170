"""What interrupts one person, asked of the store and of the desk: acknowledgements that are nearly due, and approvals."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Callable

import msgspec

from bus import desk
from bus.console.interrupts import Alert, of_person, unread
from bus.console.people import DeedError, People, Viewer
from bus.console.reading import Reading
from bus.desk import Action, four_eyes
from bus.errors import StoreError
from bus.notify import Item


class Personal:
    """Asks for somebody."""

    def __init__(self, reading: Reading, people: People, clock: Callable[[], dt.datetime]) -> None:
        """Take the store, the people, and the present."""
        self._reading, self._people, self._clock = reading, people, clock

    async def alerts(self, viewer: Viewer, token: str, address: str) -> tuple[Alert, ...]:
        """What interrupts somebody who listens; nothing while it cannot be asked. It counts as no use of the session.

        Args:
            viewer: the person.
            token: of the session.
            address: from where the person listens.
        """
        now = self._clock()
        if not (viewer.may(Action.ACKNOWLEDGE) or viewer.may(Action.APPROVE)):
            return ()

        def question(
            db: sqlite3.Connection, act: desk.Act
        ) -> tuple[tuple[four_eyes.Waiting, ...], frozenset[str], str]:
            holding = desk.snoozes.holding(db, act)
            aside = frozenset(
                each.about for each in holding if each.kind == "bulletin" and not each.is_hidden
            )
            return four_eyes.waiting(db, act), aside, act.who

        shelf, clearance = self._reading.shelf, viewer.clearance
        acks: tuple[Item, ...] = ()
        try:
            told = await self._people.told(token, now, address, question, is_use=False)
            waiting, aside, who = told or ((), frozenset[str](), "")
            if viewer.may(Action.ACKNOWLEDGE):
                acks = await self._reading.ask(lambda db: unread(db, shelf, clearance, now, aside))
        except (StoreError, DeedError):
            return ()
        found = of_person(acks, waiting, now)
        return tuple(msgspec.structs.replace(each, once=_once(who, each.once)) for each in found)


def _once(who: str, what: str) -> str:
    """What is told once to one person: at a desk several sign in with one browser, which keeps this and is to know no names."""
    return hashlib.sha256(f"{who} {what}".encode()).hexdigest()[:32]
