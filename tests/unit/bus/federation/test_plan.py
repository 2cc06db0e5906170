"""The federation's file, and what follows from it: who is joined with whom, and what leaves which country."""

from __future__ import annotations

import datetime as dt
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.demo.federation import COUNTRIES, found
from bus.errors import ConfigError
from bus.federation.plan import (
    BrokerRole,
    CarrierClient,
    Federation,
    guests,
    released,
    routes_of,
    served_authorities,
    unmatched,
)
from bus.keys import nkeys
from bus.server.binary import ServerError
from bus.server.config import ServerSettings, render_conf
from bus.transport.streams import consumers
from bus.trust.registry import VerifiedRegistry
from schemas.subject import PREFIX, Channel, matches, tlp_token
from schemas.vocab import Tlp
from tests.support.world import NOW, deaf_world

KEYS = {cc: nkeys.generate()[1] for cc in COUNTRIES}


@cache
def registry() -> VerifiedRegistry:
    """Three countries."""
    return found(dt.datetime(2027, 5, 23, 18, tzinfo=dt.UTC)).registry


def file(*, countries: str = "", unions: str = "", paths: str = "") -> bytes:
    """A federation's file of three countries and a union, with other parts in place of its own."""
    members = "".join(f'[countries.{cc}]\ncarrier = "{key}"\n' for cc, key in KEYS.items())
    hub = '[unions.east]\nnodes = [{ url = "nats://127.0.0.1:4222" }]\n'
    return f"{paths}{unions or hub}{countries or members}".encode()


NODE = '{ url = "nats://127.0.0.1:4222" }'
BAD = {
    "not TOML": b"[unions",
    "not UTF-8": b"\xff\xfe",
    "an unknown member": file(paths='speed = "high"\n'),
    "a name that is no country": file(countries=f'[countries.xyz]\ncarrier = "{KEYS["xa"]}"\n'),
    "a name that ends a line": file(countries=f'[countries."xa\\n"]\ncarrier = "{KEYS["xa"]}"\n'),
    "a union named like a country": file(unions=f"[unions.xa]\nnodes = [{NODE}]\n"),
    "a union without a node": file(unions="[unions.east]\nnodes = []\n"),
    "a cluster of two": file(unions=f"[unions.east]\nnodes = [{NODE}, {NODE}]\n"),
    "a cluster without routes": file(unions=f"[unions.east]\nnodes = [{NODE}, {NODE}, {NODE}]\n"),
    "an address of another kind": file(unions='[unions.east]\nnodes = [{ url = "http://127.0.0.1:80" }]\n'),
    "an address without a port": file(unions='[unions.east]\nnodes = [{ url = "nats://host.example" }]\n'),
    "an address that ends its line": file(
        unions='[unions.east]\nnodes = [{ url = "nats://a.example:1\\n}" }]\n'
    ),
    "a key that is none": file(countries='[countries.xa]\ncarrier = "UABC"\n'),
    "one key for two": file(
        countries="".join(f'[countries.{cc}]\ncarrier = "{KEYS["xa"]}"\n' for cc in ("xa", "xb"))
    ),
    "a path to nowhere": file(paths='paths = [{ from = "xa", to = "xz" }]\n'),
    "a path to itself": file(paths='paths = [{ from = "xa", to = "xa" }]\n'),
    "a path to where nobody listens": file(paths='paths = [{ from = "xa", to = "xb" }]\n'),
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_a_file_that_says_nothing_sound_is_refused(raw: bytes) -> None:
    """With one reason, and a sentence that says where."""
    with pytest.raises(ConfigError) as caught:
        Federation.parse(raw)
    assert caught.value.reason == "federation-file"
    assert "federation" in str(caught.value)


def test_a_country_that_only_one_of_them_names_is_found() -> None:
    """The file has XD, of which there is no authority, and lacks XC, of which there are some."""
    members = "".join(
        f'[countries.{cc}]\ncarrier = "{key}"\n'
        for cc, key in zip(("xa", "xb", "xd"), KEYS.values(), strict=True)
    )
    assert unmatched(registry(), Federation.parse(file())) == ()
    assert unmatched(registry(), Federation.parse(file(countries=members))) == ("xc", "xd")


def test_a_place_that_is_not_in_the_file_is_refused() -> None:
    """And those that are, are named."""
    with pytest.raises(ConfigError, match="there is no west in it; it has east, xa, xb, xc"):
        Federation.parse(file()).nodes("west")


SHAPES = {
    "one union": file(),
    "two unions and a path": file(
        unions=f"[unions.east]\nnodes = [{NODE}]\n[unions.west]\nnodes = [{NODE}]\n",
        paths='paths = [{ from = "xa", to = "xb" }]\n',
        countries="".join(
            f'[countries.{cc}]\ncarrier = "{key}"\nnodes = [{NODE}]\n' for cc, key in KEYS.items()
        ),
    ),
}


def places(federation: Federation) -> dict[str, dict[str, CarrierClient]]:
    """The carriers that come to each place, by the key they come with."""
    return {
        name: {
            guest.nkey: guest for guest in guests(registry(), BrokerRole(federation=federation, name=name))
        }
        for name in (*federation.unions, *federation.countries)
    }


@pytest.mark.parametrize("raw", SHAPES.values(), ids=SHAPES.keys())
def test_what_a_carrier_does_it_may_do_and_nothing_more(raw: bytes) -> None:
    """It reads the consumers that were made for it, and may say at the other end what is released, to the letter."""
    federation = Federation.parse(raw)
    found = places(federation)
    used: set[tuple[str, str, str]] = set()
    for country, key in KEYS.items():
        for route in routes_of(registry(), federation, country):
            there = found[route.source][key]
            for read in route.consumers:
                assert read in there.consumers
                assert set(read.filters) <= set(route.patterns)
                assert f"$JS.API.CONSUMER.RESET.{read.stream}.{read.name}" in there.permissions.publish
                used.add((route.source, read.stream, read.name))
            said = {each for each in found[route.sink][key].permissions.publish if each.startswith(PREFIX)}
            assert set(route.patterns) <= said
    made_for = {
        (place, each.stream, each.name)
        for place, comers in found.items()
        for guest in comers.values()
        for each in guest.consumers
    }
    assert used == made_for


@pytest.mark.parametrize("raw", SHAPES.values(), ids=SHAPES.keys())
def test_nothing_comes_back_to_where_it_was_said(raw: bytes) -> None:
    """Outwards goes a country's own word alone, homewards never."""
    federation = Federation.parse(raw)
    for country in federation.countries:
        for route in routes_of(registry(), federation, country):
            origins = {pattern.split(".")[5] for pattern in route.patterns}
            if route.source == country:
                assert origins == {country}
            else:
                assert country not in origins


@pytest.mark.parametrize("raw", SHAPES.values(), ids=SHAPES.keys())
def test_at_home_a_carrier_speaks_for_others_alone(raw: bytes) -> None:
    """With a carrier's key nobody can publish for an authority of its own country at home, nor for a foreign one elsewhere."""
    federation = Federation.parse(raw)
    for place, comers in places(federation).items():
        for key, guest in comers.items():
            country = next(cc for cc, each in KEYS.items() if each == key)
            spoken = {each.split(".")[5] for each in guest.permissions.publish if each.startswith(PREFIX)}
            assert spoken == ({cc for cc in KEYS if cc != place} if place == country else {country})


@given(st.permutations(COUNTRIES))
def test_what_leaves_is_what_somebody_there_may_read(order: list[str]) -> None:
    """By channel: released to a country if, and only if, one of its authorities hears it and one of ours speaks it."""
    origin, reader, _ = order
    patterns = released(registry(), origin, reader)
    for name in registry().document.authorities:
        if not name.startswith(origin):
            continue
        for status, tlp, audience in registry().publish_prefixes(name):
            channel = Channel(issuer=name, status=status, tlp=tlp, audience=audience)
            read = any(
                registry().may_read(other, channel)
                for other in registry().document.authorities
                if other.startswith(reader)
            )
            subject = (
                f"{PREFIX}.{status}.{tlp.replace('+', '-')}.{audience}.{origin}.csirt.cyber.x.xa.none.p4"
            )
            assert any(matches(pattern, subject) for pattern in patterns) == read


@pytest.mark.parametrize(("tlp", "kind"), [(Tlp.AMBER_STRICT, "feedback"), (Tlp.RED, "x")])
def test_what_an_author_is_told_by_its_id_goes_to_its_country(tlp: Tlp, kind: str) -> None:
    """And to no other; of what others say to its audience nothing does."""
    world = deaf_world(NOW, tlp).registry
    token = tlp_token(tlp)
    home = [
        each for each in released(world, "xb", "xa") if each.startswith(f"{PREFIX}.actual.{token}.xa-csirt.")
    ]
    assert home == [f"{PREFIX}.actual.{token}.xa-csirt.xb.*.*.{kind}.>"]
    assert not [each for each in released(world, "xa", "xb") if ".xa-csirt." in each]


def test_a_country_serves_its_own_and_a_union_nobody() -> None:
    """Its broker has no user or consumer of another country's authorities."""
    federation = Federation.parse(file())
    seat = BrokerRole(federation=federation, name="xa")
    conf = render_conf(registry(), settings=ServerSettings(seat=seat), provisioner_nkey=nkeys.generate()[1])
    assert "\n  xa-csirt {" in conf
    assert "\n  xb-csirt {" not in conf
    assert served_authorities(registry(), seat) == ("xa-csirt", "xa-hub")
    assert {each.name for each in consumers(registry(), served_authorities(registry(), seat))} == {
        "provisioner",
        *(f"xa-{name}{role}" for name in ("csirt", "hub") for role in ("", "_own", "_receipts")),
    }
    assert served_authorities(registry(), BrokerRole(federation=federation, name="east")) == ()


def test_a_cluster_beyond_this_machine_needs_certificates() -> None:
    """A client that connects to a route counts as a node of the cluster."""
    nodes = ", ".join(
        f'{{ url = "nats://n{n}.example:4222", route = "nats-route://n{n}.example:6222" }}' for n in range(3)
    )
    seat = BrokerRole(
        federation=Federation.parse(file(unions=f"[unions.east]\nnodes = [{nodes}]\n")), name="east"
    )
    settings = ServerSettings(seat=seat, route_secret="known to the nodes alone")
    with pytest.raises(ServerError) as caught:
        render_conf(registry(), settings=settings, provisioner_nkey=KEYS["xa"])
    assert caught.value.reason == "tls-file"


def test_a_cluster_needs_a_secret_by_which_its_nodes_know_one_another() -> None:
    """A certificate, or access to this machine, does not make a node of the cluster."""
    nodes = ", ".join(
        f'{{ url = "nats://127.0.0.1:{4222 + n}", route = "nats-route://127.0.0.1:{6222 + n}" }}'
        for n in range(3)
    )
    seat = BrokerRole(
        federation=Federation.parse(file(unions=f"[unions.east]\nnodes = [{nodes}]\n")), name="east"
    )
    with pytest.raises(ServerError) as caught:
        render_conf(registry(), settings=ServerSettings(seat=seat), provisioner_nkey=KEYS["xa"])
    assert caught.value.reason == "route-secret"
    settings = ServerSettings(seat=seat, route_secret="s3cret")
    conf = render_conf(registry(), settings=settings, provisioner_nkey=KEYS["xa"])
    assert 'authorization { user: tocsin, password: "s3cret"' in conf
    assert '"nats-route://tocsin:s3cret@127.0.0.1:6223"' in conf
