"""One country for a run with faults: four authorities, two hubs, their keys, and the files from which their programs start."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from bus.keys import nkeys
from bus.keys.files import load_signer, save_signer
from bus.keys.signatures import FileSigner
from bus.transport.connection import Endpoint
from bus.trust import ceremony, rotation
from bus.trust.store import RegistryStore, version_file
from schemas.registry import Audience, AuthorityRecord, PublishGrant, ReadGrant
from schemas.subject import Channel
from schemas.vocab import Domain, Scope, Status, Tlp
from tests.support.clocks import utc_now
from tests.support.countries import OFFICES
from tests.support.world import BEACON_LIFETIME, World, found, key_record, signed_registry

COUNTRY = "xa"
SPEAKERS = {f"{COUNTRY}-{office.kind}": office for office in OFFICES}
NETWORK = "network"
WAYS = {"community": Tlp.GREEN, NETWORK: Tlp.AMBER_STRICT}
HUBS = {"xa-hub": ("community", NETWORK), "xa-watch": ("community",)}
"""Each hub with the audiences it may read."""
PASSPHRASE = b"of no use to anybody"
LIFETIME = dt.timedelta(days=30)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a program needs to start: who it is, where the bus is, and the run's folder."""

    identity: str
    url: str
    nkeys: dict[str, str]
    """Seeds of transport keys: its own; the forger has stolen several."""
    folder: Path
    rate: float = 10.0

    def endpoint(self, identity: str | None = None) -> Endpoint:
        """The place of an identity, its own by default, on the bus."""
        who = identity or self.identity
        return Endpoint(url=self.url, authority_id=who, nkey_seed=self.nkeys[who], name=who)

    def registry(self) -> RegistryStore:
        """The registry on the run's disk, followed."""
        return RegistryStore(
            registry_file(self.folder),
            pin=None,
            domain=None,
            beacon=self.folder / "beacon.tocsin.json",
            clock=utc_now,
        )

    def signer(self, identity: str | None = None) -> FileSigner:
        """An authority's signing key."""
        return load_signer(self.folder / f"{identity or self.identity}.pem", PASSPHRASE)

    def history(self) -> Path:
        """The file in which it tells what it does."""
        return self.folder / "history" / f"{self.identity}.jsonl"

    def is_over(self) -> bool:
        """Whether everybody is to come to an end."""
        return (self.folder / "ENOUGH").exists()


class Country(msgspec.Struct, frozen=True, kw_only=True):
    """The registry with the keys of everybody in it, on a disk."""

    folder: Path
    world: World

    def revoke(self, identity: str) -> None:
        """The registry's next version, in which all keys of an authority have ended just now."""
        held, now = self.world.registry, utc_now()
        document = ceremony.next_version(held.document, held.digest, now, LIFETIME)
        kids = list(document.authorities[identity].keys)
        document = rotation.revoke_keys(
            document, identity, kids, since=document.issued, reason="stolen", now=now
        )
        version_file(registry_file(self.folder), document.version).write_bytes(
            signed_registry(document, self.world.roots)
        )


def registry_file(folder: Path) -> Path:
    """Where the registry lies in a run's folder."""
    return folder / "registry.tocsin.json"


def founded(folder: Path) -> Country:
    """Make everybody's keys, sign the registry and lay it down."""
    now = utc_now()
    (folder / "history").mkdir(parents=True, exist_ok=True)
    transport = {name: nkeys.generate() for name in (*SPEAKERS, *HUBS)}
    signers = {name: FileSigner.generate() for name in SPEAKERS}
    records = {
        name: AuthorityRecord(
            name=f"XA {office.title}",
            kind=office.kind,
            domain=office.domain,
            country="XA",
            keys={signers[name].kid: key_record(signers[name], now)},
            nkeys=(transport[name][1],),
            publish=tuple(
                PublishGrant(
                    statuses=(Status.ACTUAL,), tlps=(tlp,), audiences=(audience,), kinds=("*",), areas=("*",)
                )
                for audience, tlp in WAYS.items()
            ),
        )
        for name, office in SPEAKERS.items()
    } | {
        name: AuthorityRecord(
            name=f"XA {name}",
            kind="hub",
            domain=Domain.COORD,
            country="XA",
            nkeys=(transport[name][1],),
            read=tuple(
                ReadGrant(statuses=(Status.ACTUAL,), tlps=(WAYS[audience],), audiences=(audience,))
                for audience in audiences
            ),
        )
        for name, audiences in HUBS.items()
    }
    audiences = {
        name: Audience(
            scope=Scope.UNION,
            members=tuple(who for who in transport if name in HUBS.get(who, tuple(WAYS))),
        )
        for name in WAYS
    }
    world = found("faults", records, audiences, signers=signers, transport=transport, now=now)
    for name, signer in signers.items():
        save_signer(folder / f"{name}.pem", signer, PASSPHRASE)
    registry_file(folder).write_bytes(world.raw)
    stated = ceremony.new_beacon(world.registry, world.beacon, now, BEACON_LIFETIME)
    (folder / "beacon.tocsin.json").write_bytes(stated)
    return Country(folder=folder, world=world)


def channel_of(issuer: str, audience: str) -> str:
    """An authority's channel to an audience."""
    return str(Channel(issuer=issuer, status=Status.ACTUAL, tlp=WAYS[audience], audience=audience))
