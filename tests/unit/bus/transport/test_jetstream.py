"""A broker's answers are decoded with bounds, and a bad shape raises our error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from bus.errors import BrokerError
from bus.transport.connection import Connection
from bus.transport.jetstream import js_api, publish, stream_names
from bus.transport.memory import MemoryBroker
from bus.transport.states import ConsumerInfo, PubAck, StreamInfo

CONSUMER: dict[str, Any] = {"config": {}, "delivered": {"consumer_seq": 0, "stream_seq": 0}}
STREAM: dict[str, Any] = {
    "config": {},
    "state": {"messages": 0, "bytes": 0, "first_seq": 0, "last_seq": 0},
}

UNFIT = {
    "no position": (ConsumerInfo, {"config": {}}),
    "a position in words": (ConsumerInfo, {**CONSUMER, "delivered": {"consumer_seq": "1", "stream_seq": 1}}),
    "a negative count": (ConsumerInfo, {**CONSUMER, "num_pending": -1}),
    "a count beyond all bounds": (ConsumerInfo, {**CONSUMER, "num_pending": 2**64}),
    "settings that are none": (StreamInfo, {**STREAM, "config": []}),
    "no state": (StreamInfo, {"config": {}}),
    "a number that is a fraction": (PubAck, {"stream": "S", "seq": 1.5}),
    "filters that are a number": (ConsumerInfo, {**CONSUMER, "config": {"filter_subjects": 5}}),
    "a filter that is a number": (ConsumerInfo, {**CONSUMER, "config": {"filter_subject": 5}}),
    "a filter in a list in a list": (ConsumerInfo, {**CONSUMER, "config": {"filter_subjects": [["a"]]}}),
    "a long filter": (ConsumerInfo, {**CONSUMER, "config": {"filter_subject": "a" * 1025}}),
    "a room in words": (StreamInfo, {**STREAM, "config": {"max_bytes": "much"}}),
    "sources without a name": (StreamInfo, {**STREAM, "config": {"sources": [{}]}}),
    "sources that are none": (StreamInfo, {**STREAM, "config": {"sources": 5}}),
    "a long name": (PubAck, {"stream": "S" * 257, "seq": 1}),
}


@pytest.mark.parametrize(("shape", "answer"), UNFIT.values(), ids=UNFIT.keys())
def test_an_answer_beyond_its_bounds_is_none(shape: type[msgspec.Struct], answer: dict[str, Any]) -> None:
    """No part of it is used."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(answer, shape)


@pytest.mark.parametrize(
    ("config", "filters"),
    [
        ({"filter_subjects": ["a.>", "b"]}, {"a.>", "b"}),
        ({"filter_subject": "a"}, {"a"}),
        ({"filter_subjects": [], "filter_subject": "a"}, {"a"}),
        ({}, {">"}),
    ],
)
def test_a_consumer_tells_what_it_delivers(config: dict[str, Any], filters: set[str]) -> None:
    """One subject, several, or all; the server has a field for each."""
    assert msgspec.convert({**CONSUMER, "config": config}, ConsumerInfo).filters == filters


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    """Somebody who may do everything, at a broker without streams."""
    async with Connection.open(MemoryBroker().let_in("xa-csirt")) as made:
        yield made


async def test_where_no_stream_listens_it_is_said(connection: Connection) -> None:
    """A publish that no stream takes has the reason `no-stream`."""
    with pytest.raises(BrokerError) as refused:
        await publish(connection, "nothing.there", b"", {})
    assert refused.value.reason == "no-stream"


async def test_what_is_no_acknowledgement_is_refused(connection: Connection) -> None:
    """An answer of another shape does not pass for one."""
    with pytest.raises(BrokerError, match="not an acknowledgement"):
        await publish(connection, "$JS.API.STREAM.NAMES", b"", {})


async def test_a_stream_is_made_once(connection: Connection) -> None:
    """One that was made is listed, and another of its name is refused."""
    await js_api(connection, "STREAM.CREATE.S", {"name": "S", "subjects": ["s.>"]})
    assert await stream_names(connection) == ["S"]
    with pytest.raises(BrokerError):
        await js_api(connection, "STREAM.CREATE.S", {"name": "S", "subjects": ["t.>"]})
