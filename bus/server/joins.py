"""The part of a broker's configuration that joins it to others: leaf connections, the account of the links, a cluster.

A country's server has two accounts: `BUS` for its own authorities, as without a federation, and `FED`, the only one that
leaf connections are bound to. So a compromise of a union reaches nothing national. Between the two, and over each leaf
connection, go three subjects for each link: resume its consumer, deliver, flow control. Bulletins never cross live.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from bus import nkey
from bus.federation import Federation
from bus.links import (
    BUS_API,
    FED_API,
    FED_PREFIX,
    LINK,
    OUT_STREAM,
    Plan,
    country_plan,
    link_name,
    union_plan,
)
from bus.server.binary import ServerError
from bus.topology import inbox_prefix
from bus.trust import VerifiedRegistry
from schemas.subject import PREFIX
from schemas.vocab import Status

LINKER = "linker"
"""The identity that makes the streams of the account `FED`."""
BUS, FED = "BUS", "FED"
# Everything of a JetStream domain that a leaf connection would reach by itself, but for resuming a consumer.
_FORBIDDEN_CALLS = (
    *("STREAM.>", "META.>", "SERVER.>", "ACCOUNT.>", "DIRECT.>", "INFO"),
    *(
        f"CONSUMER.{call}.>"
        for call in (
            *("CREATE", "DURABLE", "DELETE", "INFO", "LIST", "NAMES", "MSG", "PAUSE", "LEADER", "UNPIN"),
        )
    ),
)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LIVE = (f"{PREFIX.split('.', maxsplit=1)[0]}.>", f"{FED_PREFIX}.>")


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """Which server of a federation this is, and its keys.

    Attributes:
        federation: the topology.
        name: the country or union it serves.
        node: which server of a cluster, from 0.
        linker_seed: of the identity that makes the streams of the links.
        leaf_seed: by which it logs in elsewhere; a union logs in nowhere.
    """

    federation: Federation
    name: str
    node: int = 0
    linker_seed: str
    leaf_seed: str | None = None

    @property
    def country(self) -> str | None:
        """The country served; None of a union."""
        return self.name if self.name in self.federation.countries else None


def plan_of(registry: VerifiedRegistry, member: Membership, store_bytes: int) -> Plan:
    """The links of this server, as the registry stands."""
    plan = country_plan if member.country else union_plan
    return plan(registry, member.federation, member.name, store_bytes)


def render_domain(member: Membership | None) -> str:
    """A line of the `jetstream` block: streams of other servers are told from our own by their domain."""
    return f"  domain: {member.name}\n" if member else ""


def render_joins(member: Membership | None, tls: str) -> str:
    """The blocks `leafnodes` and `cluster`.

    Args:
        member: which server this is.
        tls: the inner lines of the `tls` blocks; empty without TLS.

    Raises:
        ServerError: `tls-file`, when a way beyond this machine would be in clear.
    """
    if member is None:
        return ""
    places = (member.name, *(member.federation.dials(member.name) if member.country else ()))
    for node in (node for place in places for node in member.federation.nodes(place)):
        for url in (node.leaf, node.route, node.listen and f"nats-leaf://{node.listen}"):
            if url and not tls and urlsplit(url).hostname not in _LOOPBACK:
                raise ServerError(
                    f"{url} leads beyond this machine and would be in clear; put server.pem, server.key and ca.pem "
                    "into the folder's tls/",
                    reason="tls-file",
                )
    return _leafnodes(member, tls) + _cluster(member, tls)


def _leafnodes(member: Membership, tls: str) -> str:
    federation, name = member.federation, member.name
    lines = []
    if federation.callers(name):
        node = federation.nodes(name)[member.node]
        where = urlsplit(node.leaf)
        lines += [
            f"  listen: {json.dumps(node.listen or f'{where.hostname}:{where.port}')}",
            "  isolate_leafnode_interest: true",
        ]
        if tls:
            lines.append(f'  tls {{ {tls}verify: true, handshake_first: true, min_version: "1.3" }}')
    if member.country and (places := federation.dials(name)):
        remotes = "\n".join(_remote(member, place, tls) for place in places)
        lines += ['  reconnect: "1s"', f"  remotes: [\n{remotes}\n  ]"]
    inner = "\n".join(lines)
    return f"leafnodes {{\n{inner}\n}}\n" if lines else ""


def _remote(member: Membership, place: str, tls: str) -> str:
    """One connection to another place; what may cross is said on both sides, here by what may not."""
    inwards = [
        *(f"$JS.{member.name}.API.{call}" for call in _FORBIDDEN_CALLS),
        *_LIVE,
        "$JS.ACK.>",
        "_INBOX.>",
        f"{BUS_API.removesuffix('API')}>",
        f"{LINK}.bus.>",
    ]
    outwards = [*_LIVE, f"{BUS_API.removesuffix('API')}>", f"{LINK}.bus.>", f"{LINK}.fed.>"]
    urls = [node.leaf for node in member.federation.nodes(place)]
    secure = f"\n      tls {{ {tls}handshake_first: true }}" if tls else ""
    return f"""\
    {{ urls: {json.dumps(urls)}, account: {FED}, nkey: {json.dumps(member.leaf_seed)}, compression: s2_auto{secure}
      deny_imports: {json.dumps(inwards)}
      deny_exports: {json.dumps(outwards)} }}"""


def _cluster(member: Membership, tls: str) -> str:
    nodes = member.federation.nodes(member.name)
    if len(nodes) < 2:
        return ""
    own = nodes[member.node]
    where = urlsplit(own.route or "")
    others = [node.route for node in nodes if node is not own]
    secure = f"  tls {{ {tls}verify: true }}\n" if tls else ""
    return f"""\
cluster {{
  name: {member.name}
  listen: {json.dumps(f"{where.hostname}:{where.port}")}
  routes: {json.dumps(others)}
  connect_backoff: true
{secure}}}
"""


def render_fed_account(member: Membership, plan: Plan) -> str:
    """The account of the links: who makes its streams, and the countries that connect, each with its own links alone."""
    users = [
        user(
            nkey.public_of(member.linker_seed),
            publish=("$JS.API.>",),
            subscribe=(f"{inbox_prefix(LINKER)}.>",),
            note=LINKER,
        )
    ]
    users += [_leaf_user(member, country) for country in member.federation.callers(member.name)]
    listed = "\n".join(users)
    doors = _doors(FED, BUS, BUS_API, gives=_OF_FED, takes=_of_bus(plan)) if member.country else ""
    return f"""\
  {FED} {{
    jetstream: enabled
    users: [
{listed}
    ]
{doors}  }}
"""


def render_bus_doors(plan: Plan) -> str:
    """What the account `BUS` gives to the links, and takes from them."""
    return _doors(BUS, FED, FED_API, gives=_of_bus(plan), takes=_OF_FED)


def _doors(own: str, other: str, api: str, *, gives: tuple[str, ...], takes: tuple[str, ...]) -> str:
    """Three subjects for each link: resume, flow control, deliver; as the server tells services from streams."""
    to, back = f"{LINK}.{own.lower()}.{other.lower()}.>", f"{LINK}.{other.lower()}.{own.lower()}.>"
    exports = [
        *(f'{{ service: "$JS.API.CONSUMER.RESET.{each}", accounts: [{other}] }}' for each in gives),
        *(f'{{ service: "$JS.FC.{each}.>", accounts: [{other}] }}' for each in gives),
        f'{{ stream: "{to}", accounts: [{other}] }}',
    ]
    imports = [
        *(
            f'{{ service: {{ account: {other}, subject: "$JS.API.CONSUMER.RESET.{each}" }}, to: "{api}.CONSUMER.RESET.{each}" }}'
            for each in takes
        ),
        *(f'{{ service: {{ account: {other}, subject: "$JS.FC.{each}.>" }} }}' for each in takes),
        f'{{ stream: {{ account: {other}, subject: "{back}" }} }}',
    ]
    exported, imported = ("\n".join(f"      {each}" for each in lines) for lines in (exports, imports))
    return f"    exports: [\n{exported}\n    ]\n    imports: [\n{imported}\n    ]\n"


def _leaf_user(member: Membership, country: str) -> str:
    """A country that connects here: to be given what it may read, and to give what it releases, to nobody else."""
    here = member.name
    given = OUT_STREAM if member.country else "*"  # a union has one stream for each origin
    taken = f"{LINK}.{country}.{here}.{country}" if member.country else f"{LINK}.{country}.{here}"
    says = (
        f"$JS.{here}.API.CONSUMER.RESET.{given}.{link_name(country)}",
        taken,
        f"$JS.FC.{given}.{link_name(country)}.>",
        "$JSC.R.>",
    )
    hears = (
        f"$JS.{country}.API.CONSUMER.RESET.{OUT_STREAM}.{link_name(here)}",
        f"{LINK}.{here}.{country}.*",
        f"$JS.FC.{OUT_STREAM}.{link_name(here)}.>",
        "$JSC.R.>",
    )
    return user(
        member.federation.countries[country].leaf,
        publish=says,
        subscribe=hears,
        note=country,
        more="allowed_connection_types: [LEAFNODE], ",
    )


def user(key: str, *, publish: Iterable[str], subscribe: Iterable[str], note: str, more: str = "") -> str:
    """A line of `users`: what somebody may say and hear; there is nothing else."""
    may_say, may_hear = json.dumps(list(publish)), json.dumps(list(subscribe))
    return (
        f"      # {note}\n"
        f"      {{ nkey: {key}, {more}permissions: {{ publish: {{ allow: {may_say} }}, subscribe: {{ allow: {may_hear} }} }} }}"
    )


def _of_bus(plan: Plan) -> tuple[str, ...]:
    return tuple(f"{each.stream}.{each.name}" for each in plan.given)


_OF_FED = tuple(f"*.{link_name(status)}" for status in Status)
