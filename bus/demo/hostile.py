"""A second broker whose operator is hostile: he gives each hub what he chooses, and adds what nobody said.

One office publishes there, and both hubs read there, each from a line of its own. The operator carries the office's
messages from its streams to the lines. He can withhold and forge, but he has no signing key, so the hubs notice both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path

import msgspec

from bus.keys import nkeys
from bus.server import NatsServer
from bus.tasks import one_failure
from bus.transport import (
    MAX_MESSAGE_BYTES,
    Connection,
    ConsumerSpec,
    Endpoint,
    Outgoing,
    PullConsumer,
    Received,
    consumers,
    js_api,
    publish,
    streams_of,
)
from bus.trust import VerifiedRegistry
from schemas.codec import digest
from schemas.subject import PREFIX
from schemas.vocab import Status

OPERATOR = "operator"
CARRIED = (Status.ACTUAL, Status.BEAT)
CONNECT_S = 30.0
MOST, QUIET_S = 100, 5.0
ROOM_BYTES = 16 * 1024**2
_OF_THE_SERVER = "Nats-"  # headers that concern one stream alone


def line(hub: str, status: Status) -> str:
    """The stream from which a hub reads at the second broker."""
    return f"FOR-{hub}_{status}".upper()


def lines(hub: str) -> tuple[tuple[str, str], ...]:
    """The (stream, consumer) pairs that a hub reads at the second broker."""
    return tuple((line(hub, status), hub) for status in CARRIED)


class Operator:
    """The second broker and its operator. Use `Operator.at_work`.

    Attributes:
        url: the address of the broker.
        withheld: digest -> hub that did not get this message.
    """

    def __init__(self, connection: Connection, url: str, office: str, hubs: tuple[str, ...]) -> None:
        self.url = url
        self.withheld: dict[str, str] = {}
        self._connection = connection
        self._office = office
        self._hubs = hubs
        self._next: tuple[int, str] | None = None

    @classmethod
    @asynccontextmanager
    async def at_work(
        cls,
        folder: Path,
        registry: VerifiedRegistry,
        office: str,
        hubs: tuple[str, ...],
        withheld: Mapping[str, str],
    ) -> AsyncIterator[Operator]:
        """Start the broker and carry, for as long as the context lasts.

        Args:
            folder: of the broker; its streams stay there.
            registry: gives the transport keys of all, and the streams that the office needs.
            office: the authority that publishes there.
            hubs: the readers.
            withheld: digest -> hub of what he has withheld in an earlier run.

        Raises:
            ServerError: the broker does not start.
            UnreachableError, BrokerError: from the broker.
        """
        seed, public = nkeys.generate()
        conf = _conf(registry, public, office, *hubs)
        async with NatsServer(folder, conf) as server:
            endpoint = Endpoint(url=server.url, authority_id=OPERATOR, nkey_seed=seed, name=OPERATOR)
            async with Connection.open(endpoint) as connection:
                await connection.until_connected(CONNECT_S)
                operator = cls(connection, server.url, office, hubs)
                operator.withheld.update(withheld)
                await operator._make_streams(registry)
                yield operator

    async def run(self) -> None:
        """Carry until cancelled.

        Raises:
            UnreachableError, BrokerError: the broker is gone.
        """
        with one_failure():
            async with asyncio.TaskGroup() as tasks:
                for status in CARRIED:
                    tasks.create_task(self._carry(status))

    async def withhold_next(self, hub: str) -> None:
        """Withhold the next bulletin of the office from a hub."""
        info = await js_api(self._connection, f"STREAM.INFO.{self._origin(Status.ACTUAL)}")
        self._next = info["state"]["last_seq"] + 1, hub

    async def add(self, message: Outgoing) -> None:
        """Put a message into every line, as if the office had sent it."""
        for hub in self._hubs:
            await self._give(hub, Status.ACTUAL, message.subject, message.payload, message.headers)

    async def _carry(self, status: Status) -> None:
        """Carry the messages of the office of one status, from the first: readers know by the digest what they have."""
        stream = self._origin(status)
        async with PullConsumer.attach(self._connection, stream, OPERATOR, 1) as pull:
            while True:
                for received in await pull.next(MOST, QUIET_S):
                    await self._pass_on(status, received)

    async def _pass_on(self, status: Status, received: Received) -> None:
        found = digest(received.payload)
        if status is Status.ACTUAL and self._next is not None and self._next[0] == received.stream_seq:
            self.withheld[found] = self._next[1]
        headers = {name: value for name, value in received.headers if not name.startswith(_OF_THE_SERVER)}
        for hub in self._hubs:
            if self.withheld.get(found) != hub:
                await self._give(hub, status, received.subject, received.payload, headers)

    async def _give(
        self, hub: str, status: Status, subject: str, payload: bytes, headers: Mapping[str, str]
    ) -> None:
        await publish(self._connection, f"{OPERATOR}.{hub}.{status}.{subject}", payload, headers)

    def _origin(self, status: Status) -> str:
        """The stream that captures what the office says at a status."""
        return f"{self._office}_{status}".upper()

    async def _make_streams(self, registry: VerifiedRegistry) -> None:
        """Make the streams of the office as at any broker, a line for each hub and status, and all consumers."""
        everything = (f"{PREFIX}.>",)
        own = [spec for spec in streams_of(registry) if spec.name.startswith(f"{self._office}_".upper())]
        for spec in own:
            # Room of its own, so that another version of the registry changes nothing here.
            config = msgspec.structs.replace(spec, max_bytes=ROOM_BYTES, max_msgs=None).config()
            await js_api(self._connection, f"STREAM.CREATE.{spec.name}", config)
        for consumer in consumers(registry, [self._office]):
            if consumer.stream in {spec.name for spec in own}:
                await self._make_consumer(consumer)
        for status in CARRIED:
            await self._make_consumer(
                ConsumerSpec(stream=self._origin(status), name=OPERATOR, filters=everything)
            )
        for hub, status in product(self._hubs, CARRIED):
            await self._make_line(hub, status)
            await self._make_consumer(ConsumerSpec(stream=line(hub, status), name=hub, filters=everything))

    async def _make_line(self, hub: str, status: Status) -> None:
        """Make a stream that takes messages with a prefix of the operator, and stores them without it."""
        subjects = f"{OPERATOR}.{hub}.{status}.>"
        config = {
            "name": line(hub, status),
            "storage": "file",
            "max_bytes": ROOM_BYTES,
            "subjects": [subjects],
            "subject_transform": {"src": subjects, "dest": ">"},
        }
        await js_api(self._connection, f"STREAM.CREATE.{line(hub, status)}", config)

    async def _make_consumer(self, spec: ConsumerSpec) -> None:
        body = {"stream_name": spec.stream, "config": spec.config()}
        await js_api(self._connection, f"CONSUMER.CREATE.{spec.stream}.{spec.name}", body)


def _conf(registry: VerifiedRegistry, operator: str, *names: str) -> str:
    """A configuration without walls: all are in one account, and its operator may do everything."""
    users = ", ".join(f"{{ nkey: {each} }}" for each in (operator, *_keys(registry, names)))
    return f"""\
# Written by tocsin for the second broker of a demonstration; edits are lost.
server_name: "second"
listen: "127.0.0.1:-1"
http: "127.0.0.1:-1"
ports_file_dir: "."
max_payload: {MAX_MESSAGE_BYTES}
log_file: "nats-server.log"
logfile_size_limit: 1048576
logfile_max_num: 2
jetstream {{
  store_dir: "jetstream"
}}
accounts {{
  ALL {{ jetstream: enabled, users: [ {users} ] }}
  SYS {{ users: [] }}
}}
system_account: SYS
"""


def _keys(registry: VerifiedRegistry, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from registry.document.authorities[name].nkeys
