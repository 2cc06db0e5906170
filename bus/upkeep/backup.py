"""What of a context goes into an archive, and back from it.

A backup is made while programs run. A restored outbox is marked as one that may be an old copy: it signs nothing before it
was compared with the bus (`bus.publishing.fitness`). What is there already is never overwritten: an outbox or a store is
set aside, and registry, statements, keys and audit record stay as they are, since what is held may be newer.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from bus.audit import AUDIT_FILE
from bus.config import Context
from bus.errors import StoreError
from bus.storage import check_copy, copy_database, is_in_use
from bus.trust import RegistryStore, version_file
from bus.upkeep.archive import BackupError, Manifest, unpacked, write_archive

OUTBOX, STORE = "outbox.db", "store.db"
REGISTRY = "registry.tocsin.json"
_SECRETS = ("key", "nkey", "tls_key")
_PLAIN = ("tls_cert", "tls_ca", "certificate", "contacts")
_NOT_KEPT = ("passphrase_file", "state", "registry", "beacon", "seal_keys", *_SECRETS, *_PLAIN)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was made: its SHA-256, and the names in it with their sizes."""

    sha256: str
    members: dict[str, int]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restoring did.

    Attributes:
        name: of the context.
        context: the context, with the paths where its files are now.
        written: the files that were written.
        kept: files that were there, and stay.
        set_aside: where an outbox or a store that was there is now.
        made: when the backup was made.
    """

    name: str
    context: Context
    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    set_aside: tuple[Path, ...]
    made: dt.datetime


# -- out ----------------------------------------------------------------------------------------------------------


def back_up(
    name: str,
    context: Context,
    state: Path,
    target: Path,
    now: dt.datetime,
    *,
    with_keys: bool = False,
    with_store: bool = True,
) -> Kept:
    """Write an archive of a context, while its programs run.

    Args:
        name: the context's name.
        context: its settings.
        state: its state folder.
        target: the archive.
        now: the present.
        with_keys: signing and seal keys, which are encrypted, and the transport and TLS keys, which are not. Passphrases
            never go in.
        with_store: the reader's store, which the bus can give again as far as it goes back.

    Raises:
        StoreError: a store cannot be copied.
        BackupError: `backup-empty`.
        OSError: the disk.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backing-up.") as folder:
        copies = Path(folder)
        files: dict[str, Path] = {}
        for store in (OUTBOX, STORE) if with_store else (OUTBOX,):
            if (state / store).is_file():
                copy_database(state / store, copies / store)
                files[f"state/{store}"] = copies / store
        plain = {**_registry_files(context), **_named_files(context, _PLAIN)}
        if with_keys:
            plain |= {**_named_files(context, _SECRETS), **_seal_keys(context)}
        if (state / AUDIT_FILE).is_file():
            plain[f"state/{AUDIT_FILE}"] = state / AUDIT_FILE
        for number, (member, source) in enumerate(sorted(plain.items())):
            copy = copies / f"{number}"
            shutil.copyfile(source, copy)  # a file may change while it is read; its copy does not
            files[member] = copy
        if not files:
            raise BackupError(f"nothing of {name} is there to be kept", reason="backup-empty")
        settings = {
            field: value
            for field, value in msgspec.structs.asdict(context).items()
            if value is not None and field not in _NOT_KEPT
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


# -- back ---------------------------------------------------------------------------------------------------------


def restore(
    archive: Path,
    home: Path,
    find: Callable[[str], tuple[Context, Path] | None],
    now: dt.datetime,
    *,
    force: bool = False,
    sha256: str | None = None,
    rehearse: bool = False,
) -> Restored:
    """Put a context back from an archive: to the places that its settings name, or, without settings, below `home`.

    Args:
        archive: the file.
        home: the folder of the settings.
        find: the context of a name, with its state folder, if there is one.
        now: the present.
        force: set an outbox or a store that is there aside, and go on.
        sha256: the archive's digest, as it was written down.
        rehearse: check everything, and write nothing.

    Raises:
        BackupError: `malformed-backup`, `backup-digest`, `backup-occupied`, `backup-other`: it is of another identity than
            the context here of its name.
        StoreError: `store-busy`: a program runs; or a store in it is damaged or of another wire.
        TrustError, ConfigError: the registry in it does not stand under its pin.
        OSError: the disk.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with unpacked(archive, home, sha256=sha256) as (manifest, folder):
        context, state = _places(manifest, home, find)
        _must_stand(folder, context, now)
        for store in (OUTBOX, STORE):
            if (folder / "state" / store).exists():
                check_copy(folder / "state" / store, _doubt if store == OUTBOX else None)
        occupied = [state / store for store in (OUTBOX, STORE) if (state / store).exists()]
        replaced = [path for path in occupied if (folder / "state" / path.name).exists()]
        _must_be_free(occupied, replaced, force=force)
        aside = tuple(_set_aside(path, now, rehearse=rehearse) for path in replaced)
        written, kept = [], []
        for source, target in _targets(folder, context, state):
            if target.exists() and not (rehearse and target in replaced):
                kept.append(target)
                continue
            if not rehearse:
                _put(source, target)
            written.append(target)
    return Restored(
        name=manifest.context,
        context=context,
        written=tuple(written),
        kept=tuple(kept),
        set_aside=aside,
        made=manifest.made,
    )


def _doubt(db: sqlite3.Connection) -> None:
    """Mark an outbox as another file than the one that was last written: no file has the number 0."""
    db.execute(
        "CREATE TABLE IF NOT EXISTS outbox_file (one INTEGER PRIMARY KEY CHECK (one = 1), inode INTEGER NOT NULL)"
    )
    db.execute("REPLACE INTO outbox_file VALUES (1, 0)")


def _places(
    manifest: Manifest, home: Path, find: Callable[[str], tuple[Context, Path] | None]
) -> tuple[Context, Path]:
    """Where each thing goes."""
    found = find(manifest.context)
    if found is not None:
        context, state = found
        mine = {name: getattr(context, name) for name in ("authority", "domain", "pin")}
        theirs = {name: manifest.settings.get(name) for name in mine}
        if mine != theirs:
            raise BackupError(
                f"the archive is of {theirs['authority']} in {theirs['domain']}, and the context {manifest.context} here is "
                f"of {mine['authority']} in {mine['domain']}, or trusts another pin",
                reason="backup-other",
            )
        return context, state
    if taken := sorted(set(manifest.settings) & set(_NOT_KEPT)):
        raise BackupError(f"the archive says where {', '.join(taken)} lies, which is not its to say")
    place = home / manifest.context
    names = {member.name for member in manifest.members}
    paths: dict[str, str] = {"registry": str(place / "registry" / REGISTRY), "state": str(place / "state")}
    paths["beacon"] = str(place / "registry" / "beacon.tocsin.json")
    paths |= {
        field: str(place / "files" / field) for field in (*_SECRETS, *_PLAIN) if f"files/{field}" in names
    }
    if any(name.startswith("seal/") for name in names):
        paths["seal_keys"] = str(place / "seal")
    try:
        context = msgspec.convert(
            {**manifest.settings, **paths}, Context, dec_hook=lambda type_, value: type_(value)
        )
    except msgspec.ValidationError as exc:
        raise BackupError(f"its settings are none of a context: {exc}") from None
    return context, place / "state"


def _must_stand(folder: Path, context: Context, now: dt.datetime) -> None:
    """The registry in the archive is that of the context."""
    pinned = folder / "registry" / REGISTRY
    if not pinned.is_file():
        raise BackupError("the archive holds no registry")
    RegistryStore(
        pinned,
        pin=context.pin,
        domain=context.domain,
        beacon=None,
        clock=lambda: now,
    )


def _must_be_free(occupied: list[Path], replaced: list[Path], *, force: bool) -> None:
    for path in occupied:
        if is_in_use(path):
            raise StoreError(
                f"a program is using {path}", remedy="end the programs of this context", reason="store-busy"
            )
    if replaced and not force:
        raise BackupError(
            f"{', '.join(str(path) for path in replaced)} is there already",
            remedy="move it away, or let it be set aside: --force",
            reason="backup-occupied",
        )


def _set_aside(path: Path, now: dt.datetime, *, rehearse: bool) -> Path:
    """Move a database with its log out of the way; its heads file stays, for it knows what was accepted last."""
    aside = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%SZ}")
    if aside.exists():
        raise BackupError(f"{aside} is there already", reason="backup-occupied")
    for suffix in () if rehearse else ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _targets(folder: Path, context: Context, state: Path) -> Iterator[tuple[Path, Path]]:
    """Each unpacked file and its place; databases last, so that a program never finds one without its registry."""
    seal = context.seal_keys
    places: Mapping[str, Path | None] = {
        **{f"files/{field}": getattr(context, field) for field in (*_SECRETS, *_PLAIN)},
        f"registry/{REGISTRY}": context.registry,
        "registry/beacon.tocsin.json": context.beacon,
    }
    for source in sorted((path for path in folder.rglob("*") if path.is_file()), key=_databases_last):
        name = str(source.relative_to(folder))
        if name.startswith("state/"):
            target: Path | None = state / source.name
        elif name.startswith("registry/registry.v"):
            target = version_file(context.registry, int(source.name.split(".")[1].removeprefix("v")))
        elif name.startswith("registry/revocations/"):
            target = context.registry.parent / "revocations" / source.name
        elif name.startswith("seal/"):
            target = None if seal is None else seal if seal.suffix == ".pem" else seal / source.name
        else:
            target = places.get(name)
        if target is not None:
            yield source, target


def _databases_last(path: Path) -> tuple[bool, str]:
    return path.suffix == ".db", str(path)


def _put(source: Path, target: Path) -> None:
    """Write a file whole, for its owner alone, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_name(f".{target.name}.restoring")
    try:
        shutil.copyfile(source, partial)
        partial.chmod(0o600)
        _sync(partial)
        partial.rename(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
