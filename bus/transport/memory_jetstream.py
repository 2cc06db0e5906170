"""JetStream in memory: publishing, copies of streams and the API calls, with the answers of a nats-server.

The heartbeats of pull requests use the event loop's clock; nothing else here waits.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bus.transport.interface import NO_ANSWER, Delivery, Outgoing
from bus.transport.memory_streams import Answer, MemoryConsumer, MemoryStream, PullRequest, error
from bus.transport.streams import ConsumerSpec, StreamSpec
from schemas.subject import matches

API = "$JS.API."
Reply = tuple[str, Callable[[Delivery], None]]
"""The inbox of a pull request, and the function that delivers to it."""

_NS = 1_000_000_000


class MemoryJetStream:
    """The streams of a broker in memory, and their API."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        """`now_ns` is the time that messages are stored with, in nanoseconds."""
        self._now_ns = now_ns
        self._last_ns = 0
        self._streams: dict[str, MemoryStream] = {}

    def provision(self, streams: Iterable[StreamSpec], consumers: Iterable[ConsumerSpec]) -> None:
        """Make streams and consumers, origins before the streams that source them."""
        for stream in streams:
            self._create_stream(stream.name, stream.config())
        for consumer in consumers:
            self._create_consumer(consumer.stream, consumer.name, consumer.config())

    def withdraw(self, inbox: str) -> None:
        """Drop the pull requests of an inbox, or of a pattern of inboxes, without a listener."""
        for consumer in (one for stream in self._streams.values() for one in stream.consumers.values()):
            consumer.waiting = deque(each for each in consumer.waiting if not matches(inbox, each.inbox))

    def take(self, message: Outgoing, reply: Reply = ("", lambda _: None)) -> Answer | None:
        """Take a published message. Returns the answer, or None if there is none."""
        if message.subject.startswith(API):
            return self._api(message.subject.removeprefix(API), message.payload, reply)
        for stream in self._streams.values():
            if stream.captures(message.subject):
                return stream.publish(message)
        return NO_ANSWER

    def _stamp(self) -> int:
        """The time of the next record; no two have the same."""
        self._last_ns = max(self._last_ns + 1, self._now_ns())
        return self._last_ns

    def _copy(self, origin: str, message: Outgoing) -> None:
        """Store a message of one stream in every stream that sources it."""
        for stream in self._streams.values():
            if any(source["name"] == origin for source in stream.config.sources):
                stream.store(message)

    # -- the JetStream API ------------------------------------------------------------------------------------------

    def _api(self, call: str, payload: bytes, reply: Reply) -> Answer | None:
        body: dict[str, Any] = json.loads(payload) if payload else {}
        match call.split("."):
            case ["STREAM", "NAMES"]:
                return {"total": len(self._streams), "streams": sorted(self._streams)}
            case ["STREAM", "CREATE", name]:
                return self._create_stream(name, body)
            case ["STREAM", "INFO", name] if name in self._streams:
                return self._streams[name].info()
            case ["STREAM", "DELETE", name] if name in self._streams:
                for consumer in self._streams.pop(name).consumers.values():
                    consumer.end()
                return {"success": True}
            case ["CONSUMER", "NAMES", name] if name in self._streams:
                consumers = self._streams[name].consumers
                return {"total": len(consumers), "consumers": sorted(consumers)}
            case ["CONSUMER", "CREATE", stream, name] if stream in self._streams:
                return self._create_consumer(stream, name, body["config"])
            case ["CONSUMER", *verb, stream, name] if stream in self._streams:
                return self._consumer_call(".".join(verb), self._streams[stream], name, body, reply)
        return error(404, 10059, "stream not found")

    def _create_stream(self, name: str, config: Mapping[str, Any]) -> Answer:
        if name in self._streams:
            return error(400, 10058, "stream name already in use with a different configuration")
        stream = self._streams[name] = MemoryStream(config, self._stamp, self._copy)
        origins = [self._streams[source["name"]] for source in stream.config.sources]
        present = [stored for origin in origins for stored in origin.messages]
        for stored in sorted(present, key=lambda stored: stored.stored_ns):
            stream.store(stored.message)
        return stream.info()

    def _create_consumer(self, stream: str, name: str, config: Mapping[str, Any]) -> Answer:
        consumer = self._streams[stream].consumers[name] = MemoryConsumer(self._streams[stream], name, config)
        return consumer.info()

    def _consumer_call(
        self, verb: str, stream: MemoryStream, name: str, body: Mapping[str, Any], reply: Reply
    ) -> Answer | None:
        consumer = stream.consumers.get(name)
        if consumer is None:
            # The server sends nothing to an inbox without a listener.
            return None if verb in ("RESET", "MSG.NEXT") else error(404, 10014, "consumer not found")
        match verb:
            case "RESET":
                consumer.reset(body["seq"])
                consumer.serve()
            case "MSG.NEXT":
                inbox, deliver = reply
                request = PullRequest(inbox=inbox, deliver=deliver, left=body["batch"])
                consumer.waiting.append(request)
                _beat_later(consumer, request, body["idle_heartbeat"] / _NS)
                consumer.serve()
            case "DELETE":
                stream.consumers.pop(name).end()
        return consumer.info()


def _beat_later(consumer: MemoryConsumer, request: PullRequest, every_s: float) -> None:
    """Send heartbeats for a pull request while it is open."""

    def beat() -> None:
        if request in consumer.waiting:
            request.say("100", "Idle Heartbeat")
            _beat_later(consumer, request, every_s)

    asyncio.get_running_loop().call_later(every_s, beat)
