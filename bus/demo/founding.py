"""The demonstration's folder: registry, keys and contexts, made once and then gone on from.

The registry is signed 2-of-3, the keys are encrypted files. The domain begins with `demo-`, which commands meant for
production refuse.
"""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

import msgspec

from bus.config import Context, save_contexts
from bus.demo.countries import (
    HUBS,
    MEMBERS,
    REGISTRY_LIFETIME,
    Member,
    audiences,
    hub_answers,
    key_record,
    record_of,
)
from bus.keys import FileSigner, load_signer, nkeys, read_secret, save_signer, write_secret
from bus.storage import write_atomically
from bus.trust import VerifiedRegistry, ceremony, proposals
from schemas.registry import AuthorityRecord

DOMAIN_PREFIX = "demo-"
BEACON_LIFETIME = dt.timedelta(hours=6)


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


def _authority(folder: Folder, member: Member, now: dt.datetime) -> AuthorityRecord:
    home = folder.keys(member.id)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    transport = home / "transport.nk"
    transport.unlink(missing_ok=True)
    seed, public = nkeys.generate()
    nkeys.save_nkey(transport, seed)
    signer = _keep(home / "signing.pem", home / "signing.pass")
    return record_of(member, {signer.kid: key_record(signer, now)}, public, hub_answers(member.id))


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
