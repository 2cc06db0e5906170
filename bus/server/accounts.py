"""The accounts of a broker and their permissions: one for each identity, and one that holds the streams.

A server sends the answer of a request with its own rights to the reply subject that the request names. So an allow list
does not stop an identity that names a foreign reply subject in its own call. An account does: a reply stays in the
account of the caller. `BUS` holds the streams and nobody enters it. The account of an identity imports, as services,
its calls and subjects, each exported only to those who may use it. The allow lists of the user are a second wall.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from bus.federation import BrokerRole, guests, served_authorities
from bus.server.probe import PROBES, probe_permissions
from bus.transport import (
    MAX_MESSAGE_BYTES,
    PROVISIONER,
    STATEMENTS_STREAM,
    TRUST_STREAM,
    Permissions,
    inbox_prefix,
    permissions_of,
    reading,
)
from bus.trust import VerifiedRegistry
from schemas.subject import REGISTRAR_SUBJECTS, Trust, trust_subject

HOLDER = "BUS"
"""The account of the streams."""
SYSTEM = "SYS"
_CALLS = (
    "$JS.API.INFO",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.CREATE.*",
    "$JS.API.STREAM.UPDATE.*",
    "$JS.API.CONSUMER.NAMES.*",
    "$JS.API.CONSUMER.INFO.*.*",
    "$JS.API.CONSUMER.CREATE.*.*",
    "$JS.API.CONSUMER.DELETE.*.*",
)
"""The calls that make streams and consumers and look at them (`bus.server.provisioning`, `bus.server.checks`). None deletes or purges a
stream, removes a message, or forwards one. No stream names are listed, because the registry no longer knows the streams
of authorities that have left."""
# The server gives an account without streams the whole JetStream API, which answers that there are none, beside its
# imports. An import in the place of this call prevents that; here, one that nobody answers.
_CLOSED, _NOBODY = "$JS.API.INFO", "tocsin.nobody"
_INFO, _NEXT = "$JS.API.CONSUMER.INFO.", "$JS.API.CONSUMER.MSG.NEXT."
ANSWERS_S = 10
"""Time for which the server remembers where the next answer to a request goes: more than the silence between two heartbeats of a pull
request (`bus.transport.pull_consumer`), but short, since each open request costs memory."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One account: an identity, its transport keys and its permissions."""

    name: str
    nkeys: tuple[str, ...]
    permissions: Permissions


def members(
    registry: VerifiedRegistry,
    provisioner_nkey: str,
    seat: BrokerRole | None = None,
    probe_nkeys: Sequence[str] = (),
) -> tuple[Member, ...]:
    """Every identity that may enter a broker.

    An authority cannot enter with a key of the broker's own identities or of a carrier (`keys_taken`). Such a key is
    public, so an authority that registers it need not hold it. One key in two places would make the server refuse the
    whole configuration.

    Args:
        registry: its authorities, each with all its transport keys.
        provisioner_nkey: public key of the identity that makes streams and consumers.
        seat: the broker's place in a federation, which decides its authorities and carriers.
        probe_nkeys: the keys of `PROBES`, in their order, if there are any.
    """
    taken = set(_own_keys(registry, provisioner_nkey, seat, probe_nkeys))
    everybody = [Member(name=PROVISIONER, nkeys=(provisioner_nkey,), permissions=_provisioner_permissions())]
    everybody += [
        Member(
            name=name,
            nkeys=tuple(each for each in registry.document.authorities[name].nkeys if each not in taken),
            permissions=permissions_of(registry, name),
        )
        for name in served_authorities(registry, seat)
    ]
    everybody += [
        Member(name=guest.identity, nkeys=(guest.nkey,), permissions=guest.permissions)
        for guest in (guests(registry, seat) if seat else ())
    ]
    everybody += [
        Member(name=name, nkeys=(nkey,), permissions=probe_permissions(name))
        for name, nkey in zip(PROBES, probe_nkeys, strict=False)
    ]
    return tuple(everybody)


def _provisioner_permissions() -> Permissions:
    """The permissions to make streams and consumers, to read the trust streams, and to publish the registrar's files."""
    # The calls above include questions about its own consumers; a call listed twice would be answered twice.
    reads = [
        call
        for stream in (STATEMENTS_STREAM, TRUST_STREAM)
        for call in reading(stream, PROVISIONER)
        if not call.startswith(_INFO)
    ]
    said = (*REGISTRAR_SUBJECTS, trust_subject(Trust.REVOKE, PROVISIONER))
    return Permissions(publish=(*_CALLS, *reads, *said), subscribe=(f"{inbox_prefix(PROVISIONER)}.>",))


def keys_taken(
    registry: VerifiedRegistry,
    provisioner_nkey: str,
    seat: BrokerRole | None = None,
    probe_nkeys: Sequence[str] = (),
) -> list[str]:
    """The transport keys in the registry that belong to another identity at this broker; their authority cannot enter with them.

    Returns:
        One line for each, sorted: `<authority>: <key> is of <identity>`.

    Args:
        registry: as for `members`.
        provisioner_nkey: likewise.
        seat: likewise.
        probe_nkeys: likewise.
    """
    owners = _own_keys(registry, provisioner_nkey, seat, probe_nkeys)
    return sorted(
        f"{name}: {each} is of {owners[each]}"
        for name in served_authorities(registry, seat)
        for each in registry.document.authorities[name].nkeys
        if each in owners
    )


def _own_keys(
    registry: VerifiedRegistry, provisioner_nkey: str, seat: BrokerRole | None, probe_nkeys: Sequence[str]
) -> dict[str, str]:
    """The holder of each transport key that belongs to no authority."""
    carriers = {guest.nkey: guest.identity for guest in (guests(registry, seat) if seat else ())}
    return {**carriers, **dict(zip(probe_nkeys, PROBES, strict=False)), provisioner_nkey: PROVISIONER}


def render_accounts(everybody: Sequence[Member], max_each: int, max_subscriptions: int) -> str:
    """The part of the configuration with all accounts and users.

    Args:
        everybody: the identities.
        max_each: most connections of one identity at a time.
        max_subscriptions: most subscriptions of one connection.
    """
    users_of: dict[str, list[str]] = {}
    for member in everybody:
        for subject in member.permissions.publish:
            users_of.setdefault(subject, []).append(member.name)
    exports = "\n".join(_export(subject, names) for subject, names in users_of.items())
    limits = (
        f"limits {{ max_connections: {max_each}, max_subscriptions: {max_subscriptions}, "
        f"max_payload: {MAX_MESSAGE_BYTES} }}"
    )
    accounts = "\n".join(_account(member, limits) for member in everybody)
    return f"""\
accounts {{
  # The streams. Nobody enters; each account below has what is exported to it.
  {HOLDER} {{
    jetstream: enabled
    exports: [
      {{ service: "{_NOBODY}", accounts: {json.dumps([member.name for member in everybody])} }}
{exports}
    ]
  }}
{accounts}
  {SYSTEM} {{ users: [] }}
}}
system_account: {SYSTEM}
"""


def imports_lost(everybody: Iterable[Member], heard: Mapping[str, Collection[str]]) -> list[str]:
    """The missing imports of accounts, sorted: `<account>: <subject>`.

    Args:
        everybody: the identities.
        heard: the subjects that the server listens on for each account, by its name.
    """
    return sorted(
        f"{member.name}: {subject}"
        for member in everybody
        for subject in set(member.permissions.publish).difference(heard.get(member.name, ()))
    )


def answers_often(subject: str) -> bool:
    """Whether a request on a subject may be answered more than once."""
    return subject.startswith(_NEXT)


def _export(subject: str, names: Sequence[str]) -> str:
    often = f', response_type: stream, threshold: "{ANSWERS_S}s"' if answers_often(subject) else ""
    return f"      {{ service: {json.dumps(subject)}, accounts: {json.dumps(list(names))}{often} }}"


def _account(member: Member, limits: str) -> str:
    may_say, may_hear = (
        json.dumps(list(each)) for each in (member.permissions.publish, member.permissions.subscribe)
    )
    permissions = f"{{ publish: {{ allow: {may_say} }}, subscribe: {{ allow: {may_hear} }} }}"
    users = "\n".join(f"      {{ nkey: {nkey}, permissions: {permissions} }}" for nkey in member.nkeys)
    imports = "\n".join(
        f"      {{ service: {{ account: {HOLDER}, subject: {json.dumps(subject)} }} }}"
        for subject in member.permissions.publish
    )
    if _CLOSED not in member.permissions.publish:
        imports += f'\n      {{ service: {{ account: {HOLDER}, subject: "{_NOBODY}" }}, to: "{_CLOSED}" }}'
    return f"""\
  {member.name} {{
    {limits}
    users: [
{users}
    ]
    imports: [
{imports}
    ]
  }}"""


def accounts_in(conf: str) -> set[str]:
    """The names of the accounts in a configuration that was rendered here."""
    return set(re.findall(r"^  (\S+) \{$", conf.partition("\naccounts {")[2], flags=re.MULTILINE))
