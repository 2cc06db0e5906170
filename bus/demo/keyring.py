"""The files of a demonstration's folder, and the keys in it: encrypted, each with its passphrase beside it."""

from __future__ import annotations

import datetime as dt
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bus.demo.countries import HUBS, MEMBERS
from bus.keys import (
    SEED_BYTES,
    FileSigner,
    OpeningKey,
    SealKey,
    load_signer,
    nkeys,
    read_secret,
    save_opening_key,
    save_signer,
    write_secret,
)

LANES = 1  # the passphrases here are random
AT_ONCE = 2
"""Number of keys encrypted or decrypted at the same time: each needs one processor for a moment, and 16 MiB."""


class Folder:
    """The files of one demonstration folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.registry = root / "registry" / "registry.tocsin.json"
        self.beacon = root / "registry" / "beacon.tocsin.json"
        self.beacon_key = root / "registry" / "beacon.pem"
        self.provisioner = root / "server" / "provisioner.nk"
        self.server = root / "server"
        self.second_server = root / "second-server"
        self.story = root / "story.json"
        self.config = root / "config.toml"
        self.contacts = root / "contacts.toml"

    def keys(self, identity: str) -> Path:
        """The folder of an identity's key files."""
        return self.root / "keys" / identity

    def signing_key(self, identity: str) -> Path:
        """An identity's signing key; its passphrase lies beside it."""
        return self.keys(identity) / "signing.pem"

    def reserve_key(self, identity: str) -> Path:
        """An identity's reserve key, which would lie in a safe; its passphrase lies beside it."""
        return self.keys(identity) / "reserve.pem"

    def seal_keys(self, identity: str) -> Path:
        """The folder of an identity's seal keys; the passphrase is that of its signing key."""
        return self.keys(identity) / "seal"

    def transport_key(self, identity: str) -> Path:
        """The file of an identity's transport key."""
        return self.keys(identity) / "transport.nk"

    def root_key(self, number: int) -> Path:
        """One of the root keys, 1 to 3; its passphrase lies beside it."""
        return self.root / "registry" / f"root-{number}.pem"

    def state(self, identity: str) -> Path:
        """The folder of an identity's outbox or store."""
        return self.root / "state" / identity

    def spool(self, identity: str) -> Path:
        """The spool folder for an authority's native files."""
        return self.root / "spool" / identity


def load_key(key: Path) -> FileSigner:
    """A signing key of the folder, opened with the passphrase beside it."""
    return load_signer(key, read_secret(key.with_suffix(".pass")))


def load_keys(folder: Folder) -> dict[str, FileSigner]:
    """The signing keys by identity; a hub in a folder of an older version has none."""
    names = [each.id for each in (*MEMBERS, *HUBS) if folder.signing_key(each.id).exists()]
    with ThreadPoolExecutor(AT_ONCE, "keys") as pool:
        return dict(zip(names, pool.map(load_key, map(folder.signing_key, names)), strict=True))


def new_signing_key(key: Path) -> FileSigner:
    """Write a new signing key with a new passphrase beside it; leftovers of both are replaced."""
    passphrase_file = key.with_suffix(".pass")
    for leftover in (key, passphrase_file):
        leftover.unlink(missing_ok=True)
    write_secret(passphrase_file, secrets.token_urlsafe(32).encode())
    signer = FileSigner.generate()
    save_signer(key, signer, read_secret(passphrase_file), lanes=LANES)
    return signer


def new_transport_key(file: Path) -> str:
    """Write a new transport key into a file; returns the public half."""
    file.unlink(missing_ok=True)
    seed, public = nkeys.generate()
    nkeys.save_nkey(file, seed)
    return public


def new_seal_key(place: Path, passphrase_file: Path, now: dt.datetime) -> SealKey:
    """Write a new seal key into a folder, named after its month; returns the public half."""
    place.mkdir(exist_ok=True, mode=0o700)
    for leftover in place.glob("*.pem"):
        leftover.unlink()
    key = OpeningKey(secrets.token_bytes(SEED_BYTES))
    save_opening_key(place / f"{now:%Y-%m}.pem", key, read_secret(passphrase_file), lanes=LANES)
    return key.public
