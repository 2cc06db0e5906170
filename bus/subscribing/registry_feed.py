"""Reads the registry from the bus: versions and beacons in the stream `TRUST`, revocation statements in `STATEMENTS`.

`RegistryStore.take` verifies each message. An invalid one is logged once and skipped. One that came too early waits
here and is tried again: it came before the version that it continues, before its key was registered, or before its time
by this machine's clock.

All programs of an identity share its consumers, so none keeps them: each asks at intervals how far a stream goes,
attaches if there is more than it has read, and detaches. Statements come first, because a version may remove the key
that signed one. `TRUST` is read on from its cursor. `STATEMENTS` is small, and a new statement replaces the author's
last one. So it is read from its beginning to its end at the start of the reading: a flood of it cannot delay the
registry. After a reading without news the next one waits longer, at most half a minute, so that a flood does not keep
readers busy.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bus.audit import Fact
from bus.errors import BrokerError, DeniedError, TrustError, UnreachableError
from bus.logs import logger
from bus.subscribing.early import Early
from bus.transport import (
    MAX_MESSAGE_BYTES,
    MAX_STATEMENT_BYTES,
    STATEMENTS_STREAM,
    TRUST_STREAM,
    Connection,
    Cursor,
    Endpoint,
    PubAck,
    PullConsumer,
    Received,
    consumer_info,
    cursor_at,
    offset_of,
    publish,
)
from bus.trust import RegistryStore, trust_kind
from schemas.codec import digest
from schemas.registry import MAX_BEACON_BYTES
from schemas.subject import Trust, said_on, trust_subject

MOST = 100
EVERY_S = 2.0
QUIET_S = 3.0
CONNECT_S = 30.0
REFUSALS_EVERY_S = 3600.0
MOST_BYTES = {
    # A payload in base64url, with a few signatures.
    Trust.REGISTRY: MAX_MESSAGE_BYTES,
    Trust.BEACON: MAX_BEACON_BYTES * 2,
    Trust.REVOKE: MAX_STATEMENT_BYTES,
}
# The message continues a version that is not held, by its number or by unknown keys; or the clock is behind.
_EARLY: Mapping[Trust | None, frozenset[str]] = {
    None: frozenset(),
    Trust.REGISTRY: frozenset({"skip", "threshold", "from-the-future"}),
    Trust.BEACON: frozenset({"skip", "threshold", "from-the-future"}),
    Trust.REVOKE: frozenset({"unknown-key", "from-the-future"}),
}
_EARLY_TICKS, _MOST_PASSED = 10, 15
# Normal for a reader of history: the message was valid once, or its keys are gone.
NO_MEMORY = "there is not enough memory"
_HISTORY = frozenset({"rollback", "expired", "unknown-key", "too-old"})

log = logger()


class Heard(NamedTuple):
    """How far the bus was read: whether to its end, and the last beacon there, unchecked.

    `ahead_s` has the seconds that this clock is ahead of the broker's, by the last answer; None if there was none.
    """

    at_end: bool = False
    beacon: bytes | None = None
    ahead_s: float | None = None


class RegistryFeed:
    """Reads versions, beacons and statements for one identity.

    Attributes:
        counts: the number of messages by result: `taken`, `known`, or the reason of a refusal.
        problem: why not everything can be read now; empty if all is well.
        heard: how far the bus was read.
    """

    def __init__(
        self,
        held: RegistryStore,
        endpoint: Endpoint,
        *,
        every: float = EVERY_S,
        clock: Callable[[], dt.datetime] | None = None,
        on_news: Callable[[str, Mapping[str, Fact]], None] | None = None,
    ) -> None:
        """Prepare; `run` reads.

        Args:
            held: takes in valid files.
            endpoint: address and identity; the identity is also the consumers' name.
            every: seconds between two looks, roughly.
            clock: the present, aware; if given, it is compared with the broker's.
            on_news: called, with a word and facts for the audit record, for each version and statement taken in, and
                once an hour for each reason of a refusal.
        """
        self.counts: Counter[str] = Counter()
        self.problem = ""
        self.heard = Heard()
        self._held = held
        self._endpoint = endpoint
        self._every = every
        self._clock = clock
        self._on_news = on_news
        self._cursor = Cursor()  # of TRUST
        self._stood = (0, 0)  # state of STATEMENTS after its reading: (delivered, pending)
        self._heard: frozenset[str] = frozenset()  # digests of the messages in STATEMENTS
        self._pass = self._passed = 0  # looks at STATEMENTS to skip, and skipped so far
        self._early = Early()
        self._version = held().version
        self._ticks = 0
        self._told: dict[tuple[Trust | None, str], float] = {}

    async def run(self) -> None:
        """Read until cancelled. No error of the bus, a message, the disk or memory ends it."""
        async with Connection.open(self._endpoint) as connection:
            while True:
                problem = ""
                for step in (self._read_statements, self._read_registry, self._try_early):
                    try:
                        await connection.until_connected(CONNECT_S)
                        await step(connection)
                    except (UnreachableError, DeniedError, BrokerError, OSError, MemoryError) as exc:
                        # An OSError comes from the disk: the message does not count as read and comes again. The same
                        # holds for memory.
                        problem = str(exc) or NO_MEMORY
                        self.heard = self.heard._replace(ahead_s=None)
                        new = isinstance(exc, (OSError, MemoryError)) and problem != self.problem
                        level = log.warning if new else log.debug
                        level("trust_feed_interrupted", endpoint=self._endpoint.name, problem=problem)
                self.problem = problem
                # Two programs that attach at once disturb each other and should not retry at the same time.
                await asyncio.sleep(self._every * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not secrecy)

    # -- the streams ------------------------------------------------------------------------------------------------

    async def _stands(self, connection: Connection, stream: str) -> tuple[int, int]:
        """(stream sequence delivered to this identity, number of messages after it)."""
        before = None if self._clock is None else self._clock()
        info = await consumer_info(connection, stream, self._endpoint.authority_id)
        if self._clock is not None and before is not None:
            found = offset_of(info.ts, before, self._clock())
            self.heard = self.heard._replace(ahead_s=None if found is None else found.ahead_s)
        return info.delivered.stream_seq, info.num_pending

    async def _read_statements(self, connection: Connection) -> None:
        """Read all statements if anything has changed; those read before are skipped."""
        stands = await self._stands(connection, STATEMENTS_STREAM)
        self._passed += stands != self._stood
        if stands == self._stood or self._passed <= self._pass:
            return
        taken, heard = self.counts["taken"], set[str]()
        async with PullConsumer.attach(connection, STATEMENTS_STREAM, self._endpoint.authority_id, 1) as pull:
            left = 1
            while left > 0 and (batch := await pull.next(MOST, QUIET_S)):
                left = (left if heard else batch[0].pending + 1) - len(batch)
                named = [(digest(message.payload), message) for message in batch]
                fresh = [message for name, message in named if name not in self._heard]
                await self._hear(fresh, lambda _: None)
                heard.update(name for name, _ in named)
                stands = (batch[-1].stream_seq, 0)
                if not batch[-1].pending:
                    break
        self._heard, self._stood = frozenset(heard), stands
        self._pass = 0 if self.counts["taken"] > taken else min(2 * self._pass + 1, _MOST_PASSED)
        self._passed = 0

    async def _read_registry(self, connection: Connection) -> None:
        """Read to the end of the stream. If it is another stream than before, start from its beginning the next time."""
        stands = await self._stands(connection, TRUST_STREAM)
        seq = self._cursor.seq
        if stands == (seq, 0):
            self.heard = self.heard._replace(at_end=True)
            return
        self.heard = self.heard._replace(at_end=False)
        async with PullConsumer.attach(
            connection, TRUST_STREAM, self._endpoint.authority_id, max(seq, 1)
        ) as pull:
            resumed = await pull.resume(self._cursor, MOST, QUIET_S)
            if resumed is None:
                log.warning("trust_stream_changed", endpoint=self._endpoint.name, cursor=seq)
                self._cursor, self.heard = Cursor(), Heard()
                return
            if resumed.at_end:
                return
            batch = resumed.after or await pull.next(MOST, QUIET_S)
            while batch:
                await self._hear(batch, self._read_up_to)
                if not batch[-1].pending:
                    return
                batch = await pull.next(MOST, QUIET_S)

    def _read_up_to(self, message: Received) -> None:
        if said_on(message.subject) is Trust.BEACON:
            self.heard = self.heard._replace(beacon=message.payload)
        self._cursor = cursor_at(message, digest(message.payload))

    # -- their content ----------------------------------------------------------------------------------------------

    async def _hear(self, batch: Sequence[Received], done: Callable[[Received], None]) -> None:
        left: dict[tuple[Trust | None, str], list[tuple[int, str]]] = {}
        for message in batch:
            kind = said_on(message.subject)
            try:
                self._take(message.subject, kind, message.payload)
            except TrustError as exc:
                self.counts[exc.reason] += 1
                left.setdefault((kind, exc.reason), []).append((message.stream_seq, str(exc)))
            if self._held().version != self._version:
                self._take_early()  # first the statements by its keys: the next may remove them
            done(message)
            await asyncio.sleep(0)  # a year of beacons must not block other tasks
        for (kind, reason), refusals in left.items():
            # One line for many messages: a flood of the stream must not flood the log.
            level = log.error if reason == "fork" else log.info if reason in _HISTORY else log.warning
            seq, problem = refusals[0]
            level("trust_left_aside", reason=reason, count=len(refusals), first=seq, problem=problem)
            self._tell_refused(kind, reason, len(refusals), seq)

    def _take(self, subject: str, kind: Trust | None, raw: bytes) -> None:
        """Hand one message over.

        Raises:
            TrustError: the message is invalid.
        """
        if kind is None:
            raise TrustError("this subject carries nothing of the registry", reason="unknown-type")
        if len(raw) > MOST_BYTES[kind]:
            raise TrustError(f"{len(raw)} bytes are too many for a {kind}", reason="too-large")
        before = self._held()
        try:
            taken = self._held.take(raw)
        except TrustError as exc:
            if exc.reason in _EARLY[kind]:
                self._early.keep(subject, raw)
            raise
        self.counts["taken" if taken else "known"] += 1
        if taken:
            now = self._held()
            log.info("trust_taken_in", kind=str(kind), version=now.version)
            if now.version != before.version:
                self._tell("registry-accepted", domain=now.domain, version=now.version, digest=now.digest)
                if now.contradicted is not None:
                    self._tell_refused(Trust.BEACON, "fork", 1, 0)
            for made in [each for each in now.revocations if each not in before.revocations]:  # at most one
                self._tell("revocation-accepted", authority=made.authority, keys=list(made.kids))

    async def _try_early(self, _: Connection) -> None:
        """Try early messages again when a version has come, by bus or file, and every `_EARLY_TICKS` looks."""
        self._ticks += 1
        if self._held().version != self._version or self._ticks % _EARLY_TICKS == 0:
            self._take_early()

    def _take_early(self) -> None:
        """Try all waiting messages; start over after each version that is taken in."""
        again = True
        while again:
            self._version = self._held().version
            again = False
            for subject, name, raw in self._early.waiting():
                kind = said_on(subject)
                try:
                    self._take(subject, kind, raw)
                except TrustError as exc:
                    if exc.reason in _EARLY[kind]:
                        continue
                    log.warning("trust_left_aside", reason=exc.reason, count=1, problem=str(exc))
                    self._tell_refused(kind, exc.reason, 1, 0)
                self._early.drop(subject, name)
                if again := self._held().version != self._version:
                    break

    # -- the record -------------------------------------------------------------------------------------------------

    def _tell(self, event: str, **facts: Fact) -> None:
        if self._on_news is not None:
            self._on_news(event, {**facts, "by": "bus"})

    def _tell_refused(self, kind: Trust | None, reason: str, count: int, first: int) -> None:
        """Report refused messages, except history and early ones; each reason once an hour."""
        if reason in _HISTORY or reason in _EARLY[kind]:
            return
        now = asyncio.get_running_loop().time()
        if now - self._told.get((kind, reason), -REFUSALS_EVERY_S) < REFUSALS_EVERY_S:
            return
        self._told[kind, reason] = now
        self._tell("trust-refused", what=str(kind or "unknown"), reason=reason, count=count, number=first)


async def publish_trust(connection: Connection, raw: bytes) -> PubAck:
    """Send a version, a beacon or a statement to everybody, without a check.

    Raises:
        BrokerError: `too-large` for the bus: send it as a file; or the server's error.
        UnreachableError, DeniedError: from the broker.
    """
    kind = trust_kind(raw)
    if len(raw) > MOST_BYTES[kind]:
        raise BrokerError(
            f"{len(raw)} bytes are too many for a {kind} on the bus; send the file another way",
            reason="too-large",
        )
    return await publish(connection, trust_subject(kind, connection.endpoint.authority_id), raw, {})
