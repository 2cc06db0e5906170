"""The broker's configuration, written from the registry: users with nkeys, allow lists only, durable to the disk."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bus.federation import CLUSTER, BrokerRole, guests, served_authorities
from bus.server.binary import ServerError
from bus.transport import MAX_MESSAGE_BYTES, PROVISIONER, inbox_prefix, permissions_of
from bus.trust import VerifiedRegistry
from schemas.subject import REGISTRAR_SUBJECTS, Trust, trust_subject

RESERVED_CONNECTIONS = 16
MAX_PENDING_BYTES = 16 * 1024**2

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ServerTls(msgspec.Struct, frozen=True, kw_only=True):
    """PEM files, relative to the configuration: the broker's certificate and key, and who signs its clients'."""

    cert: Path
    key: Path
    ca: Path

    @classmethod
    def in_folder(cls, folder: Path) -> ServerTls | None:
        """The files in `tls/` of a broker's folder; None without it: a broker that had them never goes on in clear.

        Raises:
            ServerError: `tls-file`, when one of the three is missing.
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
    """What an operator chooses; -1 is any free port. Bytes and counts are limits."""

    host: str = "127.0.0.1"
    port: int = -1
    monitor_port: int = -1
    name: str = "tocsin"
    store_dir: Path = Path("jetstream")
    max_file_store: int = 8 * 1024**3
    max_memory_store: int = 256 * 1024**2
    max_connections: int = 4096
    max_subscriptions: int = 200
    tls: ServerTls | None = None
    seat: BrokerRole | None = None
    """Which broker of a federation it is; None stands alone and serves every authority."""
    system_nkey: str | None = None
    """Public nkey of who may cut connections (`bus.server.connection_limits`); without it nobody speaks to the system account."""


def render_conf(registry: VerifiedRegistry, *, settings: ServerSettings, provisioner_nkey: str) -> str:
    """The configuration file. The monitoring port listens on loopback alone: it asks for no password.

    Args:
        registry: whose authorities become users.
        settings: the operator's choices.
        provisioner_nkey: public nkey of the one identity that may make streams and consumers.
    """
    files = _tls_files(settings.tls)
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
max_control_line: 4096
# Bytes on their way to one connection; a reader that takes nothing is cut, and nobody waits for it.
max_pending: {MAX_PENDING_BYTES}
# More than the account has: its own system account is never kept out.
max_connections: {settings.max_connections + RESERVED_CONNECTIONS}
max_subscriptions: {settings.max_subscriptions}
jetstream {{
  store_dir: {_quoted(str(settings.store_dir))}
  max_file_store: {settings.max_file_store}
  max_memory_store: {settings.max_memory_store}
  # A power cut loses what was acknowledged and not yet synced; so each message is.
  sync_interval: always
}}
{_tls(files)}{_cluster(settings.seat, files)}{render_accounts(registry, provisioner_nkey, settings)}"""


def _tls_files(files: ServerTls | None) -> str:
    if files is None:
        return ""
    return f"""\
  cert_file: {_quoted(str(files.cert))}
  key_file: {_quoted(str(files.key))}
  ca_file: {_quoted(str(files.ca))}
"""


def _tls(files: str) -> str:
    """TLS 1.3 alone, from the first byte, for clients whose certificate the CA has signed."""
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


def _cluster(seat: BrokerRole | None, files: str) -> str:
    """How the nodes of a cluster find and trust one another.

    Raises:
        ServerError: `tls-file`, when nodes on other machines would be trusted without a certificate.
    """
    nodes = seat.federation.nodes(seat.name) if seat else ()
    if seat is None or len(nodes) < CLUSTER:
        return ""
    routes = [node.route or "" for node in nodes]
    for route in routes:
        if not files and urlsplit(route).hostname not in LOOPBACK:
            raise ServerError(
                f"{route} leads beyond this machine, and whoever connects there is one of the cluster; put server.pem, "
                "server.key and ca.pem into the folder's tls/",
                reason="tls-file",
            )
    own = urlsplit(routes.pop(seat.node))
    secure = f"  tls {{\n{files}  verify: true\n  }}\n" if files else ""
    return f"""\
cluster {{
  name: {seat.name}
  listen: {_quoted(f"{own.hostname}:{own.port}")}
  routes: {json.dumps(routes)}
  connect_backoff: true
{secure}}}
"""


def render_accounts(registry: VerifiedRegistry, provisioner_nkey: str, settings: ServerSettings) -> str:
    """The part of the configuration that says who may connect and do what; there is no other user."""
    users = [
        _user(
            provisioner_nkey,
            publish=("$JS.API.>", *REGISTRAR_SUBJECTS, trust_subject(Trust.REVOKE, PROVISIONER)),
            subscribe=(f"{inbox_prefix(PROVISIONER)}.>",),
            note=PROVISIONER,
        )
    ]
    for name in served_authorities(registry, settings.seat):
        allowed = permissions_of(registry, name)
        users += [
            _user(nkey, publish=allowed.publish, subscribe=allowed.subscribe, note=name)
            for nkey in registry.document.authorities[name].nkeys
        ]
    for guest in guests(registry, settings.seat) if settings.seat else ():
        allowed = guest.permissions
        users.append(
            _user(guest.nkey, publish=allowed.publish, subscribe=allowed.subscribe, note=guest.identity)
        )
    listed = "\n".join(users)
    system = f" {{ nkey: {settings.system_nkey} }} " if settings.system_nkey else ""
    return f"""\
accounts {{
  BUS {{
    jetstream: enabled
    limits {{
      max_connections: {settings.max_connections}
      max_subscriptions: {settings.max_subscriptions}
      max_payload: {MAX_MESSAGE_BYTES}
    }}
    users: [
{listed}
    ]
  }}
  SYS {{ users: [{system}] }}
}}
system_account: SYS
"""


def _quoted(text: str) -> str:
    """A string as the server reads it: JSON's, with characters beyond ASCII as they are."""
    return json.dumps(text, ensure_ascii=False)


def _user(nkey: str, *, publish: Iterable[str], subscribe: Iterable[str], note: str) -> str:
    may_say, may_hear = json.dumps(list(publish)), json.dumps(list(subscribe))
    return (
        f"      # {note}\n"
        f"      {{ nkey: {nkey}, permissions: {{ publish: {{ allow: {may_say} }}, subscribe: {{ allow: {may_hear} }} }} }}"
    )
