"""Who may connect to a broker, and what each account may do: one account for each identity, and one that holds the streams.

A server answers a request with its own rights, wherever the request says that the answer goes. So an allow list is no wall
against an identity that names a foreign subject as the reply of its own call. An account is: a reply stays in the account of
the one that asked. `BUS` holds the streams and nobody enters it. The account of an identity imports, as services, the calls and
subjects of that identity, each exported to those alone who may use it. The allow lists of the user are a second wall.
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
"""The calls that make streams and consumers and look at them (`bus.server.provisioning`, `bus.server.checks`). None ends or
empties a stream, takes a message out, or hands one on. The streams of authorities that have left have names that the registry
no longer knows, so no name stands here."""
# An account without streams is given all of the JetStream API by the server, which answers that it has none, beside what the
# account imports. It is not, where something else stands in the place of this call: here, what nobody answers.
_CLOSED, _NOBODY = "$JS.API.INFO", "tocsin.nobody"
_INFO, _NEXT = "$JS.API.CONSUMER.INFO.", "$JS.API.CONSUMER.MSG.NEXT."
ANSWERS_S = 10
"""For so long the server remembers where the next answer to a request goes: more than the silence between two heartbeats
of a pull request (`bus.transport.pull_consumer`), and little, for each request that waits costs memory."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One account: an identity, the transport keys that enter it, and what it may do."""

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

    An authority does not enter with a key of the broker's own identities or of a carrier (`keys_taken`): one that registers
    such a key, which is public, does not hold it, and one key in two places would make the server refuse everything.

    Args:
        registry: its authorities, each with all its transport keys.
        provisioner_nkey: who makes streams and consumers.
        seat: which broker of a federation it is: whose authorities come, and which carriers.
        probe_nkeys: the keys of `PROBES`, in their order, where there are any.
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
    """What makes streams and consumers, reads what is said of trust, and says what the registrar publishes."""
    # That it may ask about its own consumers too stands in the calls above; a call that stood twice would be answered twice.
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
    """Which transport keys in the registry are another's at this broker, so that their authority does not enter with them.

    Returns:
        A line for each, sorted, `<authority>: <key> is of <identity>`.

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
    """Who holds each transport key that is no authority's."""
    carriers = {guest.nkey: guest.identity for guest in (guests(registry, seat) if seat else ())}
    return {**carriers, **dict(zip(probe_nkeys, PROBES, strict=False)), provisioner_nkey: PROVISIONER}


def render_accounts(everybody: Sequence[Member], max_each: int, max_subscriptions: int) -> str:
    """The part of the configuration that says who may connect and do what; there is no other user.

    Args:
        everybody: the identities.
        max_each: connections of one identity at a time.
        max_subscriptions: subscriptions of one connection.
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
    """What accounts lack of their imports, sorted, `<account>: <subject>`.

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
