"""The links of a federation: what goes from one server to another, and how, as data. Pure.

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

from typing import Any

import msgspec

from bus.federation import Federation
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
# Of the store, in percent: what leaves, what comes in, and, at a union, all there is.
_OUT_PERCENT, _IN_PERCENT, _UNION_PERCENT = 8, 20, 90
_NS = 1_000_000_000


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
