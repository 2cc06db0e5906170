"""What comes, told to those who look: server-sent events with replay, each encoded once for all who may read the same.

A reader who falls behind is told to load the page anew, and one whose line takes nothing is let go: nobody waits for anybody.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from bus.console.interrupts import Alert, alerts_after
from bus.console.reading import Reading
from bus.console.shield import Receive, Scope, Send
from bus.errors import StoreError
from bus.hub.picture import Event, Told, events, events_after
from bus.logs import logger
from bus.policy import Clearance

BEAT_S = 10.0
EVERY_S = 0.2
MOST_WAITING = 64
"""So many events wait for one reader; more, and the page is to be loaded anew."""
MOST_ALERTS = 8
"""So many are told at once; Needs you has all."""
WRITE_S = 10.0
MINE_S = 15.0
"""Seconds between two looks at what interrupts one person."""
ASKED_S = 5.0
"""Seconds for which a check of a session is valid. After it, a reader who is signed out or may read less receives no more."""
RETRY_MS = 3000
MOST_CLIENTS = 2000
MOST_OF_ONE = 20
"""So many listen in one session: tabs of a browser; so that nobody takes the room of others."""
RELOAD = b"event: reload\ndata: {}\n\n"

log = logger()


NEWS = frozenset({"new", "updated"})
"""What has come; all else has happened to what was there."""
REMADE = "remade"


def encoded(event: Event) -> bytes:
    """An event as it goes out: its number, whether something has come, changed or become late, and what it is about."""
    what = "bulletin" if event.what in NEWS else "late" if event.what == events.LATE else "change"
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.n, what.encode(), msgspec.json.encode(event))


def interrupting(alert: Alert) -> bytes:
    """What interrupts, as it goes out; it has no number, as it is not told again."""
    return b"event: alert\ndata: %s\n\n" % msgspec.json.encode(alert)


async def _always() -> bool:
    return True


async def _nothing() -> tuple[Alert, ...]:
    return ()


class Client:
    """One reader who listens."""

    def __init__(self, clearance: Clearance, whose: str = "") -> None:
        """Take how much it may read, and in which session it listens."""
        self.clearance, self.whose = clearance, whose
        self.waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING + 1)
        self.is_behind = False

    def give(self, words: bytes) -> None:
        """Have an event wait for it; of one that has too many waiting, the last word is to load the page anew."""
        if self.is_behind:
            return
        if self.waiting.qsize() >= MOST_WAITING:
            words = RELOAD
        self.is_behind = words == RELOAD
        self.waiting.put_nowait(words)


class Live:
    """Looks for what has come, and tells those who listen."""

    def __init__(self, reading: Reading, clock: Callable[[], dt.datetime], every_s: float = EVERY_S) -> None:
        """Take the store, the present, and the seconds between two looks."""
        self._reading, self._clock, self._every_s = reading, clock, every_s
        self._clients: set[Client] = set()
        self.encodings = 0
        """How often an event was encoded."""

    @property
    def clients(self) -> int:
        """How many listen."""
        return len(self._clients)

    async def run(self) -> None:
        """Look and tell until cancelled; a store that cannot be read is looked at again."""
        last: int | None = None
        while True:
            try:
                if last is None:
                    last = await self._reading.ask(events.newest)
                last = await self._tell(last)
            except StoreError as problem:
                log.warning("live_unread", reason=problem.reason)
            await asyncio.sleep(self._every_s)

    async def _tell(self, last: int) -> int:
        """Tell everybody what has come since an event; returns the last event there is."""
        wanted = frozenset(client.clearance for client in self._clients)

        def question(
            db: sqlite3.Connection,
        ) -> tuple[int, dict[Clearance, tuple[Told, tuple[Alert, ...]]]]:
            newest = events.newest(db)
            if newest == last:
                return newest, {}
            return newest, {each: self._after(db, each, last) for each in wanted}

        newest, found = await self._reading.ask(question)
        for clearance, (told, alerts) in found.items():
            self.tell(clearance, told, alerts)
        return newest

    def _after(
        self, db: sqlite3.Connection, clearance: Clearance, last: int
    ) -> tuple[Told, tuple[Alert, ...]]:
        told = events_after(db, clearance, last, MOST_WAITING + 1)
        return told, alerts_after(db, self._reading.shelf, clearance, last, self._clock())

    def tell(self, clearance: Clearance, told: Told, alerts: Sequence[Alert] = ()) -> None:
        """Give events to all who may read the same; each is encoded once for them. What interrupts comes after them."""
        words = self._words(told) + [interrupting(each) for each in alerts[:MOST_ALERTS]]
        for client in self._clients:
            if client.clearance == clearance:
                for each in words:
                    client.give(each)

    def _words(self, told: Told) -> list[bytes]:
        """Events as they go out; what cannot be told one by one is to be loaded anew."""
        if (
            not told.is_whole
            or len(told.events) > MOST_WAITING
            or any(each.what == REMADE for each in told.events)
        ):
            return [RELOAD]
        self.encodings += len(told.events)
        return [encoded(event) for event in told.events]

    async def replay(self, client: Client, after: int) -> None:
        """Give a reader what it has missed since an event; where that is much, it is to load the page anew."""
        told = await self._reading.ask(lambda db: events_after(db, client.clearance, after, MOST_WAITING + 1))
        for each in self._words(told):
            client.give(each)

    async def stream(
        self,
        clearance: Clearance,
        after: int | None,
        scope: Scope,
        receive: Receive,
        send: Send,
        still: Callable[[], Awaitable[bool]] = _always,
        whose: str = "",
        mine: Callable[[], Awaitable[Sequence[Alert]]] = _nothing,
    ) -> None:
        """Answer a request with events, until its line ends.

        Args:
            clearance: how much the reader may read.
            after: the last event that the reader has; None for what comes from now on.
            scope: the request.
            receive: tells when the line has ended.
            send: takes the answer.
            still: whether the reader may still read so much; asked before what is written, once in `ASKED_S` at most.
            whose: the session in which it listens; empty for one that is not counted.
            mine: what interrupts this person alone, each told once here; asked at the beginning, and once in `MINE_S`.
        """
        del scope
        of_one = sum(each.whose == whose for each in self._clients) if whose else 0
        full = len(self._clients) >= MOST_CLIENTS or of_one >= MOST_OF_ONE
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 503 if full else 200, "headers": headers})
        if full:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        client = Client(clearance, whose)
        self._clients.add(client)
        gone = asyncio.create_task(_gone(receive), name="a reader is gone")
        try:
            await _write(send, b"retry: %d\n\n" % RETRY_MS + self._beat())
            if after is not None:
                await self.replay(client, after)
            asked_at, mine_at, told = time.monotonic(), float("-inf"), dict[str, None]()
            while not gone.done():
                if time.monotonic() - mine_at >= MINE_S:
                    for each in _fresh(await mine(), told):
                        client.give(interrupting(each))
                    mine_at = time.monotonic()
                words = await self._next(client, gone)
                if time.monotonic() - asked_at >= ASKED_S:
                    if not await still():
                        break
                    asked_at = time.monotonic()
                await _write(send, words)
                if client.is_behind and client.waiting.empty():
                    break
        except TimeoutError:
            log.info("reader_let_go", why="its line takes nothing")
        finally:
            gone.cancel()
            self._clients.discard(client)

    async def _next(self, client: Client, gone: asyncio.Task[None]) -> bytes:
        """What is to be written next: the events that wait, or a beat after a while without any."""
        first = asyncio.ensure_future(client.waiting.get())
        await asyncio.wait({first, gone}, timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            first.cancel()
            return self._beat()
        parts = [first.result()]
        while not client.waiting.empty():
            parts.append(client.waiting.get_nowait())
        return b"".join(parts)

    def _beat(self) -> bytes:
        return b'event: beat\ndata: "%s"\n\n' % self._clock().strftime("%Y-%m-%dT%H:%M:%SZ").encode()


def _fresh(found: Sequence[Alert], told: dict[str, None]) -> list[Alert]:
    """What was not told yet, so many at most; what stands no more is forgotten."""
    fresh = [each for each in found if each.once not in told][:MOST_ALERTS]
    standing = {each.once for each in found}
    for once in [each for each in told if each not in standing]:
        del told[once]
    told.update(dict.fromkeys(each.once for each in fresh))
    return fresh


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, words: bytes) -> None:
    """Write within a bound.

    Raises:
        TimeoutError: the line takes nothing.
    """
    async with asyncio.timeout(WRITE_S):
        await send({"type": "http.response.body", "body": words, "more_body": True})
