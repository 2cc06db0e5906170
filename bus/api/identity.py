"""An identity on the bus: the parts that a context names, each opened on first use."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec

from bus import audit, filters, publishing
from bus.api.drafts import as_draft, body_of, read
from bus.api.opening import defaults_of, endpoint_of, registry_of, signer_of
from bus.api.part import Part
from bus.api.participant import AnyDraft, Life, Seen
from bus.config import OUTBOX_FILE, STORE_FILE, Context, private_folder
from bus.delivery import TABLES, DeliveryState, DeliveryTracker, ledger
from bus.hub import HubService, picture
from bus.hub.picture import TraceStep, open_store
from bus.hub.picture import trace as life
from bus.logs import logger
from bus.policy import changed
from bus.publishing import Accepted, Outbox, Publisher
from bus.sealing import Sealer
from bus.subscribing import Inbox, Stored, bodies, whole
from bus.tasks import Background
from bus.threads import Thread
from bus.trust import HUB, RegistryStore
from schemas.answering import answer_to, told_alone
from schemas.bodies.coordination import Feedback
from schemas.codec import decode
from schemas.envelope import SIG_HEADER
from schemas.errors import TocsinError
from schemas.subject import channel_of
from schemas.vocab import FeedbackKind, Status

HEARD_S = 3.0
"""Seconds to wait for the state of the bus before signing: the outbox may be behind, or the clock wrong."""

log = logger()


class Identity:
    """A `Participant` with the files and the broker that a context names. Use `bus.connect`."""

    def __init__(
        self,
        name: str,
        context: Context,
        folder: Path,
        tasks: Background,
        clock: Callable[[], dt.datetime],
        rng: Callable[[int], bytes],
        deadlines: dict[str, list[int]],
    ) -> None:
        """Prepare; only the registry is opened now.

        Args:
            name: of the context.
            context: the identity.
            folder: its state folder.
            tasks: the tasks that close opened parts.
            clock: the present, aware.
            rng: random bytes.
            deadlines: the times for hubs' answers, from the settings.

        Raises:
            ConfigError, TrustError: the registry is not valid or has expired.
        """
        self._name = name
        self._context = context
        self._folder = private_folder(folder)
        self._clock = clock
        self._rng = rng
        self._deadlines = deadlines
        self._registry: RegistryStore = registry_of(context, clock)
        self._way_out = Part(tasks, self._open_way_out, f"{name} publishes")
        self._store = Part(tasks, partial(open_store, self._folder / STORE_FILE), f"{name} looks up")
        self._reader = Part(tasks, self._open_reader, f"{name} reads")

    @property
    def authority(self) -> str:
        """The authority id of this identity."""
        return self._context.authority

    # -- publishing -------------------------------------------------------------------------------------------------

    async def publish(
        self, draft: AnyDraft, *, once: str | None = None, wait: str = "stored", timeout: float = 5.0
    ) -> Accepted:
        """See `Participant.publish`."""
        until, clock = self._until(wait, timeout)
        publisher, tracker = await self._way_out.get()
        await publisher.heard(min(timeout, HEARD_S))
        accepted = await publisher.publish(as_draft(draft, self._clock()), once=once)
        return await _reached(publisher, tracker, accepted, until, clock)

    async def publish_many(
        self, drafts: Sequence[AnyDraft], *, wait: str = "stored", timeout: float = 5.0
    ) -> list[Accepted | TocsinError]:
        """See `Participant.publish_many`."""
        until, clock = self._until(wait, timeout)
        publisher, tracker = await self._way_out.get()
        await publisher.heard(min(timeout, HEARD_S))
        made = [read(draft, self._clock()) for draft in drafts]
        said = iter(
            await publisher.publish_many([each for each in made if not isinstance(each, TocsinError)])
        )
        outcomes = [each if isinstance(each, TocsinError) else next(said) for each in made]
        return [
            each if isinstance(each, TocsinError) else await _reached(publisher, tracker, each, until, clock)
            for each in outcomes
        ]

    async def answer(
        self, wanted: str, verdict: FeedbackKind | Feedback, text: str | None = None, *, timeout: float = 5.0
    ) -> Accepted:
        """See `Participant.answer`."""
        seen = await self._held(wanted)
        if seen is None:
            raise LookupError(
                f"{self.authority} has read no bulletin {wanted}; it must read a bulletin before it answers"
            )
        original = seen.bulletin
        draft = answer_to(original, body_of(verdict, text), self._clock())
        said = await self.publish(draft, timeout=timeout)
        if self._registry().is_told_alone(self.authority, original.issuer.id, channel_of(original)):
            await self.publish(told_alone(draft, original), timeout=timeout)
        return said

    def _until(self, wait: str, timeout: float) -> tuple[DeliveryState, Callable[[], float]]:
        """(state to wait for, function that returns the seconds left)."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        return DeliveryState(wait), lambda: max(0.0, end - loop.time())

    @asynccontextmanager
    async def _open_way_out(self) -> AsyncIterator[tuple[Publisher, DeliveryTracker]]:
        context = self._context
        signer = signer_of(context)
        async with (
            Outbox.open(self._folder / OUTBOX_FILE, tables=TABLES) as outbox,
            Publisher.open(
                authority_id=context.authority,
                outbox=outbox,
                registry=self._registry,
                signers=(signer,),
                endpoint=None if context.server is None else endpoint_of(self._name, context, "publish"),
                defaults=defaults_of(context),
                clock=self._clock,
                rng=self._rng,
                seal=Sealer((signer,), self._rng),
                on_refused=self._note_refused,
                beside_broker=True,
            ) as publisher,
            DeliveryTracker.open(publisher, changed(self._deadlines)) as tracker,
        ):
            yield publisher, tracker

    def _note_refused(self, exc: TocsinError) -> None:
        """Record a refusal by reason and place; not its text, which may quote the draft."""
        facts = {"reason": exc.reason, "path": getattr(exc, "path", "")}
        try:
            audit.append(self._folder / audit.AUDIT_FILE, "refused", facts, self._clock())
        except (TocsinError, OSError) as trouble:
            log.warning("not_recorded", problem=str(trouble))

    # -- reading ----------------------------------------------------------------------------------------------------

    async def watch(
        self,
        filter_: str = "",
        *,
        since: dt.timedelta | None = dt.timedelta(0),
        status: Status = Status.ACTUAL,
    ) -> AsyncIterator[Seen]:
        """See `Participant.watch`."""
        selection = filters.of_text(filter_)
        store = await self._reader.get()
        start = 0 if since is None else await store.row_before(self._clock() - since)
        async for row in store.follow(start):
            if row.bulletin.status is status and selection.matches(row.bulletin, self._clock()):
                yield _admitted(row)

    async def get(self, wanted: str) -> Seen | None:
        """See `Participant.get`."""
        return await self._held(wanted) or await self._own(wanted)

    async def trace(self, wanted: str) -> Life:
        """See `Participant.trace`."""
        steps: list[TraceStep] = []
        status = None
        if (self._folder / OUTBOX_FILE).exists():
            async with self._outbox() as outbox:
                id_ = await outbox.read(lambda db: _newest(publishing.versions.find(db, wanted), wanted))
                steps += await outbox.read(lambda db: life.of_outbox(db, id_))
                status = await ledger.read(
                    outbox, lambda db: ledger.of_one(db, self.authority, self._registry(), id_)
                )
        if (self._folder / STORE_FILE).exists():
            store = await self._store.get()
            steps += await store.read(
                lambda db: life.of_store(db, _newest(picture.versions.find(db, wanted), wanted))
            )
        return Life(steps=tuple(sorted(steps, key=lambda step: step.at)), status=status)

    async def _held(self, wanted: str) -> Seen | None:
        """The bulletin as read by this identity; None if it is not in the store."""
        if not (self._folder / STORE_FILE).exists():
            return None
        store = await self._store.get()
        rows = await store.read(lambda db: _rows(db, _newest(picture.versions.find(db, wanted), wanted)))
        return _admitted(rows[0]) if rows else None

    async def _own(self, wanted: str) -> Seen | None:
        """The bulletin as published by this identity; None if it is not in the outbox."""
        if not (self._folder / OUTBOX_FILE).exists():
            return None
        async with self._outbox() as outbox:
            id_ = await outbox.read(lambda db: _newest(publishing.versions.find(db, wanted), wanted))
            own = await outbox.get(id_)
        if own is None:
            return None
        return Seen(
            bulletin=decode(own.payload),
            digest=own.digest,
            payload=own.payload,
            signature=own.header_map()[SIG_HEADER],
        )

    def _outbox(self) -> AbstractAsyncContextManager[Outbox]:
        return Outbox.open(self._folder / OUTBOX_FILE, tables=TABLES)

    @asynccontextmanager
    async def _open_reader(self) -> AsyncIterator[Inbox]:
        """The store. This process reads the bus into it unless a hub does."""
        context = self._context
        record = self._registry().document.authorities.get(context.authority)
        is_fed = context.server is None or (record is not None and record.kind == HUB)
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(open_store(self._folder / STORE_FILE))
            if not is_fed:
                await stack.enter_async_context(
                    HubService.open(
                        authority_id=context.authority,
                        store=store,
                        registry=self._registry,
                        endpoint=endpoint_of(self._name, context, "watch"),
                        clock=self._clock,
                        gives_way=True,
                    )
                )
            yield store


async def _reached(
    publisher: Publisher,
    tracker: DeliveryTracker,
    accepted: Accepted,
    until: DeliveryState,
    left: Callable[[], float],
) -> Accepted:
    """The bulletin with the state that it has reached within the time."""
    state = str(DeliveryState.ACCEPTED)
    if until is not DeliveryState.ACCEPTED and publisher.sender is not None:
        state = await publisher.settled(accepted.digest, left())
    if state == DeliveryState.STORED and until in (DeliveryState.RECEIVED, DeliveryState.READ):
        status = await tracker.reached(accepted.digest, until, left())
        state = state if status is None else str(status.state)
    return msgspec.structs.replace(accepted, state=state)


def _newest(thread: Thread | None, wanted: str) -> str:
    """The id of the newest version; `wanted` itself if it is unknown."""
    return wanted if thread is None else thread.acted_on


def _rows(db: sqlite3.Connection, wanted: str) -> list[Stored]:
    """The admitted rows with an id or digest."""
    rows = [
        db.execute("SELECT * FROM admitted WHERE row = ?", (n,)).fetchone()
        for n in bodies.rows_of(db, wanted)
    ]
    return list(whole(row for row in rows if row is not None))


def _admitted(row: Stored) -> Seen:
    return Seen(
        bulletin=row.bulletin,
        digest=row.digest,
        payload=row.payload,
        signature=row.signature,
        labels=row.labels,
        trust=row.trust,
        admitted_at=row.admitted_at,
    )
