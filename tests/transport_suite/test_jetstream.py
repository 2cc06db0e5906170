"""Publishing, batches, API calls and permissions, on every transport alike."""

from __future__ import annotations

import pytest

from bus.errors import BrokerError, DeniedError, UnreachableError
from bus.transport.connection import Connection
from bus.transport.interface import Outgoing
from bus.transport.jetstream import (
    BATCH,
    BATCH_FROM,
    CONSUMER_NOT_FOUND,
    STREAM_NOT_FOUND,
    consumer_info,
    consumer_names,
    js_api,
    publish,
    publish_batch,
    publish_burst,
    stream_info,
    stream_names,
)
from bus.transport.streams import MAX_MESSAGE_BYTES, PROVISIONER
from tests.support.waiting import eventually, longest
from tests.transport_suite.conftest import Broker

SUBJECT = "tocsin.v1.actual.green.community.xa.csirt.cyber-threat.x"
FOREIGN = "tocsin.v1.actual.green.community.xb.csirt.cyber-threat.x"


def numbered(count: int, first: int = 1) -> list[Outgoing]:
    """Messages that tell themselves apart."""
    return [
        Outgoing(subject=SUBJECT, payload=b"%d" % n, headers={"Nats-Msg-Id": f"n{n}"})
        for n in range(first, first + count)
    ]


async def test_a_message_is_acknowledged_with_its_number(broker: Broker) -> None:
    """Numbers count up from 1, and what has the same message id again is called a duplicate with the first number."""
    async with Connection.open(broker.endpoint("xa-csirt")) as author:
        await author.until_connected(longest())
        acks = [
            await publish(author, each.subject, each.payload, each.headers, longest()) for each in numbered(3)
        ]
        assert [(ack.stream, ack.seq, ack.duplicate) for ack in acks] == [
            ("XA-CSIRT_ACTUAL", n, False) for n in (1, 2, 3)
        ]
        again = await publish(author, SUBJECT, b"other bytes", {"Nats-Msg-Id": "n2"}, longest())
        assert (again.seq, again.duplicate) == (2, True)


async def test_a_batch_is_stored_whole_or_not_at_all(broker: Broker) -> None:
    """In order under following numbers; one used message id keeps out the others, and alone they are taken."""
    async with (
        Connection.open(broker.endpoint("xa-csirt")) as author,
        Connection.open(broker.endpoint(PROVISIONER)) as owner,
    ):
        await author.until_connected(longest())
        await owner.until_connected(longest())
        assert [ack.seq for ack in await publish_batch(author, numbered(3))] == [1, 2, 3]
        with pytest.raises(BrokerError) as refused:
            await publish_batch(author, numbered(3, first=3))
        assert refused.value.code == 10201
        assert (await stream_info(owner, "XA-CSIRT_ACTUAL")).state.messages == 3
        assert [ack.seq for ack in await publish_batch(author, numbered(2, first=4))] == [4, 5]


async def test_a_burst_goes_as_batches_and_leaves_the_rest(broker: Broker) -> None:
    """What is too little for a batch is left; so is what follows a message that is not wanted."""
    async with Connection.open(broker.endpoint("xa-csirt")) as author:
        await author.until_connected(longest())
        burst = await publish_burst(author, numbered(BATCH + BATCH_FROM - 1))
        assert ([ack.seq for ack in burst.acks], burst.failure) == (list(range(1, BATCH + 1)), None)
        second = await publish_burst(author, numbered(BATCH_FROM, first=BATCH))
        assert second.acks == []
        assert isinstance(second.failure, BrokerError)


async def test_what_is_too_large_is_refused_and_the_connection_lasts(broker: Broker) -> None:
    """Alone and in a batch; nothing of either is stored."""
    large = Outgoing(subject=SUBJECT, payload=b"x" * MAX_MESSAGE_BYTES, headers={"Nats-Msg-Id": "large"})
    async with Connection.open(broker.endpoint("xa-csirt")) as author:
        await author.until_connected(longest())
        with pytest.raises(BrokerError) as alone:
            await publish(author, large.subject, large.payload, large.headers)
        with pytest.raises(BrokerError) as together:
            await publish_batch(author, [large, *numbered(2)])
        assert (alone.value.reason, together.value.reason) == ("too-large", "too-large")
        assert (await publish(author, SUBJECT, b"small", {}, longest())).seq == 1
        assert author.epoch == 1


async def test_a_forbidden_publish_is_told_to_its_sender(broker: Broker) -> None:
    """To who waits for it, and to who asked to be told; nothing is stored."""
    denied: list[str] = []
    async with (
        Connection.open(broker.endpoint("xa-csirt"), on_denied=denied.append) as author,
        Connection.open(broker.endpoint(PROVISIONER)) as owner,
    ):
        await author.until_connected(longest())
        await owner.until_connected(longest())
        with pytest.raises(DeniedError):
            await publish(author, FOREIGN, b"not mine", {}, longest())
        assert denied == [FOREIGN]
        with pytest.raises(BrokerError) as refused:
            await js_api(author, "STREAM.INFO.XA-CSIRT_ACTUAL")
        assert refused.value.reason == "refused-by-broker"
        assert (await stream_info(owner, "XB-CSIRT_ACTUAL")).state.messages == 0


async def test_a_full_stream_says_so(broker: Broker) -> None:
    """Reason `hub-full`; what it has stays."""
    async with (
        Connection.open(broker.endpoint("xa-csirt")) as author,
        Connection.open(broker.endpoint(PROVISIONER)) as owner,
    ):
        await author.until_connected(longest())
        await owner.until_connected(longest())
        config = (await stream_info(owner, "XA-CSIRT_ACTUAL")).config
        await js_api(owner, "STREAM.DELETE.XA-CSIRT_ACTUAL")
        await js_api(owner, "STREAM.CREATE.XA-CSIRT_ACTUAL", {**config, "max_msgs": 2})
        for each in numbered(2):
            await publish(author, each.subject, each.payload, each.headers, longest())
        with pytest.raises(BrokerError) as refused:
            await publish(author, SUBJECT, b"one too many", {}, longest())
        assert refused.value.reason == "hub-full"
        state = (await stream_info(owner, "XA-CSIRT_ACTUAL")).state
        assert (state.messages, state.first_seq, state.last_seq) == (2, 1, 2)


async def test_what_stands_is_told_in_the_same_words(broker: Broker) -> None:
    """How streams and consumers stand, their names, and the codes for those that are not there."""
    async with (
        Connection.open(broker.endpoint("xa-csirt")) as author,
        Connection.open(broker.endpoint(PROVISIONER)) as owner,
    ):
        await author.until_connected(longest())
        await owner.until_connected(longest())
        await publish_batch(author, numbered(4))
        stream = await stream_info(owner, "XA-CSIRT_ACTUAL")
        state = stream.state
        assert (state.messages, state.first_seq, state.last_seq, state.num_subjects) == (4, 1, 4, 1)
        assert stream.max_bytes > 0
        assert (await stream_info(owner, "WORLD_ACTUAL")).sources >= {"XA-CSIRT_ACTUAL", "XB-CSIRT_ACTUAL"}
        info = await consumer_info(owner, "XA-CSIRT_ACTUAL", "xa-csirt_own")
        assert (info.num_pending, info.num_waiting, info.delivered.stream_seq) == (4, 0, 0)
        assert all(pattern.startswith("tocsin.v1.actual.") for pattern in info.filters)
        assert {"XA-CSIRT_ACTUAL", "WORLD_ACTUAL"} <= set(await stream_names(owner))
        assert "xa-csirt_own" in await consumer_names(owner, "XA-CSIRT_ACTUAL")
        for ask, code in (
            (stream_info(owner, "NONE"), STREAM_NOT_FOUND),
            (consumer_info(owner, "NONE", "xa-csirt_own"), STREAM_NOT_FOUND),
            (consumer_info(owner, "XA-CSIRT_ACTUAL", "none"), CONSUMER_NOT_FOUND),
        ):
            with pytest.raises(BrokerError) as refused:
                await ask
            assert refused.value.code == code


async def test_a_connection_comes_back_with_its_broker(broker: Broker) -> None:
    """While it is away a publish says so at once; afterwards the numbers go on."""
    async with Connection.open(broker.endpoint("xa-csirt")) as author:
        await author.until_connected(longest())
        assert (await publish(author, SUBJECT, b"before", {}, longest())).seq == 1
        await broker.stop()

        async def gone() -> bool:
            return not author.connected

        await eventually(gone)
        with pytest.raises(UnreachableError):
            await publish(author, SUBJECT, b"meanwhile", {})
        await broker.start()
        await author.until_connected(longest())
        assert (await publish(author, SUBJECT, b"after", {}, longest())).seq == 2
        assert author.epoch >= 2
