"""The cast of the story: its offices at work, the second broker, and what the hubs hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

from bus.demo.beside import ReaderBeside
from bus.demo.countries import CAST, ELSEWHERE, HUBS, ROBBED, Member
from bus.demo.desks import Desks, beats
from bus.demo.hostile import Operator, lines
from bus.demo.keyring import Folder, load_key
from bus.keys import FileSigner
from bus.logs import logger
from bus.publishing import Accepted, Outbox, Publisher
from bus.subscribing import Inbox
from bus.tasks import Background, background
from bus.transport import Endpoint
from bus.trust import VerifiedRegistry
from schemas.bulletin import Bulletin, Draft
from schemas.codec import decode
from schemas.errors import TocsinError

PATIENCE_S = 60.0
LOOK_S = 0.1
NAMES = tuple(hub.id for hub in HUBS)

log = logger()


class UntrueError(Exception):
    """A scene has not come true in time."""


class Cast:
    """The offices of the story and the second broker. Use `Cast.at_work`.

    Attributes:
        stores: the stores of the hubs.
        outboxes: the outbox of each open office.
        operator: that of the second broker, while it runs.
    """

    def __init__(
        self, desks: Desks, stores: Mapping[str, Inbox], withheld: Mapping[str, str], tasks: Background
    ) -> None:
        self.stores = stores
        self.outboxes: dict[str, Outbox] = {}
        self.operator: Operator | None = None
        self._desks = desks
        self._withheld = withheld
        self._tasks = tasks
        self._open: dict[str, asyncio.Task[None]] = {}
        self._publishers: dict[str, Publisher] = {}

    @classmethod
    @asynccontextmanager
    async def at_work(
        cls, desks: Desks, stores: Mapping[str, Inbox], withheld: Mapping[str, str]
    ) -> AsyncIterator[Cast]:
        """Open nothing yet; at the end all that was opened is closed, at the same time.

        Args:
            desks: of the demonstration.
            stores: the stores of the hubs.
            withheld: digest -> hub of what the operator has withheld in an earlier run.
        """
        async with background() as tasks:
            yield cls(desks, stores, withheld, tasks)

    @property
    def registry(self) -> VerifiedRegistry:
        """The present registry."""
        return self._desks.registry()

    @property
    def folder(self) -> Folder:
        """The folder of the demonstration."""
        return self._desks.folder

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of an office at the usual broker."""
        return self._desks.endpoint(_member(name))

    # -- offices --------------------------------------------------------------------------------------------------

    async def publisher(self, name: str) -> Publisher:
        """The publisher of an office, which is opened when it is asked for first, the second broker with its office.

        Raises:
            TocsinError: it cannot be opened.
        """
        if name not in self._open:
            opened: asyncio.Future[Publisher] = asyncio.get_running_loop().create_future()
            self._open[name] = self._tasks.start(self._keep(_member(name), opened), f"desk of {name}")
            await opened
        return self._publishers[name]

    async def close(self, name: str) -> None:
        """Close an office; the next question for its publisher opens it again."""
        if (task := self._open.get(name)) is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _keep(self, member: Member, opened: asyncio.Future[Publisher]) -> None:
        """Keep an office open until it is cancelled."""
        at_its_broker = self._elsewhere if member.id == ELSEWHERE else self._desk
        try:
            async with at_its_broker(member) as publisher:
                self._publishers[member.id], self.outboxes[member.id] = publisher, publisher.outbox
                opened.set_result(publisher)
                await asyncio.Event().wait()
        except TocsinError as exc:
            if not opened.done():
                opened.set_exception(exc)
            else:
                log.warning("office_closed", authority=member.id, reason=exc.reason, problem=str(exc))
        finally:
            del self._open[member.id]
            self.outboxes.pop(member.id, None)

    @asynccontextmanager
    async def _desk(self, member: Member, url: str = "") -> AsyncIterator[Publisher]:
        signer = await asyncio.to_thread(self._signer, member)
        store = self.stores[f"{member.country.lower()}-hub"]
        async with (
            self._desks.opened(member, signer, url=url) as publisher,
            beats(publisher, member, store).running(),
        ):
            yield publisher

    @asynccontextmanager
    async def _elsewhere(self, member: Member) -> AsyncIterator[Publisher]:
        """The desk at the second broker, with that broker and its operator; both hubs read there too."""
        opening = Operator.at_work(self.folder.second_server, self.registry, member.id, NAMES, self._withheld)
        async with opening as operator, background() as tasks:
            self.operator = operator
            tasks.start(operator.run(), "operator of the second broker")
            for hub in HUBS:
                reader = ReaderBeside(
                    store=self.stores[hub.id],
                    endpoint=self._desks.endpoint(hub, operator.url),
                    streams=lines(hub.id),
                    registry=self._desks.registry,
                    clock=self._desks.clock,
                )
                tasks.start(reader.run(), f"{hub.id} at the second broker")
            try:
                async with self._desk(member, operator.url) as publisher:
                    yield publisher
            finally:
                self.operator = None

    def _signer(self, member: Member) -> FileSigner:
        """The key of an office; the reserve key if the usual one is revoked."""
        signer = load_key(self.folder.signing_key(member.id))
        key = self.registry.key(signer.kid)
        if member.id == ROBBED and key is not None and key.record.revoked_since is not None:
            return load_key(self.folder.reserve_key(member.id))
        return signer

    async def send(self, name: str, draft: Draft) -> Accepted:
        """Publish as an office, and wait until the bus has stored the bulletin.

        Raises:
            TocsinError: it is refused.
            UntrueError: it is not stored in time.
        """
        publisher = await self.publisher(name)
        kept = await publisher.publish(draft)
        if await publisher.settled(kept.digest, PATIENCE_S) != "stored":
            raise UntrueError(f"number {kept.seq} of {name} is not stored after {PATIENCE_S:.0f} s")
        return kept

    # -- what the hubs hold ---------------------------------------------------------------------------------------

    async def held(self, hub: str, digest: str) -> bool:
        """Whether a hub has admitted a bulletin."""
        return bool(await self.stores[hub].query("SELECT 1 FROM admitted WHERE digest = ?", digest))

    async def refused(self, hub: str, digest: str, reason: str) -> bool:
        """Whether a hub has a message in quarantine for a reason."""
        sql = "SELECT 1 FROM quarantine WHERE digest = ? AND reason = ?"
        return bool(await self.stores[hub].query(sql, digest, reason))

    async def head(self, hub: str, channel: str) -> tuple[int, str]:
        """(number, digest) of the last bulletin of a channel that a hub holds.

        Raises:
            UntrueError: it holds none.
        """
        sql = "SELECT seq, digest FROM admitted WHERE channel = ? ORDER BY seq DESC LIMIT 1"
        for row in await self.stores[hub].query(sql, channel):
            return row["seq"], row["digest"]
        raise UntrueError(f"{hub} holds no bulletin of {channel}")

    async def bulletin(self, hub: str, wanted: str) -> Bulletin:
        """A bulletin that a hub holds, by id or digest.

        Raises:
            UntrueError: it does not hold it.
        """
        sql = "SELECT payload FROM admitted WHERE id = ?1 OR digest = ?1"
        for row in await self.stores[hub].query(sql, wanted):
            return decode(row["payload"])
        raise UntrueError(f"{hub} does not hold {wanted}")

    async def by_both(self, question: Callable[[str], Awaitable[bool]]) -> None:
        """Wait until something is so at both hubs.

        Raises:
            UntrueError: it is not so in time.
        """
        for hub in NAMES:
            await self.until(partial(question, hub))

    async def until(self, question: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something is so.

        Raises:
            UntrueError: it is not so in time.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await question():  # noqa: ASYNC110 (a store is asked again, as a person would look)
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise UntrueError(f"it is not so after {PATIENCE_S:.0f} s") from None


def _member(name: str) -> Member:
    """An office of the story by its id."""
    return next(member for member in CAST if member.id == name)
