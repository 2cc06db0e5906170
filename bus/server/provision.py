"""Making streams and consumers as the registry wants them; the one place that may."""

from __future__ import annotations

from typing import Any

import structlog

from bus.connection import Connection, Endpoint
from bus.errors import BrokerError
from bus.server.conf import PROVISIONER, PROVISIONER_INBOX
from bus.tls import Tls
from bus.topology import ConsumerSpec, StreamSpec, consumers, streams
from bus.trust import VerifiedRegistry

CONNECT_S = 10.0
CALL_S = 5.0
STREAM_NOT_FOUND = 10059
CONSUMER_NOT_FOUND = 10014

log = structlog.get_logger()


def provisioner_endpoint(url: str, seed: str, tls: Tls | None = None) -> Endpoint:
    """The provisioner's place on the bus."""
    return Endpoint(
        url=url, authority_id=PROVISIONER, nkey_seed=seed, name=PROVISIONER, inbox=PROVISIONER_INBOX, tls=tls
    )


async def provision(url: str, seed: str, registry: VerifiedRegistry, *, tls: Tls | None = None) -> None:
    """Make every stream and consumer, change those that differ, and remove consumers that nobody has a grant for.

    Raises:
        UnreachableError, DeniedError, BrokerError: from the broker.
    """
    async with Connection.open(provisioner_endpoint(url, seed, tls)) as connection:
        await connection.until_connected(CONNECT_S)
        for stream in streams(registry):
            await _make_stream(connection, stream)
        wanted = consumers(registry)
        for consumer in wanted:
            await _make_consumer(connection, consumer)
        await _remove_others(connection, {stream.name for stream in streams(registry)}, wanted)
    log.info("bus_provisioned", streams=len(streams(registry)), consumers=len(wanted))


async def _make_stream(connection: Connection, spec: StreamSpec) -> None:
    config = spec.config()
    try:
        found = await connection.js_api(f"STREAM.INFO.{spec.name}", timeout=CALL_S)
    except BrokerError as exc:
        if exc.code != STREAM_NOT_FOUND:
            raise
        await connection.js_api(f"STREAM.CREATE.{spec.name}", config, CALL_S)
        return
    present: dict[str, Any] = found["config"]
    if any(present.get(key) != value for key, value in config.items() if key != "sources") or _names(
        present.get("sources")
    ) != _names(config.get("sources")):
        await connection.js_api(f"STREAM.UPDATE.{spec.name}", {**present, **config}, CALL_S)


def _names(sources: list[dict[str, Any]] | None) -> set[str]:
    return {source["name"] for source in sources or ()}


async def _make_consumer(connection: Connection, spec: ConsumerSpec) -> None:
    config = spec.config()
    try:
        found = await connection.js_api(f"CONSUMER.INFO.{spec.stream}.{spec.name}", timeout=CALL_S)
        present: dict[str, Any] = found["config"]
        filters = set(present.get("filter_subjects") or [present.get("filter_subject")])
        if filters == set(spec.filters):
            return
        config = {**present, **config}
        config.pop("filter_subject", None)
    except BrokerError as exc:
        if exc.code != CONSUMER_NOT_FOUND:
            raise
    await connection.js_api(
        f"CONSUMER.CREATE.{spec.stream}.{spec.name}", {"stream_name": spec.stream, "config": config}, CALL_S
    )


async def _remove_others(connection: Connection, names: set[str], wanted: tuple[ConsumerSpec, ...]) -> None:
    keep = {(spec.stream, spec.name) for spec in wanted}
    for stream in sorted(names):
        offset = 0
        while True:
            page = await connection.js_api(f"CONSUMER.NAMES.{stream}", {"offset": offset}, CALL_S)
            found = page.get("consumers") or []
            for name in found:
                if (stream, name) not in keep:
                    await connection.js_api(f"CONSUMER.DELETE.{stream}.{name}", timeout=CALL_S)
            offset += len(found)
            if not found or offset >= page.get("total", 0):
                break
