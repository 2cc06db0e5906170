"""Runs a drill on the real path: it sends bulletins at their times and takes the answers that a hub admits."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from bus.drills.score import Board, Report, Spoken
from bus.drills.script import Inject, answers_in
from bus.publishing import Accepted, Publisher
from bus.subscribing import Stored, is_mute
from bus.tasks import background
from schemas.errors import TocsinError

STORED_S = 30.0
LOOK_S = 1.0


async def play(
    board: Board,
    speakers: Mapping[str, Publisher],
    admitted: AsyncIterator[Stored],
    *,
    clock: Callable[[], dt.datetime],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Report:
    """Send all injects, and wait until all expected answers have come or their time is over.

    Args:
        board: the drill; its injects go out at their times after its start.
        speakers: the publisher of each inject.
        admitted: the bulletins that the conducting hub admits from now on.
        clock: the present, aware.
        sleep: waits for a number of seconds.

    Raises:
        StoreError: the store or an outbox has failed, so the answers or stored injects are unknown.
    """
    heard = asyncio.Event()

    async def listen() -> None:
        async for row in admitted:
            if is_mute(row.labels):
                continue
            for answer in answers_in(row.bulletin, row.admitted_at):
                board.answers.append(answer)
                heard.set()

    async with background() as tasks:
        listening = tasks.start(listen(), "answers")
        storing = []
        for inject, spoken in zip(board.injects, board.said, strict=True):
            due = board.started + dt.timedelta(seconds=inject.at)
            while (left := (due - clock()).total_seconds()) > 0:
                await sleep(left)
            publisher = speakers[inject.speaker]
            if (accepted := await _say(inject, spoken, publisher, clock)) is not None:
                stored = _await_stored(spoken, publisher, accepted.digest)
                storing.append(tasks.start(stored, f"inject {accepted.id}"))
        while (until := board.waits_until(clock())) is not None and not listening.done():
            heard.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_S, max(0.0, (until - clock()).total_seconds()))):
                    await heard.wait()
        await asyncio.gather(*storing)
    return board.report(clock())


async def _say(
    inject: Inject, spoken: Spoken, publisher: Publisher, clock: Callable[[], dt.datetime]
) -> Accepted | None:
    """Publish one inject; a failure is part of the score and does not end the drill."""
    try:
        accepted = await publisher.publish(inject.draft)
    except TocsinError as exc:
        spoken.state, spoken.problem = "refused", str(exc)
        return None
    spoken.id, spoken.channel, spoken.state, spoken.at = accepted.id, accepted.channel, "accepted", clock()
    return accepted


async def _await_stored(spoken: Spoken, publisher: Publisher, digest: str) -> None:
    spoken.state = await publisher.settled(digest, STORED_S)
