"""Checks every assumption about the running broker: pass or fail, hard or soft."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bus.errors import BusError
from bus.federation import CLUSTER, BrokerRole, guests
from bus.keys import nkeys
from bus.server.accounts import keys_taken, members
from bus.server.binary import MINIMUM_VERSION, ServerError
from bus.server.conf_checks import accounts_check, configuration_checks, doors_check, imports_check
from bus.server.config import (
    LOG_BYTES,
    LOG_FILES,
    MAX_CONTROL_LINE,
    MAX_PENDING_BYTES,
    ServerSettings,
    render_conf,
)
from bus.server.findings import Check, hard, soft
from bus.server.isolation import isolation_check, provisioner_check
from bus.server.layout_checks import (
    FULL_SHARE,
    carrier_check,
    consumer_check,
    country_check,
    kept_room,
    lag_check,
    stream_checks,
)
from bus.server.monitor import read_monitor
from bus.server.provisioning import layout, provisioner_endpoint, ready
from bus.server.room import batch_checks, room_checks
from bus.server.standing import who_stands_behind
from bus.transport import (
    MAX_MESSAGE_BYTES,
    PULL_BYTES,
    Connection,
    Tls,
    explain,
)
from bus.trust import VerifiedRegistry

CONNECT_S = 5.0
CERTIFICATE_DAYS = 30
MOST_PING_S = 10
MOST_WRITE_DEADLINE_S = 10
# The server's limits for every connection: low ones keep honest programs out, high ones keep no attacker out.
LIMITS = (
    ("max_connections", 16, 65_536),
    ("max_subscriptions", 20, 1_000),
    ("max_pending", 2 * PULL_BYTES, MAX_PENDING_BYTES),
    ("max_control_line", MAX_CONTROL_LINE, MAX_CONTROL_LINE),
)
DISK_RESERVE_BYTES = LOG_BYTES * LOG_FILES + 256 * 1024**2
"""Bytes that must be free on the broker's disk for its log, open batches and other programs."""
_S = 1_000_000_000


async def check(
    *,
    url: str,
    monitor_url: str,
    provisioner_seed: str,
    registry: VerifiedRegistry,
    seat: BrokerRole | None = None,
    conf_file: Path | None = None,
    binary: Path | None = None,
    tls: Tls | None = None,
    probe_seeds: Sequence[str] = (),
    settings: ServerSettings | None = None,
) -> list[Check]:
    """Check version, durability, limits, accounts and their walls, streams and consumers of a running broker.

    Args:
        url: its address for clients.
        monitor_url: its monitoring address, on loopback.
        provisioner_seed: the provisioner's nkey seed.
        registry: the registry that its users, streams and consumers must match.
        seat: the broker's place in a federation.
        conf_file: the configuration that it should run with; None if it cannot be read here.
        binary: a nats-server that reads that file.
        tls: the certificates to connect with; None connects unencrypted.
        probe_seeds: nkey seeds of the identities that try the walls; without them the walls are not tried.
        settings: the settings of the configuration; its ports and its address for clients are not compared.

    Raises:
        ServerError: `no-monitor`, if the monitoring address does not answer; `not-ready`, as `provision`.
        UnreachableError, DeniedError: from the broker.
    """
    varz = await asyncio.to_thread(read_monitor, monitor_url, "varz")
    home = conf_file.parent if conf_file else Path()
    checks = list(_server(varz, home))
    public, probes = nkeys.public_of(provisioner_seed), tuple(nkeys.public_of(seed) for seed in probe_seeds)
    everybody = members(registry, public, seat, probes)
    taken = keys_taken(registry, public, seat, probes)
    checks.append(hard("transport keys", not taken, "each in one place", "; ".join(taken)))
    chosen = settings or ServerSettings(seat=seat, probe_nkeys=probes)
    checks += await asyncio.to_thread(
        lambda: list(
            configuration_checks(
                varz,
                conf_file,
                binary,
                lambda: render_conf(registry, settings=chosen, provisioner_nkey=public),
            )
        )
    )
    clustered = seat is not None and len(seat.federation.nodes(seat.name)) >= CLUSTER
    checks.append(doors_check(varz, clustered=clustered))
    checks.append(await asyncio.to_thread(accounts_check, monitor_url, everybody))
    checks.append(await asyncio.to_thread(imports_check, monitor_url, everybody))
    async with Connection.open(provisioner_endpoint(url, provisioner_seed, tls)) as connection:
        await connection.until_connected(CONNECT_S)
        if tls is not None:
            checks += await asyncio.to_thread(lambda: list(_handshakes(url, tls)))
        with ready():
            checks += await _layout_checks(connection, varz, registry, seat)
        if probe_seeds:
            checks.append(await _walls(connection, url=url, seeds=probe_seeds, registry=registry, tls=tls))
        if seat is not None:
            checks.append(country_check(registry, seat.federation))
            checks += [await carrier_check(connection, guest) for guest in guests(registry, seat)]
    return checks


async def _layout_checks(
    connection: Connection, varz: dict[str, Any], registry: VerifiedRegistry, seat: BrokerRole | None
) -> list[Check]:
    specs, wanted = layout(registry, seat)
    checks = await stream_checks(connection, specs, len(registry.document.authorities))
    checks.append(await lag_check(connection, specs))
    checks.append(await consumer_check(connection, wanted))
    jetstream = varz.get("jetstream") or {}
    store = int((jetstream.get("config") or {}).get("max_storage", 0))
    checks += room_checks(specs, store, await kept_room(connection, specs))
    checks += batch_checks(jetstream.get("limits") or {}, sum(spec.bursts for spec in specs))
    checks.append(await provisioner_check(connection))
    return checks


async def _walls(
    owner: Connection, *, url: str, seeds: Sequence[str], registry: VerifiedRegistry, tls: Tls | None
) -> Check:
    try:
        return await isolation_check(owner, url=url, seeds=seeds, registry=registry, tls=tls)
    except BusError as exc:
        return hard("walls", ok=False, detail=f"they could not be tried: {exc}")


def standing_check(folder: Path, now: float) -> Check:
    """Whether a program manages the server of a folder: a killed program leaves a server that follows no registry.

    The check names a server that was not started by `tocsin server run`; its operator reloads it.

    Args:
        folder: the server's.
        now: seconds since 1970, by the clock of this machine.
    """
    found = who_stands_behind(folder, now)
    if found.is_ours and not found.is_stood_behind:
        lost = "it follows no registry and runs no carrier of its country; start it again: tocsin server run"
        return hard("server run", ok=False, detail=f"{found.told}: {lost}")
    by_hand = "it was started by other means: reload it by hand when the registry changes"
    return soft("server run", found.is_stood_behind, found.told, by_hand)


def must_be_sound(checks: Iterable[Check]) -> None:
    """Refuse a broker that fails a hard check.

    Raises:
        ServerError: `not-sound`, with the failed checks.
    """
    failed = [f"{finding.name} ({finding.detail})" for finding in checks if finding.hard and not finding.ok]
    if failed:
        raise ServerError(f"this broker is not set up as it must be: {'; '.join(failed)}", reason="not-sound")


def _server(varz: dict[str, Any], home: Path) -> Iterator[Check]:
    version = str(varz.get("version", "0"))
    parts = tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:3] if part.isdigit())
    yield hard("version", parts >= MINIMUM_VERSION, version)
    jetstream = varz.get("jetstream", {}).get("config") or {}
    yield hard("JetStream", bool(jetstream), "on", "off")
    lost = f"{jetstream.get('sync_interval', 0) / _S:.0f} s: a power cut loses acknowledged bulletins"
    yield hard("sync_interval", bool(jetstream.get("sync_always")), "always", lost)
    payload = int(varz.get("max_payload", 0))
    yield hard("max_payload", payload == MAX_MESSAGE_BYTES, f"{payload}, wanted {MAX_MESSAGE_BYTES}")
    yield hard("authentication", bool(varz.get("auth_required")), "required", "anybody may connect")
    for name, least, most in LIMITS:
        value = int(varz.get(name, 0))
        yield hard(name, least <= value <= most, f"{value}, wanted {least} to {most}")
    ping, most = int(varz.get("ping_interval", 0)) / _S, int(varz.get("ping_max", 0))
    yield soft("ping_interval", 0 < ping <= MOST_PING_S, f"{ping:.0f} s")
    yield soft("ping_max", 0 < most <= 2, f"{most} unanswered")
    deadline = int(varz.get("write_deadline", 0)) / _S
    yield soft("write_deadline", 0 < deadline <= MOST_WRITE_DEADLINE_S, f"{deadline:.0f} s")
    yield _tls(varz)
    try:
        # The server names it relative to the folder that it runs in.
        total, used, free = shutil.disk_usage(home / str(jetstream.get("store_dir", ".")))
    except OSError:
        return
    limit = int(jetstream.get("max_storage", 0))
    yield hard("disk reserve", free >= DISK_RESERVE_BYTES, f"{free} bytes free, {DISK_RESERVE_BYTES} wanted")
    grows = limit - int((varz.get("jetstream", {}).get("stats") or {}).get("storage", 0))
    room = f"{free} bytes free; the store may still grow by {grows}"
    yield soft("disk for the store", grows + DISK_RESERVE_BYTES <= free, room)
    yield soft("store limit", limit < total * FULL_SHARE, f"{limit} of {total} bytes")
    yield soft("disk", used < total * FULL_SHARE, f"{100 * used // total} % full")


def _tls(varz: dict[str, Any]) -> Check:
    host = str(varz.get("host", ""))
    if varz.get("tls_required"):
        both = bool(varz.get("tls_verify"))
        return hard("TLS", both, "with client certificates", "clients show no certificate")
    return hard(
        "TLS", _loopback(host), "not needed on loopback", f"none on {host}: anybody on the way can read"
    )


def _handshakes(url: str, tls: Tls) -> Iterator[Check]:
    """The checks that need a handshake: the remaining validity of the certificate, and the refusal of an older TLS."""
    place = urlsplit(url)
    address, name = (place.hostname or "", place.port or 4222), tls.host or place.hostname
    try:
        with (
            socket.create_connection(address, CONNECT_S) as sock,
            tls.context().wrap_socket(sock, server_hostname=name) as safe,
        ):
            ends = ssl.cert_time_to_seconds(str((safe.getpeercert() or {})["notAfter"]))
    except OSError as exc:
        yield hard("certificate", ok=False, detail=explain(exc, tls)[0])
        return
    days = (ends - time.time()) / 86_400
    yield soft("certificate", days > CERTIFICATE_DAYS, f"{days:.0f} days left")
    older = tls.context()
    older.minimum_version = older.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        with (
            socket.create_connection(address, CONNECT_S) as sock,
            older.wrap_socket(sock, server_hostname=name),
        ):
            yield hard("TLS 1.3", ok=False, detail="the server also speaks TLS 1.2")
    except OSError:
        yield hard("TLS 1.3", ok=True, detail="nothing older is spoken")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
