"""The federation of countries: which servers there are, and who connects to whom, as one file says it. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

import msgspec

from bus import nkey
from bus.errors import ConfigError

CLUSTER = 3

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
