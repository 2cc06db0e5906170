"""A process that works off a spool and is killed at a point of its own choosing: `python -m tests.unit.adapters.dying FOLDER POINT`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from adapters.authorities.cyber import ADAPTER
from adapters.conformance import COUNTRY, NOW
from adapters.conformance.rehearsal import Rehearsal
from adapters.sources import FolderSource
from bus.plugin import Verdict

POINTS = (
    "before-publishing",
    "before-it-is-told",
    "before-the-report",
    "before-the-move",
    "after-the-move",
    "never",
)


def die() -> None:
    """No cleaning up, no flushing: what a power cut or the kernel's killer does."""
    os.kill(os.getpid(), signal.SIGKILL)


class Publishing:
    """The real publisher; dies before the n-th group of drafts, or when it is kept and nobody has been told."""

    def __init__(self, inner: Any, dies_at: int | None, *, after: bool = False) -> None:
        self._inner, self._dies_at, self._after, self._count = inner, dies_at, after, 0

    async def publish(self, *args: Any, **options: Any) -> Any:
        """Publish."""
        return await self._inner.publish(*args, **options)

    async def publish_many(self, *args: Any, **options: Any) -> Any:
        """Publish, or die."""
        self._count += 1
        if self._count == self._dies_at and not self._after:
            die()
        outcomes = await self._inner.publish_many(*args, **options)
        if self._count == self._dies_at:
            die()
        return outcomes


class Spool(FolderSource):
    """The real folder source; dies around its third settlement, of a document whose bulletins are out."""

    def __init__(self, folder: Path, point: str) -> None:
        super().__init__(folder, once=True)
        self._point, self._settled = point, 0

    def _settle(self, path: Path, found: os.stat_result | None, verdict: Verdict) -> None:
        self._settled += 1
        third = self._settled == 3
        if third and self._point == "before-the-report":
            die()
        if third and self._point == "before-the-move":
            sys.addaudithook(lambda event, _: die() if event == "os.rename" else None)
        super()._settle(path, found, verdict)
        if third and self._point == "after-the-move":
            die()


async def work(folder: Path, point: str) -> None:
    """One look at the spool."""
    dies_at = {"before-publishing": 1, "before-it-is-told": 1}.get(point)
    async with Rehearsal.open(ADAPTER.manifest, folder, country=COUNTRY, clock=lambda: NOW) as rehearsal:
        publisher = Publishing(rehearsal.publisher, dies_at, after=point == "before-it-is-told")
        await ADAPTER.run(Spool(folder / "spool", point), publisher, country=COUNTRY, clock=lambda: NOW)


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2]))
