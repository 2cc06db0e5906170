"""The story of ten minutes: plays the scenes at their times, says each in a line, and remembers how far it has come.

A folder has one story. The next run continues after the last scene that was told, because a key is stolen only once.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import msgspec

from bus.demo.acts import DECEIVED, Acts
from bus.demo.cast import Cast, UntrueError
from bus.demo.countries import CAST, ELSEWHERE, ROBBED
from bus.demo.desks import Desks
from bus.demo.keyring import Folder
from bus.demo.scenes import SCENES, Scene
from bus.logs import logger
from bus.publishing import Intervals, Outbox
from bus.storage import write_atomically
from bus.subscribing import Inbox
from bus.trust import VerifiedRegistry
from schemas.errors import TocsinError

QUIET_S = 5.0
"""Seconds before the offices open, so that the consoles come first; and then before the first scene of a run that continues."""
INTERVAL_S, LEAST_INTERVAL_S = 60, 10

log = logger()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A scene that was played: its time, its sentence, the page that shows it at a hub, and why it did not come true, if so."""

    clock: str
    says: str
    hub: str
    path: str
    problem: str = ""


class Progress(msgspec.Struct, kw_only=True):
    """How far the story of a folder has come: the number of scenes told, and what the acts have noted."""

    told: Annotated[int, msgspec.Meta(ge=0)] = 0
    facts: dict[str, str] = {}

    @classmethod
    def read(cls, file: Path) -> Progress:
        """The progress in a file; a missing or damaged one is the beginning."""
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except FileNotFoundError:
            return cls()
        except (OSError, msgspec.MsgspecError) as exc:
            log.warning("story_begins_again", file=str(file), problem=str(exc))
            return cls()


class Story:
    """The story of one run. Use `Story.open`.

    Attributes:
        untold: the scenes that are still to come.
        failed: the names of scenes of this run that did not come true.
    """

    def __init__(
        self, cast: Cast, progress: Progress, file: Path, clock: Callable[[], dt.datetime], pace: float
    ) -> None:
        self._cast = cast
        self._progress = progress
        self._file = file
        self._pace = pace
        self._acts = Acts(cast, progress.facts, clock)
        self.failed: list[str] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, desks: Desks, stores: Mapping[str, Inbox], *, pace: float) -> AsyncIterator[Story]:
        """The story of a folder; what its offices have open is closed at the end.

        Args:
            desks: of the demonstration.
            stores: the stores of the hubs.
            pace: divisor of the times of the scenes.
        """
        progress = Progress.read(desks.folder.story)
        async with Cast.at_work(desks, stores, _withheld(progress.facts)) as cast:
            yield cls(cast, progress, desks.folder.story, desks.clock, pace)

    @property
    def untold(self) -> tuple[Scene, ...]:
        """The scenes that are still to come."""
        return SCENES[self._progress.told :]

    @property
    def outboxes(self) -> dict[str, Outbox]:
        """The outbox of each office that is open."""
        return self._cast.outboxes

    def wants_refused(self, digest: str, reason: str, channel: str | None) -> bool:
        """Whether the story wants the hubs to refuse a message: the forged one, and all that the stolen key signed after the theft."""
        is_stolen = reason == "key-revoked" and (channel or "").startswith(f"{ROBBED}/")
        return digest == self._progress.facts.get("forged") or is_stolen

    @property
    def withheld(self) -> Mapping[str, str]:
        """Digest -> hub of the bulletins that a hub is meant to lack for a while."""
        return _withheld(self._progress.facts)

    async def play(self, say: Callable[[Told], None], until: float | None = None) -> None:
        """Open the offices, then play the remaining scenes at their times.

        Args:
            say: takes each scene when it has come true, or has failed.
            until: no scene begins later than this, by the clock of the event loop.
        """
        loop = asyncio.get_running_loop()
        ahead = self.untold
        begin = loop.time()
        if ahead and self._progress.told:
            begin += (2 * QUIET_S - ahead[0].at) / self._pace
        if ahead and until is not None and begin + ahead[0].at / self._pace >= until:
            return
        await asyncio.sleep(QUIET_S / self._pace)
        await self._open_offices()
        for scene in ahead:
            moment = begin + scene.at / self._pace
            if until is not None and moment >= until:
                return
            await asyncio.sleep(moment - loop.time())
            say(await self._told(scene))

    async def _open_offices(self) -> None:
        """Open the offices at the usual broker, and the one at the second broker if that broker has run before."""
        for member in CAST:
            if member.id != ELSEWHERE or "elsewhere" in self._progress.facts:
                try:
                    await self._cast.publisher(member.id)
                except TocsinError as exc:
                    log.warning(
                        "story_office_closed", authority=member.id, reason=exc.reason, problem=str(exc)
                    )

    async def _told(self, scene: Scene) -> Told:
        """Play a scene, and note that it was told, whether it came true or not."""
        id_ = problem = ""
        act: Callable[[], Awaitable[str]] = getattr(self._acts, scene.act)
        try:
            id_ = await act()
        except (UntrueError, TocsinError) as exc:
            problem = str(exc)
            self.failed.append(scene.act)
        self._progress.told += 1
        write_atomically(self._file, msgspec.json.encode(self._progress), mode=0o600)
        path = scene.page.format(id=id_)
        return Told(clock=scene.clock, says=scene.says, hub=scene.hub, path=path, problem=problem)


def _withheld(facts: Mapping[str, str]) -> dict[str, str]:
    return {facts["withheld"]: DECEIVED} if "withheld" in facts else {}


def paced(pace: float) -> Intervals:
    """The intervals of the hubs' heartbeats: each hub says often what it holds, so that the other knows whom to ask."""
    every = max(LEAST_INTERVAL_S, int(INTERVAL_S / pace))
    return Intervals(before=every, during=every, after=every, none=every)


def can_be_told(folder: Folder, registry: VerifiedRegistry) -> bool:
    """Whether the offices of the story are in the registry of a folder, with their keys; not so in one of an older version."""
    return all(
        member.id in registry.document.authorities and folder.signing_key(member.id).exists()
        for member in CAST
    )
