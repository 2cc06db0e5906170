"""The federation of countries: which servers there are, and what goes from one to another, as data. Pure.

Each country has a server, or a cluster, with a JetStream domain of its own, and works with every link down. Links are
durable sourcing: who gives owns a consumer whose filter is what it releases, who takes names it as the source of a
stream and may only resume it. Nothing travels live. The way of a bulletin from XA to XB:

    XA: BUS XA_ACTUAL --TO_FED--> FED OUT  --union: FED_XA (as fed.xa.>)-->  XB: FED IN_XA --> BUS WORLD_ACTUAL

There are no loops: a country's streams take only what its own authorities say, `OUT` only what those streams hold, a
union keeps one stream for each origin under that origin's prefix, and `IN_XA` takes only that prefix. So nobody speaks
for another country, and where something came from is its path. What leaves, and for whom, follows from the registry's
grants: a channel goes to a country in which somebody may read it, and to no other.

With several unions, and a direct path, the same bulletin comes several ways; `IN_XA` knows it by its message id, whose
window is longer than any way should be out, and the reader's store in any case.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import msgspec

from bus import nkey
from bus.errors import ConfigError
from bus.topology import (
    DUPLICATE_WINDOW_S,
    LinkSource,
    country_of,
    origin_stream,
)
from bus.trust import VerifiedRegistry
from schemas.subject import PREFIX, tlp_token
from schemas.vocab import Status, Tlp

LINK = "link"
"""First token of the subjects on which links deliver; nothing else is said there."""
FED_PREFIX = "fed"
BUS_API, FED_API = "JS.bus.API", "JS.fed.API"
"""How one account of a server calls the other's JetStream."""
OUT_STREAM = "OUT"
KEPT_S = 30 * 24 * 3600  # the longest cut that is survived without reading anew
MAX_ACK_PENDING = 1000  # the fastest of the sizes measured
CLUSTER = 3
# Of the store, in percent: what leaves, what comes in, and, at a union, all there is.
_OUT_PERCENT, _IN_PERCENT, _UNION_PERCENT = 8, 20, 90
_NS = 1_000_000_000

CountryName = Annotated[str, msgspec.Meta(pattern=r"^(?:[a-z]{2}|int)$(?!\n)")]
UnionName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9]{1,15}$(?!\n)")]


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server: where others connect to it as leaves, and where the other nodes of its cluster do."""

    leaf: str
    route: str | None = None
    listen: str | None = None
    """Address and port it listens on for leaves, when that is not the one others connect to."""


class Union(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A union hub: one server, or a cluster of three."""

    nodes: Annotated[tuple[Node, ...], msgspec.Meta(min_length=1, max_length=9)]


class Country(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A country: the public transport key its servers log in with elsewhere, and its nodes where others connect."""

    leaf: str
    nodes: Annotated[tuple[Node, ...], msgspec.Meta(max_length=9)] = ()


class Path(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way between two countries that needs no union: the first connects to the second."""

    from_: CountryName = msgspec.field(name="from")
    to: CountryName


class Federation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The topology file, the same on every server."""

    unions: dict[UnionName, Union] = msgspec.field(default_factory=dict)
    countries: dict[CountryName, Country] = msgspec.field(default_factory=dict)
    paths: tuple[Path, ...] = ()

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The federation in a TOML file.

        Raises:
            ConfigError: `federation-file`, saying what is wrong.
        """
        try:
            found = msgspec.toml.decode(raw, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise _refused(str(exc)) from None
        _check(found)
        return found

    def nodes(self, name: str) -> tuple[Node, ...]:
        """The servers of a union or country.

        Raises:
            ConfigError: `federation-file`, there is no such place.
        """
        place = self.unions.get(name) or self.countries.get(name)
        if place is None:
            known = ", ".join(sorted({*self.unions, *self.countries}))
            raise _refused(f"there is no {name} in it; it has {known}")
        return place.nodes

    def replicas(self, name: str) -> int:
        """How many copies the streams of a place have."""
        return CLUSTER if len(self.nodes(name)) >= CLUSTER else 1

    def neighbours(self, country: str) -> tuple[str, ...]:
        """The countries with which one has a direct path."""
        ends = {(path.from_, path.to) for path in self.paths} | {(path.to, path.from_) for path in self.paths}
        return tuple(sorted(to for from_, to in ends if from_ == country))

    def dials(self, country: str) -> tuple[str, ...]:
        """The places that a country's server connects to: the unions, and the ends of its paths."""
        return (*sorted(self.unions), *sorted({path.to for path in self.paths if path.from_ == country}))

    def callers(self, place: str) -> tuple[str, ...]:
        """The countries that connect to a place."""
        if place in self.unions:
            return tuple(sorted(self.countries))
        return tuple(sorted({path.from_ for path in self.paths if path.to == place}))


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer by which a stream is given away; only who takes it may resume it."""

    stream: str
    name: str
    deliver: str
    filters: tuple[str, ...]

    def config(self) -> dict[str, Any]:
        """The `config` of `$JS.API.CONSUMER.CREATE`."""
        return {
            "durable_name": self.name,
            "name": self.name,
            "deliver_subject": self.deliver,
            "deliver_policy": "all",
            "ack_policy": "flow_control",
            "flow_control": True,
            "idle_heartbeat": _NS,
            "max_deliver": -1,
            "max_ack_pending": MAX_ACK_PENDING,
            "replay_policy": "instant",
            "filter_subjects": list(self.filters),
        }


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that only takes from others, for as long as a cut may last."""

    name: str
    sources: tuple[LinkSource, ...]
    max_bytes: int
    replicas: int = 1

    def config(self) -> dict[str, Any]:
        """The body of `$JS.API.STREAM.CREATE`.

        The oldest goes when there is no more room: a link that stood still would keep out what is new, while the
        countries' own streams still hold what is old.
        """
        return {
            "name": self.name,
            "storage": "file",
            "retention": "limits",
            "discard": "old",
            "max_age": KEPT_S * _NS,
            "max_bytes": self.max_bytes,
            "duplicate_window": DUPLICATE_WINDOW_S * _NS,
            "deny_delete": True,
            "deny_purge": True,
            "num_replicas": self.replicas,
            "sources": [each.config() for each in self.sources],
        }


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a server of the federation needs beside its own: on the side of its authorities, and on that of its links."""

    worlds: dict[Status, tuple[LinkSource, ...]]
    given: tuple[Link, ...]
    """Consumers on the country's own streams, by which its links take what leaves."""
    carried: tuple[Carried, ...]
    links: tuple[Link, ...]


def released(registry: VerifiedRegistry, origin: str, reader: str) -> tuple[str, ...]:
    """The subjects of one country that go to another: what somebody there may read, and nobody else's.

    Sorted patterns `tocsin.v1.<status>.<tlp>.<audience>.<origin>.>`.
    """
    said: set[tuple[Status, Tlp, str]] = set()
    read: set[tuple[Status, Tlp, str]] = set()
    for name in registry.document.authorities:
        if country_of(name) == origin:
            said.update(registry.publish_prefixes(name))
        if country_of(name) == reader:
            read.update(registry.read_prefixes(name))
    return tuple(
        f"{PREFIX}.{status}.{tlp_token(tlp)}.{audience}.{origin}.>"
        for status, tlp, audience in sorted(said & read)
    )


def country_plan(registry: VerifiedRegistry, federation: Federation, country: str, store_bytes: int) -> Plan:
    """The links of a country's server."""
    others = [name for name in sorted(federation.countries) if name != country]
    leaving = sorted({each for other in others for each in released(registry, country, other)})
    coming = [other for other in others if released(registry, other, country)]
    replicas = federation.replicas(country)
    given = tuple(
        Link(
            stream=origin_stream(country, status),
            name=link_name(FED_PREFIX),
            deliver=f"{LINK}.bus.fed.{status}",
            filters=filters,
        )
        for status in Status
        if (filters := tuple(each for each in leaving if each.startswith(f"{PREFIX}.{status}.")))
    )
    out = Carried(
        name=OUT_STREAM,
        sources=tuple(
            LinkSource(stream=each.stream, api=BUS_API, consumer=each.name, deliver=each.deliver)
            for each in given
        ),
        max_bytes=store_bytes * _OUT_PERCENT // 100,
        replicas=replicas,
    )
    incoming = tuple(
        Carried(
            name=in_stream(other),
            sources=_ways(federation, other, country),
            max_bytes=store_bytes * _IN_PERCENT // 100 // len(coming),
            replicas=replicas,
        )
        for other in coming
    )
    links = [
        Link(
            stream=OUT_STREAM,
            name=link_name(union),
            deliver=f"{LINK}.{country}.{union}",
            filters=(f"{PREFIX}.*.*.*.{country}.>",),
        )
        for union in sorted(federation.unions)
    ]
    links += [
        Link(
            stream=OUT_STREAM,
            name=link_name(other),
            deliver=f"{LINK}.{country}.{other}.{country}",
            filters=filters,
        )
        for other in federation.neighbours(country)
        if (filters := released(registry, country, other))
    ]
    links += [
        Link(
            stream=in_stream(other),
            name=link_name(status),
            deliver=f"{LINK}.fed.bus.{other}.{status}",
            filters=(f"{PREFIX}.{status}.*.*.{other}.>",),
        )
        for other in coming
        for status in Status
    ]
    worlds = {
        status: tuple(
            LinkSource(
                stream=in_stream(other),
                api=FED_API,
                consumer=link_name(status),
                deliver=f"{LINK}.fed.bus.{other}.{status}",
            )
            for other in coming
        )
        for status in Status
    }
    return Plan(
        worlds=worlds,
        given=given,
        carried=(out, *incoming) if given else incoming,
        links=tuple(each for each in links if given or each.stream != OUT_STREAM),
    )


def union_plan(registry: VerifiedRegistry, federation: Federation, union: str, store_bytes: int) -> Plan:
    """The links of a union's server: one stream for each origin, one consumer on it for each country that may read."""
    carried, links = [], []
    for origin in sorted(federation.countries):
        stream = fed_stream(origin)
        carried.append(
            Carried(
                name=stream,
                sources=(
                    LinkSource(
                        stream=OUT_STREAM,
                        api=f"$JS.{origin}.API",
                        consumer=link_name(union),
                        deliver=f"{LINK}.{origin}.{union}",
                        transform=(">", f"{FED_PREFIX}.{origin}.>"),
                    ),
                ),
                max_bytes=store_bytes * _UNION_PERCENT // 100 // len(federation.countries),
                replicas=federation.replicas(union),
            )
        )
        links += [
            Link(
                stream=stream,
                name=link_name(reader),
                deliver=f"{LINK}.{union}.{reader}.{origin}",
                filters=tuple(f"{FED_PREFIX}.{origin}.{each}" for each in filters),
            )
            for reader in sorted(federation.countries)
            if reader != origin and (filters := released(registry, origin, reader))
        ]
    return Plan(worlds={}, given=(), carried=tuple(carried), links=tuple(links))


def _ways(federation: Federation, origin: str, country: str) -> tuple[LinkSource, ...]:
    """How what one country says comes to another: over each union, and directly where there is a path."""
    over = [
        LinkSource(
            stream=fed_stream(origin),
            api=f"$JS.{union}.API",
            consumer=link_name(country),
            deliver=f"{LINK}.{union}.{country}.{origin}",
            transform=(f"{FED_PREFIX}.{origin}.>", ">"),
        )
        for union in sorted(federation.unions)
    ]
    if origin in federation.neighbours(country):
        over.append(
            LinkSource(
                stream=OUT_STREAM,
                api=f"$JS.{origin}.API",
                consumer=link_name(country),
                deliver=f"{LINK}.{origin}.{country}.{origin}",
            )
        )
    return tuple(over)


def in_stream(origin: str) -> str:
    """The stream of what comes from one country."""
    return f"IN_{origin.upper()}"


def fed_stream(origin: str) -> str:
    """The stream in which a union keeps what one country released."""
    return f"FED_{origin.upper()}"


def link_name(to: str) -> str:
    """The consumer by which a stream is given to somebody."""
    return f"TO_{to.upper()}"


def _check(federation: Federation) -> None:
    if both := federation.unions.keys() & federation.countries.keys():
        raise _refused(f"{min(both)} is a union and a country; each needs a name of its own")
    for name, country in federation.countries.items():
        if not nkey.is_public_user_key(country.leaf):
            raise _refused(
                f"{name}: leaf is no public transport key; its operator has it: tocsin server leaf-key"
            )
    leaves = [country.leaf for country in federation.countries.values()]
    if len(set(leaves)) != len(leaves):
        raise _refused("two countries have the same leaf key")
    for name in (*federation.unions, *federation.countries):
        nodes = federation.nodes(name)
        if len(nodes) > 1 and (len(nodes) < CLUSTER or not all(node.route for node in nodes)):
            raise _refused(f"{name}: a cluster has three nodes or more, each with a route")
        for node in nodes:
            _address(node.leaf, "nats-leaf", name)
            if node.route is not None:
                _address(node.route, "nats-route", name)
    for path in federation.paths:
        for end in (path.from_, path.to):
            if end not in federation.countries:
                raise _refused(f"a path ends in {end}, which is no country of this file")
        if path.from_ == path.to:
            raise _refused(f"a path leads from {path.to} to itself")
        if not federation.nodes(path.to):
            raise _refused(f"a path leads to {path.to}, which has no node to connect to")


def _address(url: str, scheme: str, name: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme == scheme and bool(parts.hostname) and bool(parts.port)
    except ValueError:
        good = False
    if not good or re.search(r"[\s\"{}]", url):
        raise _refused(f"{name}: {url!r} is no address of the form {scheme}://host:port")


def _refused(text: str) -> ConfigError:
    return ConfigError(f"the federation file: {text}", reason="federation-file")
