"""The stage of the evening: two countries, their registry, a broker, two hubs, a desk, and somebody with stolen keys."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from bus import ceremony, nkey
from bus.connection import Connection, Endpoint
from bus.demo.world import KEY_LIFETIME, REGISTRY_LIFETIME, Folder, prepare
from bus.held_registry import HeldRegistry
from bus.hub import views
from bus.hub.projection import Projection
from bus.hub.run import HubService
from bus.inbox import Inbox
from bus.keyfiles import load_signer, read_secret
from bus.outbox import Outbox
from bus.publisher import Publisher
from bus.sealer import Sealer
from bus.server import NatsServer, ServerSettings, provision, render_conf
from bus.signing import FileSigner, sign_entry
from schemas.bodies.electoral import ElectionIncident
from schemas.bulletin import Defaults, Draft, new_id, stamp
from schemas.codec import digest, encode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, format_header, hints
from schemas.parts import Info
from schemas.registry import KeyRecord, Registry
from schemas.subject import subject_for
from schemas.vocab import Certainty, Pap, Phase, Severity, Tlp, Urgency

VICTIM, NEIGHBOUR, HUBS = "xa-emb", "xb-csirt", ("xa-hub", "xb-hub")
GREEN, PUBLIC = "actual.green.community", "actual.clear.public"
DEFAULTS = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
PATIENCE_S = 15.0


class StepError(Exception):
    """What was said does not hold."""


def step(sentence: str, holds: bool = True) -> None:
    """Say what has happened; end the evening if it has not."""
    if not holds:
        raise StepError(sentence)
    print(sentence, flush=True)


async def until(sentence: str, question: Callable[[], Awaitable[bool]]) -> None:
    """Say what has happened as soon as it has."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await question():  # noqa: ASYNC110 (a hub's store is asked again and again, as a person would)
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise StepError(sentence) from None
    step(sentence)


def clock() -> dt.datetime:
    """The present."""
    return dt.datetime.now(dt.UTC)


def warning(headline: str, **changes: object) -> Draft:
    """What an electoral body warns of."""
    said = Draft(
        info=(Info(lang="en", headline=headline, summary=f"{headline}. Fictitious."),),
        body=ElectionIncident(category="voter-suppression", stage=Phase.POLLING),
        urgency=Urgency.IMMEDIATE,
        severity=Severity.SEVERE,
        certainty=Certainty.OBSERVED,
    )
    return msgspec.structs.replace(said, **changes)


class Hub:
    """A country's hub: its store, and the registry as it holds it."""

    def __init__(self, name: str, store: Inbox, registry: HeldRegistry) -> None:
        self.name, self.store, self.registry = name, store, registry

    async def chain(self, issuer: str, channel: str) -> list[str]:
        """The digests it shows of a channel, in the order of their numbers."""
        rows = [row async for row in self.store.follow(0, live=False) if row.channel == f"{issuer}/{channel}"]
        return [row.digest for row in sorted(rows, key=lambda row: row.seq)]

    async def in_force(self) -> set[str]:
        """The ids in its picture."""
        found = await self.store.ask(lambda db: views.picture(db, clock(), self.registry()))
        return {item.id for item in found.top}

    async def reasons(self) -> dict[str, str]:
        """What is in quarantine, and why, by digest."""
        found = await self.store.ask(lambda db: views.quarantine(db, 100))
        return {each.digest: each.reason for each in found}


class Thief:
    """Somebody with a copy of an authority's signing key and transport key, and all the time in the world."""

    def __init__(self, registry: HeldRegistry, signer: FileSigner, connection: Connection) -> None:
        self._issuer = registry().issuer(VICTIM)
        self._signer = signer
        self.connection = connection
        self.said: list[str] = []

    async def forge(
        self, draft: Draft, seq: int, prev: str | None, *, back: dt.timedelta = dt.timedelta(0)
    ) -> str:
        """Sign what the authority never said, dated as he likes, and send it; its digest."""
        moment = clock() - back
        made = stamp(
            draft,
            id=new_id(moment, secrets.token_bytes(10)),
            seq=seq,
            prev=prev,
            issuer=self._issuer,
            issued=moment,
            defaults=DEFAULTS,
        )
        payload = encode(made)
        found = digest(payload)
        entry = sign_entry(self._signer, payload, typ=TYP_BULLETIN)
        headers = {SIG_HEADER: format_header((entry,)), **hints(made, found)}
        await self.connection.publish(subject_for(made), payload, headers)
        self.said.append(found)
        return found


class Evening:
    """The world of this evening, in one folder."""

    def __init__(self, root: Path, stack: AsyncExitStack) -> None:
        self.folder = Folder(root)
        self._stack = stack
        self._provisioner = ""
        self.held: dict[str, HeldRegistry] = {}
        self.hubs: list[Hub] = []
        self.server: NatsServer

    async def begin(self, reserve: FileSigner) -> None:
        """Two countries, their registry with a reserve key for the electoral body, a broker and two hubs."""
        first = await asyncio.to_thread(prepare, self.folder.root, now=clock())
        for name in (VICTIM, NEIGHBOUR, *HUBS):
            home = self.folder.root / "held" / name
            home.mkdir(parents=True)
            file = home / "registry.tocsin.json"
            file.write_bytes(first.raw)
            self.held[name] = HeldRegistry(
                file, pin=first.digest, domain=first.domain, beacon=None, clock=clock
            )
        self.registrar_says(lambda document: with_key(document, reserve))
        self._provisioner = nkey.load_nkey(self.folder.provisioner)
        self.server = await self._stack.enter_async_context(NatsServer(self.folder.server, self.conf()))
        await provision(self.server.url, self._provisioner, self.held[VICTIM]())
        for name in HUBS:
            store = await self._stack.enter_async_context(
                Inbox.open(self.folder.root / f"{name}.db", projector=Projection())
            )
            service = HubService(
                authority_id=name,
                store=store,
                registry=self.held[name],
                endpoint=self.endpoint(name, self.transport(name)),
                clock=clock,
            )
            self._stack.push_async_callback(_ended, asyncio.create_task(service.run()))
            self.hubs.append(Hub(name, store, self.held[name]))

    def registrar_says(self, change: Callable[[Registry], Registry]) -> None:
        """The registry's next version: signed by two of three roots, and taken in by everybody."""
        now = self.held[VICTIM]()
        document = change(ceremony.next_version(now.document, now.digest, clock(), REGISTRY_LIFETIME))
        raw = ceremony.unsigned(document)
        for n in (1, 2):
            key = self.folder.root / "registry" / f"root-{n}.pem"
            raw = ceremony.sign_registry(raw, load_signer(key, read_secret(key.with_suffix(".pass"))))
        self.all_take(raw)

    def all_take(self, raw: bytes) -> None:
        """Hand a registry version or a statement to everybody."""
        for registry in self.held.values():
            registry.take(raw)

    def conf(self) -> str:
        """The broker's configuration, as the registry says it."""
        public = nkey.public_of(nkey.load_nkey(self.folder.provisioner))
        return render_conf(self.held[VICTIM](), settings=ServerSettings(), provisioner_nkey=public)

    def transport(self, name: str) -> str:
        """The transport key in an identity's folder."""
        return nkey.load_nkey(self.folder.keys(name) / "transport.nk")

    def signer(self, name: str) -> FileSigner:
        """The signing key in an authority's folder."""
        home = self.folder.keys(name)
        return load_signer(home / "signing.pem", read_secret(home / "signing.pass"))

    def endpoint(self, name: str, seed: str) -> Endpoint:
        """A place on the bus."""
        return Endpoint(url=self.server.url, authority_id=name, nkey_seed=seed, name=f"evening {name}")

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

    async def all_hubs(self, question: Callable[[Hub], Awaitable[bool]]) -> bool:
        """Whether something is so at every hub."""
        return all([await question(hub) for hub in self.hubs])


def with_key(document: Registry, signer: FileSigner) -> Registry:
    """The document with one more key of the electoral body."""
    begin = clock().replace(microsecond=0)
    record = document.authorities[VICTIM]
    fields: dict[str, object] = {
        "alg": signer.alg,
        "jwk": signer.jwk,
        "not_before": begin,
        "not_after": begin + KEY_LIFETIME,
    }
    key = msgspec.convert(fields, KeyRecord)
    changed = msgspec.structs.replace(record, keys={**record.keys, signer.kid: key})
    return ceremony.add_authority(document, VICTIM, changed)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def send(publisher: Publisher, draft: Draft) -> tuple[str, str]:
    """Publish, and wait until the bus has it; its id and digest."""
    kept = await publisher.publish(draft)
    if await publisher.settled(kept.digest, PATIENCE_S) != "stored":
        raise StepError(f"number {kept.seq} on {kept.channel} is stored")
    return kept.id, kept.digest
