"""A broker in memory that lies: to one identity, one lie after the other, and the truth when it has none left."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec

from bus.transport.interface import Connection, Delivery
from bus.transport.memory import MemoryBroker, MemoryConnection, MemoryEndpoint

DEEP: list[Any] = []
for _ in range(400):
    DEEP = [DEEP]
ABSENT = object()
VALUES: tuple[Any, ...] = (
    ABSENT, None, True, 0, 5, -1, 2**63 - 1, 2**63, 2**70, 1.5, "", "x", "9" * 5000, "\x00", [], {}, [["a"]],
    [None], ["[::1"], {"a": 1}, DEEP,
)  # fmt: skip
"""What no member should be, and what a member may be at another place."""
LARGE = str(2**63 - 1)


class Lie(msgspec.Struct, frozen=True):
    """A lie of one kind of call (a part of its subject): what is told instead of the truth."""

    call: str
    tell: Callable[[dict[str, Any]], object]


def _put(path: tuple[str, ...], value: Any) -> Callable[[dict[str, Any]], object]:
    def tell(truth: dict[str, Any]) -> object:
        told = place = copy.deepcopy(truth)
        for name in path[:-1]:
            inner = place.get(name)
            place[name] = place = inner if isinstance(inner, dict) else {}
        if value is ABSENT:
            place.pop(path[-1], None)
        else:
            place[path[-1]] = value
        return told

    return tell


def of_members(call: str, *paths: str) -> list[Lie]:
    """Each member of an answer, by its path with dots, as each of the values."""
    return [Lie(call, _put(tuple(path.split(".")), value)) for path in paths for value in VALUES]


ANSWERS = (
    *of_members(
        ".CONSUMER.INFO.", "config", "config.filter_subjects", "config.filter_subject", "delivered", "delivered.consumer_seq",
        "delivered.stream_seq", "num_pending", "num_waiting", "error", "error.code", "error.err_code", "error.description",
    ),
    *of_members(".CONSUMER.RESET.", "error", "error.code", "error.err_code", "error.description"),
)  # fmt: skip

_NUMBERS = (
    "", "1", "1.1.1.1", "1.1.1.1.0.0", "0.0.0.0.0", f"1.1.1.{LARGE}.0", f"1.{LARGE}.1.1.0", f"1.1.{LARGE}.1.0", f"1.1.1.1.{LARGE}",
    f"1.0.1.0.{LARGE}", f"1.{LARGE}9.1.1.0", "1.-1.1.1.0", "1.²..1.0", "x.x.x.x.x", "1.1.1.1.0." + "x." * 3000, "1.7.1.0.3",
)  # fmt: skip
ADDRESSES = (
    *(f"$JS.ACK.{{place}}.{numbers}" for numbers in _NUMBERS),
    *(
        "",
        ".",
        "$JS.ACK",
        "$JS.ACK.a.b.c.d",
        "$JS.ACK._._.{place}.1.1.1.1.0.r",
        "no.such",
        "$JS.ACK." + "." * 4000,
    ),
)
STATUSES = tuple(
    (status, description)
    for status in ("100", "404", "408", "409", "400", "503", "999", "", "-1", "٣", "x" * 60_000)
    for description in ("", "Consumer Deleted", "Exceeded MaxWaiting", "Leadership Change", "\x1b[2J" * 1000)
)


def deliveries() -> Iterator[Delivery]:
    """Messages with each address, and words of the server of each kind; `{place}` is where they are read."""
    for address in ADDRESSES:
        yield Delivery(subject="s", reply=address, payload=b"")
        yield Delivery(
            subject="\\xff" * 9, reply=address, payload=b"\xff" * 9, headers=(("", ""), ("\x00", "é")) * 9
        )
    for status, description in STATUSES:
        yield Delivery(subject="s", reply="", payload=b"", status=status, description=description)


class LyingEndpoint(MemoryEndpoint, frozen=True, kw_only=True):
    """The place of who is lied to. `lies` are told each once, to the first call that they fit; `left` says how many are left."""

    lies: list[Lie]
    given: list[Delivery]

    @classmethod
    def at(cls, broker: MemoryBroker, identity: str) -> LyingEndpoint:
        """An identity's place at a broker, with all there is to be lied."""
        return cls(
            url="memory",
            authority_id=identity,
            nkey_seed="",
            name=identity,
            broker=broker,
            lies=list(ANSWERS),
            given=list(deliveries()),
        )

    @property
    def left(self) -> int:
        """How many lies have not been told yet."""
        return len(self.lies) + len(self.given)

    def connect(
        self, on_denied: Callable[[str], None] | None = None, /
    ) -> AbstractAsyncContextManager[Connection]:
        """As `Connection.open`."""
        return _lying(self, on_denied)


@asynccontextmanager
async def _lying(
    endpoint: LyingEndpoint, on_denied: Callable[[str], None] | None
) -> AsyncIterator[Connection]:
    async with LyingConnection.at(endpoint, on_denied) as connection:
        yield connection


class LyingConnection(MemoryConnection):
    """A connection to it."""

    endpoint: LyingEndpoint

    async def request(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None, timeout: float
    ) -> dict[str, Any]:
        """As `Connection.request`, and then a lie."""
        truth = await super().request(subject, payload, headers, timeout)
        lies = self.endpoint.lies
        for number, lie in enumerate(lies):
            if lie.call in subject and not self.endpoint.given:
                told = lies.pop(number).tell(truth)
                assert isinstance(told, dict)
                return told
        return truth

    async def send(self, subject: str, payload: bytes, reply: str) -> None:
        """As `Connection.send`; what is asked for is a lie."""
        if self.endpoint.given and ".MSG.NEXT." in subject:
            lie = self.endpoint.given.pop()
            place = ".".join(subject.split(".")[-2:])
            self._deliver(reply, msgspec.structs.replace(lie, reply=lie.reply.replace("{place}", place)))
            self._deliver(
                reply, Delivery(subject=reply, reply="", payload=b"", status="408")
            )  # and asks go on
            return
        await super().send(subject, payload, reply)
