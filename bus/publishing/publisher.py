"""The way out of a bulletin, step by step.

1. stamp     id, issuer, time, and what the draft leaves out
2. chain     number and predecessor on its channel
3. validate  encode, decode as a stranger would, every rule
4. permit    does the registry let us say this, to them, here?
5. address   the subject, derived
6. sign      the very bytes
7. keep      one transaction of the outbox: from here it cannot be lost
8. send      `bus.publishing.sender`: JetStream, with the digest as message id
9. settle    `bus.publishing.sender`: the stream's durable acknowledgement

Steps 1 to 7, in `bus.publishing.stamping`, are one transaction of the outbox, so two processes of one authority cannot fork their
chain, and a refused draft uses no number. `publish` never waits for the bus.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from bus.delivery.tracker import Answers, Calendars, ReceiptReader
from bus.errors import OutboxError, PermitError
from bus.keys.signatures import Signer
from bus.policy.deadlines import Deadlines
from bus.publishing import outbox_table as table
from bus.publishing import reanchor
from bus.publishing.outbox import Outbox, State
from bus.publishing.own_channels import Survey, scrub, survey
from bus.publishing.reanchor import Anchor, propose
from bus.publishing.recovery import recover
from bus.publishing.sender import Sender
from bus.publishing.stamping import Accepted, Stamping
from bus.sealing.sealer import Sealer
from bus.transport.connection import Endpoint
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import Head, Reanchor
from schemas.bulletin import Defaults, Draft
from schemas.errors import SchemaError, TocsinError
from schemas.subject import Channel

__all__ = ["Accepted", "Health", "Publisher"]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the way out is doing; `waiting_s` is for how long the oldest bulletin has not been stored, `problem` why not."""

    connected: bool
    counts: dict[str, int]
    waiting_s: float
    problem: str


class Publisher:
    """An authority's voice. Use `Publisher.open`."""

    def __init__(
        self,
        *,
        authority_id: str,
        outbox: Outbox,
        registry: Callable[[], VerifiedRegistry],
        stamping: Stamping,
        clock: Callable[[], dt.datetime],
        sender: Sender | None,
        on_refused: Callable[[TocsinError], None] | None = None,
        receipts: ReceiptReader | None = None,
    ) -> None:
        self._on_refused = on_refused
        self.answers = Answers(authority_id, outbox, registry, receipts)
        self.authority_id = authority_id
        self.outbox = outbox
        self.registry = registry
        self._stamping = stamping
        self.clock = clock
        self._sender = sender
        self._is_quiet = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        authority_id: str,
        outbox: Outbox,
        registry: Callable[[], VerifiedRegistry],
        signers: Sequence[Signer],
        endpoint: Endpoint | None,
        defaults: Defaults,
        clock: Callable[[], dt.datetime],
        rng: Callable[[int], bytes],
        seal: Sealer | None = None,
        on_refused: Callable[[TocsinError], None] | None = None,
        deadlines: Deadlines | None = None,
        calendars: Calendars | None = None,
    ) -> AsyncIterator[Publisher]:
        """Speak as an authority; what is kept is sent in the background for as long as the context lasts.

        Args:
            authority_id: who speaks.
            outbox: its outbox.
            registry: the registry as it stands now; asked for every draft.
            signers: its keys, one for each algorithm the registry requires.
            endpoint: its place on the bus; None only keeps, and somebody else sends.
            defaults: what drafts leave out.
            clock: the present, aware.
            rng: random bytes.
            seal: seals what must be sealed, in the transaction that stamps; without it what must be sealed is refused.
            on_refused: told of each draft that is refused before it is signed.
            deadlines: reads receipts meanwhile, and logs once what is overdue by these; None leaves both to others.
            calendars: asks for the calendars of its country, which deadlines follow too; it may raise StoreError.

        Raises:
            PermitError: `not-your-key`, when a signer is not the authority's in the registry.
        """
        for signer in signers:
            found = registry().key(signer.kid)
            if found is None or found.authority_id != authority_id:
                raise PermitError(
                    f"key {signer.kid} is not {authority_id}'s in registry version {registry().version}; nobody speaks as another",
                    reason="not-your-key",
                )
        sender = reader = None
        if endpoint is not None:
            sender = Sender(
                authority_id=authority_id, outbox=outbox, endpoint=endpoint, registry=registry, clock=clock
            )
            if deadlines:
                reader = ReceiptReader(sender, outbox, registry, clock, deadlines, calendars)
        publisher = cls(
            authority_id=authority_id,
            outbox=outbox,
            registry=registry,
            stamping=Stamping(
                authority_id=authority_id, signers=signers, defaults=defaults, rng=rng, seal=seal
            ),
            clock=clock,
            sender=sender,
            on_refused=on_refused,
            receipts=reader,
        )
        tasks = [
            asyncio.create_task(each.run(), name=f"{type(each).__name__} {authority_id}")
            for each in (reader, sender)
            if each is not None
        ]
        try:
            yield publisher
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def publish(
        self,
        draft: Draft,
        *,
        defaults: Defaults | None = None,
        once: str | None = None,
        origin: str | None = None,
    ) -> Accepted:
        """Sign a draft and keep it; returns when it is safe on this disk.

        Args:
            draft: what to say.
            defaults: instead of the publisher's own.
            once: a key under which only one bulletin is ever kept; the first one comes back, with state `known`.
            origin: what the draft is about in its own system; it supersedes the last bulletin of the same origin.

        Raises:
            SchemaError, RuleError: the draft is incomplete or contradicts itself.
            PermitError: the registry does not let this authority say this there, or not with these keys.
            OutboxError: `outbox-behind`, when this outbox does not know what was already said.
            StoreError: the disk is full or fails; nothing was kept.
        """
        self._refuse_when_behind()
        _refuse_anchor(draft)
        registry, moment = self.registry(), self.clock()
        try:
            accepted = await self.outbox.keep(
                lambda db: self._stamping.keep(db, draft, defaults, registry, moment, once, origin)
            )
        except (SchemaError, PermitError) as exc:
            if self._on_refused is not None:
                self._on_refused(exc)
            raise
        if self._sender is not None:
            self._sender.nudge()
        return accepted

    @property
    def leads(self) -> bool:
        """Whether this process is the one that sends from this outbox."""
        return self._sender is not None and self._sender.leads

    async def ready(self, timeout: float) -> bool:
        """Wait until the outbox has been compared with the own channels on the bus; whether that came true.

        Raises:
            OutboxError: `outbox-behind`.
        """
        if self._sender is None:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._sender.compared.wait()
        self._refuse_when_behind()
        return self._sender.compared.is_set()

    def _refuse_when_behind(self) -> None:
        if self._sender is not None and self._sender.behind:
            raise OutboxError(self._sender.behind, reason="outbox-behind")

    async def rehearse(self, draft: Draft) -> Accepted:
        """Steps 1 to 5 as they would be now; no key is used and nothing is kept.

        Raises:
            SchemaError, RuleError, PermitError: as `publish`.
        """
        _refuse_anchor(draft)
        registry, moment = self.registry(), self.clock()
        return await self.outbox.ask(lambda db: self._stamping.rehearse(db, draft, registry, moment))

    async def settled(self, digest: str, timeout: float) -> str:
        """Wait until a bulletin is `stored`, or `parked`; `accepted` when the time is up."""
        state = await self.outbox.wait_state(digest, timeout)
        return "accepted" if state == State.KEPT else state

    async def idle(self, timeout: float) -> bool:
        """Wait until nothing is left to send; whether that came true."""
        return await self.outbox.emptied(timeout)

    async def health(self) -> Health:
        """How much waits, for how long, and why."""
        _, since = await self.outbox.oldest()
        return Health(
            connected=self._sender is not None and self._sender.connected,
            counts=await self.outbox.counts(),
            waiting_s=0.0 if since is None else max(0.0, self.clock().timestamp() - since),
            problem="" if self._sender is None else self._sender.problem,
        )

    async def recover(self, timeout: float = 60.0) -> dict[str, int]:
        """Rebuild the heads from the own channels on the bus; see `bus.publishing.recovery`.

        Raises:
            UnreachableError: the bus does not answer.
            OutboxError: `no-bus`, without an endpoint; `lease-held`, another process sends from this outbox.
        """
        sender = self._reading("recovery")
        async with sender.held():
            return await recover(
                endpoint=sender.endpoint,
                outbox=self.outbox,
                registry=self.registry(),
                clock=self.clock,
                timeout=timeout,
                keep=self._stamping.sign_and_keep,
            )

    async def scrub(self, timeout: float = 60.0) -> int:
        """Read all own channels, and send again what a stream has lost; how many. Raises as `recover`."""
        sender = self._reading("a scrub")
        async with sender.held():
            return await scrub(sender.endpoint, self.outbox, self.registry(), self.clock, timeout)

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Nothing is sent from this outbox meanwhile: who proposes an anchor and asks a person decides on what still is.

        Raises:
            OutboxError: `no-bus`, without an endpoint; `lease-held`.
        """
        held = contextlib.nullcontext() if self._is_quiet else self._reading("a re-anchor").held()
        async with held:
            before, self._is_quiet = self._is_quiet, True
            try:
                yield
            finally:
                self._is_quiet = before

    async def disowned(self, timeout: float = 60.0) -> dict[str, Anchor]:
        """By channel, where it would go on from, for each on which the bus holds what is not this authority's word.

        Raises:
            UnreachableError, OutboxError: as `recover`.
        """
        async with self.quiet():
            found = await self._survey(timeout)
            names = sorted({link.channel for link in found.links if link.digest not in found.stands})
            anchors = {name: await self._propose(name, found) for name in names}
            return {name: each for name, each in anchors.items() if each.lost}

    async def proposal(self, channel: str, *, from_: str | None = None, timeout: float = 60.0) -> Anchor:
        """Where a channel would go on from, and what would be disowned; see `bus.publishing.reanchor`. Nothing is said yet.

        Args:
            channel: its name, `status.tlp.audience`.
            from_: digest of the last honest bulletin, or `none`; else the last that this outbox has sent, or, where it
                has none, the last on the bus that stands.
            timeout: seconds to wait for the bus.

        Raises:
            UnreachableError: the bus does not answer.
            OutboxError: as `reanchor` would, before anybody is asked.
        """
        async with self.quiet():
            found = await self._survey(timeout)
            anchor = await self._propose(channel, found, from_)
            reanchor.check(channel, anchor, found, await self.outbox.chain(channel))
            return anchor

    async def _propose(self, channel: str, found: Survey, from_: str | None = None) -> Anchor:
        return propose(channel, found, await self.outbox.chain(channel), from_)

    async def reanchor(
        self,
        channel: str,
        *,
        from_: Head,
        lost: Sequence[Head],
        reason: str,
        exercise_id: str | None = None,
        timeout: float = 60.0,
    ) -> Accepted:
        """Go on with a channel by decision, after a theft or a loss; returns when the anchor is safe on this disk.

        Rows after the anchor that never got to the bus are set aside as `superseded`, in the transaction that keeps it.

        Args:
            channel: its name, `status.tlp.audience`.
            from_: the last honest bulletin; number 0 without a digest, when there is none.
            lost: the ends of what is not this authority's word.
            reason: in words, for the readers.
            exercise_id: of the exercise, on a channel of status `exercise`.
            timeout: seconds to wait for the bus.

        Raises:
            UnreachableError: the bus does not answer.
            SchemaError, RuleError, PermitError, StoreError: as `publish`.
            OutboxError: `no-bus`, `lease-held`; `bad-anchor`, `unknown-anchor`, `anchor-contradicted`.
        """
        anchor = Anchor(from_=from_, lost=tuple(lost))
        said = reanchor.draft(Channel.parse(f"{self.authority_id}/{channel}"), anchor, reason, exercise_id)
        async with self.quiet():
            found = await self._survey(timeout)
            registry, moment = self.registry(), self.clock()
            return await self.outbox.keep(
                lambda db: self._anchor(db, channel, anchor, found, said, registry, moment)
            )

    def _anchor(
        self,
        db: sqlite3.Connection,
        channel: str,
        anchor: Anchor,
        found: Survey,
        said: Draft,
        registry: VerifiedRegistry,
        moment: dt.datetime,
    ) -> Accepted:
        reanchor.check(channel, anchor, found, table.after(db, channel, 0))
        table.set_aside(
            db,
            table.after(db, channel, anchor.from_.seq),
            "its channel went on before it; say it again if it still holds",
        )
        if anchor.from_.digest is None:
            table.clear_head(db, channel)
        else:
            table.set_head(db, channel, anchor.from_.seq, anchor.from_.digest)
        return self._stamping.keep(db, said, None, registry, moment, None, None)

    async def _survey(self, timeout: float) -> Survey:
        endpoint = self._reading("a re-anchor").endpoint
        found = await survey(endpoint, self.outbox, self.registry(), self.clock, timeout)
        await self.outbox.settle(found.arrived, self.clock().timestamp())
        return found

    def _reading(self, what: str) -> Sender:
        if self._sender is None:
            raise OutboxError(f"{what} reads the bus; give this publisher an endpoint", reason="no-bus")
        return self._sender


def _refuse_anchor(draft: Draft) -> None:
    """A re-anchor decides where the chain goes on, so it is nothing to be drafted and put behind whatever comes."""
    if isinstance(draft.body, Reanchor):
        raise PermitError(
            "a re-anchor is not published as a draft; use: tocsin outbox reanchor", reason="not-a-draft"
        )
