"""Reading a durable pull consumer, and going on at a cursor, on every transport alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bus.errors import BrokerError, UnreachableError
from bus.transport import pull_consumer
from bus.transport.connection import Connection
from bus.transport.cursor import Cursor
from bus.transport.jetstream import consumer_info, js_api, publish_batch, stream_info
from bus.transport.pull_consumer import PullConsumer, Received, cursor_at, read_back
from bus.transport.streams import PROVISIONER, PULL_MESSAGES
from schemas.codec import digest
from tests.support.waiting import longest
from tests.transport_suite.conftest import Broker
from tests.transport_suite.test_jetstream import numbered

STREAM, CONSUMER = "XA-CSIRT_ACTUAL", "xa-csirt_own"


@pytest.fixture
async def author(broker: Broker) -> AsyncIterator[Connection]:
    """Somebody who reads what it has said."""
    async with Connection.open(broker.endpoint("xa-csirt")) as connection:
        await connection.until_connected(longest())
        yield connection


EACH = 100
"""So many messages are published, and taken, at once."""


async def taken(pull: PullConsumer, count: int) -> list[Received]:
    """So many messages, however they come."""
    found: list[Received] = []
    while len(found) < count:
        found += await pull.next(count - len(found), 30)
    return found


async def cursor_after(author: Connection, seq: int) -> Cursor:
    """The cursor of who has read the stream up to a number."""
    async with PullConsumer.attach(author, STREAM, CONSUMER, seq) as pull:
        (last,) = await pull.next(1, 30)
        return cursor_at(last, digest(last.payload))


async def made_anew(broker: Broker) -> None:
    """The stream and its consumer, empty, under the same names."""
    async with Connection.open(broker.endpoint(PROVISIONER)) as owner:
        await owner.until_connected(longest())
        stream = (await stream_info(owner, STREAM)).config
        consumer = (await js_api(owner, f"CONSUMER.INFO.{STREAM}.{CONSUMER}"))["config"]
        await js_api(owner, f"STREAM.DELETE.{STREAM}")
        await js_api(owner, f"STREAM.CREATE.{STREAM}", stream)
        body = {"stream_name": STREAM, "config": consumer}
        await js_api(owner, f"CONSUMER.CREATE.{STREAM}.{CONSUMER}", body)


async def test_reading_begins_where_it_is_set(author: Connection) -> None:
    """In order, each once, counted from 1, with how many are left; and what is published meanwhile comes too."""
    await publish_batch(author, numbered(5))
    async with PullConsumer.attach(author, STREAM, CONSUMER, 3) as pull:
        batch = await taken(pull, 3)
        assert [each.payload for each in batch] == [b"3", b"4", b"5"]
        assert [each.stream_seq for each in batch] == [3, 4, 5]
        assert [each.consumer_seq for each in batch] == [1, 2, 3]
        assert [each.pending for each in batch] == [2, 1, 0]
        await publish_batch(author, numbered(2, first=6))
        later = await taken(pull, 2)
        assert [each.payload for each in later] == [b"6", b"7"]
        assert dict(later[0].headers)["Nats-Msg-Id"] == "n6"


async def test_the_same_stream_is_gone_on_with(author: Connection) -> None:
    """What comes after the cursor, and whether that was all."""
    await publish_batch(author, numbered(5))
    for seq, after, at_end in ((5, [], True), (3, [b"4", b"5"], False)):
        cursor = await cursor_after(author, seq)
        async with PullConsumer.attach(author, STREAM, CONSUMER, seq) as pull:
            resumed = await pull.resume(cursor, 10, 30)
            assert resumed is not None
            follows = [*resumed.after, *await taken(pull, len(after) - len(resumed.after))]
        assert ([each.payload for each in follows], resumed.at_end) == (after, at_end)


async def test_without_a_cursor_any_stream_will_do(author: Connection) -> None:
    """Empty it is at its end; otherwise it is not."""
    for held, at_end in ((0, True), (2, False)):
        if held:
            await publish_batch(author, numbered(held))
        async with PullConsumer.attach(author, STREAM, CONSUMER, 1) as pull:
            resumed = await pull.resume(Cursor(), 10, 30)
        assert resumed is not None
        assert (resumed.after, resumed.at_end) == ([], at_end)


@pytest.mark.parametrize("count", [0, 1, 5], ids=["empty", "shorter", "as long"])
async def test_a_stream_made_anew_is_told_from_the_one_that_was_read(
    broker: Broker, author: Connection, count: int
) -> None:
    """Also when the very same messages stand in it again."""
    await publish_batch(author, numbered(5))
    cursor = await cursor_after(author, 3)
    await made_anew(broker)
    if count:
        await publish_batch(author, numbered(count))
    async with PullConsumer.attach(author, STREAM, CONSUMER, cursor.seq) as pull:
        # What is there comes; of what is not there a short silence tells as much as a long one.
        assert await pull.resume(cursor, 10, 30 if count >= cursor.seq else 0.3) is None


async def test_a_shorter_stream_is_read_back_whole(broker: Broker, author: Connection) -> None:
    """An author that asks for what follows gets everything where less stands than it has seen."""
    await publish_batch(author, numbered(5))
    assert [len(batch) async for batch in read_back(author, STREAM, CONSUMER, 4)] == [2]
    await made_anew(broker)
    await publish_batch(author, numbered(2))
    found = [each.payload async for batch in read_back(author, STREAM, CONSUMER, 6) for each in batch]
    assert found == [b"1", b"2"]


async def test_a_lost_link_is_no_silence(broker: Broker, author: Connection) -> None:
    """A reader is told that its broker has gone, rather than that nothing came."""
    async with PullConsumer.attach(author, STREAM, CONSUMER, 1) as pull:
        assert await pull.next(1, 0.1) == []
        await broker.stop()
        with pytest.raises(UnreachableError):
            await pull.next(1, 30)
    await broker.start()


async def test_a_consumer_that_is_taken_away_refuses(broker: Broker, author: Connection) -> None:
    """A reader at it is told so."""
    async with (
        PullConsumer.attach(author, STREAM, CONSUMER, 1) as pull,
        Connection.open(broker.endpoint(PROVISIONER)) as owner,
    ):
        await owner.until_connected(longest())
        assert await pull.next(1, 0.1) == []
        await js_api(owner, f"CONSUMER.DELETE.{STREAM}.{CONSUMER}")
        with pytest.raises(BrokerError):
            await pull.next(1, 30)


@pytest.mark.short_faults
async def test_a_backlog_waits_at_the_broker(author: Connection) -> None:
    """A reader holds no more than a request and a half, and has one open, however the server says that a request has ended."""
    count = 4 * PULL_MESSAGES
    for first in range(1, count + 1, EACH):
        await publish_batch(author, numbered(EACH, first))
    most = 0
    async with PullConsumer.attach(author, STREAM, CONSUMER, 1) as pull:
        for _ in range(count // EACH):
            await taken(pull, EACH)
            # Nothing more was asked for than is answered by now: the answer to a later call comes after it.
            await consumer_info(author, STREAM, CONSUMER)
            await asyncio.sleep(0)
            most = max(most, pull.waiting)
        assert await pull.next(1, 0.1) == []
    assert most <= PULL_MESSAGES * 3 // 2 + 2  # with the words that end a request
    assert pull.reply.rpartition(".")[2] == str(count // PULL_MESSAGES + 1)


async def test_more_than_was_asked_for_is_not_kept(
    author: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that gives and gives fills no memory: the reader attaches anew, and goes on where it was."""
    await publish_batch(author, numbered(20))
    monkeypatch.setattr(pull_consumer, "MOST_QUEUED_BYTES", 100)
    async with PullConsumer.attach(author, STREAM, CONSUMER, 1) as pull:
        with pytest.raises(UnreachableError, match="than was requested"):
            await taken(pull, 21)
    monkeypatch.undo()
    async with PullConsumer.attach(author, STREAM, CONSUMER, 1) as pull:
        assert len(await taken(pull, 20)) == 20
