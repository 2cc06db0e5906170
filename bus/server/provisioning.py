"""Making streams and consumers as the registry wants them; the one place that may."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import structlog

from bus.errors import BrokerError, UnreachableError
from bus.federation import BrokerRole, guests, served_authorities
from bus.server.probe import probe_consumers, probe_stream
from bus.transport import (
    CONSUMER_NOT_FOUND,
    PROVISIONER,
    STREAM_NOT_FOUND,
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
    js_api,
    stream_differs,
    stream_info,
    streams_of,
)
from bus.trust import VerifiedRegistry

CONNECT_S = 10.0
CALL_S = 5.0
STORE_RESERVED = 10047
NOT_READY = frozenset({10005, 10008})  # too few nodes yet; no leader yet
LED_S = 20.0
LOOK_S = 0.2

log = structlog.get_logger()


def provisioner_endpoint(url: str, seed: str, tls: Tls | None = None) -> Endpoint:
    """The provisioner's place on the bus."""
    return Endpoint(url=url, authority_id=PROVISIONER, nkey_seed=seed, name=PROVISIONER, tls=tls)


async def provision(
    url: str, seed: str, registry: VerifiedRegistry, *, seat: BrokerRole | None = None, tls: Tls | None = None
) -> None:
    """Make every stream and consumer, change those that differ, and remove consumers that nobody has a grant for.

    Args:
        url: the broker.
        seed: the provisioner's nkey seed.
        registry: who may say and read what.
        seat: which broker of a federation it is.
        tls: the provisioner's certificate, where the broker wants one.

    Raises:
        UnreachableError, DeniedError, BrokerError: from the broker.
    """
    specs, wanted = layout(registry, seat)
    async with Connection.open(provisioner_endpoint(url, seed, tls)) as connection:
        await connection.until_connected(CONNECT_S)
        await _when_ready(connection, "INFO", timeout=1.0)
        await _make_streams(connection, specs)
        for consumer in wanted:
            await _make_consumer(connection, consumer)
        await _remove_others(connection, {spec.name for spec in specs}, wanted)
    log.info("bus_provisioned", streams=len(specs), consumers=len(wanted))


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


async def _make_streams(connection: Connection, specs: tuple[StreamSpec, ...]) -> None:
    """Change what stands, and what must become smaller first: the room of a new one is taken from the others."""
    present: dict[str, StreamInfo] = {}
    for spec in specs:
        try:
            present[spec.name] = await stream_info(connection, spec.name, CALL_S)
        except BrokerError as exc:
            if exc.code != STREAM_NOT_FOUND:
                raise
    missing = {spec.name for spec in specs} - present.keys()
    # A world must know its origins before it sources them; so room is made first, and the rest follows in order.
    for spec in specs:
        if missing and spec.name in present and spec.max_bytes < present[spec.name].max_bytes:
            present[spec.name].config["max_bytes"] = spec.max_bytes
            await js_api(connection, f"STREAM.UPDATE.{spec.name}", present[spec.name].config, CALL_S)
    for spec in specs:
        if spec.name in missing:
            await _when_ready(connection, f"STREAM.CREATE.{spec.name}", spec.config())
        else:
            await _change_stream(connection, spec, present[spec.name])


async def _change_stream(connection: Connection, spec: StreamSpec, present: StreamInfo) -> None:
    if not stream_differs(spec, present):
        return
    wanted = {**present.config, **spec.config()}
    try:
        await js_api(connection, f"STREAM.UPDATE.{spec.name}", wanted, CALL_S)
    except BrokerError as exc:
        if exc.code != STORE_RESERVED:
            raise
        # The streams of a country that has left are kept, and with them the room that others could have had.
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


async def _remove_others(connection: Connection, names: set[str], wanted: tuple[ConsumerSpec, ...]) -> None:
    keep = {(spec.stream, spec.name) for spec in wanted}
    for stream in sorted(names):
        for name in await consumer_names(connection, stream, CALL_S):
            if (stream, name) not in keep:
                await js_api(connection, f"CONSUMER.DELETE.{stream}.{name}", timeout=CALL_S)
