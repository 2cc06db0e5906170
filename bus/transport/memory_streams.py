"""The streams and pull consumers of a broker in memory, with the state and answers of a nats-server 2.15, without I/O.

Answers have the shape of JetStream's JSON; refusals carry its error codes. No test of a room needs the missing
features: mirrors, acknowledgements of single deliveries, purging, limits by age, size or subject, requests that end by
time or bytes, and streams that discard their oldest messages.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from bus.transport.interface import BATCH_COMMIT, BATCH_ID, BATCH_PLACE, Delivery, Outgoing
from schemas.envelope import MESSAGE_ID
from schemas.subject import matches

Answer = dict[str, Any]


def error(code: int, err_code: int, description: str) -> Answer:
    """A refusal, as JetStream words it."""
    return {"error": {"code": code, "err_code": err_code, "description": description}}


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a stream."""

    seq: int
    message: Outgoing
    stored_ns: int


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a stream that this broker follows; a limit below 0 is no limit."""

    name: str
    subjects: tuple[str, ...] = ()
    sources: tuple[dict[str, Any], ...] = ()
    duplicate_window: int = 0
    max_msgs: int = -1


class PullRequest(msgspec.Struct, kw_only=True, eq=False):
    """One open request for messages; `left` shrinks as it is served."""

    inbox: str
    deliver: Callable[[Delivery], None]
    left: int

    def say(self, status: str, description: str) -> None:
        """Deliver a status message of the server itself."""
        self.deliver(
            Delivery(subject=self.inbox, reply="", payload=b"", status=status, description=description)
        )


class MemoryConsumer:
    """A durable pull consumer without acknowledgements."""

    def __init__(self, stream: MemoryStream, name: str, config: Mapping[str, Any]) -> None:
        self.config = config
        self.waiting: deque[PullRequest] = deque()
        self._stream = stream
        self._name = name
        self._filters = config["filter_subjects"]
        self.reset(1)

    def reset(self, seq: int) -> None:
        """Deliver from a stream sequence on, and count from 1 again. Open requests stay."""
        self._stream_seq, self._consumer_seq = seq - 1, 0

    def info(self) -> Answer:
        """As `CONSUMER.INFO` answers."""
        return {
            "config": self.config,
            "delivered": {"consumer_seq": self._consumer_seq, "stream_seq": self._stream_seq},
            "num_pending": self._pending(),
            "num_waiting": len(self.waiting),
            "ts": self._stream.time(),
        }

    def serve(self) -> None:
        """Deliver waiting messages to the oldest open request."""
        while self.waiting and (stored := next(self._ahead(), None)) is not None:
            request, message = self.waiting[0], stored.message
            self._stream_seq, self._consumer_seq = stored.seq, self._consumer_seq + 1
            request.left -= 1
            if not request.left:
                self.waiting.popleft()
            numbers = f"1.{stored.seq}.{self._consumer_seq}.{stored.stored_ns}.{self._pending()}"
            request.deliver(
                Delivery(
                    subject=message.subject,
                    reply=f"$JS.ACK.{self._stream.config.name}.{self._name}.{numbers}",
                    payload=message.payload,
                    headers=tuple(message.headers.items()),
                )
            )

    def end(self) -> None:
        """End the open requests, because the consumer no longer exists."""
        while self.waiting:
            self.waiting.popleft().say("409", "Consumer Deleted")

    def _ahead(self) -> Iterator[Stored]:
        for stored in self._stream.messages[self._stream_seq :]:
            if any(matches(pattern, stored.message.subject) for pattern in self._filters):
                yield stored

    def _pending(self) -> int:
        return sum(1 for _ in self._ahead())


class MemoryStream:
    """A stream, its duplicate window, its open batches and its consumers."""

    def __init__(
        self,
        config: Mapping[str, Any],
        now_ns: Callable[[], int],
        on_stored: Callable[[str, Outgoing], None],
    ) -> None:
        """Make it empty.

        Args:
            config: its settings, as JetStream's JSON has them.
            now_ns: gives the time of the next record, in nanoseconds; no two are the same.
            on_stored: called with the stream's name and each message that is stored.
        """
        self.raw = dict(config)
        self.config = msgspec.convert(self.raw, StreamConfig)
        self.consumers: dict[str, MemoryConsumer] = {}
        self.messages: list[Stored] = []
        self._now_ns = now_ns
        self._on_stored = on_stored
        self._known: dict[str, tuple[int, int]] = {}  # by message id: stream sequence, when it was stored
        self._batches: dict[str, list[Outgoing]] = {}

    def time(self) -> str:
        """The broker's time now, as JetStream writes it."""
        return dt.datetime.fromtimestamp(self._now_ns() / 1e9, dt.UTC).isoformat()

    def captures(self, subject: str) -> bool:
        """Whether the stream captures messages on a subject."""
        return any(matches(pattern, subject) for pattern in self.config.subjects)

    def info(self) -> Answer:
        """As `STREAM.INFO` answers."""
        state = {
            "messages": len(self.messages),
            "bytes": sum(len(stored.message.payload) for stored in self.messages),
            "first_seq": min(1, len(self.messages)),
            "last_seq": len(self.messages),
            "num_subjects": len({stored.message.subject for stored in self.messages}),
        }
        return {"config": self.raw, "state": state}

    def publish(self, message: Outgoing) -> Answer | None:
        """Take a message, alone or as part of a batch. Returns the answer, or None when there is none."""
        if (batch := message.headers.get(BATCH_ID)) is not None:
            return self._publish_batch(batch, message)
        if (seq := self._duplicate(message)) is not None:
            return {"stream": self.config.name, "seq": seq, "duplicate": True}
        return self._take([message])

    def _publish_batch(self, batch: str, message: Outgoing) -> Answer | None:
        """Collect a batch, and store all of it or nothing when it is committed."""
        messages = self._batches.setdefault(batch, [])
        messages.append(message)
        if BATCH_COMMIT not in message.headers:
            return None
        del self._batches[batch]
        if [part.headers[BATCH_PLACE] for part in messages] != [str(n + 1) for n in range(len(messages))]:
            return error(400, 10176, "atomic publish batch is incomplete")
        if any(self._duplicate(part) is not None for part in messages):
            return error(400, 10201, "atomic publish batch contains duplicate message id")
        return self._take(messages)

    def _duplicate(self, message: Outgoing) -> int | None:
        """The sequence of the message that was stored with the same id within the window."""
        seq, stored_ns = self._known.get(message.headers.get(MESSAGE_ID, ""), (0, 0))
        return seq if seq and self._now_ns() - stored_ns < self.config.duplicate_window else None

    def _take(self, messages: list[Outgoing]) -> Answer:
        """Store messages, all of them or none."""
        if 0 <= self.config.max_msgs < len(self.messages) + len(messages):
            return error(400, 10077, "maximum messages exceeded")
        for message in messages:
            self.store(message)
        return {"stream": self.config.name, "seq": len(self.messages)}

    def store(self, message: Outgoing) -> None:
        """Add a message at the end and hand it to the consumers."""
        stored = Stored(seq=len(self.messages) + 1, message=message, stored_ns=self._now_ns())
        self.messages.append(stored)
        if MESSAGE_ID in message.headers:
            self._known[message.headers[MESSAGE_ID]] = (stored.seq, stored.stored_ns)
        for consumer in self.consumers.values():
            consumer.serve()
        self._on_stored(self.config.name, message)
