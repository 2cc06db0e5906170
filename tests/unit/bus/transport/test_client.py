"""Sizes and numbers from a broker are bounded at the entrance."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nats.aio.subscription import Subscription
from nats.errors import ProtocolError

from bus.transport.client import HardenedClient
from bus.transport.connection import Endpoint, NatsConnection
from bus.transport.parser import MAX_LINE_BYTES, HardenedParser
from bus.transport.pull_consumer import received_at
from bus.transport.server_info import MAX_ANNOUNCED_BYTES

PLACE = (b"WORLD_ACTUAL", b"xa-hub")
LARGE = "9223372036854775807"


class Heard:
    """Takes what a parser hands over."""

    def __init__(self) -> None:
        self.messages: list[tuple[Any, ...]] = []

    async def _process_msg(self, *message: Any) -> None:
        self.messages.append(message)


@pytest.mark.parametrize(
    "line",
    [
        b"MSG s 1 999999999999",
        f"MSG s 1 {MAX_ANNOUNCED_BYTES + 1}".encode(),
        b"HMSG s 1 10 999999999999",
        b"HMSG s 1 11 10",
        b"MSG s 1 -1",
        b"MSG s 1 +1",
        b"MSG s 1 1_0",
        b"MSG s 1 " + b"9" * 100_000,
        b"MSG s 99999999999 1",
        b"MSG s 1 0x10",
        "MSG s 1 ٣".encode(),
        b"MSG s 1",
        b"MSG s 1 r 2 3",
    ],
    ids=range(13),
)
async def test_a_size_beyond_bounds_is_no_protocol(line: bytes) -> None:
    """It is refused before a byte of the message is kept."""
    parser = HardenedParser(Heard())
    parser.reset()
    with pytest.raises(ProtocolError):
        await parser.parse(line + b"\r\n")


@pytest.mark.parametrize("end", [b"", b" 1 0\r\n"], ids=["without end", "with an end"])
@pytest.mark.parametrize("verb", [b"MSG ", b"HMSG ", b"-ERR ", b"PING "])
async def test_a_line_has_an_end(verb: bytes, end: bytes) -> None:
    """Only what the server says of itself may be long."""
    parser = HardenedParser(Heard())
    parser.reset()
    with pytest.raises(ProtocolError):
        await parser.parse(verb + b"s" * (MAX_LINE_BYTES + 1) + end)


async def test_no_fault_of_a_handler_ends_the_reading_unseen() -> None:
    """The library would log it and read no more; as an error of the protocol it ends the connection."""
    parser = HardenedParser(Heard())  # which knows no pings
    parser.reset()
    with pytest.raises(ProtocolError):
        await parser.parse(b"PING\r\n")


async def test_the_largest_message_comes_through() -> None:
    """As it was announced."""
    heard = Heard()
    parser = HardenedParser(heard)
    parser.reset()
    await parser.parse(f"MSG s 1 {MAX_ANNOUNCED_BYTES}\r\n".encode() + b"x" * MAX_ANNOUNCED_BYTES + b"\r\n")
    assert len(heard.messages) == 1


@pytest.mark.parametrize(
    ("numbers", "stands"),
    [
        (("1", "7", "1", "1", "0"), True),
        ((LARGE,) * 5, True),
        (("1", "9" * 20, "1", "1", "0"), False),
        (("1", "9223372036854775808", "1", "1", "0"), False),
        (("1", "7", "1", "1", "9" * 19), False),
        (("1", "7", "1", "1", "²"), False),
        (("1", "7", "1", "1", "٣"), False),
        (("1", "-7", "1", "1", "0"), False),
        (("1", "7", "1", "", "0"), False),
        (("1", "7", "1", "1"), False),
    ],
    ids=range(10),
)
def test_a_number_of_a_delivery_is_one_that_can_be_kept(numbers: tuple[str, ...], stands: bool) -> None:
    """A message with a number that no store can keep is not a delivery."""
    reply = b".".join([b"$JS.ACK", *PLACE, *(number.encode() for number in numbers)])
    assert (received_at((b"s", reply, b"", b""), PLACE) is not None) == stands


async def test_nothing_waits_for_messages_once_a_close_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The link broke before all was written: the library stops there, and its leftovers are ended too."""
    client = HardenedClient("U")

    async def fails() -> None:
        raise ConnectionResetError

    async def heard(_: object) -> None:
        """Take a message."""

    monkeypatch.setattr(client, "close", fails)
    subscription = Subscription(client, 1, "s", "", heard)
    subscription._start(heard)  # type: ignore[no-untyped-call]
    client._subs[1] = subscription
    connection = NatsConnection(
        Endpoint(url="nats://x", authority_id="xa-hub", nkey_seed="S", name="t"), None
    )
    connection._client = client
    await connection._close()
    await asyncio.sleep(0)
    assert vars(subscription)["_wait_for_msgs_task"].done()
