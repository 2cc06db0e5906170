"""The streams and pull consumers of a broker in memory: what a nats-server 2.15 keeps and answers, without I/O.

Answers have the shape of JetStream's JSON; refusals carry its error codes. What is not here, mirrors, acknowledgements
of single deliveries and limits by age, no room of this project uses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from bus.transport.interface import Delivery
from schemas.subject import matches

MESSAGE_ID = "Nats-Msg-Id"
BATCH_ID, BATCH_PLACE, BATCH_COMMIT = "Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"
WINDOW_NS = 120 * 1_000_000_000  # the duplicate window of a stream that names none
MAX_BATCH = 1000
RECORD_BYTES = 34  # what the file store adds to subject, headers and payload
_HEADER_FRAME_BYTES = 12

Answer = dict[str, Any]


def error(code: int, err_code: int, description: str) -> Answer:
    """A refusal, as JetStream words it."""
    return {"error": {"code": code, "err_code": err_code, "description": description}}


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a stream."""

    seq: int
    subject: str
    headers: tuple[tuple[str, str], ...]
    payload: bytes
    stored_ns: int

    @property
    def size(self) -> int:
        """The bytes it takes up in a stream."""
        lines = sum(len(name) + len(value) + 4 for name, value in self.headers)
        return (
            RECORD_BYTES + len(self.subject) + len(self.payload) + lines + _HEADER_FRAME_BYTES * bool(lines)
        )


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a stream that are followed; a limit below 0 is none."""

    name: str
    subjects: tuple[str, ...] = ()
    sources: tuple[dict[str, Any], ...] = ()
    discard: str = "old"
    duplicate_window: int = 0
    allow_atomic: bool = False
    deny_purge: bool = False
    max_bytes: int = -1
    max_msgs: int = -1
    max_msg_size: int = -1
    max_msgs_per_subject: int = -1


class PullRequest(msgspec.Struct, kw_only=True):
    """One open request for messages; `left` and `left_bytes` shrink as it is served."""

    inbox: str
    deliver: Callable[[Delivery], None]
    left: int
    left_bytes: int

    def say(self, status: str, description: str) -> None:
        """Deliver a word of the server itself."""
        self.deliver(
            Delivery(subject=self.inbox, reply="", payload=b"", status=status, description=description)
        )


class MemoryConsumer:
    """A durable pull consumer without acknowledgements."""

    def __init__(self, stream: MemoryStream, name: str, config: Mapping[str, Any]) -> None:
        self.config = {"max_waiting": 512, **config}
        self.waiting: deque[PullRequest] = deque()
        self._stream = stream
        self._name = name
        self._filters = tuple(
            self.config.get("filter_subjects") or [self.config.get("filter_subject") or ">"]
        )
        self.reset(1)
        self._stream_seq = max(0, stream.first_seq - 1)

    def reset(self, seq: int) -> None:
        """Deliver from a stream sequence on, and count from 1 again. Requests that wait stay."""
        self._stream_seq, self._consumer_seq = seq - 1, 0
        self._pending = sum(1 for _ in self._ahead())

    def wants(self, subject: str) -> bool:
        """Whether it delivers a subject."""
        return any(matches(pattern, subject) for pattern in self._filters)

    def info(self) -> Answer:
        """As `CONSUMER.INFO` answers."""
        return {
            "stream_name": self._stream.config.name,
            "name": self._name,
            "config": self.config,
            "delivered": {"consumer_seq": self._consumer_seq, "stream_seq": self._stream_seq},
            "num_pending": self._pending,
            "num_waiting": len(self.waiting),
        }

    def on_stored(self, message: Stored) -> None:
        """Take note of a new message of the stream, and deliver it when somebody waits."""
        if message.seq > self._stream_seq and self.wants(message.subject):
            self._pending += 1
            self.serve()

    def on_removed(self) -> None:
        """Count anew what is ahead: messages have gone."""
        self._pending = sum(1 for _ in self._ahead())

    def serve(self) -> None:
        """Deliver to those that wait, the first come first, what there is."""
        ahead = self._ahead()
        while self.waiting and (message := next(ahead, None)) is not None:
            while self.waiting and len(message.payload) > self.waiting[0].left_bytes:
                self.waiting.popleft().say("409", "Message Size Exceeds MaxBytes")
            if not self.waiting:
                return
            request = self.waiting[0]
            self._stream_seq, self._consumer_seq = message.seq, self._consumer_seq + 1
            self._pending -= 1
            numbers = f"1.{message.seq}.{self._consumer_seq}.{message.stored_ns}.{self._pending}"
            request.left -= 1
            request.left_bytes -= len(message.payload)
            if not request.left:
                self.waiting.popleft()
            request.deliver(
                Delivery(
                    subject=message.subject,
                    reply=f"$JS.ACK.{self._stream.config.name}.{self._name}.{numbers}",
                    payload=message.payload,
                    headers=message.headers,
                )
            )

    def _ahead(self) -> Iterator[Stored]:
        return (each for each in self._stream.messages_from(self._stream_seq + 1) if self.wants(each.subject))


class MemoryStream:
    """A stream, its duplicate window, the batches on their way to it, and its consumers."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.raw = dict(config)
        self.config = msgspec.convert(self.raw, StreamConfig)
        self.consumers: dict[str, MemoryConsumer] = {}
        self.last_seq = 0
        self._messages: dict[int, Stored] = {}
        self._bytes = 0
        self._known: dict[str, tuple[int, int]] = {}  # by message id: stream sequence, when it was stored
        self._batches: dict[str, list[tuple[str, dict[str, str], bytes]]] = {}
        self._window_ns = self.config.duplicate_window or (WINDOW_NS if self.config.subjects else 0)

    @property
    def first_seq(self) -> int:
        """The sequence of the first message there, or of the next one."""
        return next(iter(self._messages), self.last_seq + 1)

    def messages_from(self, seq: int) -> Iterator[Stored]:
        """The messages from a sequence on, in order."""
        places = range(max(seq, self.first_seq), self.last_seq + 1)
        return (self._messages[place] for place in places if place in self._messages)

    def captures(self, subject: str) -> bool:
        """Whether what is published on a subject comes here."""
        return any(matches(pattern, subject) for pattern in self.config.subjects)

    def info(self) -> Answer:
        """As `STREAM.INFO` answers."""
        state = {
            "messages": len(self._messages),
            "bytes": self._bytes,
            "first_seq": self.first_seq if self.last_seq else 0,
            "last_seq": self.last_seq,
            "num_subjects": len({message.subject for message in self._messages.values()}),
            "consumer_count": len(self.consumers),
        }
        return {"config": self.raw, "state": state}

    def publish(
        self, subject: str, headers: Mapping[str, str], payload: bytes, now_ns: int
    ) -> tuple[Answer | None, list[Stored]]:
        """Take a message, alone or as part of a batch. Returns the answer, None for none, and what was stored."""
        if (batch := headers.get(BATCH_ID)) is not None:
            return self._publish_batch(batch, subject, headers, payload, now_ns)
        if (known := self._duplicate(headers, now_ns)) is not None:
            return {"stream": self.config.name, "seq": known, "duplicate": True}, []
        if (refusal := self._refusal([(subject, dict(headers), payload)])) is not None:
            return refusal, []
        stored = self.store(subject, tuple(headers.items()), payload, now_ns)
        return {"stream": self.config.name, "seq": stored.seq}, [stored]

    def _publish_batch(
        self, batch: str, subject: str, headers: Mapping[str, str], payload: bytes, now_ns: int
    ) -> tuple[Answer | None, list[Stored]]:
        """Collect a batch, and store all of it or nothing when it is committed."""
        messages = self._batches.setdefault(batch, [])
        messages.append((subject, dict(headers), payload))
        if BATCH_COMMIT not in headers:
            return None, []
        del self._batches[batch]
        if not self.config.allow_atomic:
            return error(400, 10174, "atomic publish is disabled"), []
        if [each[BATCH_PLACE] for _, each, _ in messages] != [str(n + 1) for n in range(len(messages))]:
            return error(400, 10176, "atomic publish batch is incomplete"), []
        if len(messages) > MAX_BATCH:
            return error(400, 10199, "atomic publish batch is too large: 1000"), []
        ids = [each[MESSAGE_ID] for _, each, _ in messages if MESSAGE_ID in each]
        if len(set(ids)) < len(ids) or any(
            self._duplicate(each, now_ns) is not None for _, each, _ in messages
        ):
            return error(400, 10201, "atomic publish batch contains duplicate message id"), []
        if (refusal := self._refusal(messages)) is not None:
            return refusal, []
        stored = [self.store(where, tuple(each.items()), body, now_ns) for where, each, body in messages]
        answer = {"stream": self.config.name, "seq": self.last_seq, "batch": batch, "count": len(stored)}
        return answer, stored

    def _duplicate(self, headers: Mapping[str, str], now_ns: int) -> int | None:
        seq, stored_ns = self._known.get(headers.get(MESSAGE_ID, ""), (0, 0))
        return seq if seq and now_ns - stored_ns < self._window_ns else None

    def _refusal(self, messages: list[tuple[str, dict[str, str], bytes]]) -> Answer | None:
        """Why messages are not taken; None when they are."""
        config = self.config
        made = [
            Stored(seq=0, subject=subject, headers=tuple(headers.items()), payload=payload, stored_ns=0)
            for subject, headers, payload in messages
        ]
        if 0 <= config.max_msg_size < max(len(each.payload) for each in made):
            return error(400, 10054, "message size exceeds maximum allowed")
        if config.discard == "new":
            if 0 <= config.max_msgs < len(self._messages) + len(made):
                return error(400, 10077, "maximum messages exceeded")
            if 0 <= config.max_bytes < self._bytes + sum(each.size for each in made):
                return error(400, 10077, "maximum bytes exceeded")
        return None

    def store(
        self, subject: str, headers: tuple[tuple[str, str], ...], payload: bytes, now_ns: int
    ) -> Stored:
        """Add a message at the end and hand it to the consumers."""
        self.last_seq += 1
        message = Stored(
            seq=self.last_seq, subject=subject, headers=headers, payload=payload, stored_ns=now_ns
        )
        self._messages[message.seq] = message
        self._bytes += message.size
        if self._window_ns and (known := dict(headers).get(MESSAGE_ID)) is not None:
            self._known[known] = (message.seq, now_ns)
        self._trim(subject)
        for consumer in self.consumers.values():
            consumer.on_stored(message)
        return message

    def _trim(self, subject: str) -> None:
        """Remove the oldest messages that are beyond a limit."""
        limit = self.config.max_msgs_per_subject
        same = [seq for seq, each in self._messages.items() if each.subject == subject] if limit >= 0 else []
        gone = same[: len(same) - limit] if limit >= 0 else []
        left = [seq for seq in self._messages if seq not in gone] if self.config.max_msgs >= 0 else []
        gone += left[: max(0, len(left) - self.config.max_msgs)]
        self._remove(gone)
        while 0 <= self.config.max_bytes < self._bytes:
            self._remove([self.first_seq])

    def purge(self) -> int:
        """Remove all messages; sequences go on. Returns how many there were."""
        gone = list(self._messages)
        self._remove(gone)
        return len(gone)

    def _remove(self, gone: list[int]) -> None:
        for seq in gone:
            self._bytes -= self._messages.pop(seq).size
        if gone:
            for consumer in self.consumers.values():
                consumer.on_removed()
