"""Speaks to the broker: connections, streams, consumers. The only room that imports nats."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.transport.connection import NatsConnection
    from bus.transport.cursor import Cursor
    from bus.transport.endpoint import Endpoint
    from bus.transport.interface import NOT_YET, Connection, Delivery, Outgoing
    from bus.transport.jetstream import (
        BATCH,
        BATCH_FROM,
        CONSUMER_NOT_FOUND,
        STREAM_NOT_FOUND,
        consumer_info,
        consumer_names,
        js_api,
        publish,
        publish_burst,
        stream_differs,
        stream_info,
        stream_names,
    )
    from bus.transport.memory import MemoryBroker
    from bus.transport.permissions import Permissions, permissions_of, reading
    from bus.transport.pull_consumer import PullConsumer, Received, cursor_at, read_back
    from bus.transport.raw import RawHeaders, block_of
    from bus.transport.server_time import ClockOffset, clock_offset, offset_of
    from bus.transport.states import ConsumerInfo, PubAck, StreamInfo
    from bus.transport.streams import (
        HEADS_EACH,
        MARGIN_S,
        MAX_AGE_S,
        MAX_MESSAGE_BYTES,
        MAX_STATEMENT_BYTES,
        PROVISIONER,
        PULL_BYTES,
        STATEMENTS_ROOM_BYTES,
        STATEMENTS_STREAM,
        TRUST_STREAM,
        ConsumerSpec,
        StreamSpec,
        beat_channels,
        consumer_differs,
        consumers,
        country_of,
        inbox_prefix,
        is_an_authoritys,
        kept_s,
        own_heads,
        own_streams,
        publish_channels,
        reader_streams,
        receipt_streams,
        speakers,
        status_of,
        streams_of,
        trust_consumers,
        world_stream,
    )
    from bus.transport.tls import Tls, explain
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "BATCH",
    "BATCH_FROM",
    "CONSUMER_NOT_FOUND",
    "HEADS_EACH",
    "MARGIN_S",
    "MAX_AGE_S",
    "MAX_MESSAGE_BYTES",
    "MAX_STATEMENT_BYTES",
    "NOT_YET",
    "PROVISIONER",
    "PULL_BYTES",
    "STATEMENTS_ROOM_BYTES",
    "STATEMENTS_STREAM",
    "STREAM_NOT_FOUND",
    "TRUST_STREAM",
    "ClockOffset",
    "Connection",
    "ConsumerInfo",
    "ConsumerSpec",
    "Cursor",
    "Delivery",
    "Endpoint",
    "MemoryBroker",
    "NatsConnection",
    "Outgoing",
    "Permissions",
    "PubAck",
    "PullConsumer",
    "RawHeaders",
    "Received",
    "StreamInfo",
    "StreamSpec",
    "Tls",
    "beat_channels",
    "block_of",
    "clock_offset",
    "consumer_differs",
    "consumer_info",
    "consumer_names",
    "consumers",
    "country_of",
    "cursor_at",
    "explain",
    "inbox_prefix",
    "is_an_authoritys",
    "js_api",
    "kept_s",
    "offset_of",
    "own_heads",
    "own_streams",
    "permissions_of",
    "publish",
    "publish_burst",
    "publish_channels",
    "read_back",
    "reader_streams",
    "reading",
    "receipt_streams",
    "speakers",
    "status_of",
    "stream_differs",
    "stream_info",
    "stream_names",
    "streams_of",
    "trust_consumers",
    "world_stream",
]
