"""The broker's configuration, written from the registry: users with nkeys, allow lists only, durable to the disk."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from bus.server.binary import ServerError
from bus.server.joins import (
    BUS,
    Membership,
    plan_of,
    render_bus_doors,
    render_domain,
    render_fed_account,
    render_joins,
    user,
)
from bus.topology import MAX_MESSAGE_BYTES, PROVISIONER, at_home, inbox_prefix, permissions
from bus.trust import VerifiedRegistry
from schemas.subject import TRUST_SUBJECTS


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
        found = cls(cert=Path("tls/server.pem"), key=Path("tls/server.key"), ca=Path("tls/ca.pem"))
        for path in (found.cert, found.key, found.ca):
            if not (folder / path).is_file():
                raise ServerError(
                    f"{folder / path} is missing; TLS needs server.pem, server.key and ca.pem in {folder / 'tls'}",
                    reason="tls-file",
                )
        return found


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
    member: Membership | None = None
    """Which server of a federation it is; None stands alone."""


def render_conf(registry: VerifiedRegistry, *, settings: ServerSettings, provisioner_nkey: str) -> str:
    """The configuration file. The monitoring port listens on loopback alone: it asks for no password.

    Args:
        registry: whose authorities become users.
        settings: the operator's choices.
        provisioner_nkey: public nkey of the one identity that may make streams and consumers.
    """
    member, files = settings.member, _tls_files(settings.tls)
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
max_connections: {settings.max_connections}
max_subscriptions: {settings.max_subscriptions}
jetstream {{
  store_dir: {_quoted(str(settings.store_dir))}
{render_domain(member)}  max_file_store: {settings.max_file_store}
  max_memory_store: {settings.max_memory_store}
  # A power cut loses what was acknowledged and not yet synced; so each message is.
  sync_interval: always
}}
{_tls(files)}{render_joins(member, files)}{render_accounts(registry, provisioner_nkey, settings)}"""


def _tls_files(files: ServerTls | None) -> str:
    if files is None:
        return ""
    return f"cert_file: {_quoted(str(files.cert))}, key_file: {_quoted(str(files.key))}, ca_file: {_quoted(str(files.ca))}, "


def _tls(files: str) -> str:
    """TLS 1.3 alone, from the first byte, for clients whose certificate the CA has signed."""
    if not files:
        return ""
    return f'tls {{ {files}verify: true, min_version: "1.3", handshake_first: true, timeout: 2 }}\n'


def render_accounts(
    registry: VerifiedRegistry, provisioner_nkey: str, settings: ServerSettings | None = None
) -> str:
    """The part of the configuration that says who may connect and do what; there is no other user."""
    if settings is None or (member := settings.member) is None:
        accounts = _bus_account(registry, provisioner_nkey, None, "")
    else:
        plan = plan_of(registry, member, settings.max_file_store)
        accounts = render_fed_account(member, plan)
        if member.country:
            doors = render_bus_doors(plan)
            accounts = _bus_account(registry, provisioner_nkey, member.country, doors) + accounts
    return f"""\
accounts {{
{accounts}  SYS {{ users: [] }}
}}
system_account: SYS
"""


def _bus_account(registry: VerifiedRegistry, provisioner_nkey: str, country: str | None, doors: str) -> str:
    users = [
        user(
            provisioner_nkey,
            publish=("$JS.API.>", *TRUST_SUBJECTS.values()),
            subscribe=(f"{inbox_prefix(PROVISIONER)}.>",),
            note=PROVISIONER,
        )
    ]
    for name in at_home(registry, country):
        allowed = permissions(registry, name)
        users += [
            user(nkey, publish=allowed.publish, subscribe=allowed.subscribe, note=name)
            for nkey in registry.document.authorities[name].nkeys
        ]
    listed = "\n".join(users)
    return f"""\
  {BUS} {{
    jetstream: enabled
    users: [
{listed}
    ]
{doors}  }}
"""


def _quoted(text: str) -> str:
    """A string as the server reads it: JSON's, with characters beyond ASCII as they are."""
    return json.dumps(text, ensure_ascii=False)
