"""One country for a run with faults: four authorities, two hubs, their keys, and the files from which their programs start."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from bus.demo.countries import OFFICES
from bus.keys import nkeys
from bus.keys.files import load_signer, save_signer
from bus.keys.signatures import FileSigner
from bus.transport.connection import Endpoint
from bus.trust import ceremony, proposals, rotation
from bus.trust.registry import VerifiedRegistry
from bus.trust.store import HeldRegistry, version_file
from schemas.registry import Audience, AuthorityRecord, PublishGrant, ReadGrant
from schemas.subject import Channel
from schemas.vocab import Domain, Scope, Status, Tlp
from tests.support.world import key_record, signed_registry

COUNTRY = "xa"
SPEAKERS = {f"{COUNTRY}-{office.suffix}": office for office in OFFICES}
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

    def registry(self) -> HeldRegistry:
        """The registry on the run's disk, followed."""
        return HeldRegistry(
            registry_file(self.folder),
            pin=None,
            domain=None,
            beacon=self.folder / "beacon.tocsin.json",
            clock=clock,
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
    registry: VerifiedRegistry
    roots: tuple[FileSigner, ...]
    nkeys: dict[str, tuple[str, str]]

    def revoke(self, identity: str) -> None:
        """The registry's next version, in which all keys of an authority have ended just now."""
        held, now = self.registry, clock()
        document = ceremony.next_version(held.document, held.digest, now, LIFETIME)
        kids = list(document.authorities[identity].keys)
        document = rotation.revoke_keys(
            document, identity, kids, since=document.issued, reason="stolen", now=now
        )
        version_file(registry_file(self.folder), document.version).write_bytes(
            signed_registry(document, self.roots)
        )


def registry_file(folder: Path) -> Path:
    """Where the registry lies in a run's folder."""
    return folder / "registry.tocsin.json"


def found(folder: Path) -> Country:
    """Make everybody's keys, sign the registry and lay it down."""
    now = clock()
    (folder / "history").mkdir(parents=True, exist_ok=True)
    roots, beacon = (FileSigner.generate(), FileSigner.generate()), FileSigner.generate()
    transport_keys = {name: nkeys.generate() for name in (*SPEAKERS, *HUBS)}
    everybody = tuple(transport_keys)
    document = ceremony.new_registry(
        domain="faults",
        root_keys=[key_record(each, now) for each in roots],
        root_threshold=2,
        beacon_keys=[key_record(beacon, now)],
        beacon_threshold=1,
        audiences={
            name: Audience(
                scope=Scope.UNION,
                members=tuple(who for who in everybody if name in HUBS.get(who, tuple(WAYS))),
            )
            for name in WAYS
        },
        now=now - dt.timedelta(hours=1),
        lifetime=LIFETIME,
    )
    for name, office in SPEAKERS.items():
        signer = FileSigner.generate()
        save_signer(folder / f"{name}.pem", signer, PASSPHRASE)
        record = AuthorityRecord(
            name=f"XA {office.title}",
            kind=office.kind,
            domain=office.domain,
            country="XA",
            keys={signer.kid: key_record(signer, now)},
            nkeys=(transport_keys[name][1],),
            publish=tuple(
                PublishGrant(
                    statuses=(Status.ACTUAL,), tlps=(tlp,), audiences=(audience,), kinds=("*",), areas=("*",)
                )
                for audience, tlp in WAYS.items()
            ),
        )
        document = proposals.add_authority(document, name, record)
    for name, audiences in HUBS.items():
        record = AuthorityRecord(
            name=f"XA {name}",
            kind="hub",
            domain=Domain.COORD,
            country="XA",
            nkeys=(transport_keys[name][1],),
            read=tuple(
                ReadGrant(statuses=(Status.ACTUAL,), tlps=(WAYS[each],), audiences=(each,))
                for each in audiences
            ),
        )
        document = proposals.add_authority(document, name, record)
    raw = signed_registry(document, roots)
    registry_file(folder).write_bytes(raw)
    registry = VerifiedRegistry.open(raw)
    stated = ceremony.new_beacon(registry, beacon, now, dt.timedelta(hours=6))
    (folder / "beacon.tocsin.json").write_bytes(stated)
    return Country(
        folder=folder, registry=registry.with_beacon(stated, now), roots=roots, nkeys=transport_keys
    )


def channel_of(issuer: str, audience: str) -> str:
    """An authority's channel to an audience."""
    return str(Channel(issuer=issuer, status=Status.ACTUAL, tlp=WAYS[audience], audience=audience))


def clock() -> dt.datetime:
    """The present."""
    return dt.datetime.now(dt.UTC)
