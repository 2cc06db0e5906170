"""What comes, told to those who look: server-sent events with replay, each encoded once for all who may read the same.

A reader who falls behind is told to load the page anew, and one whose line takes nothing is let go: nobody waits for anybody.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from bus.console.clearance import Clearance
from bus.console.reading import Reading
from bus.console.shield import Receive, Scope, Send
from bus.errors import StoreError
from bus.logs import logger

BEAT_S = 10.0
EVERY_S = 0.5
MOST_WAITING = 64
"""So many events wait for one reader; more, and the page is to be loaded anew."""
WRITE_S = 10.0
RETRY_MS = 3000
MOST_CLIENTS = 2000
RELOAD = b"event: reload\ndata: {}\n\n"

log = logger()


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has come into the store."""

    n: int
    id: str
    what: str
    at: dt.datetime
    priority: str
    issuer: str
    kind: str
    area: str
    election: str | None
    headline: str
    tlp: str
    audience: str


def last_event(db: sqlite3.Connection) -> int:
    """The number of the last event."""
    return int(db.execute("SELECT coalesce(max(row), 0) FROM actual").fetchone()[0])


def events_after(db: sqlite3.Connection, n: int, most: int) -> tuple[Event, ...]:
    """The events after a number, the oldest first, at most so many."""
    rows = db.execute("SELECT * FROM actual WHERE row > ? ORDER BY row LIMIT ?", (n, most))
    return tuple(
        Event(
            n=row["row"],
            id=row["id"],
            what="withdrawal" if row["ended_how"] == "withdrawal" else "bulletin",
            at=dt.datetime.fromtimestamp(row["issued"], dt.UTC),
            priority=row["priority"],
            issuer=row["issuer"],
            kind=row["kind"],
            area=row["area"],
            election=row["election"],
            headline=row["headline"],
            tlp=row["tlp"],
            audience=row["audience"],
        )
        for row in rows
    )


def encoded(event: Event) -> bytes:
    """An event as it goes out."""
    return b"id: %d\nevent: bulletin\ndata: %s\n\n" % (event.n, msgspec.json.encode(event))


class Client:
    """One reader who listens."""

    def __init__(self, clearance: Clearance) -> None:
        """Take how much it may read."""
        self.clearance = clearance
        self.waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING + 1)
        self.is_behind = False

    def give(self, words: bytes) -> None:
        """Have an event wait for it; of one that has too many waiting, the last word is to load the page anew."""
        if self.is_behind:
            return
        if self.waiting.qsize() >= MOST_WAITING:
            self.is_behind, words = True, RELOAD
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
                    last = await self._reading.ask(last_event)
                since = last
                events = await self._reading.ask(lambda db, n=since: events_after(db, n, MOST_WAITING))  # type: ignore[misc]
            except StoreError as problem:
                log.warning("live_unread", reason=problem.reason)
                events = ()
            if events:
                self.tell(events)
                last = events[-1].n
            if len(events) < MOST_WAITING:
                await asyncio.sleep(self._every_s)

    def tell(self, events: Sequence[Event]) -> None:
        """Give events to all who may read them."""
        for event in events:
            said: dict[Clearance, bytes | None] = {}
            for client in self._clients:
                if client.clearance not in said:
                    said[client.clearance] = self._words(event, client.clearance)
                if (words := said[client.clearance]) is not None:
                    client.give(words)

    def _words(self, event: Event, clearance: Clearance) -> bytes | None:
        if not clearance.sees(event.tlp, event.audience):
            return None
        self.encodings += 1
        return encoded(event)

    async def replay(self, client: Client, after: int) -> None:
        """Give a reader what it has missed since an event; where that is much, it is to load the page anew."""
        events = await self._reading.ask(lambda db: events_after(db, after, MOST_WAITING + 1))
        mine = [event for event in events if client.clearance.sees(event.tlp, event.audience)]
        if len(events) > MOST_WAITING:
            client.is_behind = True
            client.waiting.put_nowait(RELOAD)
            return
        for event in mine:
            client.give(encoded(event))

    async def stream(
        self, clearance: Clearance, after: int | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a request with events, until its line ends.

        Args:
            clearance: how much the reader may read.
            after: the last event that the reader has; None for what comes from now on.
            scope: the request.
            receive: tells when the line has ended.
            send: takes the answer.
        """
        del scope
        full = len(self._clients) >= MOST_CLIENTS
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 503 if full else 200, "headers": headers})
        if full:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        client = Client(clearance)
        self._clients.add(client)
        gone = asyncio.create_task(_gone(receive), name="a reader is gone")
        try:
            await _write(send, b"retry: %d\n\n" % RETRY_MS + self._beat())
            if after is not None:
                await self.replay(client, after)
            while not gone.done():
                await _write(send, await self._next(client, gone))
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
