"""JetStream in memory: publishing, copies of streams and the API calls, in the words of a nats-server.

Pull requests end on the event loop's clock; nothing else here waits.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bus.transport.interface import Delivery, Outgoing
from bus.transport.memory_streams import Answer, MemoryConsumer, MemoryStream, PullRequest, error
from bus.transport.streams import ConsumerSpec, StreamSpec

API = "$JS.API."
MAX_BYTES = 2**62
Reply = tuple[str, Callable[[Delivery], None]]
"""The inbox that a pull request is served at, and what delivers to it."""

_NS = 1_000_000_000
_NO_RESPONDERS: Answer = {"error": {"code": 503, "description": "nothing on the bus answers there"}}
_NO_STREAM = error(404, 10059, "stream not found")
_NO_CONSUMER = error(404, 10014, "consumer not found")


class MemoryJetStream:
    """The streams of a broker in memory, and what is asked of them."""

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
        """Drop the pull requests of an inbox that nobody hears any more."""
        for consumer in (one for stream in self._streams.values() for one in stream.consumers.values()):
            consumer.waiting = deque(request for request in consumer.waiting if request.inbox != inbox)

    def take(self, message: Outgoing, reply: Reply = ("", lambda _: None)) -> Answer | None:
        """Take what was published. Returns the answer, or None when there is none."""
        if message.subject.startswith(API):
            return self._api(message.subject.removeprefix(API), message.payload, reply)
        for stream in self._streams.values():
            if stream.captures(message.subject):
                return stream.publish(message)
        return _NO_RESPONDERS

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
                names = sorted(self._streams)
                return {"total": len(names), "streams": names[body.get("offset", 0) :]}
            case ["STREAM", "CREATE", stream]:
                return self._create_stream(stream, body)
            case ["STREAM", verb, stream]:
                return self._stream_call(verb, stream)
            case ["CONSUMER", "NAMES", stream] if stream in self._streams:
                names = sorted(self._streams[stream].consumers)
                return {"total": len(names), "consumers": names[body.get("offset", 0) :]}
            case ["CONSUMER", "MSG", "NEXT", stream, consumer]:
                self._next(self._consumer(stream, consumer), body, reply)
            case ["CONSUMER", "CREATE", stream, consumer]:
                return self._create_consumer(stream, consumer, body["config"])
            case ["CONSUMER", verb, stream, consumer]:
                return self._consumer_call(verb, stream, consumer, body)
        return None

    def _stream_call(self, verb: str, name: str) -> Answer | None:
        stream = self._streams.get(name)
        if stream is None:
            return _NO_STREAM
        match verb:
            case "INFO":
                return stream.info()
            case "DELETE":
                del self._streams[name]
                for consumer in stream.consumers.values():
                    _end(consumer)
                return {"success": True}
        return None

    def _create_stream(self, name: str, config: Mapping[str, Any]) -> Answer:
        if name in self._streams:
            return error(400, 10058, "stream name already in use with a different configuration")
        stream = self._streams[name] = MemoryStream(config, self._stamp, self._copy)
        origins = [self._streams[source["name"]] for source in stream.config.sources]
        present = [stored for origin in origins for stored in origin.messages]
        for stored in sorted(present, key=lambda stored: stored.stored_ns):
            stream.store(stored.message)
        return stream.info()

    def _consumer_call(self, verb: str, stream: str, name: str, body: Mapping[str, Any]) -> Answer | None:
        consumer = self._consumer(stream, name)
        if consumer is None:
            if verb == "RESET":
                return None  # nobody listens there, and the server says nothing
            return _NO_CONSUMER if stream in self._streams else _NO_STREAM
        match verb:
            case "INFO":
                return consumer.info()
            case "RESET":
                consumer.reset(body.get("seq", 1))
                consumer.serve()
                return consumer.info()
            case "DELETE":
                del self._streams[stream].consumers[name]
                _end(consumer)
                return {"success": True}
        return None

    def _create_consumer(self, stream: str, name: str, config: Mapping[str, Any]) -> Answer:
        if stream not in self._streams:
            return _NO_STREAM
        consumer = self._streams[stream].consumers[name] = MemoryConsumer(self._streams[stream], name, config)
        return consumer.info()

    def _next(self, consumer: MemoryConsumer | None, body: Mapping[str, Any], reply: Reply) -> None:
        """Open a pull request; it ends when it is served, in time, or when its inbox is gone."""
        inbox, deliver = reply
        request = PullRequest(
            inbox=inbox, deliver=deliver, left=body["batch"], left_bytes=body.get("max_bytes") or MAX_BYTES
        )
        if consumer is None:
            request.say("503", "")
            return
        if len(consumer.waiting) >= consumer.config["max_waiting"]:
            request.say("409", "Exceeded MaxWaiting")
            return
        loop = asyncio.get_running_loop()
        consumer.waiting.append(request)
        loop.call_later(body["expires"] / _NS, _expire, consumer, request)
        if beat := body.get("idle_heartbeat"):
            loop.call_later(beat / _NS, _beat, consumer, request, beat / _NS)
        consumer.serve()

    def _consumer(self, stream: str, name: str) -> MemoryConsumer | None:
        return self._streams[stream].consumers.get(name) if stream in self._streams else None


def _expire(consumer: MemoryConsumer, request: PullRequest) -> None:
    if request in consumer.waiting:
        consumer.waiting.remove(request)
        request.say("408", "Request Timeout")


def _beat(consumer: MemoryConsumer, request: PullRequest, every_s: float) -> None:
    if request in consumer.waiting:
        request.say("100", "Idle Heartbeat")
        asyncio.get_running_loop().call_later(every_s, _beat, consumer, request, every_s)


def _end(consumer: MemoryConsumer) -> None:
    while consumer.waiting:
        consumer.waiting.popleft().say("409", "Consumer Deleted")
