"""Every assumption about the running broker, checked: pass or fail, hard or soft."""

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

import msgspec

from bus.errors import BrokerError
from bus.federation import BrokerRole, CarrierClient, Federation, guests, unmatched
from bus.keys import nkeys
from bus.server.binary import MINIMUM_VERSION, ServerError, config_digest
from bus.server.config import MAX_PENDING_BYTES, RESERVED_CONNECTIONS, ServerSettings, render_accounts
from bus.server.connection_limits import CONNECTIONS, MOST_EACH, held
from bus.server.monitor import read_monitor
from bus.server.provisioning import layout, provisioner_endpoint
from bus.transport import (
    MAX_MESSAGE_BYTES,
    PULL_BYTES,
    STATEMENTS_ROOM_BYTES,
    STATEMENTS_STREAM,
    Connection,
    ConsumerSpec,
    StreamSpec,
    Tls,
    consumer_differs,
    consumer_info,
    consumer_names,
    explain,
    stream_info,
    stream_names,
)
from bus.trust import VerifiedRegistry

CONNECT_S = 5.0
CERTIFICATE_DAYS = 30
FULL_SHARE = 0.8
MOST_PING_S = 10
MOST_WRITE_DEADLINE_S = 10
# What the server holds every connection to: too little keeps honest programs out, too much none of the others.
LIMITS = (
    ("max_connections", 16, 65_536),
    ("max_subscriptions", 20, 1_000),
    ("max_pending", 2 * PULL_BYTES, MAX_PENDING_BYTES),
    ("max_control_line", 1_024, 4_096),
)
_S = 1_000_000_000


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One assumption and what was found."""

    name: str
    ok: bool
    hard: bool
    detail: str


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
    system_nkey: str | None = None,
) -> list[Check]:
    """Check version, durability, limits, users, streams and consumers of a running broker.

    Args:
        url: where it serves.
        monitor_url: its monitoring address, on loopback.
        provisioner_seed: the provisioner's nkey seed.
        registry: what its users, streams and consumers must follow.
        seat: which broker of a federation it is.
        conf_file: the configuration that it should run with; None when it is out of reach.
        binary: a nats-server to read that file with.
        tls: with which certificates to connect; None connects in clear.
        system_nkey: public nkey of who may cut connections, where there is one.

    Raises:
        ServerError: `no-monitor`, when the monitoring address does not answer.
        UnreachableError, DeniedError: from the broker.
    """
    varz = await asyncio.to_thread(read_monitor, monitor_url, "varz")
    found = list(_server(varz))
    found += await asyncio.to_thread(lambda: list(_connections(monitor_url)))
    limits = ServerSettings(
        max_connections=int(varz.get("max_connections", 0)) - RESERVED_CONNECTIONS,
        max_subscriptions=int(varz.get("max_subscriptions", 0)),
        system_nkey=system_nkey,
        seat=seat,
    )
    users = render_accounts(registry, nkeys.public_of(provisioner_seed), limits)
    found += await asyncio.to_thread(lambda: list(_users(varz, users, conf_file, binary)))
    async with Connection.open(provisioner_endpoint(url, provisioner_seed, tls)) as connection:
        await connection.until_connected(CONNECT_S)
        if tls is not None:
            found += await asyncio.to_thread(lambda: list(_handshakes(url, tls)))
        specs, wanted = layout(registry, seat)
        found += await _streams(connection, specs, len(registry.document.authorities))
        found += await _consumers(connection, wanted)
        if seat is not None:
            found.append(_countries(registry, seat.federation))
            found += [await _carrier(connection, guest) for guest in guests(registry, seat)]
    return found


def must_be_sound(checks: Iterable[Check]) -> None:
    """Refuse a broker that fails a hard check.

    Raises:
        ServerError: `not-sound`, with what was found.
    """
    failed = [f"{each.name} ({each.detail})" for each in checks if each.hard and not each.ok]
    if failed:
        raise ServerError(f"this broker is not as it must be: {'; '.join(failed)}", reason="not-sound")


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
    for name, least, most in LIMITS:
        value = int(varz.get(name, 0))
        yield _hard(name, least <= value <= most, f"{value}, wanted {least} to {most}")
    ping, most = int(varz.get("ping_interval", 0)) / _S, int(varz.get("ping_max", 0))
    yield _soft("ping_interval", 0 < ping <= MOST_PING_S, f"{ping:.0f} s")
    yield _soft("ping_max", 0 < most <= 2, f"{most} unanswered")
    deadline = int(varz.get("write_deadline", 0)) / _S
    yield _soft("write_deadline", 0 < deadline <= MOST_WRITE_DEADLINE_S, f"{deadline:.0f} s")
    yield _tls(varz)
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


def _tls(varz: dict[str, Any]) -> Check:
    host = str(varz.get("host", ""))
    if varz.get("tls_required"):
        both = bool(varz.get("tls_verify"))
        return _hard("TLS", both, "with client certificates" if both else "clients show no certificate")
    here = _loopback(host)
    return _hard(
        "TLS", here, "not needed on loopback" if here else f"none on {host}: anybody on the way reads"
    )


def _connections(monitor_url: str) -> Iterator[Check]:
    """The broker counts connections for all together; who takes them from others is seen here."""
    each = {user: len(cids) for user, cids in held(read_monitor(monitor_url, CONNECTIONS)).items()}
    many = [f"{user}: {count}" for user, count in each.items() if count > MOST_EACH]
    most = max(each.values(), default=0)
    yield _soft("connections of one identity", not many, ", ".join(many[:8]) or f"{most} at the most")


def _handshakes(url: str, tls: Tls) -> Iterator[Check]:
    """What only a handshake shows: how long the certificate still stands, and that an older TLS is refused."""
    place = urlsplit(url)
    address, name = (place.hostname or "", place.port or 4222), tls.host or place.hostname
    try:
        with (
            socket.create_connection(address, CONNECT_S) as sock,
            tls.context().wrap_socket(sock, server_hostname=name) as safe,
        ):
            ends = ssl.cert_time_to_seconds(str((safe.getpeercert() or {})["notAfter"]))
    except OSError as exc:
        yield _hard("certificate", ok=False, detail=explain(exc, tls)[0])
        return
    days = (ends - time.time()) / 86_400
    yield _soft("certificate", days > CERTIFICATE_DAYS, f"{days:.0f} days left")
    older = tls.context()
    older.minimum_version = older.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        with (
            socket.create_connection(address, CONNECT_S) as sock,
            older.wrap_socket(sock, server_hostname=name),
        ):
            yield _hard("TLS 1.3", ok=False, detail="the server also speaks TLS 1.2")
    except OSError:
        yield _hard("TLS 1.3", ok=True, detail="nothing older is spoken")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _users(varz: dict[str, Any], users: str, conf_file: Path | None, binary: Path | None) -> Iterator[Check]:
    """Who may connect, and do what: in the file, and in the process that should have read it."""
    if conf_file is None or not conf_file.is_file():
        yield _soft("users", ok=False, detail="no configuration file here to compare with the registry")
        return
    follows = conf_file.read_text("utf-8").endswith(users)
    yield _hard(
        "users",
        follows,
        "exactly the registry's" if follows else f"{conf_file} is not of this registry: tocsin server conf",
    )
    if binary is None:
        return
    try:
        wanted = config_digest(binary, conf_file)
    except ServerError as exc:
        yield _hard("configuration", ok=False, detail=str(exc))
        return
    runs = varz.get("config_digest") == wanted
    yield _hard("configuration", runs, wanted if runs else f"the server has not read {conf_file}; reload it")


def _countries(registry: VerifiedRegistry, federation: Federation) -> Check:
    """Whether the federation's file and the registry name the same countries."""
    alone = unmatched(registry, federation)
    detail = [
        f"{each} has no authority in the registry"
        if each in federation.countries
        else f"{each} has no broker in the file"
        for each in alone
    ]
    return _soft(
        "countries", not alone, ", ".join(detail) or f"{len(federation.countries)}, each with authorities"
    )


async def _carrier(connection: Connection, guest: CarrierClient) -> Check:
    """Whether a carrier is there, and how much waits for it."""
    waits, there = 0, True
    for each in guest.consumers:
        try:
            info = await consumer_info(connection, each.stream, each.name)
        except BrokerError:
            there = False
            continue
        waits += info.num_pending
        there = there and info.num_waiting > 0
    return _soft(guest.identity, there, f"{'attached' if there else 'not attached'}, {waits} wait for it")


async def _streams(connection: Connection, specs: Sequence[StreamSpec], speakers: int) -> list[Check]:
    found = []
    for spec in specs:
        try:
            info = await stream_info(connection, spec.name)
        except BrokerError as exc:
            found.append(_hard(f"stream {spec.name}", ok=False, detail=str(exc)))
            continue
        config, state = info.config, info.state
        wrong = [
            key
            for key, value in spec.config().items()
            if key not in ("sources", "max_bytes") and config.get(key) != value
        ]
        # A window on a world would let one country's message ids suppress another's bulletins.
        wrong += ["duplicate_window"] if not spec.subjects and config.get("duplicate_window") else []
        wrong += ["sources"] if info.sources != set(spec.sources) else []
        found.append(
            _hard(f"stream {spec.name}", not wrong, ", ".join(wrong) or f"{state.messages} bulletins")
        )
        if spec.name == STATEMENTS_STREAM:
            # Whoever has left keeps the room that was taken until it is too old.
            most = speakers + 1 + state.num_subjects
            room = info.max_bytes // STATEMENTS_ROOM_BYTES
            found.append(
                _hard("room for statements", most <= room, f"of {room} senders, and {most} at the most")
            )
        share = state.bytes / max(1, info.max_bytes)
        if share > FULL_SHARE:
            found.append(_soft(f"stream {spec.name} fill", ok=False, detail=f"{share:.0%} full"))
    others = set(await stream_names(connection)) - {spec.name for spec in specs}
    found.append(
        _soft(
            "other streams",
            not others,
            ", ".join(sorted(others)) + " of no country here" if others else "none",
        )
    )
    return found


async def _consumers(connection: Connection, wanted: Sequence[ConsumerSpec]) -> list[Check]:
    wrong = []
    for spec in wanted:
        try:
            info = await consumer_info(connection, spec.stream, spec.name)
        except BrokerError as exc:
            wrong.append(f"{spec.stream}/{spec.name}: {exc}")
            continue
        if differs := consumer_differs(spec, info.config):
            wrong.append(f"{spec.stream}/{spec.name}: other {', '.join(differs)} than its grants")
    known = {(spec.stream, spec.name) for spec in wanted}
    for stream in {spec.stream for spec in wanted}:
        wrong += [
            f"{stream}/{name}: nobody has a grant for it"
            for name in await _consumers_of(connection, stream)
            if (stream, name) not in known
        ]
    return [_hard("consumers", not wrong, "; ".join(sorted(wrong)) or f"{len(wanted)} follow the registry")]


async def _consumers_of(connection: Connection, stream: str) -> list[str]:
    try:
        return await consumer_names(connection, stream)
    except BrokerError:
        return []  # the stream is missing, which its own check says


def _hard(name: str, ok: bool, detail: str) -> Check:
    return Check(name=name, ok=ok, hard=True, detail=detail)


def _soft(name: str, ok: bool, detail: str) -> Check:
    return Check(name=name, ok=ok, hard=False, detail=detail)
