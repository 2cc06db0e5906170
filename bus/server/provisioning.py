"""Makes streams and consumers as the registry wants them. Only this module may do so."""

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
NOT_READY = frozenset({10005, 10008})  # too few nodes; no leader yet
LED_S = 20.0
LOOK_S = 0.2

log = logger()


def provisioner_endpoint(url: str, seed: str, tls: Tls | None = None) -> Endpoint:
    """The provisioner's endpoint."""
    return Endpoint(url=url, authority_id=PROVISIONER, nkey_seed=seed, name=PROVISIONER, tls=tls)


async def provision(
    url: str, seed: str, registry: VerifiedRegistry, *, seat: BrokerRole | None = None, tls: Tls | None = None
) -> None:
    """Make every stream and consumer, change those that differ, and remove consumers without a grant.

    Consumers that deliver too much are removed first. A stream without space does not stop the others: the log names
    it, and a hard check of `server check` fails.

    Args:
        url: the broker's address.
        seed: the provisioner's nkey seed.
        registry: who may publish and read what.
        seat: the broker's place in a federation.
        tls: the provisioner's certificate, if the broker requires one.

    Raises:
        ServerError: `not-ready`: the broker is connected, but its JetStream does not answer or has no leader yet.
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
    """Turn a missing answer of a connected broker, or a refusal without a leader, into `not-ready`.

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
    """Read every stream and consumer that exists at a broker."""
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
    """Make a call that a cluster refuses until it has a leader and enough nodes.

    Raises:
        BrokerError, UnreachableError: the cluster refuses for another reason, or is not ready in time.
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
    """Every existing stream, of every owner."""
    return {name: await stream_info(connection, name, CALL_S) for name in await stream_names(connection)}


async def _narrow(connection: Connection, streams: Iterable[str], wanted: Sequence[ConsumerSpec]) -> None:
    """Remove each consumer without a grant, and each that delivers more than its reader may read."""
    filters = {(spec.stream, spec.name): set(spec.filters) for spec in wanted}
    for stream in sorted(streams):
        for name in await consumer_names(connection, stream, CALL_S):
            may = filters.get((stream, name))
            if may is None or (await consumer_info(connection, stream, name, CALL_S)).filters - may:
                await js_api(connection, f"CONSUMER.DELETE.{stream}.{name}", timeout=CALL_S)


async def _make_streams(
    connection: Connection, specs: Sequence[StreamSpec], present: dict[str, StreamInfo]
) -> set[str]:
    """Change existing streams, those that shrink first, since a new stream takes its space from them. Then make the missing ones.

    Returns:
        The names of the streams without space.
    """
    names = {spec.name for spec in specs}
    # The streams of an authority that has left keep their content and no free space: nobody publishes there any longer.
    for name, info in present.items():
        if name not in names and is_an_authoritys(name):
            await _shrink(connection, name, info, info.state.bytes)
    missing = names - present.keys()
    # A world needs its origins before it sources them, so space is freed first, and then streams are made in order.
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
    """Free the space of a stream beyond this many bytes. Its content stays: it refuses new messages and drops none."""
    room = max(room, 1)  # 0 would mean no bound
    if 0 < info.max_bytes <= room:
        return
    info.config["max_bytes"] = room
    await js_api(connection, f"STREAM.UPDATE.{name}", info.config, CALL_S)


async def _change_stream(connection: Connection, spec: StreamSpec, present: StreamInfo) -> None:
    if not stream_differs(spec, present):
        return
    wanted = spec.config()  # without settings that somebody may have added
    try:
        await js_api(connection, f"STREAM.UPDATE.{spec.name}", wanted, CALL_S)
    except BrokerError as exc:
        if exc.code in NOT_READY:
            raise
        if exc.code not in NO_ROOM:
            # The server never takes back some settings. The other streams are still served, and `server check` fails.
            log.error("stream_not_changed", stream=spec.name, problem=str(exc))
            return
        # The streams of authorities that have left are kept, and so is their space, which others then lack.
        log.warning("stream_not_grown", stream=spec.name, wanted=spec.max_bytes, has=present.max_bytes)
        wanted["max_bytes"] = present.max_bytes
        await js_api(connection, f"STREAM.UPDATE.{spec.name}", wanted, CALL_S)


async def _make_consumer(connection: Connection, spec: ConsumerSpec) -> None:
    """Make a consumer; one with other filters is deleted and made again, so that its reader attaches again.

    If it were changed under its reader, the reader would miss messages that it does not deliver for a while.
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
