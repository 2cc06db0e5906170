"""The federation's file, and what follows from it: who is joined with whom, and what leaves which country."""

from __future__ import annotations

import datetime as dt
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import nkey
from bus.errors import ConfigError
from bus.federation import Federation
from bus.links import Plan, country_plan, released, union_plan
from bus.server.binary import ServerError
from bus.server.conf import ServerSettings, render_conf
from bus.server.joins import Membership
from bus.topology import consumers, streams
from bus.trust import VerifiedRegistry
from schemas.subject import PREFIX, matches
from tests.federated import COUNTRIES, federated_world

LEAVES = {cc: nkey.generate()[1] for cc in COUNTRIES}
STORE = 8 * 1024**3


@cache
def registry() -> VerifiedRegistry:
    """Three countries."""
    return federated_world(dt.datetime(2027, 5, 23, 18, tzinfo=dt.UTC)).registry


def file(*, countries: str = "", unions: str = "", paths: str = "") -> bytes:
    """A federation's file of three countries and a union, with other parts in place of its own."""
    leaves = "".join(f'[countries.{cc}]\nleaf = "{leaf}"\n' for cc, leaf in LEAVES.items())
    hub = '[unions.east]\nnodes = [{ leaf = "nats-leaf://127.0.0.1:7422" }]\n'
    return f"{paths}{unions or hub}{countries or leaves}".encode()


NODE = '{ leaf = "nats-leaf://127.0.0.1:7422" }'
BAD = {
    "not TOML": b"[unions",
    "not UTF-8": b"\xff\xfe",
    "an unknown member": file(paths='speed = "high"\n'),
    "a name that is no country": file(countries=f'[countries.xyz]\nleaf = "{LEAVES["xa"]}"\n'),
    "a name that ends a line": file(countries=f'[countries."xa\\n"]\nleaf = "{LEAVES["xa"]}"\n'),
    "a union named like a country": file(unions=f"[unions.xa]\nnodes = [{NODE}]\n"),
    "a union without a node": file(unions="[unions.east]\nnodes = []\n"),
    "a cluster of two": file(unions=f"[unions.east]\nnodes = [{NODE}, {NODE}]\n"),
    "a cluster without routes": file(unions=f"[unions.east]\nnodes = [{NODE}, {NODE}, {NODE}]\n"),
    "an address of another kind": file(unions='[unions.east]\nnodes = [{ leaf = "http://127.0.0.1:80" }]\n'),
    "an address without a port": file(
        unions='[unions.east]\nnodes = [{ leaf = "nats-leaf://host.example" }]\n'
    ),
    "an address that ends its line": file(
        unions='[unions.east]\nnodes = [{ leaf = "nats-leaf://a.example:1\\n}" }]\n'
    ),
    "a leaf that is no key": file(countries='[countries.xa]\nleaf = "UABC"\n'),
    "one key for two": file(
        countries="".join(f'[countries.{cc}]\nleaf = "{LEAVES["xa"]}"\n' for cc in ("xa", "xb"))
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


def test_a_place_that_is_not_in_the_file_is_refused() -> None:
    """And those that are, are named."""
    with pytest.raises(ConfigError, match="there is no west in it; it has east, xa, xb, xc"):
        Federation.parse(file()).nodes("west")


def plans(federation: Federation) -> dict[str, Plan]:
    """What stands at each place."""
    found = {cc: country_plan(registry(), federation, cc, STORE) for cc in federation.countries}
    return found | {name: union_plan(registry(), federation, name, STORE) for name in federation.unions}


SHAPES = {
    "one union": file(),
    "two unions and a path": file(
        unions=f"[unions.east]\nnodes = [{NODE}]\n[unions.west]\nnodes = [{NODE}]\n",
        paths='paths = [{ from = "xa", to = "xb" }]\n',
        countries="".join(
            f'[countries.{cc}]\nleaf = "{leaf}"\nnodes = [{NODE}]\n' for cc, leaf in LEAVES.items()
        ),
    ),
}


@pytest.mark.parametrize("raw", SHAPES.values(), ids=SHAPES.keys())
def test_whatever_is_taken_is_given(raw: bytes) -> None:
    """Each source of each stream names a consumer that another place has, and that delivers where it listens."""
    federation = Federation.parse(raw)
    found = plans(federation)
    for place, plan in found.items():
        taken = [(place, source) for stream in plan.carried for source in stream.sources]
        taken += [(place, source) for sources in plan.worlds.values() for source in sources]
        for _, source in taken:
            owner = source.api.split(".")[1]
            side = plan.given if owner == "bus" else found[place if owner == "fed" else owner].links
            (given,) = [each for each in side if (each.stream, each.name) == (source.stream, source.consumer)]
            assert given.deliver == source.deliver


@pytest.mark.parametrize("raw", SHAPES.values(), ids=SHAPES.keys())
def test_nothing_comes_back_to_where_it_was_said(raw: bytes) -> None:
    """A country's links take its own words from its own streams alone, and never let in its own from elsewhere."""
    federation = Federation.parse(raw)
    for place, plan in plans(federation).items():
        if place in federation.unions:
            continue
        assert all(each.stream.startswith(place.upper()) for each in plan.given)
        assert f"IN_{place.upper()}" not in {stream.name for stream in plan.carried}
        for link in plan.links:
            mine = f"{PREFIX}.actual.green.community.{place}.csirt.cyber.cyber-threat.xa.none.p4"
            assert link.stream == "OUT" or not any(matches(pattern, mine) for pattern in link.filters)


@given(st.permutations(COUNTRIES))
def test_what_leaves_is_what_somebody_there_may_read(order: list[str]) -> None:
    """By channel: released to a country if, and only if, one of its authorities reads it and one of ours speaks it."""
    origin, reader, _ = order
    patterns = released(registry(), origin, reader)
    for name in registry().document.authorities:
        if not name.startswith(origin):
            continue
        for status, tlp, audience in registry().publish_prefixes(name):
            read = any(
                (status, tlp, audience) in registry().read_prefixes(other)
                for other in registry().document.authorities
                if other.startswith(reader)
            )
            subject = (
                f"{PREFIX}.{status}.{tlp.replace('+', '-')}.{audience}.{origin}.csirt.cyber.x.xa.none.p4"
            )
            assert any(matches(pattern, subject) for pattern in patterns) == read


@pytest.mark.parametrize("place", ["east", *COUNTRIES])
def test_the_room_of_all_streams_is_there(place: str) -> None:
    """What the streams of a server may hold together is less than its store."""
    federation = Federation.parse(file())
    plan = plans(federation)[place]
    room = sum(stream.max_bytes for stream in plan.carried)
    if place in COUNTRIES:
        room += sum(each.max_bytes for each in streams(registry(), STORE, country=place, links=plan.worlds))
    assert 0 < room <= STORE * 0.96


def test_a_country_serves_its_own(tmp_path: object) -> None:
    """No user, stream or consumer of another country's authorities stands at its server."""
    federation = Federation.parse(file())
    member = Membership(
        federation=federation, name="xa", linker_seed=nkey.generate()[0], leaf_seed=nkey.generate()[0]
    )
    conf = render_conf(
        registry(), settings=ServerSettings(member=member), provisioner_nkey=nkey.generate()[1]
    )
    assert "# xa-csirt" in conf
    assert "# xb-csirt" not in conf
    assert {each.name for each in consumers(registry(), country="xa")} == {
        *("provisioner", "xa-csirt", "xa-csirt_own", "xa-hub"),
    }


def test_what_would_cross_in_clear_is_refused() -> None:
    """Beyond this machine leaves and routes need TLS."""
    federation = Federation.parse(
        file(unions='[unions.east]\nnodes = [{ leaf = "nats-leaf://hub.example:7422" }]\n')
    )
    member = Membership(federation=federation, name="xa", linker_seed=nkey.generate()[0])
    with pytest.raises(ServerError) as caught:
        render_conf(registry(), settings=ServerSettings(member=member), provisioner_nkey=LEAVES["xa"])
    assert caught.value.reason == "tls-file"


def test_names_of_streams_and_consumers_are_one_of_each() -> None:
    """No two of a server's streams, or of a stream's consumers, have the same name."""
    for raw in SHAPES.values():
        for plan in plans(Federation.parse(raw)).values():
            _once([stream.name for stream in plan.carried])
            _once([f"{link.stream}.{link.name}" for link in (*plan.links, *plan.given)])
            _once([link.deliver for link in (*plan.links, *plan.given)])


def _once(names: list[str]) -> None:
    assert len(names) == len(set(names)), sorted(names)
