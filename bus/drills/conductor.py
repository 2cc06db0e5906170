"""A drill on the real path: bulletins go out at their times, answers are heard as a hub admits them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from bus.drills.score import Board, Report, Spoken
from bus.drills.script import Inject, answers_in
from bus.publishing import Publisher
from bus.subscribing import Stored
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
    """Inject everything, and listen until all that is expected has come or its time is over.

    Args:
        board: the drill; its injects go out at their times after its start.
        speakers: whose voice each inject has.
        admitted: what the conducting hub admits from now on.
        clock: the present, aware.
        sleep: waits for some seconds.
    """
    heard = asyncio.Event()

    async def listen() -> None:
        async for row in admitted:
            for each in answers_in(row.bulletin, row.admitted_at):
                board.answers.append(each)
                heard.set()

    listening = asyncio.create_task(listen(), name="answers")
    sending: list[asyncio.Task[None]] = []
    try:
        for inject, said in zip(board.injects, board.said, strict=True):
            due = board.started + dt.timedelta(seconds=inject.at)
            while (left := (due - clock()).total_seconds()) > 0:
                await sleep(left)
            sending += [task] if (task := await _say(inject, said, speakers[inject.speaker], clock)) else []
        while (until := board.waits_until(clock())) is not None and not listening.done():
            heard.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_S, max(0.0, (until - clock()).total_seconds()))):
                    await heard.wait()
        if sending:
            await asyncio.wait(sending)
        if listening.done():
            listening.result()  # the store has failed, and what came is not known
    finally:
        for task in (listening, *sending):
            task.cancel()
        await asyncio.gather(listening, *sending, return_exceptions=True)
    return board.report(clock())


async def _say(
    inject: Inject, said: Spoken, publisher: Publisher, clock: Callable[[], dt.datetime]
) -> asyncio.Task[None] | None:
    """Publish one inject; what cannot be said is part of the score, and does not end the drill."""
    try:
        accepted = await publisher.publish(inject.draft)
    except TocsinError as exc:
        said.state, said.problem = "refused", str(exc)
        return None
    said.id, said.channel, said.state, said.at = accepted.id, accepted.channel, "accepted", clock()

    async def store() -> None:
        said.state = await publisher.settled(accepted.digest, STORED_S)

    return asyncio.create_task(store(), name=f"inject {accepted.id}")
