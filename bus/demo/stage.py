"""A stage for checked stories: the demonstration's countries, a broker, hubs and desks in this process.

The examples `stolen_key` and `hostile_broker` use it. Each sentence of a story is printed only after its check has passed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import structlog

from bus.demo.countries import REGISTRY_LIFETIME
from bus.demo.founding import prepare, signed
from bus.demo.keyring import Folder, load_key
from bus.hub import HubService
from bus.hub.picture import open_store, summary
from bus.hub.watch import ChannelRow, channel_rows
from bus.keys import FileSigner, nkeys, sign_entry
from bus.publishing import Accepted, Outbox, Publisher
from bus.sealing import Sealer
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.transport import Endpoint, NatsConnection, Outgoing
from bus.trust import RegistryStore, VerifiedRegistry, ceremony
from schemas.bulletin import Defaults, Draft, new_id, stamp
from schemas.codec import digest, encode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, Context, format_header, hints
from schemas.parts import Authority
from schemas.registry import Registry
from schemas.subject import subject_for
from schemas.vocab import Pap, Tlp

DEFAULTS = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
PATIENCE_S = 30.0


class StepError(Exception):
    """A sentence of a story is not true."""


def step(sentence: str, holds: bool = True) -> None:
    """Print a sentence if it is true.

    Raises:
        StepError: it is not true; this ends the story.
    """
    if not holds:
        raise StepError(sentence)
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


async def until(sentence: str, question: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a sentence is true, then print it.

    Raises:
        StepError: it does not become true in time.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await question():  # noqa: ASYNC110 (a hub's store is asked again and again, as a person would)
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise StepError(sentence) from None
    step(sentence)


def played(story: Callable[[Path], Coroutine[object, object, None]]) -> int:
    """Play a story in a temporary folder. Returns the exit code: 1 if a sentence did not become true."""
    # A story may capture the errors (`structlog.testing.capture_logs`); only its sentences are printed.
    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet, processors=[_unsaid])
    with tempfile.TemporaryDirectory(prefix="tocsin-story-") as folder:
        try:
            asyncio.run(story(Path(folder)))
        except StepError as exc:
            sys.stderr.write(f"This did not come true: {exc}\n")
            return 1
    return 0


def _unsaid(*_: object) -> structlog.typing.ProcessorReturnValue:
    raise structlog.DropEvent


def clock() -> dt.datetime:
    """The present."""
    return dt.datetime.now(dt.UTC)


async def send(publisher: Publisher, draft: Draft) -> Accepted:
    """Publish a draft, and wait until the bus has stored the bulletin."""
    kept = await publisher.publish(draft)
    if await publisher.settled(kept.digest, PATIENCE_S) != "stored":
        raise StepError(f"number {kept.seq} on {kept.channel} is stored")
    return kept


class Forgery(NamedTuple):
    """A forged message and its digest."""

    message: Outgoing
    digest: str


def forged(
    issuer: Authority,
    signer: FileSigner,
    draft: Draft,
    *,
    domain: str,
    seq: int,
    prev: str | None,
    moment: dt.datetime,
) -> Forgery:
    """A message that its issuer never sent, signed with a stolen key, with a date chosen by the thief."""
    bulletin = stamp(
        draft,
        id=new_id(moment, secrets.token_bytes(10)),
        seq=seq,
        prev=prev,
        issuer=issuer,
        issued=moment,
        defaults=DEFAULTS,
    )
    payload = encode(bulletin)
    forgery = digest(payload)
    entry = sign_entry(signer, payload, Context(TYP_BULLETIN, domain))
    headers = {SIG_HEADER: format_header((entry,)), **hints(forgery)}
    return Forgery(Outgoing(subject=subject_for(bulletin), payload=payload, headers=headers), forgery)


class Hub:
    """A country's hub: its store, its service, and its registry."""

    def __init__(self, name: str, service: HubService, registry: RegistryStore) -> None:
        self.name, self.store, self.service, self.registry = name, service.store, service, registry

    async def chain(self, issuer: str, channel: str) -> list[str]:
        """The digests that it shows for a channel, in the order of their numbers."""
        rows = [row async for row in self.store.follow(0, live=False) if row.channel == f"{issuer}/{channel}"]
        return [row.digest for row in sorted(rows, key=lambda row: row.seq)]

    async def in_force(self) -> set[str]:
        """The ids of bulletins in force in its picture."""
        picture = await self.store.read(lambda db: summary.picture(db, clock(), self.registry()))
        return {item.id for item in picture.top}

    async def reasons(self) -> dict[str, str]:
        """Digest -> reason code of the messages in quarantine."""
        refused = await self.store.read(lambda db: summary.quarantine(db, 100))
        return {message.digest: message.reason for message in refused}

    async def channel(self, issuer: str, channel: str) -> ChannelRow:
        """The row of `tocsin channels` for a channel."""
        rows = await self.store.read(lambda db: channel_rows(db, clock(), self.registry(), self.name))
        return next(row for row in rows if row.name == f"{issuer}/{channel}")


class Stage:
    """The demonstration's countries in one folder; opens all that a story needs."""

    def __init__(self, root: Path, stack: AsyncExitStack) -> None:
        self.folder = Folder(root)
        self.held: dict[str, RegistryStore] = {}
        self.server: NatsServer
        self._first: VerifiedRegistry
        self._stack = stack

    async def begin(self, names: Iterable[str], change: Callable[[Registry], Registry]) -> None:
        """Make a registry with one change, give it to each of `names`, and start a broker.

        Args:
            names: identities of the demonstration.
            change: the change in the registry's second version.
        """
        self._first = await asyncio.to_thread(prepare, self.folder.root, now=clock())
        self.held = {name: self.hold(name) for name in names}
        self.all_take(self.registrar_says(change))
        self.server = await self._stack.enter_async_context(NatsServer(self.folder.server, self.conf()))
        await self.provision()

    def hold(self, place: str) -> RegistryStore:
        """A new registry store with only the first version."""
        first, home = self._first, self.folder.root / "held" / place
        home.mkdir(parents=True)
        file = home / "registry.tocsin.json"
        file.write_bytes(first.raw)
        return RegistryStore(file, pin=first.digest, domain=first.domain, beacon=None, clock=clock)

    @property
    def registry(self) -> VerifiedRegistry:
        """The registry of all holders."""
        return next(iter(self.held.values()))()

    def registrar_says(self, change: Callable[[Registry], Registry]) -> bytes:
        """The next version of the registry, signed by two of three roots; not given to any holder yet."""
        now = self.registry
        document = change(ceremony.next_version(now.document, now.digest, clock(), REGISTRY_LIFETIME))
        return signed(document, (load_key(self.folder.root_key(number)) for number in (1, 2)))

    def all_take(self, raw: bytes) -> None:
        """Give a registry version or a statement to all holders."""
        for registry in self.held.values():
            registry.take(raw)

    def conf(self) -> str:
        """The broker's configuration for the present registry."""
        public = nkeys.public_of(self.provisioner)
        return render_conf(self.registry, settings=ServerSettings(), provisioner_nkey=public)

    @property
    def provisioner(self) -> str:
        """The provisioner's transport key, which makes streams and consumers."""
        return nkeys.load_nkey(self.folder.provisioner)

    async def provision(self) -> None:
        """Make the streams and consumers that the registry requires."""
        await provision(self.server.url, self.provisioner, self.registry)

    def transport(self, name: str) -> str:
        """The transport key in an identity's folder."""
        return nkeys.load_nkey(self.folder.transport_key(name))

    def signer(self, name: str) -> FileSigner:
        """The signing key in an authority's folder."""
        return load_key(self.folder.signing_key(name))

    def endpoint(self, name: str, seed: str) -> Endpoint:
        """An endpoint on the bus."""
        return Endpoint(url=self.server.url, authority_id=name, nkey_seed=seed, name=f"stage {name}")

    @asynccontextmanager
    async def connected(self, name: str, seed: str) -> AsyncIterator[NatsConnection]:
        """A connection to the bus with a transport key."""
        async with NatsConnection.at(self.endpoint(name, seed)) as connection:
            await connection.until_connected(PATIENCE_S)
            yield connection

    @asynccontextmanager
    async def hub(self, name: str, *, store: str = "", hold_s: float = 30.0) -> AsyncIterator[Hub]:
        """A running hub, with its own store or one of another name."""
        path = self.folder.root / f"{store or name}.db"
        async with (
            open_store(path, hold_s=hold_s) as inbox,
            HubService.open(
                authority_id=name,
                store=inbox,
                registry=self.held[name],
                endpoint=self.endpoint(name, self.transport(name)),
                clock=clock,
            ) as service,
        ):
            yield Hub(name, service, self.held[name])

    @asynccontextmanager
    async def desk(self, name: str, signer: FileSigner, seed: str) -> AsyncIterator[Publisher]:
        """An authority's publisher over its own outbox."""
        async with (
            Outbox.open(self.folder.root / f"{name}.outbox.db") as outbox,
            Publisher.open(
                authority_id=name,
                outbox=outbox,
                registry=self.held[name],
                signers=(signer,),
                endpoint=self.endpoint(name, seed),
                defaults=DEFAULTS,
                clock=clock,
                rng=secrets.token_bytes,
                seal=Sealer((signer,), secrets.token_bytes),
            ) as publisher,
        ):
            yield publisher
