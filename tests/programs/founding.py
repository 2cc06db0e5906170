"""Two countries and a union on disk: keys, a registry at each place, contexts, the federation's file; no command is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from unittest.mock import patch

import msgspec

from bus.config import Context, save_contexts
from bus.keys import nkeys
from bus.keys.files import save_signer, write_secret
from bus.keys.signatures import FileSigner
from bus.trust import ceremony
from schemas.subject import Channel
from schemas.vocab import Domain, Status, Tlp
from tests.support.clocks import utc_now
from tests.support.countries import HUBS, MEMBERS, hub_reads
from tests.support.world import BEACON_LIFETIME, World, make_world

UNION = "east"
COUNTRIES = ("xa", "xb")
PLACES = (UNION, *COUNTRIES)
PASSPHRASE = b"of no use to anybody"
BEAT_S = 10
"""Seconds between two heartbeats, the least that a context may ask for."""


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What programs find on disk, and where."""

    folder: Path
    world: World
    ports: Mapping[str, int]
    """The port at which the broker of each place listens."""

    @property
    def federation(self) -> Path:
        """The federation's file."""
        return self.folder / "federation.toml"

    def broker(self, place: str) -> Path:
        """The folder of a place's broker."""
        return self.folder / place / "broker"

    def state(self, identity: str) -> Path:
        """Where an identity's outbox or store lies."""
        return self.folder / "state" / identity

    def outbox(self, identity: str) -> Path:
        """The file of an identity's outbox."""
        return self.state(identity) / "outbox.db"

    def store(self, identity: str) -> Path:
        """The file of a hub's store."""
        return self.state(identity) / "store.db"

    def nats_pid(self, place: str) -> int | None:
        """The process of a place's nats-server, when there is one."""
        from bus.server import ports_of

        found = ports_of(self.broker(place))
        return found[0] if found else None


def place_of(identity: str) -> str:
    """At which place an identity works."""
    return identity.partition("-")[0]


def channels_of(hub: str) -> tuple[str, ...]:
    """Every actual channel that a hub may read, of whoever may speak on it."""
    reads = {
        (tlp, audience) for grant in hub_reads(hub) for tlp, audience in product(grant.tlps, grant.audiences)
    }
    found = []
    for member in MEMBERS:
        assert member.office is not None
        ways = [(Tlp.GREEN, "community"), (Tlp.AMBER_STRICT, member.office.network)]
        if member.office.domain is Domain.ELECTORAL:
            ways.append((Tlp.CLEAR, "public"))
        found += [
            str(Channel(issuer=member.id, status=Status.ACTUAL, tlp=tlp, audience=audience))
            for tlp, audience in ways
            if (tlp, audience) in reads
        ]
    return tuple(found)


def founded(folder: Path, ports: Mapping[str, int], url_of: Callable[[str], str]) -> Ground:
    """Make everybody's keys and lay down what the programs need.

    Args:
        folder: of the run, not there yet.
        ports: for the broker of each place.
        url_of: where an identity reaches its broker, or with the name of the union where carriers reach the union's.
    """
    world = make_world(utc_now())
    ground = Ground(folder=folder, world=world, ports=ports)
    beacon = ceremony.new_beacon(world.registry, world.beacon, world.now, BEACON_LIFETIME)
    carriers = {}
    for place in PLACES:
        ground.broker(place).mkdir(parents=True)
        (folder / place / "registry.tocsin.json").write_bytes(world.raw)
        (folder / place / "beacon.tocsin.json").write_bytes(beacon)
        if place in COUNTRIES:
            seed, carriers[place] = nkeys.generate()
            nkeys.save_nkey(ground.broker(place) / "carrier.nk", seed)
    lines = [f'[unions.{UNION}]\nnodes = [{{ url = "{url_of(UNION)}" }}]\n']
    lines += [f'[countries.{place}]\ncarrier = "{public}"\n' for place, public in carriers.items()]
    ground.federation.write_text("\n".join(lines))
    contexts = {UNION: _context(ground, UNION, UNION, f"nats://127.0.0.1:{ports[UNION]}")}
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    write_secret(keys / "pass", PASSPHRASE)
    # One lane of scrypt, as the other tests have: a command opens the key in a quarter of the time.
    with patch("bus.keys.pbes2.SCRYPT_P", 1):
        _save(keys / "beacon.pem", world.beacon)
        for number, root in enumerate(world.roots, 1):
            _save(keys / f"root-{number}.pem", root)
        for member in (*MEMBERS, *HUBS):
            _save(keys / f"{member.id}.pem", world.signers[member.id])
            nkeys.save_nkey(keys / f"{member.id}.nk", world.nkeys[member.id][0])
            context = _context(ground, place_of(member.id), member.id, url_of(member.id))
            contexts[member.id] = msgspec.structs.replace(
                context,
                key=keys / f"{member.id}.pem",
                passphrase_file=keys / "pass",
                nkey=keys / f"{member.id}.nk",
                tlp="green",
                pap="green",
                audience="community",
            )
    save_contexts(folder / "home", contexts)
    return ground


def _save(path: Path, signer: FileSigner) -> None:
    save_signer(path, signer, PASSPHRASE)


def _context(ground: Ground, place: str, authority: str, url: str) -> Context:
    return Context(
        authority=authority,
        domain=ground.world.registry.domain,
        pin=ground.world.pin,
        registry=ground.folder / place / "registry.tocsin.json",
        beacon=ground.folder / place / "beacon.tocsin.json",
        server=url,
        state=ground.state(authority),
        heartbeat_before_s=BEAT_S,
        heartbeat_during_s=BEAT_S,
        heartbeat_after_s=BEAT_S,
        heartbeat_none_s=BEAT_S,
    )
