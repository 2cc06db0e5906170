"""Backs up a context into an archive while its programs run."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from bus.audit import AUDIT_FILE
from bus.config import Context
from bus.storage import copy_database
from bus.trust import version_file
from bus.upkeep.archive import BackupError, write_archive

OUTBOX, STORE, DESK = "outbox.db", "store.db", "desk.db"
REGISTRY = "registry.tocsin.json"
SIGN_ON = "oidc"
SECRETS = ("key", "nkey", "tls_key")
PLAIN = ("tls_cert", "tls_ca", "certificate", "contacts")
NOT_KEPT = ("passphrase_file", "state", "registry", "beacon", "seal_keys", *SECRETS, *PLAIN)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A finished backup: its SHA-256, and the names in it with their sizes."""

    sha256: str
    members: dict[str, int]


def back_up(
    name: str,
    context: Context,
    state: Path,
    target: Path,
    now: dt.datetime,
    *,
    with_keys: bool = False,
    with_store: bool = True,
    sign_on: Mapping[str, bytes] = MappingProxyType({}),
) -> Kept:
    """Write an archive of a context, while its programs run.

    Args:
        name: the context's name.
        context: its settings.
        state: its state folder.
        target: the archive.
        now: the present.
        with_keys: include signing and seal keys, which are encrypted, and transport and TLS keys, which are not.
            Passphrases are never included.
        with_store: include the reader's store, which the bus can deliver again as far as it goes back.
        sign_on: the settings of the single sign-on of a desk, by the names that they get beside the settings of contexts.

    Raises:
        StoreError: a store cannot be copied.
        BackupError: `backup-empty`, `backup-member`.
        OSError: the disk.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backing-up.") as folder:
        copies = Path(folder)
        files: dict[str, Path] = {}
        for store in (OUTBOX, DESK, STORE) if with_store else (OUTBOX, DESK):
            if (state / store).is_file():
                copy_database(state / store, copies / store)
                files[f"state/{store}"] = copies / store
        plain = {**_registry_files(context), **_named_files(context, PLAIN)}
        if with_keys:
            plain |= {**_named_files(context, SECRETS), **_seal_keys(context)}
        if (state / AUDIT_FILE).is_file():
            plain[f"state/{AUDIT_FILE}"] = state / AUDIT_FILE
        for file, raw in sign_on.items():
            (copies / file).write_bytes(raw)
            files[f"{SIGN_ON}/{file}"] = copies / file
        for number, (member, source) in enumerate(sorted(plain.items())):
            copy = copies / f"{number}"
            shutil.copyfile(source, copy)  # a file may change during reading; its copy does not
            files[member] = copy
        if not files:
            raise BackupError(f"{name} has nothing to back up", reason="backup-empty")
        settings = {
            field: value
            for field, value in msgspec.structs.asdict(context).items()
            if value is not None and field not in NOT_KEPT
        }
        sha256 = write_archive(target, files, context=name, settings=settings, made=now)
        return Kept(sha256=sha256, members={member: path.stat().st_size for member, path in files.items()})


def _registry_files(context: Context) -> dict[str, Path]:
    """The pinned registry, the versions and statements beside it, and the beacon."""
    pinned = context.registry
    found = {f"registry/{REGISTRY}": pinned}
    zero = version_file(pinned, 0).name
    before, _, after = zero.rpartition("v0")
    for path in pinned.parent.glob(f"{before}v*{after}"):
        number = path.name.removeprefix(f"{before}v").removesuffix(after)
        if number.isdigit() and path == version_file(pinned, int(number)):
            found[f"registry/registry.v{int(number)}.tocsin.json"] = path
    for path in (pinned.parent / "revocations").glob("*.tocsin.json"):
        found[f"registry/revocations/{path.name}"] = path
    if context.beacon is not None:
        found["registry/beacon.tocsin.json"] = context.beacon
    return {member: path for member, path in found.items() if path.is_file()}


def _named_files(context: Context, fields: tuple[str, ...]) -> dict[str, Path]:
    named = {field: getattr(context, field) for field in fields}
    return {f"files/{field}": path for field, path in named.items() if path is not None and path.is_file()}


def _seal_keys(context: Context) -> dict[str, Path]:
    place = context.seal_keys
    if place is None:
        return {}
    files = sorted(place.glob("*.pem")) if place.is_dir() else [place]
    return {f"seal/{path.name}": path for path in files if path.is_file()}
