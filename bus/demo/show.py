"""The running demonstration: one broker, fourteen authorities, adapters for eight of them, two hubs, and the tally at the end."""

from __future__ import annotations

import asyncio
import datetime as dt
import fcntl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from bus import audit
from bus.console import Child
from bus.demo.consoles import console_of
from bus.demo.countries import HUBS, MEMBERS, Member
from bus.demo.desks import Desks, beats
from bus.demo.founding import BEACON_LIFETIME, point_to_server, prepared
from bus.demo.keyring import Folder, load_key, load_keys
from bus.demo.offices import Office
from bus.demo.rounds import Rounds, adapters
from bus.demo.story import Story, can_be_told, paced
from bus.demo.tally import Tally, count
from bus.drafts import Remembered
from bus.errors import ConfigError
from bus.hub import HubService
from bus.hub.acting import Acting
from bus.hub.exchange import PATIENCE_S
from bus.hub.picture import open_store
from bus.keys import FileSigner, nkeys
from bus.logs import logger
from bus.publishing import Intervals, Outbox, Publisher
from bus.server import (
    DISK_RESERVE_BYTES,
    PROBE_FILES,
    NatsServer,
    ServerSettings,
    follow_registry,
    provision,
    provisioner_endpoint,
    render_conf,
    tend,
)
from bus.subscribing import Inbox, RegistryFeed, Stored, publish_trust
from bus.tasks import background
from bus.transport import Connection
from bus.trust import RegistryStore, TrustState, VerifiedRegistry
from bus.upkeep import Keeper
from schemas.subject import Channel
from schemas.vocab import TALK

ROUND_EVERY_S = 60.0
CONNECT_S = 10.0
DRAIN_S = 20.0
HOLD_S = 30.0
LOOK_S = 0.02
Reading = Callable[[], Coroutine[object, object, None]]
"""A function that runs an adapter."""

log = logger()


class Demo:
    """A demonstration in one folder. Use `Demo.open`."""

    def __init__(
        self,
        folder: Folder,
        held: RegistryStore,
        server: NatsServer,
        keeper: Keeper,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self.consoles: dict[str, Child] = {}
        self.story: Story | None = None
        self.desks = Desks(folder=folder, registry=held, clock=clock, url=server.url)
        self.folder = folder
        self._held = held
        self.server = server
        self.keeper = keeper
        self._clock = clock
        self.publishers: dict[str, Publisher] = {}
        self.stores: dict[str, Inbox] = {}
        self.began = clock()
        self._rounds = Rounds(folder, self.publishers, int(self.began.timestamp()))
        self._signers: dict[str, FileSigner] = {}
        self._voices: dict[str, Publisher] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        root: Path,
        *,
        port: int,
        clock: Callable[[], dt.datetime],
        hurry: int = 1,
        say: Callable[[str], None] | None = None,
        pace: float | None = None,
    ) -> AsyncIterator[Demo]:
        """Found the demonstration or continue it, start everything, and stop it at the end.

        Args:
            root: the folder.
            port: port of the broker; -1 is any free port.
            clock: the present, aware.
            hurry: divisor of lifetimes (`prepare`).
            say: prints a line of the consoles of the hubs; without it they are not started.
            pace: divisor of the times of the story; without it there is no story.

        Raises:
            ConfigError: `demo-running`, if another demonstration runs in the folder.
        """
        async with AsyncExitStack() as stack:
            stack.enter_context(_locked(root))
            registry = await prepared(root, clock(), hurry)
            folder = Folder(root)
            seed = nkeys.load_nkey(folder.provisioner)
            settings = ServerSettings(port=port, probe_nkeys=_probes(folder.server))
            conf = render_conf(registry, settings=settings, provisioner_nkey=nkeys.public_of(seed))
            server = await stack.enter_async_context(NatsServer(folder.server, conf))
            await provision(server.url, seed, registry)
            point_to_server(root, server.url)
            held = RegistryStore(
                folder.registry,
                pin=registry.digest,
                domain=registry.domain,
                beacon=folder.beacon,
                clock=clock,
            )
            registrar = provisioner_endpoint(server.url, seed)
            feed = RegistryFeed(held, registrar)
            keeper = Keeper(
                held,
                await asyncio.to_thread(load_key, folder.beacon_key),
                registrar,
                lambda: feed.heard,
                life=BEACON_LIFETIME / hurry,
                clock=clock,
            )
            demo = cls(folder, held, server, keeper, clock)
            await demo._announce(folder.registry.read_bytes(), folder.beacon.read_bytes())
            demo._signers.update(await asyncio.to_thread(load_keys, folder))
            for hub in HUBS:
                await demo._open_hub(stack, hub, pace)
            reading = await stack.enter_async_context(demo._offices())
            tasks = await stack.enter_async_context(background())  # ends before its tasks' publishers
            for adapter in reading:
                tasks.start(adapter(), "adapter")
            tasks.start(feed.run(), "what the bus says of the registry")
            tasks.start(keeper.run(), "keeper")
            following = follow_registry(server, held, standing=registry.digest, seed=seed, settings=settings)
            tasks.start(following, "registry")
            tasks.start(tend(server, room=DISK_RESERVE_BYTES), "broker")
            if say is not None:
                for hub in HUBS:
                    acting = demo._acting(hub)
                    demo.consoles[hub.id] = child = console_of(hub, folder, registry, say, acting)
                    tasks.start(child.run(), f"console of {hub.id}")
            if pace is not None and can_be_told(folder, registry):
                demo.story = await stack.enter_async_context(Story.open(demo.desks, demo.stores, pace=pace))
            yield demo

    async def _open_hub(self, stack: AsyncExitStack, hub: Member, pace: float | None) -> None:
        """Open a hub. In a story its heartbeats are frequent, and it waits less the faster the story is."""
        file = self.folder.state(hub.id) / "store.db"
        store = await stack.enter_async_context(open_store(file, hold_s=HOLD_S / (pace or 1)))
        self.stores[hub.id] = store
        publisher = None
        if hub.id in self._signers:
            publisher = await stack.enter_async_context(self.desks.opened(hub, self._signers[hub.id]))
            self._voices[hub.id] = publisher
        await stack.enter_async_context(
            HubService.open(
                authority_id=hub.id,
                store=store,
                registry=self._held,
                endpoint=self.desks.endpoint(hub),
                clock=self._clock,
                publisher=publisher,
                intervals=Intervals() if pace is None else paced(pace),
                patience_s=PATIENCE_S / (pace or 1),
            )
        )

    def _acting(self, hub: Member) -> Acting:
        """What signs for the people at the console of a hub."""
        file = self.folder.state(hub.id) / audit.AUDIT_FILE
        return Acting(
            self.stores[hub.id],
            self._voices.get(hub.id),
            lambda event, facts: audit.append(file, event, facts, self._clock()),
            remembered=Remembered(self.folder.state(hub.id)),
            standing=self.desks.trackers[hub.id].standing if hub.id in self.desks.trackers else None,
        )

    @asynccontextmanager
    async def _offices(self) -> AsyncIterator[tuple[Reading, ...]]:
        """All offices, opened and closed at the same time, because each sends last bulletins; returns the functions that run their adapters."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        opened: dict[str, Reading | None] = {}

        async def keep(member: Member, office: Office) -> None:
            async with AsyncExitStack() as stack:
                opened[member.id] = await self._open_office(stack, member, office)
                await asyncio.shield(over)

        tasks = [asyncio.create_task(keep(each, each.office)) for each in MEMBERS if each.office is not None]
        try:
            while len(opened) < len(tasks):
                for task in filter(asyncio.Task.done, tasks):
                    await task  # it failed
                await asyncio.sleep(LOOK_S)
            yield tuple(reading for reading in opened.values() if reading is not None)
        except Exception as exc:
            over.set_exception(exc)  # so that no planned outage is announced
            raise
        finally:
            if not over.done():
                over.set_result(None)
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _open_office(self, stack: AsyncExitStack, member: Member, office: Office) -> Reading | None:
        """Open an authority's publisher, with its heartbeats. Returns the function that runs its adapter, or None."""
        publisher = await stack.enter_async_context(self.desks.opened(member, self._signers[member.id]))
        self.publishers[member.id] = publisher
        store = self.stores[f"{member.country.lower()}-hub"]
        await stack.enter_async_context(beats(publisher, member, store).running())
        if not office.adapter:
            return None
        adapter = adapters().get(office.adapter)
        if adapter is None:
            raise ConfigError(f"the adapter {office.adapter} is not installed", reason="no-adapter")
        source = adapter.folder(self.folder.spool(member.id))
        return partial(adapter.run, source, publisher, country=member.country, clock=self._clock)

    @property
    def registry(self) -> VerifiedRegistry:
        """The present registry."""
        return self._held()

    @property
    def trust(self) -> TrustState:
        """The state of trust now."""
        return self.registry.state(self._clock())

    def may_read(self, hub: str, channel: str) -> bool:
        """Whether a hub's grants let it read a channel, named as in a store."""
        return self.registry.may_read(hub, Channel.parse(channel))

    async def feed(self, now: dt.datetime) -> int:
        """Run one round of the offices; returns the number of items (`bus.demo.rounds`)."""
        return await self._rounds.feed(now)

    async def follow(self, hub: str) -> AsyncIterator[Stored]:
        """The bulletins that a hub admits from now on, without heartbeats."""
        store = self.stores[hub]
        async for row in store.follow(await store.row_before(self.began)):
            if Channel.parse(row.channel).status not in TALK:
                yield row

    async def drain(self, timeout: float = DRAIN_S) -> Tally:
        """Wait until every spool is read, all that was published is stored, and every hub holds all that it may read; at most so long.

        Returns:
            What was counted last.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            spooled = any(any((self.folder.spool(m.id) / "in").glob("*")) for m in MEMBERS)
            tally = await self.tally()
            is_done = not spooled and tally.is_stored and tally.lacking == 0
            if is_done or asyncio.get_running_loop().time() >= deadline:
                return tally
            await asyncio.sleep(0.1)

    async def tally(self) -> Tally:
        """Count this run."""
        return await count(self.began, self.registry, self.folder, self._outboxes(), self.stores, self.story)

    def _outboxes(self) -> dict[str, Outbox]:
        names = [member.id for member in MEMBERS if member.id in self.publishers]
        own = {name: self.publishers[name].outbox for name in names}
        return own if self.story is None else {**own, **self.story.outboxes}

    async def _announce(self, *files: bytes) -> None:
        """Send the registrar's documents to all readers."""
        speaker = provisioner_endpoint(self.server.url, nkeys.load_nkey(self.folder.provisioner))
        async with Connection.open(speaker) as connection:
            await connection.until_connected(CONNECT_S)
            for raw in files:
                await publish_trust(connection, raw)


def _probes(folder: Path) -> tuple[str, ...]:
    """The public keys of the probe identities of `server check`; makes the keys on first use."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in PROBE_FILES:
        if not (folder / name).exists():
            nkeys.save_nkey(folder / name, nkeys.generate()[0])
    return tuple(nkeys.public_of(nkeys.load_nkey(folder / name)) for name in PROBE_FILES)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One demonstration per folder."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root / "demo.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"a demonstration is already running in {root}; use another --dir", reason="demo-running"
            ) from None
        yield
