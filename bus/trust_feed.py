"""The registry as it travels: the stream `TRUST`, read from its beginning into what an identity holds.

Nothing of the stream is believed: each message is handed to `HeldRegistry.take`, which verifies it. What does not stand
is said once and passed over; the next message is read whatever came before it. What came too early, before the version
it continues or before this machine's clock got there, waits here and is tried again.

All programs of an identity share its consumer, so none keeps it: each asks every so often how far the stream goes,
attaches when there is more than it has read, and lets go.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import structlog

from bus.acks import PubAck
from bus.connection import Connection, Endpoint
from bus.errors import BrokerError, DeniedError, TrustError, UnreachableError
from bus.held_registry import HeldRegistry, trust_kind
from bus.pull import Pull, Received
from bus.topology import MAX_MESSAGE_BYTES, TRUST_STREAM
from schemas.codec import digest
from schemas.registry import MAX_BEACON_BYTES, MAX_REVOKE_BYTES
from schemas.subject import TRUST_SUBJECTS, Trust

MOST = 100
EVERY_S = 2.0
QUIET_S = 3.0
CONNECT_S = 30.0
MOST_EARLY = 16
MOST_BYTES = {
    # A payload in base64url, with a few signatures.
    Trust.REGISTRY: MAX_MESSAGE_BYTES,
    Trust.BEACON: MAX_BEACON_BYTES * 2,
    Trust.REVOKE: MAX_REVOKE_BYTES * 8,
}
_KINDS = {subject: kind for kind, subject in TRUST_SUBJECTS.items()}
# It continues a version that is not held, by its number or by keys that are not known yet; or the clock is behind.
_EARLY = frozenset({"skip", "threshold", "from-the-future"})
_EARLY_TICKS = 10
# What a reader of history meets: it was true once, or is of keys that are gone.
_HISTORY = frozenset({"rollback", "expired", "unknown-key"})

log = structlog.get_logger()


class TrustFeed:
    """Follows `TRUST` for one identity.

    Attributes:
        counts: messages by what became of them: `taken`, `known`, or the reason why one was left aside.
        problem: why nothing is read at present; empty when all is well.
    """

    def __init__(self, held: HeldRegistry, endpoint: Endpoint, *, every: float = EVERY_S) -> None:
        """Prepare; `run` reads.

        Args:
            held: takes what stands.
            endpoint: where and as whom to read; its identity is also the consumer's name.
            every: seconds between two looks, about.
        """
        self.counts: Counter[str] = Counter()
        self.problem = ""
        self._held = held
        self._endpoint = endpoint
        self._every = every
        self._last = (0, "")  # stream sequence and digest of what was read last
        self._early: dict[Trust, dict[str, bytes]] = {kind: {} for kind in Trust}
        self._version = held().version
        self._ticks = 0

    async def run(self) -> None:
        """Read until cancelled. No fault of the bus, of a message or of the disk ends it."""
        async with Connection.open(self._endpoint) as connection:
            while True:
                try:
                    await connection.until_connected(CONNECT_S)
                    if await self._moved(connection):
                        await self._catch_up(connection)
                    self._take_early()
                    self.problem = ""
                except (UnreachableError, DeniedError, BrokerError, OSError) as exc:
                    # An OSError is the disk's: the message was not counted as read, and comes again.
                    new = isinstance(exc, OSError) and str(exc) != self.problem
                    self.problem = str(exc)
                    level = log.warning if new else log.debug
                    level("trust_feed_interrupted", endpoint=self._endpoint.name, problem=self.problem)
                # Two that attach at once disturb each other, and should not try again at once.
                await asyncio.sleep(self._every * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not secrecy)

    async def _moved(self, connection: Connection) -> bool:
        """Whether the stream goes further, or less far, than what was read."""
        info = await connection.js_api(f"CONSUMER.INFO.{TRUST_STREAM}.{self._endpoint.authority_id}")
        end = int(info.get("delivered", {}).get("stream_seq", 0)) + int(info.get("num_pending", 0))
        return end != self._last[0]

    async def _catch_up(self, connection: Connection) -> None:
        """Read to the end of the stream, or find that it is another than the one that was read."""
        seq, found = self._last
        consumer = self._endpoint.authority_id
        async with Pull.attach(connection, TRUST_STREAM, consumer, max(seq, 1)) as pull:
            if seq:
                # Begin with what was read last, to see that it is the same stream; it is read anew otherwise.
                again = await pull.next(1, QUIET_S)
                if not again or (again[0].stream_seq, digest(again[0].payload)) != (seq, found):
                    log.warning("trust_stream_changed", endpoint=self._endpoint.name, cursor=seq)
                    self._last = (0, "")
                    return
                if not again[0].pending:
                    return
            while batch := await pull.next(MOST, QUIET_S):
                await self._hear(batch)
                if not batch[-1].pending:
                    return

    async def _hear(self, batch: Sequence[Received]) -> None:
        left: dict[str, list[tuple[int, str]]] = {}
        for message in batch:
            try:
                self._take(_KINDS.get(message.subject), message.payload)
            except TrustError as exc:
                self.counts[exc.reason] += 1
                left.setdefault(exc.reason, []).append((message.stream_seq, str(exc)))
            self._last = (message.stream_seq, digest(message.payload))
            await asyncio.sleep(0)  # a year of beacons must not hold up what else runs here
        for reason, each in left.items():
            # One line for many: whoever floods the stream does not flood the log as well.
            level = log.error if reason == "fork" else log.info if reason in _HISTORY else log.warning
            seq, problem = each[0]
            level("trust_left_aside", reason=reason, count=len(each), first=seq, problem=problem)

    def _take(self, kind: Trust | None, raw: bytes) -> None:
        """Hand one message over.

        Raises:
            TrustError: it does not stand.
        """
        if kind is None:
            raise TrustError("nothing of the registry travels there", reason="unknown-type")
        if len(raw) > MOST_BYTES[kind]:
            raise TrustError(f"{len(raw)} bytes are too many for a {kind}", reason="too-large")
        try:
            taken = self._held.take(raw)
        except TrustError as exc:
            if exc.reason in _EARLY:
                early = self._early[kind]
                early[digest(raw)] = raw
                if len(early) > MOST_EARLY:
                    del early[next(iter(early))]
            raise
        self.counts["taken" if taken else "known"] += 1
        if taken:
            log.info("trust_taken_in", kind=str(kind), version=self._held().version)

    def _take_early(self) -> None:
        """What came too early is tried again when a version has come, by the bus or by a file, and every so often."""
        self._ticks += 1
        version = self._held().version
        if version == self._version and self._ticks % _EARLY_TICKS:
            return
        while True:
            self._version = version
            for kind, early in self._early.items():
                for name, raw in list(early.items()):
                    try:
                        self._take(kind, raw)
                    except TrustError as exc:
                        if exc.reason in _EARLY:
                            continue
                        log.warning("trust_left_aside", reason=exc.reason, count=1, problem=str(exc))
                    early.pop(name, None)
            if (version := self._held().version) == self._version:
                return


async def publish_trust(connection: Connection, raw: bytes) -> PubAck:
    """Send a version, a beacon or a statement to everybody, as it is; it is not checked here.

    Raises:
        BrokerError: `too-large` for the bus, then it travels as a file; or what the server said.
        UnreachableError, DeniedError: from the broker.
    """
    kind = trust_kind(raw)
    if len(raw) > MOST_BYTES[kind]:
        raise BrokerError(
            f"{len(raw)} bytes are too many for a {kind} on the bus; hand the file over", reason="too-large"
        )
    return await connection.publish(TRUST_SUBJECTS[kind], raw, {})
