"""Publishes a bulletin, step by step.

1. stamp     id, issuer, time, and the draft's missing fields
2. chain     number and predecessor on its channel
3. validate  encode, decode as received bytes, every rule
4. permit    does the registry let us publish this, to them, here?
5. address   the subject, derived
6. sign      these bytes
7. keep      one transaction of the outbox: after it the bulletin cannot be lost
8. send      `bus.publishing.sender`: JetStream, with the digest as message id
9. settle    `bus.publishing.sender`: the stream's durable acknowledgement

Steps 1 to 7, in `bus.publishing.stamping`, are one transaction of the outbox, so two processes of one authority cannot fork their
chain, and a refused draft uses no number. Drafts that wait at the same time go through it as a group, and are signed in
batches. `publish` never waits for the bus. `bus.delivery` follows a bulletin after step 9;
`bus.publishing.reanchor` continues a channel after a theft.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice

import msgspec

from bus.errors import OutboxError, PermitError
from bus.keys import Signer
from bus.publishing.author_clock import clock_ahead
from bus.publishing.outbox import Outbox, RowState
from bus.publishing.own_channels import OwnChannels
from bus.publishing.own_keys import own_key
from bus.publishing.recovery import Recovery, recover
from bus.publishing.sender import Sender
from bus.publishing.stamping import Accepted, Asked, Stamping
from bus.sealing import Sealer
from bus.tasks import in_background
from bus.transport import Endpoint
from bus.trust import VerifiedRegistry
from schemas.bodies.system import Reanchor
from schemas.bulletin import Defaults, Draft
from schemas.errors import SchemaError, TocsinError

__all__ = ["Accepted", "Health", "Publisher"]

GROUP = 512
"""Most drafts in one transaction."""
_OUTCOMES = (Accepted, TocsinError)
_REFUSALS = (SchemaError, PermitError)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """State of publishing; `waiting_s` is the wait of the oldest unsent bulletin in seconds, `problem` the cause."""

    connected: bool
    counts: dict[str, int]
    waiting_s: float
    problem: str


class Publisher(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Publishes for one authority. Use `Publisher.open`, which describes the attributes.

    Attributes:
        stamping: steps 1 to 7.
        sender: steps 8 and 9; None when bulletins are only kept.
        turn: full groups wait for it, one at a time: two in one transaction save nothing, and the sender, whose short
            work follows each, would wait for both.
    """

    authority_id: str
    outbox: Outbox
    registry: Callable[[], VerifiedRegistry]
    stamping: Stamping
    clock: Callable[[], dt.datetime]
    sender: Sender | None
    on_refused: Callable[[TocsinError], None] | None
    turn: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)

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
        beside_broker: bool = False,
    ) -> AsyncIterator[Publisher]:
        """Publish as an authority; kept bulletins are sent in the background until the context exits.

        Args:
            authority_id: the publishing authority.
            outbox: its outbox.
            registry: gives the current registry; called for every draft.
            signers: its keys, one for each algorithm that the registry requires.
            endpoint: its endpoint; with None bulletins are only kept, and another process sends them.
            defaults: values for the fields that drafts leave out.
            clock: the present, aware.
            rng: random bytes.
            seal: seals drafts that must be sealed, in the transaction that stamps; with None such drafts are refused.
            on_refused: called with the error of each draft that is refused before it is signed.
            beside_broker: compare `clock` with the broker's, and publish nothing while it is further ahead than readers
                allow.

        Raises:
            PermitError: `not-your-key`, if a signer is not a key of the authority in the registry.
        """
        for signer in signers:
            own_key(registry(), authority_id, signer.kid)
        sender = None
        if endpoint is not None:
            sender = Sender(
                authority_id=authority_id,
                outbox=outbox,
                endpoint=endpoint,
                registry=registry,
                clock=clock,
                beside_broker=beside_broker,
            )
        publisher = cls(
            authority_id=authority_id,
            outbox=outbox,
            registry=registry,
            stamping=Stamping(
                authority_id=authority_id,
                signers=tuple(signers),
                defaults=defaults,
                rng=rng,
                seal=seal,
                head=outbox.heads.head,
                handover=outbox.handover if sender is not None else None,
            ),
            clock=clock,
            sender=sender,
            on_refused=on_refused,
        )
        sending = (
            in_background(sender.run(), f"sender of {authority_id}") if sender else contextlib.nullcontext()
        )
        async with sending:
            yield publisher

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
            draft: the draft.
            defaults: instead of the publisher's own.
            once: a key under which only one bulletin is ever kept; the first one comes back, with state `known`.
            origin: the id of its subject in the author's own system; the draft supersedes the last bulletin of the same
                origin.

        Raises:
            SchemaError, RuleError: the draft is incomplete or contradicts itself.
            PermitError: the registry does not let this authority publish this there, or not with these keys.
            OutboxError: `outbox-behind`, if this outbox lacks published bulletins; `outbox-restored`, if it may be an
                old copy and was not compared with the bus; `clock-ahead`, by the broker's clock.
            StoreError: the disk is full or fails; nothing was kept.
        """
        self._refuse_when_behind()
        _refuse_anchor(draft)
        asked = Asked(
            draft=draft,
            registry=self.registry(),
            moment=self.clock(),
            defaults=defaults,
            once=once,
            origin=origin,
        )
        try:
            (outcome,) = await self.outbox.write_together(self._keep_waiting, (asked,))
            if isinstance(outcome, Exception):
                raise outcome
        except (SchemaError, PermitError) as exc:
            self._tell_refused(exc)
            raise
        self._nudge()
        return outcome

    async def publish_many(
        self,
        drafts: Sequence[Draft],
        *,
        defaults: Defaults | None = None,
        once: Sequence[str | None] | None = None,
        origins: Sequence[str | None] | None = None,
    ) -> list[Accepted | TocsinError]:
        """Sign drafts and keep them, at most `GROUP` in one transaction; returns when the accepted ones are safe on this disk.

        Args:
            drafts: the drafts, in this order.
            defaults: instead of the publisher's own.
            once: for each draft its key, as `publish` has it.
            origins: for each draft its origin, as `publish` has it.

        Returns:
            The result of each, in their order: accepted, or the error that `publish` would have raised. A refused draft
            does not affect the others. An error of a whole transaction, such as a full disk, is the result of each
            draft in it.
        """
        told = list(
            zip(
                drafts,
                once or [None] * len(drafts),
                origins or [None] * len(drafts),
                strict=True,
            )
        )
        outcomes: list[Accepted | TocsinError] = []
        for start in range(0, len(told), GROUP):
            registry, moment = self.registry(), self.clock()
            group = [
                Asked(
                    draft=draft,
                    registry=registry,
                    moment=moment,
                    defaults=defaults,
                    once=key,
                    origin=origin,
                )
                for draft, key, origin in told[start : start + GROUP]
            ]
            outcomes += await self._publish_group(group)
        return outcomes

    async def _publish_group(self, group: Sequence[Asked]) -> list[Accepted | TocsinError]:
        try:
            async with self.turn if len(group) == GROUP else contextlib.nullcontext():
                self._refuse_when_behind()
                outcomes = await self.outbox.write_together(self._keep_waiting, group)
        except TocsinError as exc:
            return [exc] * len(group)
        found: list[Accepted | TocsinError] = []
        for each in outcomes:
            if not isinstance(each, _OUTCOMES):
                raise each  # for a group of one; the error of a larger group is raised above
            if isinstance(each, _REFUSALS):
                self._tell_refused(each)
            found.append(each)
        self._nudge()
        return found

    def _keep_waiting(
        self, db: sqlite3.Connection, groups: Sequence[Sequence[Asked]]
    ) -> list[list[Accepted | Exception] | Exception]:
        """The result of each draft of each waiting group; small groups are signed together."""
        self.outbox.heads.guard(db)
        results: list[list[Accepted | Exception] | Exception] = []
        for some in _in_steps(groups):
            results += self._kept_together(db, some)
        return results

    def _kept_together(
        self, db: sqlite3.Connection, groups: Sequence[Sequence[Asked]]
    ) -> Sequence[list[Accepted | Exception] | Exception]:
        if len(groups) > 1:
            found = self.stamping.at_a_glance(db, [asked for group in groups for asked in group])
            if found is not None:
                each = iter(found)
                return [list(islice(each, len(group))) for group in groups]
        alone = iter(self.stamping.keep_all(db, [group[0] for group in groups if len(group) == 1]))
        return [[next(alone)] if len(group) == 1 else self._kept_whole(db, group) for group in groups]

    def _kept_whole(
        self, db: sqlite3.Connection, group: Sequence[Asked]
    ) -> list[Accepted | Exception] | Exception:
        """As `Stamping.keep_all`; returns an internal error instead of raising it, and then keeps nothing of the group."""
        if (found := self.stamping.at_a_glance(db, group)) is not None:
            return found
        db.execute("SAVEPOINT many")
        outcomes = self.stamping.one_by_one(db, group)
        fault = next((each for each in outcomes if not isinstance(each, _OUTCOMES)), None)
        if fault is not None:
            db.execute("ROLLBACK TO many")
        db.execute("RELEASE many")
        return outcomes if fault is None else fault

    def _nudge(self) -> None:
        if self.sender is not None:
            self.sender.nudge()

    def _tell_refused(self, exc: TocsinError) -> None:
        if self.on_refused is not None:
            self.on_refused(exc)

    @property
    def endpoint(self) -> Endpoint | None:
        """Its endpoint; None if it only keeps bulletins."""
        return None if self.sender is None else self.sender.endpoint

    @property
    def leads(self) -> bool:
        """Whether this process sends from this outbox."""
        return self.sender is not None and self.sender.leads

    async def ready(self, timeout: float) -> bool:
        """Wait until the outbox has been compared with the own channels on the bus. Returns False on timeout.

        Raises:
            OutboxError: `outbox-behind`.
        """
        if self.sender is None:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self.sender.compared.wait()
        self._refuse_when_behind()
        return self.sender.compared.is_set()

    async def heard(self, timeout: float) -> None:
        """Wait until it is known whether this outbox may publish.

        That is known when it was compared with the bus, when the bus cannot be reached, or when another process compares.

        It stays unknown without an endpoint, and after `timeout` seconds.
        """
        if self.sender is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self.sender.heard.wait()

    def _refuse_when_behind(self) -> None:
        if self.sender is None:
            return
        if self.sender.behind:
            raise OutboxError(self.sender.behind, reason="outbox-behind")
        if self.sender.clock_ahead_s:
            raise OutboxError(clock_ahead(self.sender.clock_ahead_s), reason="clock-ahead")

    async def rehearse(self, draft: Draft) -> Accepted:
        """Run steps 1 to 5 now, without using a key or keeping anything.

        Raises:
            SchemaError, RuleError, PermitError, OutboxError: as `publish`.
        """
        _refuse_anchor(draft)
        registry, moment = self.registry(), self.clock()

        def rehearse(db: sqlite3.Connection) -> Accepted:
            self.outbox.heads.guard(db)
            return self.stamping.rehearse(db, draft, registry, moment)

        return await self.outbox.read(rehearse)

    async def settled(self, digest: str, timeout: float) -> str:
        """Wait until a bulletin is `stored` or `parked`. Returns that state; `accepted` on timeout."""
        self._nudge()  # acknowledgements are noted now
        state = await self.outbox.wait_state(digest, timeout)
        return "accepted" if state == RowState.KEPT else state

    async def idle(self, timeout: float) -> bool:
        """Wait until no row is left to send. Returns False on timeout."""
        self._nudge()  # acknowledgements are noted now
        return await self.outbox.emptied(timeout)

    async def health(self) -> Health:
        """The number of waiting rows, their longest wait, and the cause."""
        _, since = await self.outbox.oldest()
        return Health(
            connected=self.sender is not None and self.sender.connected,
            counts=await self.outbox.counts(),
            waiting_s=0.0 if since is None else max(0.0, self.clock().timestamp() - since),
            problem="" if self.sender is None else self.sender.problem,
        )

    async def recover(self, timeout: float = 60.0) -> Recovery:
        """Rebuild the heads from the own channels on the bus; see `bus.publishing.recovery`.

        Raises:
            UnreachableError: the bus does not answer.
            OutboxError: `no-bus`, without an endpoint; `lease-held`, another process sends from this outbox.
        """
        async with self.paused("recovery", timeout) as own:
            domain = own.registry().domain
            return await recover(own, partial(self.stamping.sign_and_keep, domain=domain))

    async def scrub(self, timeout: float = 60.0) -> int:
        """Read all own channels, and send again bulletins that a stream has lost. Returns their number. Raises as `recover`."""
        async with self.paused("a scrub", timeout) as own:
            return await own.scrub()

    @asynccontextmanager
    async def paused(self, what: str, timeout: float) -> AsyncIterator[OwnChannels]:
        """Hold the send lease; sending pauses until the context exits. Yields the own channels for reading back.

        Args:
            what: the name of the work that reads them, for the error.
            timeout: seconds to wait for the bus, each time they are read.

        Raises:
            OutboxError: `no-bus`, without an endpoint; `lease-held`, another process sends from this outbox.
        """
        if self.sender is None:
            raise OutboxError(f"{what} reads the bus; give this publisher an endpoint", reason="no-bus")
        async with self.sender.held():
            yield msgspec.structs.replace(self.sender.own, timeout=timeout)


def _in_steps(groups: Sequence[Sequence[Asked]]) -> Iterator[Sequence[Sequence[Asked]]]:
    """Sets of groups with about `GROUP` drafts together: the most that are judged at once."""
    some: list[Sequence[Asked]] = []
    count = 0
    for group in groups:
        some.append(group)
        count += len(group)
        if count >= GROUP:
            yield some
            some, count = [], 0
    if some:
        yield some


def _refuse_anchor(draft: Draft) -> None:
    """Refuse a re-anchor as a draft: it decides where the chain continues, while a draft always follows the head."""
    if isinstance(draft.body, Reanchor):
        raise PermitError(
            "a re-anchor is not published as a draft; use: tocsin outbox reanchor", reason="not-a-draft"
        )
