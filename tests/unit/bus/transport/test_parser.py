"""The parser against a simple one: for any bytes of the server, in any chunks."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nats.errors import ProtocolError

from bus.transport.interface import Raw
from bus.transport.parser import MAX_INFO_BYTES, MAX_LINE_BYTES, HardenedParser
from bus.transport.raw import MAX_BLOCK_BYTES
from bus.transport.server_info import MAX_ANNOUNCED_BYTES
from tests.support.protocol import read

INBOXES = frozenset({b"3", b"12"})
ACK = b"$JS.ACK.WORLD_ACTUAL.xb-hub.1.7.7.1700000000000000000.3"


class Client:
    """Notes what comes the library's way."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    async def _process_msg(self, *message: Any) -> None:
        self.heard.append(message)

    async def _process_ping(self) -> None:
        self.heard.append(b"PING")

    async def _process_pong(self) -> None:
        self.heard.append(b"PONG")

    async def _process_err(self, _: str) -> None:
        self.heard.append(b"-ERR")

    async def _process_info(self, _: dict[str, Any]) -> None:
        self.heard.append(b"INFO")


def done(work: Coroutine[Any, Any, bool | None]) -> bool | None:
    """The result of a coroutine that never waits; a loop for each would be most of the cost."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")


Said = tuple[dict[bytes, list[Any]], list[Any], bool]


def parsed(pieces: list[bytes]) -> Said:
    """As `read`, for bytes in pieces."""
    client, bulk = Client(), {number: list[Any]() for number in INBOXES}
    parser = HardenedParser(client)
    for number, messages in bulk.items():
        parser.inboxes[number] = messages.extend

    async def feed() -> bool:
        try:
            for piece in pieces:
                await parser.parse(piece)
        except ProtocolError:
            return True
        return False

    broken = bool(done(feed()))
    return {number: messages for number, messages in bulk.items() if messages}, client.heard, broken


def plain(data: bytes) -> Said:
    """The result of the simple parser, without messages that need no answer."""
    bulk, other, broken = read(data, INBOXES)
    return bulk, [each for each in other if each != b"+OK"], broken


def message(
    payload: bytes = b"x", block: bytes | None = None, *, sid: bytes = b"3", reply: bytes | None = ACK
) -> bytes:
    """A message as the server writes it."""
    words = [b"s.ubject", sid, *([] if reply is None else [reply])]
    if block is not None:
        words.append(b"%d" % len(block))
    words.append(b"%d" % (len(block or b"") + len(payload)))
    verb = b"MSG " if block is None else b"HMSG "
    return verb + b" ".join(words) + b"\r\n" + (block or b"") + payload + b"\r\n"


BYTES = st.binary(max_size=40) | st.sampled_from([b"\r\n", b"MSG s 3 1\r\n", b"\r\nPING\r\n", b"\n\r\n\r"])
SOUND = st.builds(
    message,
    BYTES,
    st.none() | BYTES.map(lambda more: b"NATS/1.0\r\n" + more),
    sid=st.sampled_from([b"3", b"12", b"4"]),
    reply=st.sampled_from([ACK, None, b"r", b""]),
)
WORDS = st.sampled_from([b"PING", b"PONG", b"+OK", b"-ERR 'x'", b"INFO {}", b"PING x"]).map(
    lambda word: word + b"\r\n"
)
COUNTS = st.sampled_from(
    [
        *(b"0", b"1", b"2", b"5", b"00", b"01", b"-1", b"+1", b"1_0", b" 1", b"", b"0x1", b"1\x0b"),
        *(b"9" * 9, b"9" * 30, "٣".encode(), b"%d" % (MAX_ANNOUNCED_BYTES + 1)),
    ]
)
LIES = st.builds(
    lambda verb, words, counts, tail: b" ".join([verb, *words, *counts]) + b"\r\n" + tail,
    st.sampled_from([b"MSG", b"HMSG", b"msg", b"", b"MSG\t"]),
    st.lists(st.sampled_from([b"s", b"3", b"03", b"r", b"", ACK]), max_size=4),
    st.lists(COUNTS, max_size=3),
    st.binary(max_size=6),
)
STREAMS = st.lists(SOUND | SOUND | WORDS | LIES, max_size=12).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Bytes in pieces that end at these places."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[first:end] for first, end in zip([0, *ends], ends, strict=False)]


@settings(max_examples=600, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 2000), max_size=30))
@example(b"MSG s 3 1\r\nxy\r\n", [])
@example(b"HMSG s 3 r 2 1\r\nxyz\r\n", [5])
def test_no_cut_changes_what_was_said(data: bytes, places: list[int]) -> None:
    """One piece, any pieces and single bytes say what the plain reader says."""
    expected = plain(data)
    assert parsed([data]) == expected
    assert parsed(cut(data, places)) == expected
    assert parsed([data[n : n + 1] for n in range(len(data))]) == expected


@settings(max_examples=150, deadline=None)
@given(STREAMS, st.integers(0, 4000), st.binary(max_size=4), st.lists(st.integers(0, 2000), max_size=6))
@example(b"INFO {}\r\n", 4, b"\x00", [])
@example(b"INFO {}\r\n", 5, b"\x00", [])
def test_bytes_that_were_altered_are_read_alike(
    data: bytes, place: int, put: bytes, places: list[int]
) -> None:
    """Bytes may be added anywhere and cut in any chunks."""
    at = place % (len(data) + 1)
    altered = data[:at] + put + data[at + len(put) :]
    assert parsed(cut(altered, places)) == plain(altered)


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("size", "stands"), [(MAX_LINE_BYTES, True), (MAX_LINE_BYTES + 1, False), (MAX_LINE_BYTES + 2, False)]
)
def test_the_longest_line_is_the_same_in_any_pieces(step: int, size: int, stands: bool) -> None:
    """To the byte, and whether the two bytes of its end come together or not."""
    line = b"MSG s 3 %s 0" % (b"r" * (size - len(b"MSG s 3  0")))
    data = line + b"\r\n\r\n"
    bulk, other, broken = parsed([data[n : n + step] for n in range(0, len(data), step)])
    assert (len(bulk.get(b"3", [])), other, broken) == ((1, [], False) if stands else (0, [], True))


@pytest.mark.parametrize("first", [b"MSG ", b"INFO ", b"HMSG s 3 "])
def test_a_line_without_end_is_not_kept(first: bytes) -> None:
    """Beyond its bound no byte of it is held."""
    parser = HardenedParser(Client())
    most = MAX_INFO_BYTES if first == b"INFO " else MAX_LINE_BYTES

    async def feed() -> None:
        await parser.parse(first)
        while len(parser.buf) <= most + 1:
            await parser.parse(b"x" * 1024)

    with pytest.raises(ProtocolError):
        done(feed())
    assert len(parser.buf) <= most + 1 + 1024


def test_nothing_is_kept_of_a_message_whose_size_lies() -> None:
    """It is refused at its line: before its bytes come, not after."""
    parser = HardenedParser(Client())
    with pytest.raises(ProtocolError):
        done(parser.parse(b"HMSG s 3 r 1 %d\r\n" % (MAX_ANNOUNCED_BYTES + 1)))
    assert not parser.buf


def test_a_block_beyond_its_bound_is_no_block() -> None:
    """The message is handed on without it, to be refused; its connection stays."""
    block = b"NATS/1.0\r\nA: " + b"x" * MAX_BLOCK_BYTES + b"\r\n\r\n"
    bulk, _, broken = parsed([message(b"p", block), message(b"q", b"NATS/1.0\r\n\r\n")])
    assert [each[2:] for each in bulk[b"3"]] == [(b"", b"p"), (b"NATS/1.0\r\n\r\n", b"q")]
    assert not broken


def test_an_inbox_is_told_once_for_each_chunk() -> None:
    """This holds for any number of messages in it; an inbox gets only its own."""
    parser, calls = HardenedParser(Client()), []

    def take(messages: list[Raw]) -> None:
        calls.append(len(messages))

    parser.inboxes[b"3"] = take
    done(parser.parse(message() * 5 + message(sid=b"4") + message() * 2 + b"PING\r\n"))
    assert calls == [7]


def test_what_came_before_a_fault_is_handed_on() -> None:
    """Correct messages before a fault are not lost."""
    bulk, _, broken = parsed([message() * 3 + b"rubbish\r\n"])
    assert (len(bulk[b"3"]), broken) == (3, True)


def test_an_inbox_that_has_gone_hears_nothing() -> None:
    """Messages to it go to the library, which knows no such subscription."""
    client = Client()
    parser = HardenedParser(client)
    parser.inboxes[b"3"] = lambda _: None
    del parser.inboxes[b"3"]
    done(parser.parse(message()))
    assert len(client.heard) == 1
