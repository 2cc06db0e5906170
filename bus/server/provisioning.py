"""Making streams and consumers as the registry wants them; the one place that may."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from bus.errors import BrokerError, UnreachableError
from bus.federation import BrokerRole, guests, served_authorities
from bus.logs import logger
from bus.server.binary import ServerError
from bus.server.probe import probe_consumers, probe_stream
from bus.transport import (
    CONSUMER_NOT_FOUND,
    PROVISIONER,
    Connection,
    ConsumerSpec,
    Endpoint,
    StreamInfo,
    StreamSpec,
    Tls,
    consumer_differs,
    consumer_info,
    consumer_names,
    consumers,
    is_an_authoritys,
    js_api,
    stream_differs,
    stream_info,
    stream_names,
    streams_of,
)
from bus.trust import VerifiedRegistry

CONNECT_S = 10.0
CALL_S = 5.0
NO_ROOM = frozenset({10047})
NOT_READY = frozenset({10005, 10008})  # too few nodes yet; no leader yet
LED_S = 20.0
LOOK_S = 0.2

log = logger()


def provisioner_endpoint(url: str, seed: str, tls: Tls | None = None) -> Endpoint:
    """The provisioner's place on the bus."""
    return Endpoint(url=url, authority_id=PROVISIONER, nkey_seed=seed, name=PROVISIONER, tls=tls)


async def provision(
    url: str, seed: str, registry: VerifiedRegistry, *, seat: BrokerRole | None = None, tls: Tls | None = None
) -> None:
    """Make every stream and consumer, change those that differ, and remove consumers that nobody has a grant for.

    What lets through too much goes first, whatever becomes of the rest. A stream that finds no room stops no other: the
    log says so, and `server check` hard.

    Args:
        url: the broker.
        seed: the provisioner's nkey seed.
        registry: who may say and read what.
        seat: which broker of a federation it is.
        tls: the provisioner's certificate, where the broker wants one.

    Raises:
        ServerError: `not-ready`, it is connected to, and its JetStream does not answer or has no leader yet.
        UnreachableError, DeniedError, BrokerError: from the broker.
    """
    specs, wanted = layout(registry, seat)
    async with Connection.open(provisioner_endpoint(url, seed, tls)) as connection:
        await connection.until_connected(CONNECT_S)
        with ready():
            await _when_ready(connection, "INFO", timeout=1.0)
            present = await _streams(connection)
            await _narrow(connection, present, wanted)
            without = await _make_streams(connection, specs, present)
            for consumer in wanted:
                if consumer.stream not in without:
                    await _make_consumer(connection, consumer)
    log.info("bus_provisioned", streams=len(specs), consumers=len(wanted))


@contextlib.contextmanager
def ready() -> Iterator[None]:
    """What a broker to which one is connected does not answer, or refuses for want of a leader.

    Raises:
        ServerError: `not-ready`.
    """
    try:
        yield
    except (BrokerError, UnreachableError) as exc:
        if isinstance(exc, BrokerError) and exc.code not in NOT_READY:
            raise
        raise ServerError(f"JetStream is not ready: {exc}", reason="not-ready") from None


class StreamLayout(NamedTuple):
    """Every stream and consumer of a broker."""

    streams: tuple[StreamSpec, ...]
    consumers: tuple[ConsumerSpec, ...]


def layout(registry: VerifiedRegistry, seat: BrokerRole | None) -> StreamLayout:
    """Every stream and consumer that stands at a broker."""
    replicas = seat.federation.replicas(seat.name) if seat else 1
    served = served_authorities(registry, seat)
    specs = (*streams_of(registry, replicas=replicas, served=served), probe_stream(replicas))
    own = (*consumers(registry, served), *probe_consumers())
    carriers = guests(registry, seat) if seat else ()
    carried = [spec for carrier in carriers for spec in (*carrier.consumers, *carrier.trust)]
    return StreamLayout(specs, (*own, *carried))


async def _when_ready(
    connection: Connection, call: str, body: dict[str, Any] | None = None, timeout: float = CALL_S
) -> None:
    """A call that a cluster refuses until it has chosen who leads it, and knows that enough of its nodes are there.

    Raises:
        BrokerError, UnreachableError: it refuses for another reason, or is not ready in time.
    """
    deadline = asyncio.get_running_loop().time() + LED_S
    while True:
        try:
            await js_api(connection, call, body, timeout)
        except (BrokerError, UnreachableError) as exc:
            refused = isinstance(exc, BrokerError) and exc.code not in NOT_READY
            if refused or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(LOOK_S)
        else:
            return


async def _streams(connection: Connection) -> dict[str, StreamInfo]:
    """Every stream that stands, of every owner."""
    return {name: await stream_info(connection, name, CALL_S) for name in await stream_names(connection)}


async def _narrow(connection: Connection, streams: Iterable[str], wanted: Sequence[ConsumerSpec]) -> None:
    """Remove each consumer that nobody has a grant for, and each that lets through more than its reader may read."""
    filters = {(spec.stream, spec.name): set(spec.filters) for spec in wanted}
    for stream in sorted(streams):
        for name in await consumer_names(connection, stream, CALL_S):
            may = filters.get((stream, name))
            if may is None or (await consumer_info(connection, stream, name, CALL_S)).filters - may:
                await js_api(connection, f"CONSUMER.DELETE.{stream}.{name}", timeout=CALL_S)


async def _make_streams(
    connection: Connection, specs: Sequence[StreamSpec], present: dict[str, StreamInfo]
) -> set[str]:
    """Change what stands, and what must become smaller first: the room of a new one is taken from the others.

    Returns:
        The names of those that found no room.
    """
    names = {spec.name for spec in specs}
    # The streams of who has left are kept with what they hold, and no more: nobody speaks there any longer.
    for name, info in present.items():
        if name not in names and is_an_authoritys(name):
            await _shrink(connection, name, info, info.state.bytes)
    missing = names - present.keys()
    # A world must know its origins before it sources them; so room is made first, and the rest follows in order.
    for spec in specs:
        if missing and spec.name in present:
            await _shrink(connection, spec.name, present[spec.name], spec.max_bytes)
    without: set[str] = set()
    for spec in specs:
        here = msgspec.structs.replace(
            spec, sources=tuple(name for name in spec.sources if name not in without)
        )
        try:
            if spec.name in missing:
                await _when_ready(connection, f"STREAM.CREATE.{spec.name}", here.config())
            else:
                await _change_stream(connection, here, present[spec.name])
        except BrokerError as exc:
            if exc.code not in NO_ROOM:
                raise
            log.error("stream_without_room", stream=spec.name, wanted=spec.max_bytes, problem=str(exc))
            if spec.name in missing:
                without.add(spec.name)
    return without


async def _shrink(connection: Connection, name: str, info: StreamInfo, room: int) -> None:
    """Give back the room of a stream beyond so many bytes. What it holds stays: it refuses, it does not drop."""
    room = max(room, 1)  # 0 would be no bound
    if 0 < info.max_bytes <= room:
        return
    info.config["max_bytes"] = room
    await js_api(connection, f"STREAM.UPDATE.{name}", info.config, CALL_S)


async def _change_stream(connection: Connection, spec: StreamSpec, present: StreamInfo) -> None:
    if not stream_differs(spec, present):
        return
    wanted = spec.config()  # and nothing of what somebody may have added
    try:
        await js_api(connection, f"STREAM.UPDATE.{spec.name}", wanted, CALL_S)
    except BrokerError as exc:
        if exc.code in NOT_READY:
            raise
        if exc.code not in NO_ROOM:
            # Some settings the server never takes back. Others are served all the same, and `server check` fails.
            log.error("stream_not_changed", stream=spec.name, problem=str(exc))
            return
        # The streams of who has left are kept, and with them the room that others could have had.
        log.warning("stream_not_grown", stream=spec.name, wanted=spec.max_bytes, has=present.max_bytes)
        wanted["max_bytes"] = present.max_bytes
        await js_api(connection, f"STREAM.UPDATE.{spec.name}", wanted, CALL_S)


async def _make_consumer(connection: Connection, spec: ConsumerSpec) -> None:
    """Make a consumer; one that is to let through something else is made anew, so that its reader attaches anew.

    Were it changed under its reader, what it does not let through for a while would be passed over unseen.
    """
    try:
        info = await consumer_info(connection, spec.stream, spec.name, CALL_S)
        if not consumer_differs(spec, info.config):
            return
        await js_api(connection, f"CONSUMER.DELETE.{spec.stream}.{spec.name}", timeout=CALL_S)
    except BrokerError as exc:
        if exc.code != CONSUMER_NOT_FOUND:
            raise
    await js_api(
        connection,
        f"CONSUMER.CREATE.{spec.stream}.{spec.name}",
        {"stream_name": spec.stream, "config": spec.config()},
        CALL_S,
    )
