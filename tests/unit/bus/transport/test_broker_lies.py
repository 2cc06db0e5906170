"""For any INFO of a server, a connection to it answers or is known to be lost, and nothing is printed outside the log."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from bus.errors import BrokerError, DeniedError, UnreachableError
from bus.keys import nkeys
from bus.transport import connection as connection_module
from bus.transport.connection import Endpoint, NatsConnection
from bus.transport.interface import Delivery
from bus.transport.jetstream import publish
from bus.transport.parser import MAX_LINE_BYTES
from bus.transport.pull_consumer import EACH_BYTES, MOST_QUEUED, MOST_QUEUED_BYTES, PullConsumer
from bus.transport.raw import MAX_HEADER_LINES, RawHeaders, raw_of
from tests.support.lies import ABSENT, VALUES
from tests.support.waiting import eventually, longest

TRUTH: dict[str, Any] = {
    "server_id": "x", "version": "2.14.0", "proto": 1, "headers": True, "max_payload": 1_000_000, "nonce": "abc",
    "auth_required": True,
}  # fmt: skip
MEMBERS = (
    *TRUTH, "connect_urls", "ldm", "tls_required", "client_id", "client_ip", "jetstream", "cluster", "domain", "ws_connect_urls",
)  # fmt: skip
URLS = (
    ["[::1"],
    [5],
    [["x"]],
    [None],
    {"x": 1},
    "x",
    [f"h{n}:1" for n in range(4000)],
    ["nats://:x@[", "\x00"],
)


def info(**members: Any) -> bytes:
    """A line of INFO; a member that is `ABSENT` is left out."""
    said = {name: value for name, value in {**TRUTH, **members}.items() if value is not ABSENT}
    return b"INFO " + json.dumps(said).encode() + b"\r\n"


LINES = (
    b"INFO {}\r\n",
    b"INFO []\r\n",
    b"INFO null\r\n",
    b"INFO \r\n",
    b"INFO\r\n",
    b'INFO {"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}\r\n",
    b'INFO {"max_payload": ' + b"9" * 5000 + b"}\r\n",
    b"INFO " + b"\xff" * 100 + b"\r\n",
    *(info(**{name: value}) for name in MEMBERS for value in VALUES),
    *(info(connect_urls=urls) for urls in URLS),
)


class Server:
    """Says at once `first`, and `later` after each subscription; acknowledges what is published."""

    def __init__(self, first: bytes, later: bytes = b"") -> None:
        self.first, self.later = first, later
        self.met = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            writer.write(self.first)
            self.met += 1
            answers = b"0"
            while line := await reader.readline():
                verb, *words = line.split()
                if verb == b"PING":
                    writer.write(b"PONG\r\n")
                elif verb == b"SUB":
                    answers = words[-1]
                    writer.write(self.later)
                elif verb in (b"PUB", b"HPUB"):
                    await reader.readexactly(int(words[-1]) + 2)
                    body = b'{"stream":"S","seq":1}'
                    writer.write(b"MSG %s %s %d\r\n%s\r\n" % (words[1], answers, len(body), body))
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def connected(server: Server) -> AsyncIterator[NatsConnection]:
    """A connection to it, connected or not."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    seed, _ = nkeys.generate()
    where = Endpoint(url=f"nats://127.0.0.1:{port}", authority_id="xa-csirt", nkey_seed=seed, name="t")
    async with listening, NatsConnection.at(where) as connection:
        yield connection


async def settled(connection: NatsConnection) -> bool:
    """Publish once; whether it was acknowledged. No other error than ours."""
    try:
        await publish(connection, "a.b", b"x", {"A": "b"}, longest())
    except (UnreachableError, BrokerError, DeniedError):
        return False
    return True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost connection is made again at once."""
    monkeypatch.setattr(connection_module, "BACKOFF_S", (0.001, 0.002))


async def test_a_server_that_lies_at_first_is_left_or_answers(caplog: pytest.LogCaptureFixture) -> None:
    """Each member as each value: the next server that tells the truth is served by the same connection."""
    server = Server(info())
    async with connected(server) as connection:
        for line in LINES:
            for said in (line, info()):
                server.first = said
                met = server.met
                await eventually(partial(_met_again, server, met, connection), pause_s=0.001)
                await settled(connection)
            await eventually(partial(settled, connection), pause_s=0.001)
    assert not caplog.records


def _met_again(server: Server, met: int, connection: NatsConnection) -> bool:
    if server.met == met and connection.connected:
        connection._leave.set()
    return server.met > met


async def test_a_server_that_lies_later_is_left_or_answers(caplog: pytest.LogCaptureFixture) -> None:
    """If a connection looks connected, its answers are read."""
    for line in LINES:
        server = Server(info(), line)
        async with connected(server) as connection:
            await connection.until_connected(longest())
            await settled(connection)
            server.later = b""
            await eventually(partial(settled, connection), pause_s=0.001)
    assert not caplog.records


async def test_addresses_of_other_servers_are_not_taken() -> None:
    """Neither first nor later; a connection goes where its owner says."""
    many = info(connect_urls=[f"h{n}:1" for n in range(100)])
    async with connected(Server(many, many)) as connection:
        await eventually(lambda: connection.connected)
        assert await settled(connection)
        assert len(connection.client()._server_pool) == 1


@pytest.mark.parametrize("block", [b"a:\r\n" * (MAX_HEADER_LINES + 1), b"a: " + b"x" * 100_000 + b"\r\n"])
def test_headers_without_end_are_none(block: bytes) -> None:
    """They are read as empty, and the connection stays: otherwise their publisher would blind every reader."""
    assert RawHeaders(b"NATS/1.0\r\n" + block + b"\r\n").pairs == ()
    assert len(RawHeaders(b"NATS/1.0\r\n" + b"a:\r\n" * MAX_HEADER_LINES + b"\r\n").pairs) == MAX_HEADER_LINES


class _Elsewhere:
    """What a pull consumer needs of a connection to be handed messages."""

    epoch = 1
    connected = True
    endpoint = Endpoint(url="nats://127.0.0.1:9", authority_id="x", nkey_seed="", name="x")


def delivery(number: int, **members: Any) -> Delivery:
    """A message as it came from the consumer `S.C`."""
    given = {"subject": "s", "payload": b"", "reply": f"$JS.ACK.S.C.1.{number}.{number}.1.0", **members}
    return Delivery(**given)


@pytest.mark.parametrize(
    ("members", "most"),
    [
        ({}, MOST_QUEUED),
        ({"subject": "s" * MAX_LINE_BYTES}, MOST_QUEUED),
        ({"subject": "s" * 1_000_000}, MOST_QUEUED_BYTES // 1_000_000 + 2),
        ({"headers": (("", ""),) * MAX_HEADER_LINES}, MOST_QUEUED_BYTES // (MAX_HEADER_LINES * 100)),
        ({"subject": "the request's", "reply": "", "status": "408"}, MOST_QUEUED),
    ],
    ids=["empty", "long subjects", "longer subjects", "header lines", "words of the server"],
)
async def test_what_is_not_taken_has_a_bound(members: dict[str, Any], most: int) -> None:
    """The bound counts messages and all their bytes; beyond it the reader attaches again."""
    pull = PullConsumer(_Elsewhere(), "S", "C")  # type: ignore[arg-type]
    for number in range(1, 2 * most + 2):
        pull._on_messages([raw_of(delivery(number, **members))])
    assert pull.waiting <= most
    assert pull._queued_bytes <= MOST_QUEUED_BYTES + 1_000_000 + EACH_BYTES + 200
    with pytest.raises(UnreachableError, match="more"):
        pull._take([], 1)
