"""The demonstration's countries: registry, keys and contexts in one folder, made once and then gone on from.

Nothing here is special to a demonstration but the names: the registry is signed 2-of-3, the keys are
encrypted files, and every identity has exactly its grants. The domain begins with `demo-`, which commands
meant for production refuse.
"""

from __future__ import annotations

import datetime as dt
import secrets
from itertools import product
from pathlib import Path

import msgspec

from bus.config import Context, save_contexts
from bus.keys import nkeys
from bus.keys.files import load_signer, read_secret, save_signer, write_secret
from bus.keys.signatures import FileSigner
from bus.storage.files import write_atomically
from bus.trust import ceremony, proposals, receipt_grants
from bus.trust.registry import VerifiedRegistry
from schemas.registry import Audience, AuthorityRecord, KeyRecord, PublishGrant, ReadGrant
from schemas.vocab import Domain, Scope, Status, Tlp

DOMAIN_PREFIX = "demo-"
REGISTRY_LIFETIME = dt.timedelta(days=90)
BEACON_LIFETIME = dt.timedelta(hours=6)
KEY_LIFETIME = dt.timedelta(days=365)
CLOCK_SLACK = dt.timedelta(hours=1)


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """One sort of authority that both countries have."""

    suffix: str
    kind: str
    domain: Domain
    network: str
    title: str
    adapter: str


OFFICES = (
    Office(
        suffix="emb",
        kind="emb",
        domain=Domain.ELECTORAL,
        network="eu-emb",
        title="Electoral Commission",
        adapter="electoral",
    ),
    Office(
        suffix="csirt",
        kind="csirt",
        domain=Domain.CYBER,
        network="eu-csirts",
        title="National CSIRT",
        adapter="cyber",
    ),
    Office(
        suffix="dsc",
        kind="dsc",
        domain=Domain.DIGITAL,
        network="eu-dsc",
        title="Digital Services Coordinator",
        adapter="digital",
    ),
    Office(
        suffix="dpa",
        kind="dpa",
        domain=Domain.DATA,
        network="eu-dpas",
        title="Data Protection Authority",
        adapter="data-protection",
    ),
)
COUNTRIES = ("XA", "XB")
# What a hub may not read although the other one may: shows that a grant is a wall.
WITHHELD = {"xb-hub": frozenset({"eu-dpas"})}
SPOKEN = (Status.ACTUAL, Status.EXERCISE, Status.TEST)


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One identity of the demonstration."""

    id: str
    country: str
    office: Office | None


MEMBERS = tuple(
    Member(id=f"{country.lower()}-{office.suffix}", country=country, office=office)
    for country in COUNTRIES
    for office in OFFICES
)
HUBS = tuple(Member(id=f"{country.lower()}-hub", country=country, office=None) for country in COUNTRIES)


class Folder:
    """The files of one demonstration folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.registry = root / "registry" / "registry.tocsin.json"
        self.beacon = root / "registry" / "beacon.tocsin.json"
        self.beacon_key = root / "registry" / "beacon.pem"
        self.beacon_passphrase = root / "registry" / "beacon.pass"
        self.provisioner = root / "server" / "provisioner.nk"
        self.server = root / "server"
        self.config = root / "config.toml"

    def keys(self, identity: str) -> Path:
        """Where an identity's key files lie."""
        return self.root / "keys" / identity

    def state(self, identity: str) -> Path:
        """Where an identity's outbox or store lies."""
        return self.root / "state" / identity

    def spool(self, identity: str) -> Path:
        """Where an authority's native files are dropped."""
        return self.root / "spool" / identity


def prepare(root: Path, *, now: dt.datetime) -> VerifiedRegistry:
    """Make the folder's registry, keys and contexts, or go on from those that stand there.

    Args:
        root: the folder; made when it is not there.
        now: the present.

    Returns:
        The verified registry with a fresh beacon.
    """
    folder = Folder(root)
    for part in ("registry", "server", "keys", "state", "spool"):
        (root / part).mkdir(parents=True, exist_ok=True, mode=0o700)
    if not folder.registry.is_file():
        _found(folder, now)
    registry = VerifiedRegistry.open(folder.registry.read_bytes())
    return refresh_beacon(folder, registry, now=now)


def refresh_beacon(folder: Folder, registry: VerifiedRegistry, *, now: dt.datetime) -> VerifiedRegistry:
    """Sign and write a new beacon, and return the registry that has seen it."""
    signer = load_signer(folder.beacon_key, read_secret(folder.beacon_passphrase))
    raw = ceremony.new_beacon(registry, signer, now, BEACON_LIFETIME)
    write_atomically(folder.beacon, raw, mode=0o644)
    return registry.with_beacon(raw, now)


def _found(folder: Folder, now: dt.datetime) -> None:
    """The founding ceremony: roots, beacon key, authorities, grants; signed by two of three roots."""
    roots = [
        _keep(folder.root / "registry" / f"root-{n}.pem", folder.root / "registry" / f"root-{n}.pass")
        for n in (1, 2, 3)
    ]
    beacon = _keep(folder.beacon_key, folder.beacon_passphrase)
    seed, _ = nkeys.generate()
    nkeys.save_nkey(folder.provisioner, seed)
    document = ceremony.new_registry(
        domain=DOMAIN_PREFIX + secrets.token_hex(4),
        root_keys=[key_record(root, now) for root in roots],
        root_threshold=2,
        beacon_keys=[key_record(beacon, now)],
        beacon_threshold=1,
        audiences=audiences(),
        now=now,
        lifetime=REGISTRY_LIFETIME,
    )
    for member in (*MEMBERS, *HUBS):
        document = proposals.add_authority(document, member.id, _authority(folder, member, now))
    raw = ceremony.unsigned(document)
    for root in roots[:2]:
        raw = ceremony.sign_registry(raw, root)
    registry = VerifiedRegistry.open(raw)
    save_contexts(folder.root, {m.id: _context(folder, m, registry) for m in (*MEMBERS, *HUBS)})
    # The registry is written last: a founding that was interrupted is done again from the start.
    write_atomically(folder.registry, raw, mode=0o644)


def _keep(key: Path, passphrase_file: Path) -> FileSigner:
    for leftover in (key, passphrase_file):
        leftover.unlink(missing_ok=True)
    write_secret(passphrase_file, secrets.token_urlsafe(32).encode())
    signer = FileSigner.generate()
    save_signer(key, signer, read_secret(passphrase_file))
    return signer


def key_record(signer: FileSigner, now: dt.datetime) -> KeyRecord:
    """A registry record for a key of the demonstration, valid from a little ago."""
    begin = (now - CLOCK_SLACK).replace(microsecond=0)
    fields: dict[str, object] = {
        "alg": signer.alg,
        "jwk": signer.jwk,
        "not_before": begin,
        "not_after": begin + KEY_LIFETIME,
    }
    return msgspec.convert(fields, KeyRecord)


def _authority(folder: Folder, member: Member, now: dt.datetime) -> AuthorityRecord:
    home = folder.keys(member.id)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    transport = home / "transport.nk"
    transport.unlink(missing_ok=True)
    seed, public = nkeys.generate()
    nkeys.save_nkey(transport, seed)
    signer = _keep(home / "signing.pem", home / "signing.pass")
    return record_of(member, {signer.kid: key_record(signer, now)}, public, hub_answers(member.id))


def record_of(
    member: Member, keys: dict[str, KeyRecord], public: str, answers: tuple[PublishGrant, ...]
) -> AuthorityRecord:
    """The registry's record of a member: an office as its kind speaks, a hub as hubs read, with what it may answer."""
    office = member.office
    if office is None:
        return AuthorityRecord(
            name=f"{member.country} National Hub",
            kind="hub",
            domain=Domain.COORD,
            country=member.country,
            keys=keys,
            nkeys=(public,),
            publish=answers,
            read=hub_reads(member.id),
        )
    return AuthorityRecord(
        name=f"{member.country} {office.title}",
        kind=office.kind,
        domain=office.domain,
        country=member.country,
        keys=keys,
        nkeys=(public,),
        publish=publishes(office),
    )


def publishes(office: Office) -> tuple[PublishGrant, ...]:
    """GREEN to all, AMBER+STRICT to the own network, and for electoral bodies CLEAR to the public."""
    ways = [(Tlp.GREEN, "community"), (Tlp.AMBER_STRICT, office.network)]
    if office.domain is Domain.ELECTORAL:
        ways.append((Tlp.CLEAR, "public"))
    spoken = [
        PublishGrant(statuses=SPOKEN, tlps=(tlp,), audiences=(audience,), kinds=("*",), areas=("*",))
        for tlp, audience in ways
    ]
    beats = [proposals.beat(tlp, audience) for tlp, audience in ways]
    return (*spoken, *beats)


def hub_reads(hub: str) -> tuple[ReadGrant, ...]:
    """What a hub reads: CLEAR, GREEN, and the networks that are not withheld from it."""
    every = (*SPOKEN, Status.SYSTEM)
    networks = tuple(o.network for o in OFFICES if o.network not in WITHHELD.get(hub, frozenset()))
    return (
        ReadGrant(statuses=every, tlps=(Tlp.CLEAR,), audiences=("public",)),
        ReadGrant(statuses=every, tlps=(Tlp.GREEN,), audiences=("community",)),
        ReadGrant(statuses=every, tlps=(Tlp.AMBER_STRICT,), audiences=networks),
    )


def hub_answers(hub: str) -> tuple[PublishGrant, ...]:
    """A hub says what it holds of what it reads, and to each other what is between the two: receipts, requests, copies."""
    others = [member.id for member in (*MEMBERS, *HUBS) if member.id != hub]
    beats = [
        proposals.beat(tlp, audience)
        for read in hub_reads(hub)
        for tlp, audience in product(read.tlps, read.audiences)
    ]
    return (*receipt_grants.grants(others, (Tlp.GREEN, Tlp.AMBER_STRICT)), *beats)


def audiences() -> dict[str, Audience]:
    """The public, the community, and a network for each sort of office."""
    all_ids = tuple(m.id for m in (*MEMBERS, *HUBS))
    made = {
        "public": Audience(scope=Scope.PUBLIC, members=all_ids),
        "community": Audience(scope=Scope.UNION, members=all_ids),
    }
    for office in OFFICES:
        authorities = tuple(m.id for m in MEMBERS if m.office is office)
        hubs = tuple(h.id for h in HUBS if office.network not in WITHHELD.get(h.id, frozenset()))
        made[office.network] = Audience(scope=Scope.UNION, members=(*authorities, *hubs))
    return made


def _context(folder: Folder, member: Member, registry: VerifiedRegistry) -> Context:
    home = folder.keys(member.id)
    speaks = member.office is not None
    return Context(
        authority=member.id,
        domain=registry.domain,
        pin=registry.digest,
        registry=folder.registry,
        beacon=folder.beacon,
        key=home / "signing.pem",
        passphrase_file=home / "signing.pass",
        nkey=home / "transport.nk",
        state=folder.state(member.id),
        tlp="green" if speaks else None,
        pap="green" if speaks else None,
        audience="community" if speaks else None,
    )


def point_to_server(root: Path, url: str) -> None:
    """Write the address of the started server into every context of the folder."""
    from bus.config import load  # the settings file is read back only here

    loaded = load({"TOCSIN_HOME": str(root)}, root)
    save_contexts(
        root,
        {
            name: msgspec.structs.replace(context, server=url)
            for name, context in loaded.settings.contexts.items()
        },
    )
