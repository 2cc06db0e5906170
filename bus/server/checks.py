"""Every assumption about the running broker, checked: pass or fail, hard or soft."""

from __future__ import annotations

import asyncio
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import msgspec

from bus.connection import Connection
from bus.errors import BrokerError
from bus.server.binary import MINIMUM_VERSION, ServerError
from bus.server.provision import provisioner_endpoint
from bus.topology import MAX_MESSAGE_BYTES, consumers, streams
from bus.trust import VerifiedRegistry

CONNECT_S = 5.0
_S = 1_000_000_000
FULL_SHARE = 0.8


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One assumption and what was found."""

    name: str
    ok: bool
    hard: bool
    detail: str


async def check(
    *, url: str, monitor_url: str, provisioner_seed: str, registry: VerifiedRegistry
) -> list[Check]:
    """Check version, durability, limits, streams and consumers of a running broker.

    Args:
        url: where it serves.
        monitor_url: its monitoring address, on loopback.
        provisioner_seed: the provisioner's nkey seed.
        registry: what its users, streams and consumers must follow.

    Raises:
        ServerError: `no-monitor`, when the monitoring address does not answer.
        UnreachableError, DeniedError: from the broker.
    """
    varz = await asyncio.to_thread(_monitor, monitor_url, "varz")
    found = list(_server(varz))
    async with Connection.open(provisioner_endpoint(url, provisioner_seed)) as connection:
        await connection.until_connected(CONNECT_S)
        found += await _streams(connection, registry)
        found += await _consumers(connection, registry)
    return found


def _monitor(address: str, path: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{address}/{path}", timeout=CONNECT_S) as answer:  # noqa: S310 (the operator's own loopback address)
            document: dict[str, Any] = json.load(answer)
    except (OSError, ValueError, urllib.error.URLError) as exc:
        raise ServerError(
            f"the monitoring address {address} does not answer ({exc})", reason="no-monitor"
        ) from None
    return document


def _server(varz: dict[str, Any]) -> Iterator[Check]:
    version = str(varz.get("version", "0"))
    parts = tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:3] if part.isdigit())
    yield _hard("version", parts >= MINIMUM_VERSION, version)
    jetstream = varz.get("jetstream", {}).get("config") or {}
    yield _hard("JetStream", bool(jetstream), "on" if jetstream else "off")
    always = bool(jetstream.get("sync_always"))
    yield _hard(
        "sync_interval",
        always,
        "always"
        if always
        else f"{jetstream.get('sync_interval', 0) / _S:.0f} s: a power cut loses acknowledged bulletins",
    )
    payload = int(varz.get("max_payload", 0))
    yield _hard("max_payload", payload == MAX_MESSAGE_BYTES, f"{payload}, wanted {MAX_MESSAGE_BYTES}")
    yield _hard(
        "authentication",
        bool(varz.get("auth_required")),
        "required" if varz.get("auth_required") else "anybody may connect",
    )
    ping = int(varz.get("ping_interval", 0)) / _S
    yield _soft("ping_interval", 0 < ping <= 10, f"{ping:.0f} s")
    store = str(jetstream.get("store_dir", "."))
    try:
        volume = shutil.disk_usage(store)
    except OSError:
        return
    limit = int(jetstream.get("max_storage", 0))
    yield _soft("store limit", limit < volume.total * FULL_SHARE, f"{limit} of {volume.total} bytes")
    yield _soft(
        "disk", volume.used < volume.total * FULL_SHARE, f"{100 * volume.used // volume.total} % full"
    )


async def _streams(connection: Connection, registry: VerifiedRegistry) -> list[Check]:
    found = []
    for spec in streams(registry):
        try:
            info = await connection.js_api(f"STREAM.INFO.{spec.name}")
        except BrokerError as exc:
            found.append(_hard(f"stream {spec.name}", ok=False, detail=str(exc)))
            continue
        config, state = info["config"], info["state"]
        wrong = [
            key
            for key, value in spec.config().items()
            if key not in ("sources", "max_bytes") and config.get(key) != value
        ]
        found.append(
            _hard(f"stream {spec.name}", not wrong, ", ".join(wrong) or f"{state['messages']} bulletins")
        )
        share = state["bytes"] / max(1, config["max_bytes"])
        if share > FULL_SHARE:
            found.append(_soft(f"stream {spec.name} fill", ok=False, detail=f"{share:.0%} full"))
    return found


async def _consumers(connection: Connection, registry: VerifiedRegistry) -> list[Check]:
    wrong = []
    for spec in consumers(registry):
        try:
            info = await connection.js_api(f"CONSUMER.INFO.{spec.stream}.{spec.name}")
        except BrokerError as exc:
            wrong.append(f"{spec.stream}/{spec.name}: {exc}")
            continue
        config = info["config"]
        if set(config.get("filter_subjects") or [config.get("filter_subject")]) != set(spec.filters):
            wrong.append(f"{spec.stream}/{spec.name}: other filters than its grants")
    return [
        _hard("consumers", not wrong, "; ".join(wrong) or f"{len(consumers(registry))} follow the registry")
    ]


def _hard(name: str, ok: bool, detail: str) -> Check:
    return Check(name=name, ok=ok, hard=True, detail=detail)


def _soft(name: str, ok: bool, detail: str) -> Check:
    return Check(name=name, ok=ok, hard=False, detail=detail)
