"""The way out of a bulletin, step by step.

1. stamp     id, issuer, time, and what the draft leaves out
2. chain     number and predecessor on its channel
3. validate  encode, decode as a stranger would, every rule
4. permit    does the registry let us say this, to them, here?
5. address   the subject, derived
6. sign      the very bytes
7. keep      one transaction of the outbox: from here it cannot be lost
8. send      `bus.sender`: JetStream, with the digest as message id
9. settle    `bus.sender`: the stream's durable acknowledgement

Steps 1 to 7 are one transaction in the outbox's thread, so that two processes of one authority cannot fork their
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

from bus import outbox_table as table
from bus.connection import Endpoint
from bus.errors import OutboxError, PermitError
from bus.outbox import Outbox, State
from bus.recovery import recover
from bus.sender import Sender
from bus.signing import Signer, sign_entry
from bus.trust import VerifiedRegistry
from schemas import rules
from schemas.bulletin import Bulletin, Defaults, Draft, new_id, stamp
from schemas.codec import decode, digest, encode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, format_header, hints
from schemas.errors import SchemaError, TocsinError
from schemas.parts import Ref
from schemas.subject import channel_of, subject_for
from schemas.vocab import MsgType, RefRel

ID_NOISE_BYTES = 10


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin that is on this disk, signed. From here it cannot be lost."""

    id: str
    channel: str
    seq: int
    digest: str
    subject: str
    state: str = "accepted"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the way out is doing.

    `waiting_s` is the age of the oldest bulletin that has not been stored yet, `problem` why it has not.
    """

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
        signers: Sequence[Signer],
        defaults: Defaults,
        clock: Callable[[], dt.datetime],
        rng: Callable[[int], bytes],
        sender: Sender | None,
        on_refused: Callable[[TocsinError], None] | None = None,
    ) -> None:
        self._on_refused = on_refused
        self.authority_id = authority_id
        self._outbox = outbox
        self._registry = registry
        self._signers = tuple(signers)
        self._defaults = defaults
        self._clock = clock
        self._rng = rng
        self._sender = sender

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
        on_refused: Callable[[TocsinError], None] | None = None,
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
            on_refused: told of each draft that is refused before it is signed.

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
        sender = None
        if endpoint is not None:
            sender = Sender(
                authority_id=authority_id, outbox=outbox, endpoint=endpoint, registry=registry, clock=clock
            )
        publisher = cls(
            authority_id=authority_id,
            outbox=outbox,
            registry=registry,
            signers=signers,
            defaults=defaults,
            clock=clock,
            rng=rng,
            sender=sender,
            on_refused=on_refused,
        )
        task = asyncio.create_task(sender.run(), name=f"sender {authority_id}") if sender else None
        try:
            yield publisher
        finally:
            if task is not None:
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
        registry, moment = self._registry(), self._clock()
        try:
            accepted = await self._outbox.keep(
                lambda db: self._keep(db, draft, defaults, registry, moment, once, origin)
            )
        except (SchemaError, PermitError) as exc:
            if self._on_refused is not None:
                self._on_refused(exc)
            raise
        if self._sender is not None:
            self._sender.nudge()
        return accepted

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
        """Steps 1 to 5 as they would be now; nothing is signed or kept.

        Raises:
            SchemaError, RuleError, PermitError: as `publish`.
        """
        registry, moment = self._registry(), self._clock()

        def work(db: sqlite3.Connection) -> Accepted:
            bulletin, payload = self._compose(db, draft, None, registry, moment)
            return _accepted(bulletin, digest(payload), state="dry-run")

        return await self._outbox.ask(work)

    async def settled(self, digest: str, timeout: float) -> str:
        """Wait until a bulletin is `stored`, or `parked`; `accepted` when the time is up."""
        state = await self._outbox.wait_state(digest, timeout)
        return "accepted" if state == State.KEPT else state

    async def idle(self, timeout: float) -> bool:
        """Wait until nothing is left to send; whether that came true."""
        deadline = asyncio.get_running_loop().time() + timeout
        mark = -1
        while True:
            left = deadline - asyncio.get_running_loop().time()
            if (await self._outbox.oldest())[0] == 0:
                return True
            if left <= 0:
                return False
            mark = await self._outbox.changed(mark, left)

    async def health(self) -> Health:
        """How much waits, for how long, and why."""
        _, since = await self._outbox.oldest()
        return Health(
            connected=self._sender is not None and self._sender.connected,
            counts=await self._outbox.counts(),
            waiting_s=0.0 if since is None else max(0.0, self._clock().timestamp() - since),
            problem="" if self._sender is None else self._sender.problem,
        )

    async def recover(self, timeout: float = 60.0) -> dict[str, int]:
        """Rebuild the heads from the own channels on the bus; see `bus.recovery`.

        Raises:
            UnreachableError: the bus does not answer.
            OutboxError: `no-bus`, without an endpoint; `lease-held`, another process sends from this outbox.
        """
        if self._sender is None:
            raise OutboxError("recovery reads the bus; give this publisher an endpoint", reason="no-bus")
        async with self._sender.held():
            return await recover(
                endpoint=self._sender.endpoint,
                outbox=self._outbox,
                registry=self._registry(),
                clock=self._clock,
                timeout=timeout,
                keep=self._sign_and_keep,
            )

    # -- the seven steps, inside the transaction ---------------------------------------------------------------------

    def _keep(
        self,
        db: sqlite3.Connection,
        draft: Draft,
        defaults: Defaults | None,
        registry: VerifiedRegistry,
        moment: dt.datetime,
        once: str | None,
        origin: str | None,
    ) -> Accepted:
        if once is not None and (known := table.kept_once(db, once)) is not None:
            return _accepted(decode(known.payload), known.digest, state="known")
        if origin is not None and (earlier := table.last_of_origin(db, origin)) is not None:
            draft = _superseding(draft, earlier.id)
        bulletin, payload = self._compose(db, draft, defaults, registry, moment)
        return self._sign_and_keep(db, bulletin, payload, moment, once, origin)

    def _compose(
        self,
        db: sqlite3.Connection,
        draft: Draft,
        defaults: Defaults | None,
        registry: VerifiedRegistry,
        moment: dt.datetime,
    ) -> tuple[Bulletin, bytes]:
        # 1 stamp
        bulletin = stamp(
            draft,
            id=new_id(moment, self._rng(ID_NOISE_BYTES)),
            seq=1,
            prev=None,
            issuer=registry.issuer(self.authority_id),
            issued=moment,
            defaults=defaults or self._defaults,
        )
        # 2 chain
        head = table.head(db, channel_of(bulletin).name)
        if head is not None:
            bulletin = msgspec.structs.replace(bulletin, seq=head.seq + 1, prev=head.digest)
        # 3 validate: constructors do not check, so the bytes are read back as a stranger would
        payload = encode(bulletin)
        bulletin = decode(payload)
        rules.check(bulletin)
        # 4 permit
        registry.permit(bulletin)
        self._may_sign(registry, moment)
        return bulletin, payload

    def _may_sign(self, registry: VerifiedRegistry, moment: dt.datetime) -> None:
        """Part of step 4: what every reader would refuse for its signatures is refused here, before it is said."""
        algorithms = set()
        for signer in self._signers:
            key = registry.key(signer.kid)
            if key is None or key.authority_id != self.authority_id:
                raise PermitError(
                    f"key {signer.kid} is not {self.authority_id}'s in registry version {registry.version}; "
                    "nobody speaks as another",
                    reason="not-your-key",
                )
            if key.record.revoked_since is not None:
                raise PermitError(f"key {signer.kid} is revoked", reason="key-revoked")
            if not key.record.not_before <= moment < key.record.not_after:
                raise PermitError(
                    f"key {signer.kid} is valid from {key.record.not_before:%Y-%m-%d} to "
                    f"{key.record.not_after:%Y-%m-%d}; ask your registrar to rotate it",
                    reason="key-not-valid",
                )
            algorithms.add(key.record.alg)
        if missing := set(registry.authority(self.authority_id).require) - algorithms:
            raise PermitError(
                f"{self.authority_id} must sign with {', '.join(sorted(missing))} too",
                reason="signature-policy",
            )

    def _sign_and_keep(
        self,
        db: sqlite3.Connection,
        bulletin: Bulletin,
        payload: bytes,
        moment: dt.datetime,
        once: str | None,
        origin: str | None,
    ) -> Accepted:
        """Steps 5 to 7 for a composed bulletin, inside a transaction of the outbox."""
        # 5 address
        subject = subject_for(bulletin)
        # 6 sign
        entries = tuple(sign_entry(signer, payload, typ=TYP_BULLETIN) for signer in self._signers)
        found = digest(payload)
        # 7 keep
        channel = channel_of(bulletin)
        table.insert(
            db,
            channel=channel.name,
            seq=bulletin.seq,
            id=bulletin.id,
            digest=found,
            prev=bulletin.prev,
            subject=subject,
            headers={SIG_HEADER: format_header(entries), **hints(bulletin, found)},
            payload=payload,
            now=moment.timestamp(),
            once=once,
            origin=origin,
        )
        return Accepted(id=bulletin.id, channel=str(channel), seq=bulletin.seq, digest=found, subject=subject)


def _superseding(draft: Draft, earlier: str) -> Draft:
    ref = Ref(id=earlier, rel=RefRel.SUPERSEDES)
    return msgspec.structs.replace(draft, msg_type=MsgType.UPDATE, references=(*draft.references, ref))


def _accepted(bulletin: Bulletin, found: str, state: str = "accepted") -> Accepted:
    return Accepted(
        id=bulletin.id,
        channel=str(channel_of(bulletin)),
        seq=bulletin.seq,
        digest=found,
        subject=subject_for(bulletin),
        state=state,
    )
