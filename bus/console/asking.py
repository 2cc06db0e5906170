"""The console's line to its hub: a pair of sockets that only the two processes have, with one message a line."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

import msgspec

from bus.console.errors import TooLargeError
from bus.errors import BusError
from bus.hub.acting import Outcome, Request, messages
from bus.logs import logger
from bus.tasks import in_background

WAIT_S = 20.0
MOST_AT_ONCE = 16
"""So many requests of a console are worked on at once; others wait."""
_BROKEN = (ValueError, msgspec.DecodeError, RecursionError, OSError)
"""What a line raises that is too long, no message, nested without end, or cut off."""

log = logger()


class HubError(BusError):
    """The hub did not answer; whether it did what was asked is not known. Asked again in the same words, it is done once."""

    reason = "hub-silent"


class Nobody:
    """Where no hub answers: a console by itself."""

    async def ask(self, request: Request) -> Outcome:
        """Refuse.

        Raises:
            HubError: always.
        """
        del request
        raise HubError("this console runs without its hub, so nothing can be signed; start tocsin hub run")


NOBODY = Nobody()


class Line:
    """The console's end of the pair. Use `Line.open`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._numbers = count(1)

    @classmethod
    @asynccontextmanager
    async def open(cls, end: socket.socket) -> AsyncIterator[Line]:
        """Ask over one end of a pair for as long as the context lasts."""
        reader, writer = await asyncio.open_connection(sock=end, limit=messages.MOST)
        line = cls(reader, writer)
        try:
            async with in_background(line._read(), "line to the hub"):
                yield line
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def ask(self, request: Request) -> Outcome:
        """Have the hub do something.

        Raises:
            HubError: `hub-silent`.
            TooLargeError: it is longer than a line.
        """
        n = next(self._numbers)
        asking = messages.asking(n, request)
        if len(asking) > messages.MOST:
            raise TooLargeError("the request is too long")
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[n] = answer
        try:
            async with asyncio.timeout(WAIT_S):
                self._writer.write(asking)
                await self._writer.drain()
                return await answer
        except (TimeoutError, OSError):
            raise HubError("the hub did not answer in time; send this again, it is done once") from None
        finally:
            del self._waiting[n]

    async def _read(self) -> None:
        """Take outcomes until the line ends; then nobody waits any more."""
        try:
            while line := await self._reader.readline():
                told = messages.told(line)
                answer = self._waiting.get(told.n)
                if answer is not None and not answer.done():
                    answer.set_result(told.outcome)
        except _BROKEN as exc:  # a line that is too long, or no message
            log.error("hub_line_broken", error=repr(exc))
        self._writer.close()  # so the hub sees that nobody asks any more, and starts the console anew
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(TimeoutError())


async def serve(end: socket.socket, do: Callable[[Request], Awaitable[Outcome]]) -> None:
    """Answer a console over the hub's end of the pair, until that ends or the task is cancelled.

    Args:
        end: the hub's end.
        do: does what is asked.
    """
    reader, writer = await asyncio.open_connection(sock=end, limit=messages.MOST)
    room = asyncio.Semaphore(MOST_AT_ONCE)

    async def one(asked: messages.Numbered) -> None:
        try:
            outcome = await do(messages.request_of(asked))
        except msgspec.DecodeError as exc:
            log.error("deed_unknown", error=str(exc))
            outcome = Outcome(
                state="refused", reason="deed-malformed", notes=("the hub does not understand that",)
            )
        except Exception as exc:  # noqa: BLE001 (a fault of one deed must not end the hub)
            log.error("deed_failed", error=repr(exc))
            outcome = Outcome(
                state="refused", reason="deed-failed", notes=("the hub could not do that; its log says why",)
            )
        finally:
            room.release()
        line = messages.answering(asked.n, outcome)
        if len(line) > messages.MOST:
            log.error("deed_answer_too_long", size=len(line))
            told = Outcome(
                state="refused", reason="deed-failed", notes=("the hub has more to say of it than it may",)
            )
            line = messages.answering(asked.n, told)
        with contextlib.suppress(OSError):
            writer.write(line)
            await writer.drain()

    try:
        async with asyncio.TaskGroup() as tasks:
            while True:
                await room.acquire()
                try:
                    line = await reader.readline()
                    if not line:
                        break
                    numbered = messages.asked(line)
                except _BROKEN as exc:
                    log.error("console_line_broken", error=repr(exc))
                    break
                tasks.create_task(one(numbered), name="deed")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
