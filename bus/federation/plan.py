"""The federation of countries: its brokers, their connections, and the subjects carried between them. Pure.

Each country has its own broker and works even if every link is down. A union is a broker whose clients are countries. A
country's carrier (`bus.federation.carrier`), beside its broker, connects to the unions and to the neighbours on its
paths. It carries its own authorities' bulletins there and those of others home. Nobody connects inwards, so control of
a union gives no control of a country. The way of a bulletin from XA to XB:

    XA's broker, WORLD_ACTUAL --carrier of XA--> the union, XA-CSIRT_ACTUAL, WORLD_ACTUAL --carrier of XB--> XB's broker

Streams are the same everywhere (`bus.transport.streams`): one for each authority and status, and the worlds that
readers and carriers read. There are no loops: a country's own bulletins go outwards, all others homewards. The
registry's grants decide: a channel goes only to countries in which some authority may read it. The consumers' filters
at the source and the permissions at the other end enforce that.
"""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

import msgspec

from bus.errors import ConfigError
from bus.keys import nkeys
from bus.transport import (
    ConsumerSpec,
    Permissions,
    country_of,
    inbox_prefix,
    reading,
    trust_consumers,
    world_stream,
)
from bus.trust import FEEDBACK, VerifiedRegistry
from schemas.subject import HIDDEN, PREFIX, REGISTRAR_SUBJECTS, Trust, tlp_token, trust_subject
from schemas.vocab import Status, Tlp

CLUSTER = 3
HOME = "carrier"
"""The carrier's identity at its own country's broker."""

CountryName = Annotated[str, msgspec.Meta(pattern=r"^(?:[a-z]{2}|int)$(?!\n)")]
UnionName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9]{2,15}$(?!\n)")]


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server: its address for carriers, and its address for the other nodes of its cluster."""

    url: str
    route: str | None = None


class Union(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A union's broker: one server, or a cluster of three or more."""

    nodes: Annotated[tuple[Node, ...], msgspec.Meta(min_length=1, max_length=9)]


class Country(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A country: the public transport key of its carrier; its nodes, if it is a cluster or neighbours connect to it."""

    carrier: str
    nodes: Annotated[tuple[Node, ...], msgspec.Meta(max_length=9)] = ()


class Path(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A direct way between two countries: the carrier of the first connects to the second."""

    from_: CountryName = msgspec.field(name="from")
    to: CountryName


class Federation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The federation's file, the same at every broker."""

    unions: dict[UnionName, Union] = msgspec.field(default_factory=dict)
    countries: dict[CountryName, Country] = msgspec.field(default_factory=dict)
    paths: tuple[Path, ...] = ()

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The federation in a TOML file.

        Raises:
            ConfigError: `federation-file`, with the fault.
        """
        try:
            federation = msgspec.toml.decode(raw, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise _refused(str(exc)) from None
        _check(federation)
        return federation

    def nodes(self, name: str) -> tuple[Node, ...]:
        """The servers of a union or country that the file names.

        Raises:
            ConfigError: `federation-file`, there is no such place.
        """
        places: dict[str, Union | Country] = {**self.unions, **self.countries}
        if name not in places:
            raise _refused(f"there is no {name} in it; it has {', '.join(sorted(places))}")
        return places[name].nodes

    def replicas(self, name: str) -> int:
        """The number of copies of a place's streams."""
        return CLUSTER if len(self.nodes(name)) >= CLUSTER else 1

    def upstreams(self, country: str) -> tuple[str, ...]:
        """The places that a country's carrier connects to: the unions, and the ends of its paths."""
        return (*sorted(self.unions), *sorted({path.to for path in self.paths if path.from_ == country}))

    def downstreams(self, place: str) -> tuple[str, ...]:
        """The countries whose carriers connect to a place."""
        if place in self.unions:
            return tuple(sorted(self.countries))
        return tuple(sorted({path.from_ for path in self.paths if path.to == place}))


class BrokerRole(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's place in a federation: the union or country `name`, and the node in its cluster, from 0."""

    federation: Federation
    name: str
    node: int = 0

    @property
    def country(self) -> str | None:
        """The country whose authorities are served; None at a union, which serves only carriers."""
        return self.name if self.name in self.federation.countries else None


class CarrierClient(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier at a broker: its identity and key there, its permissions, and its consumers.

    `trust` has its consumers on the trust streams, which it reads at intervals; at home it publishes to them itself.
    """

    identity: str
    nkey: str
    permissions: Permissions
    consumers: tuple[ConsumerSpec, ...]
    trust: tuple[ConsumerSpec, ...]


class Route(msgspec.Struct, frozen=True):
    """One direction between two brokers: the consumers at `source`, and the subjects that go to `sink`."""

    source: str
    sink: str
    consumers: tuple[ConsumerSpec, ...]
    patterns: tuple[str, ...]


def served_authorities(registry: VerifiedRegistry, seat: BrokerRole | None) -> tuple[str, ...]:
    """The authorities that connect to a broker, sorted: its country's; all, without a federation."""
    names = sorted(registry.document.authorities)
    return tuple(name for name in names if seat is None or country_of(name) == seat.country)


def unmatched(registry: VerifiedRegistry, federation: Federation) -> tuple[str, ...]:
    """(countries of the file without an authority, countries of the registry without a broker), each sorted."""
    speakers = {country_of(name) for name in registry.document.authorities}
    return tuple(sorted(speakers ^ federation.countries.keys()))


def guests(registry: VerifiedRegistry, seat: BrokerRole) -> tuple[CarrierClient, ...]:
    """The carriers that connect to a broker: at a country's broker its own, and those of neighbours with a path to it."""
    federation, here = seat.federation, seat.name
    clients = []
    if seat.country:
        says = _all_released(registry, federation, reader=here)
        ways = [_way(registry, federation, here, place) for place in federation.upstreams(here)]
        consumers = tuple(consumer for out, _ in ways for consumer in out.consumers)
        clients.append(_guest(HOME, federation.countries[here].carrier, says=says, consumers=consumers))
    for caller in federation.downstreams(here):
        out, home = _way(registry, federation, caller, here)
        key = federation.countries[caller].carrier
        clients.append(_guest(identity_at(caller), key, says=out.patterns, consumers=home.consumers))
    return tuple(clients)


def routes_of(registry: VerifiedRegistry, federation: Federation, country: str) -> tuple[Route, ...]:
    """The routes of a country's carrier, to and from each place it connects to."""
    ways = (_way(registry, federation, country, place) for place in federation.upstreams(country))
    return tuple(route for way in ways for route in way if route.consumers)


def _way(registry: VerifiedRegistry, federation: Federation, country: str, place: str) -> tuple[Route, Route]:
    """The routes of a country's carrier to a place and back home."""
    if place in federation.unions:
        sends = _all_released(registry, federation, origin=country)
        brings = _all_released(registry, federation, reader=country)
    else:
        sends, brings = released(registry, country, place), released(registry, place, country)
    out, back = _consumers(place, sends), _consumers(country, brings)
    return Route(country, place, out, sends), Route(place, country, back, brings)


def released(registry: VerifiedRegistry, origin: str, reader: str) -> tuple[str, ...]:
    """The subjects of one country that go to another: those that some authority there may read.

    Sorted patterns `tocsin.v1.<status>.<tlp>.<audience>.<origin>.>`; if an authority there only reads answers, those of
    kind feedback.
    """
    said: set[tuple[Status, Tlp, str]] = set()
    read: set[tuple[Status, Tlp, str]] = set()
    heard: set[tuple[Status, Tlp, str]] = set()
    for name in registry.document.authorities:
        if country_of(name) == origin:
            said.update(registry.publish_prefixes(name))
        if country_of(name) == reader:
            read.update((*registry.read_prefixes(name), *registry.receipt_prefixes(name)))
            heard.update(registry.heard_prefixes(name))
    whole = {_from(origin, way): ">" for way in said & read}
    answers = {_from(origin, way): _answers(way[1]) for way in said & heard - read}
    return tuple(sorted(f"{start}.{rest}" for start, rest in {**answers, **whole}.items()))


def _answers(tlp: Tlp) -> str:
    """What follows the country in the subjects of answers; those of RED hide the kind."""
    return f"*.*.{HIDDEN if tlp is Tlp.RED else FEEDBACK}.>"


def _from(origin: str, way: tuple[Status, Tlp, str]) -> str:
    status, tlp, audience = way
    return f"{PREFIX}.{status}.{tlp_token(tlp)}.{audience}.{origin}"


def identity_at(country: str) -> str:
    """The identity of a country's carrier at another's broker. No authority's id has this form."""
    return f"{HOME}_{country}"


def _all_released(
    registry: VerifiedRegistry, federation: Federation, *, origin: str = "", reader: str = ""
) -> tuple[str, ...]:
    """The subjects from one country to any other, or from any other to one."""
    others = [other for other in federation.countries if other not in (origin, reader)]
    pairs = [(origin or other, reader or other) for other in others]
    found = {pattern for pair in pairs for pattern in released(registry, *pair)}
    # No two filters of a consumer may cover the same subject.
    covered = {pattern.removesuffix(">") + _answers(tlp) for pattern in found for tlp in (Tlp.GREEN, Tlp.RED)}
    return tuple(sorted(found - covered))


def _consumers(to: str, patterns: tuple[str, ...]) -> tuple[ConsumerSpec, ...]:
    """The consumers on the worlds for a place's patterns: one for each status that they name."""
    return tuple(
        ConsumerSpec(stream=world_stream(status), name=consumer_to(to), filters=filters)
        for status in Status
        if (filters := tuple(pattern for pattern in patterns if pattern.startswith(f"{PREFIX}.{status}.")))
    )


def consumer_to(place: str) -> str:
    """The consumer that delivers a place's messages to its carrier."""
    return f"to_{place}"


def _guest(
    identity: str, key: str, *, says: tuple[str, ...], consumers: tuple[ConsumerSpec, ...]
) -> CarrierClient:
    at_home = identity == HOME
    trust = () if at_home else trust_consumers(identity)
    told = (*(REGISTRAR_SUBJECTS if at_home else ()), trust_subject(Trust.REVOKE, identity))
    calls = [call for read in (*consumers, *trust) for call in reading(read.stream, read.name)]
    allowed = Permissions(publish=(*says, *told, *calls), subscribe=(f"{inbox_prefix(identity)}.>",))
    return CarrierClient(identity=identity, nkey=key, permissions=allowed, consumers=consumers, trust=trust)


def _check(federation: Federation) -> None:
    if both := federation.unions.keys() & federation.countries.keys():
        raise _refused(f"{min(both)} is a union and a country; each needs a name of its own")
    for name, country in federation.countries.items():
        if not nkeys.is_public_user_key(country.carrier):
            raise _refused(
                f"{name}: carrier is no public transport key; its operator prints it: tocsin server carrier-key"
            )
    carriers = [country.carrier for country in federation.countries.values()]
    if len(set(carriers)) != len(carriers):
        raise _refused("two countries have the same carrier's key")
    for name in (*federation.unions, *federation.countries):
        nodes = federation.nodes(name)
        if len(nodes) > 1 and (len(nodes) < CLUSTER or not all(node.route for node in nodes)):
            raise _refused(f"{name}: a cluster has three nodes or more, each with a route")
        for node in nodes:
            _address(node.url, "nats", name)
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
        bare = not (parts.username or parts.path or parts.query or parts.fragment)
        good = parts.scheme == scheme and bool(parts.hostname) and bool(parts.port) and bare
    except ValueError:
        good = False
    if not good or re.search(r"[\s\"{}]", url):
        raise _refused(f"{name}: {url!r} is no address of the form {scheme}://host:port")


def _refused(text: str) -> ConfigError:
    return ConfigError(f"the federation file: {text}", reason="federation-file")
