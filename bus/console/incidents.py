"""Incidents kept for those who may read the same: made in a thread, and made anew when something has come or was decided.

Joining takes some tenths of a second, more than a page may. So a page gets what was made last, with its time, while the next is
being made. What is kept is found by the whole clearance of its reader alone, so nobody gets what another may read.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from bus.console.reading import Reading
from bus.desk.decisions import Decision
from bus.errors import BusError
from bus.hub import incidents, picture
from bus.hub.picture import Together, events
from bus.logs import logger
from bus.policy import Clearance

MOST = 8
"""So many clearances are kept, those that were asked for last."""
HOLDS_S = 600
"""After so many seconds it is made anew, too: the window moves on."""
Stamp = tuple[int, int, int]
"""The last event, the last decision with how many hold, and the part of the day."""

log = logger()


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """What was made once.

    Attributes:
        found: the incidents of the window.
        made: the decisions that held.
        at: when it was begun.
        stamp: of what it was made.
        group: the incident of each bulletin that is in one.
        offers: the suggestions about each bulletin.
        apart: the bulletins of which a person has said that they do not belong to an incident, and those of that incident.
    """

    found: Together
    made: tuple[Decision, ...]
    at: dt.datetime
    stamp: tuple[object, ...]
    group: dict[str, incidents.Group]
    offers: dict[str, tuple[incidents.Suggestion, ...]]
    apart: frozenset[str]

    def of(self, id_: str) -> incidents.Group | None:
        """The incident of a bulletin, alone in it where it is joined to nothing; None outside the window."""
        return self.group.get(id_) or (
            incidents.Group(id=id_, members=(id_,), ties=()) if id_ in self.found.members else None
        )

    def suggested(self, members: Sequence[str]) -> tuple[incidents.Suggestion, ...]:
        """What is suggested about any of these bulletins, each once, the surest first."""
        every = {(each.a, each.b): each for id_ in members for each in self.offers.get(id_, ())}
        return tuple(sorted(every.values(), key=lambda each: (-each.likeness.points, each.a, each.b)))


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a page gets: `joined` is None while the first is being made, and `is_stale` says that a newer one is."""

    joined: Joined | None
    is_stale: bool


def joined_of(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    made: Sequence[Decision],
    stamp: tuple[object, ...],
) -> Joined:
    """Make it, from one snapshot."""
    found = picture.together.together(db, clearance, now, made)
    apart = incidents.apart(made)
    # What was decided about a bulletin that this reader may not read shows in nothing.
    seen = picture.together.seen(db, clearance, (id_ for pair in apart for id_ in pair))
    offers: dict[str, list[incidents.Suggestion]] = {}
    for each in found.suggestions:
        offers.setdefault(each.a, []).append(each)
        offers.setdefault(each.b, []).append(each)
    return Joined(
        found=found,
        made=tuple(made),
        at=now,
        stamp=stamp,
        group={id_: group for group in found.groups for id_ in group.members},
        offers={id_: tuple(some) for id_, some in offers.items()},
        apart=frozenset(id_ for pair in apart if seen.issuperset(pair) for id_ in pair),
    )


class Incidents:
    """What is kept, by clearance."""

    def __init__(self, reading: Reading, decisions: Callable[[], Awaitable[Sequence[Decision]]]) -> None:
        """Take the store, and how one asks for the decisions that hold."""
        self._reading, self._decisions = reading, decisions
        self._kept: OrderedDict[Clearance, Joined] = OrderedDict()
        self._making: dict[Clearance, asyncio.Task[Joined]] = {}
        self._one = asyncio.Lock()

    @property
    def clearances(self) -> tuple[Clearance, ...]:
        """Those of which something is kept, the one that was asked for last at the end."""
        return tuple(self._kept)

    async def of(
        self, clearance: Clearance, now: dt.datetime, *, wait: bool = False, first: bool = False
    ) -> Kept:
        """What is kept for a clearance; where it is old, or nothing is, the next is begun.

        Args:
            clearance: whose.
            now: the present.
            wait: whether to wait for one that knows all up to now, as after a decision.
            first: whether to wait where nothing is kept: a page says so and is loaded again, a program does not.

        Raises:
            StoreError: as `Reading.ask`.
        """
        made = tuple(await self._decisions())
        last = await self._reading.ask(events.newest)
        stamp = (last, tuple(each.n for each in made), int(now.timestamp()) // HOLDS_S)
        joined = self._kept.get(clearance)
        if joined is not None:
            self._kept.move_to_end(clearance)
            if joined.stamp == stamp:
                return Kept(joined=joined, is_stale=False)
        task = self._making.get(clearance)
        if task is None or wait:
            task = self._begin(clearance, now, made, stamp)
        if wait or (first and joined is None):
            return Kept(joined=await asyncio.shield(task), is_stale=False)
        return Kept(joined=joined, is_stale=True)

    def _begin(
        self, clearance: Clearance, now: dt.datetime, made: Sequence[Decision], stamp: tuple[object, ...]
    ) -> asyncio.Task[Joined]:
        async def make() -> Joined:
            async with self._one:
                joined = await self._reading.ask(
                    lambda db: joined_of(db, clearance, now, made, (events.newest(db), *stamp[1:]))
                )
            self._kept[clearance] = joined
            self._kept.move_to_end(clearance)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
            return joined

        task = asyncio.create_task(make(), name="incidents")
        self._making[clearance] = task

        def done(ended: asyncio.Task[Joined]) -> None:
            if self._making.get(clearance) is ended:
                del self._making[clearance]
            if not ended.cancelled() and (problem := ended.exception()) is not None:
                reason = problem.reason if isinstance(problem, BusError) else repr(problem)
                log.warning("incidents_failed", reason=reason)

        task.add_done_callback(done)
        return task

    async def settled(self) -> None:
        """Wait until nothing is being made."""
        while self._making:
            await asyncio.wait(list(self._making.values()))

    async def close(self) -> None:
        """End what is being made."""
        some = list(self._making.values())
        for task in some:
            task.cancel()
        await asyncio.gather(*some, return_exceptions=True)
