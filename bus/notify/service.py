"""The program that tells people: looks into the hub's store, decides, and sends, until it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec

from bus.errors import StoreError
from bus.health import Condition
from bus.logs import logger
from bus.notify import book as books
from bus.notify import deliveries, looking, telling, ways
from bus.notify.addresses import SendError
from bus.notify.asked import PREFIX
from bus.notify.book import Book, Place
from bus.notify.conditions import conditions_of
from bus.notify.deliveries import Delivery
from bus.notify.items import Asking
from bus.notify.looking import Seen
from bus.notify.shape import Channel, Item, Message, Settings
from bus.notify.wording import Worded, worded
from bus.storage import Lease
from bus.tasks import background
from schemas.errors import TocsinError

LOOK_S = 1.0
"""So often it is looked for what has happened."""
RARELY_S = 30.0
"""So often it is looked at clocks and at what was answered."""
RENEW_S = 2.0
TIDY_S = 3600.0
LAST_S = 1.5
"""So long an attempt that runs is waited for at the end."""

Post = Callable[[Channel, Worded, str, dt.datetime, dt.datetime], str]
"""What sends a message once: channel, words, id, when it was made, now. Blocks; returns what came back, or raises SendError."""

log = logger()


class _Around(NamedTuple):
    """One look: into the store, all that was seen, what is told once alone, what was answered, how the registry stands."""

    looked: looking.Looked
    seen: tuple[Seen, ...]
    once: tuple[Seen, ...]
    settled: frozenset[str]
    trust: str


class Notifier:
    """Looks, decides and sends, for one identity.

    Attributes:
        problem: why the store cannot be read now; empty while it can.
        stands_by: whether another process has the work.
        standing: how the deliveries stand.
    """

    def __init__(
        self,
        book: Book,
        store: Path,
        asking: Callable[[], Asking],
        *,
        clock: Callable[[], dt.datetime],
        rng: Callable[[int], bytes],
        post: Post | None = None,
        more: Callable[[], Sequence[Item]] = tuple,
    ) -> None:
        """Prepare; `run` runs.

        Args:
            book: `notify.db`.
            store: the hub's store, which is read alone.
            asking: for whom is looked, as the registry stands now.
            clock: the present, aware.
            rng: random bytes, for ids.
            post: sends a message once; `bus.notify.ways.send` where it is None.
            more: what others know of, such as drafts that wait for approval; each thing is told once. It may read files.
        """
        self.book, self.store = book, store
        self._asking_now, self._clock, self._rng, self._more = asking, clock, rng, more
        self._asking = asking()
        self.settings: Settings = self._asking.settings
        self._post = post or self._by_ways
        self.problem, self.stands_by = "", False
        self.standing = deliveries.Counts(waiting=0, given_up=0, oldest=None)
        self._lease = Lease(book, clock)
        self._wakes = {name: asyncio.Event() for name in self.settings.channels}
        self._threads = ThreadPoolExecutor(len(self.settings.channels) + 1, thread_name_prefix="notify")
        self._again = self._last = clock()
        self._rarely = self._tidied = self._renewed = float("-inf")
        self._is_behind = False

    async def run(self) -> None:
        """Tell people until cancelled.

        Raises:
            StoreError: `notify.db` cannot be used any more.
        """
        try:
            await self.book.write(self._begin)
            async with background() as tasks:
                for name in self.settings.channels:
                    tasks.start(self._send_to(name), f"notify {name}")
                while True:
                    await self.step()
                    await asyncio.sleep(0 if self._is_behind else LOOK_S)
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)
            with contextlib.suppress(StoreError):
                await self._lease.drop()

    def _begin(self, db: sqlite3.Connection) -> None:
        now = self._clock()
        books.keep_rules(db, self.settings.rules.keys())
        deliveries.give_up_unknown(db, self.settings.channels.keys(), now)

    async def step(self) -> None:
        """Look once, take in what has happened, and make the messages that are due.

        Raises:
            StoreError: `notify.db` cannot be used any more; what passes is tried again.
        """
        self._is_behind = False
        try:
            tick = asyncio.get_running_loop().time()
            if tick - self._renewed >= RENEW_S:
                self.stands_by, self._renewed = not await self._lease.is_ours(), tick
            if not self.stands_by:
                await self._step()
        except StoreError as exc:
            if not exc.is_passing:
                raise
            self._tell(str(exc))

    async def _step(self) -> None:
        now, tick = self._clock(), asyncio.get_running_loop().time()
        rarely = tick - self._rarely >= RARELY_S
        place = await self.book.read(books.place)
        held = await self.book.read(lambda db: books.due_held(db, now))
        try:
            around = await self._look_around(place, held, now, rarely=rarely)
        except TocsinError as exc:
            self._tell(str(exc))
            return
        self._tell("")
        self._rarely = tick if rarely else self._rarely
        looked = around.looked
        reached = (looked.upto, around.trust)
        has_come = any((around.seen, around.once, held, looked.erased, looked.hidden))
        is_new = has_come or place is None or reached != (place.event, place.trust)
        if is_new:
            taken = await self.book.write(lambda db: self._take(db, around, held, now))
            self._again = now if taken else self._again
        if now >= self._again or now < self._last or around.settled or rarely:
            self._again = await self.book.write(
                lambda db: telling.say(db, self.settings, around.settled, now, self._new_id)
            )
            for wake in self._wakes.values():
                wake.set()
        self._last, self._is_behind = now, looked.more
        if tick - self._tidied >= TIDY_S:
            self._tidied = tick
            await self.book.write(lambda db: deliveries.tidy(db, now))
        self.standing = await self.book.read(lambda db: deliveries.counts(db, now))

    async def _look_around(
        self, place: Place | None, held: Sequence[Item], now: dt.datetime, *, rarely: bool
    ) -> _Around:
        """Look into the hub's store, at the registry, and, rarely, at clocks, answers and approvals.

        Raises:
            StoreError: `store-unreadable`.
        """
        asking, tokens = self._present(), frozenset[str]()
        if rarely:
            tokens = await self.book.read(lambda db: telling.waited_for(db, self.settings, now))

        def ask(db: sqlite3.Connection) -> tuple[looking.Looked, tuple[Seen, ...], frozenset[str]]:
            looked = looking.begin(db) if place is None else looking.look(db, asking, place.event, now)
            besides = looking.look_again(db, asking, held, now) if held else ()
            if rarely:
                besides += looking.look_at_clocks(db, asking, now)
            return looked, besides, looking.settled(db, asking, tokens, now) if tokens else frozenset()

        loop = asyncio.get_running_loop()
        looked, besides, settled = await loop.run_in_executor(self._threads, looking.read, self.store, ask)
        seen = (*looked.seen, *besides, *looking.trust_lost(asking, place.trust if place else "", now))
        if not looked.is_whole:
            seen = (*seen, *looking.missed(asking, now))
        waiting: Sequence[Item] = ()
        if rarely:
            waiting = await loop.run_in_executor(self._threads, self._more)
            open_ = {each.token for each in waiting}
            settled |= {each for each in tokens if each.startswith(PREFIX) and each not in open_}
        return _Around(
            looked,
            seen,
            looking.for_rules(asking, waiting, now),
            settled,
            looking.trust_of(asking.registry, now),
        )

    def _take(self, db: sqlite3.Connection, around: _Around, held: Sequence[Item], now: dt.datetime) -> int:
        """Take all of a look in, with the place up to which it reached. Returns how many things were taken."""
        for about in around.looked.erased:
            books.erase(db, about)
        if around.looked.hidden:
            telling.hide(db, around.looked.hidden, self.settings.rules)
        books.let_go(db, held)
        fresh = [each for each in around.once if books.note(db, each.item.token, now)]
        books.move_on(db, around.looked.upto, now, around.trust)
        return telling.take_in(db, (*around.seen, *fresh), self.settings, self._asking.own, now)

    def _present(self) -> Asking:
        try:
            self._asking = self._asking_now()
        except TocsinError as exc:
            log.warning("registry_unreadable", reason=exc.reason)
            self._asking = msgspec.structs.replace(self._asking, registry=None)
        return self._asking

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.warning("notify_cannot_look", problem=problem)
        self.problem = problem

    def _new_id(self) -> str:
        return f"ntf_{self._rng(16).hex()}"

    # -- sending --------------------------------------------------------------------------------------------------

    async def _send_to(self, name: str) -> None:
        """Send what waits for a channel, one after the other, for as long as the program runs."""
        wake = self._wakes[name]
        while True:
            wake.clear()
            if self.stands_by or not await self._send_one(name):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), RARELY_S / 10)

    async def _send_one(self, name: str) -> bool:
        """Make one attempt for a channel. Returns False where none is due."""
        if await self._lease.is_lost():
            return False
        now = self._clock()
        if await self.book.read(lambda db: deliveries.next_due(db, name)) is None:
            return False
        begun = await self.book.write(lambda db: deliveries.begin(db, name, now))
        if begun is None:
            return False
        attempt = asyncio.create_task(self._attempt(*begun))
        try:
            await asyncio.shield(attempt)
        except asyncio.CancelledError:
            await asyncio.wait({attempt}, timeout=LAST_S)  # what was taken is noted as taken, if it can be
            attempt.cancel()
            raise
        return True

    async def _attempt(self, delivery: Delivery, message: Message) -> None:
        channel, rule = self.settings.channels[delivery.channel], self.settings.rules.get(delivery.rule)
        words = None
        if rule is not None or message.form == "test":
            words = worded(message, channel, rule, self.settings)
        if words is None:
            why = "nothing of it may be told any more"
            await self.book.write(
                lambda db: deliveries.failed(
                    db, delivery.n, self._clock(), "notify-nothing-left", why, final=True
                )
            )
            return
        loop = asyncio.get_running_loop()
        try:
            said = await loop.run_in_executor(
                self._threads, self._post, channel, words, delivery.id, delivery.made, self._clock()
            )
        except TocsinError as exc:
            final = isinstance(exc, SendError) and exc.is_final
            after = exc.after_s if isinstance(exc, SendError) else None
            log.warning(
                "notification_failed",
                channel=channel.name,
                id=delivery.id,
                reason=exc.reason,
                tries=delivery.tries,
            )
            reason, detail = exc.reason, exc.detail
            await self.book.write(
                lambda db: deliveries.failed(
                    db, delivery.n, self._clock(), reason, detail, final=final, after_s=after
                )
            )
            return
        await self.book.write(lambda db: deliveries.sent(db, delivery.n, self._clock(), said))

    def _by_ways(self, channel: Channel, words: Worded, id_: str, made: dt.datetime, now: dt.datetime) -> str:
        return ways.send(channel, words, id_, made, now, self.settings.networks)

    def conditions(self) -> tuple[Condition, ...]:
        """How the telling is, for the health model."""
        return conditions_of(self.problem, self.standing, self._clock())
