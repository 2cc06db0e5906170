"""Writes the broker's configuration from the registry: an account for each identity, every message synced to the disk."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bus.federation import CLUSTER, BrokerRole
from bus.server.accounts import members, render_accounts
from bus.server.binary import ServerError
from bus.transport import BATCH, MAX_MESSAGE_BYTES
from bus.trust import VerifiedRegistry

MAX_PENDING_BYTES = 16 * 1024**2
MOST_EACH = 64  # connections of one identity
# Most open batches: of one stream, which has one publisher, and of the whole server.
BATCHES_EACH, BATCHES_OPEN, BATCH_S = 1, 6, 2
MAX_CONTROL_LINE = (
    1024  # a subject, a reply and two sizes; or the server's greeting answered: name, key, signature
)
LOG_FILE, LOG_BYTES, LOG_FILES = "nats-server.log", 16 * 1024**2, 4
ROUTE_USER = "tocsin"

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ServerTls(msgspec.Struct, frozen=True, kw_only=True):
    """PEM files, relative to the configuration: the broker's certificate and key, and the CA of its clients."""

    cert: Path
    key: Path
    ca: Path

    @classmethod
    def in_folder(cls, folder: Path) -> ServerTls | None:
        """The files in `tls/` of a broker's folder; None without that folder. A missing file never makes a broker unencrypted.

        Raises:
            ServerError: `tls-file`, if one of the three is missing.
        """
        if not (folder / "tls").exists():
            return None
        files = cls(cert=Path("tls/server.pem"), key=Path("tls/server.key"), ca=Path("tls/ca.pem"))
        for path in (files.cert, files.key, files.ca):
            if not (folder / path).is_file():
                raise ServerError(
                    f"{folder / path} is missing; TLS needs server.pem, server.key and ca.pem in {folder / 'tls'}",
                    reason="tls-file",
                )
        return files


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's choices; port -1 is any free port. Bytes and counts are limits."""

    host: str = "127.0.0.1"
    port: int = -1
    monitor_port: int = -1
    name: str = "tocsin"
    store_dir: Path = Path("jetstream")
    max_file_store: int = 8 * 1024**3
    max_memory_store: int = 256 * 1024**2
    max_connections: int = 4096
    max_subscriptions: int = 200
    max_each: int = MOST_EACH
    tls: ServerTls | None = None
    seat: BrokerRole | None = None
    """The broker's place in a federation; None for a single broker that serves every authority."""
    probe_nkeys: tuple[str, ...] = ()
    """Public nkeys of the identities that try the walls (`bus.server.probe`); without them `server check` tests less."""
    route_secret: str | None = None
    """The shared secret of the nodes of a cluster, the same at each node."""


def render_conf(registry: VerifiedRegistry, *, settings: ServerSettings, provisioner_nkey: str) -> str:
    """The configuration file. The monitoring port has no password, so it listens only on loopback.

    Raises:
        ServerError: `tls-file`, `route-secret`: the nodes of a cluster could not authenticate each other.

    Args:
        registry: its authorities become users.
        settings: the operator's choices.
        provisioner_nkey: public nkey of the only identity that may make streams and consumers.
    """
    files = _tls_files(settings.tls)
    everybody = members(registry, provisioner_nkey, settings.seat, settings.probe_nkeys)
    accounts = render_accounts(everybody, settings.max_each, settings.max_subscriptions)
    return f"""\
# Written by tocsin from registry {registry.domain} version {registry.version}; edits are lost.
# {registry.digest}
server_name: {_quoted(settings.name)}
listen: {_quoted(f"{settings.host}:{settings.port}")}
http: {_quoted(f"127.0.0.1:{settings.monitor_port}")}
ports_file_dir: "."
ping_interval: "5s"
ping_max: 2
write_deadline: "5s"
max_payload: {MAX_MESSAGE_BYTES}
max_control_line: {MAX_CONTROL_LINE}
# Anybody who reaches the port writes here, without a key too. So much is kept, and the oldest goes.
log_file: {_quoted(LOG_FILE)}
logfile_size_limit: {LOG_BYTES}
logfile_max_num: {LOG_FILES}
# Bytes on their way to one connection; a reader that takes nothing is cut, and nobody waits for it.
max_pending: {MAX_PENDING_BYTES}
# Of all together; an identity has its account's share of them.
max_connections: {settings.max_connections}
max_subscriptions: {settings.max_subscriptions}
jetstream {{
  store_dir: {_quoted(str(settings.store_dir))}
  max_file_store: {settings.max_file_store}
  max_memory_store: {settings.max_memory_store}
  # A power cut loses what was acknowledged and not yet synced; so each message is.
  sync_interval: always
  # What is open and not committed is in no stream's room; so there is little of it, and not for long.
  limits {{
    batch {{
      max_inflight_per_stream: {BATCHES_EACH}
      max_inflight_total: {BATCHES_OPEN}
      max_msgs: {BATCH}
      timeout: "{BATCH_S}s"
    }}
  }}
}}
{_tls(files)}{_cluster(settings, files)}{accounts}"""


def _tls_files(files: ServerTls | None) -> str:
    if files is None:
        return ""
    return f"""\
  cert_file: {_quoted(str(files.cert))}
  key_file: {_quoted(str(files.key))}
  ca_file: {_quoted(str(files.ca))}
"""


def _tls(files: str) -> str:
    """Only TLS 1.3, from the first byte, for clients with a certificate signed by the CA."""
    if not files:
        return ""
    return f"""\
tls {{
{files}  verify: true
  min_version: "1.3"
  handshake_first: true
  timeout: 2
}}
"""


def _cluster(settings: ServerSettings, files: str) -> str:
    """The routes of a cluster: its nodes trust each other by a shared secret and by certificates.

    Clients have certificates of the same CA, and any program on this machine reaches its loopback. So neither proves a
    node.

    Raises:
        ServerError: `tls-file`, if nodes on other machines would be trusted without a certificate; `route-secret`, if
            the secret is missing.
    """
    seat = settings.seat
    nodes = seat.federation.nodes(seat.name) if seat else ()
    if seat is None or len(nodes) < CLUSTER:
        return ""
    if not settings.route_secret:
        raise ServerError(
            "the nodes of a cluster need a shared secret: route.secret in the folder of each",
            reason="route-secret",
        )
    routes = [node.route or "" for node in nodes]
    for route in routes:
        if not files and urlsplit(route).hostname not in LOOPBACK:
            raise ServerError(
                f"{route} leaves this machine unencrypted; put server.pem, "
                "server.key and ca.pem into the folder's tls/",
                reason="tls-file",
            )
    own = urlsplit(routes.pop(seat.node))
    secret = f"{ROUTE_USER}:{settings.route_secret}@"
    known = [route.replace("://", f"://{secret}", 1) for route in routes]
    secure = f"  tls {{\n{files}  verify: true\n  }}\n" if files else ""
    return f"""\
cluster {{
  name: {seat.name}
  listen: {_quoted(f"{own.hostname}:{own.port}")}
  authorization {{ user: {ROUTE_USER}, password: {_quoted(settings.route_secret)}, timeout: 2 }}
  routes: {json.dumps(known)}
  connect_backoff: true
{secure}}}
"""


def _quoted(text: str) -> str:
    """A string in the server's syntax: as in JSON, with non-ASCII characters unescaped."""
    return json.dumps(text, ensure_ascii=False)
