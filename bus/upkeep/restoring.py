"""Restores a context from an archive.

A restored outbox is marked as a possible old copy: it signs nothing before a comparison with the bus
(`bus.publishing.fitness`). Existing files are never overwritten: an outbox or a store is set aside, and registry,
statements, keys and audit record stay, since they may be newer.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from bus.config import Context
from bus.desk import sessions
from bus.errors import StoreError
from bus.publishing import outbox_table
from bus.storage import check_copy, is_in_use, written_atomically
from bus.trust import RegistryStore, version_file
from bus.upkeep.archive import BackupError, Manifest, unpacked
from bus.upkeep.backup import DESK, NOT_KEPT, OUTBOX, PLAIN, REGISTRY, SECRETS, SIGN_ON, STORE

_DISTRUSTED = {OUTBOX: outbox_table.distrust, DESK: sessions.distrust}
"""What is changed in an older copy before it is put in its place."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a restore.

    Attributes:
        name: the name of the context.
        context: the context, with the present paths of its files.
        written: the files that were written.
        kept: existing files that stay.
        set_aside: the new path of an existing outbox or store.
        made: when the backup was made.
    """

    name: str
    context: Context
    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    set_aside: tuple[Path, ...]
    made: dt.datetime


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
    """Restore a context from an archive: to the paths in its settings, or without settings below `home`.

    Args:
        archive: the file.
        home: the folder of the settings.
        find: gives the context of a name with its state folder, or None.
        now: the present.
        force: set an existing outbox, store or desk aside and continue.
        sha256: the noted digest of the archive.
        rehearse: check everything and write nothing.

    Raises:
        BackupError: `malformed-backup`, `backup-digest`, `backup-occupied`, `backup-other`: it belongs to another
            identity than the context here with its name.
        StoreError: `store-busy`: a program runs; or a store in it is damaged or of another wire.
        TrustError, ConfigError: the registry in it is not valid under its pin.
        OSError: the disk fails.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with unpacked(archive, home, sha256=sha256) as (manifest, folder):
        context, state = _places(manifest, home, find)
        _must_stand(folder, context, now)
        for store in (OUTBOX, STORE, DESK):
            if (folder / "state" / store).exists():
                check_copy(folder / "state" / store, _DISTRUSTED.get(store))
        occupied = [
            state / store for store in (OUTBOX, STORE, DESK) if any(map(Path.exists, _parts(state / store)))
        ]
        replaced = [path for path in occupied if (folder / "state" / path.name).exists()]
        _must_be_free(occupied, replaced, force=force)
        aside = tuple(_set_aside(path, now, rehearse=rehearse) for path in replaced)
        written, kept = [], []
        for source, target in _targets(folder, context, state, home):
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


def _places(
    manifest: Manifest, home: Path, find: Callable[[str], tuple[Context, Path] | None]
) -> tuple[Context, Path]:
    """The context and the state folder to restore to."""
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
    if taken := sorted(set(manifest.settings) & set(NOT_KEPT)):
        raise BackupError(f"the archive sets the path of {', '.join(taken)}; no archive may do that")
    place = home / manifest.context
    names = {member.name for member in manifest.members}
    paths: dict[str, str] = {"registry": str(place / "registry" / REGISTRY), "state": str(place / "state")}
    paths["beacon"] = str(place / "registry" / "beacon.tocsin.json")
    paths |= {
        field: str(place / "files" / field) for field in (*SECRETS, *PLAIN) if f"files/{field}" in names
    }
    if any(name.startswith("seal/") for name in names):
        paths["seal_keys"] = str(place / "seal")
    try:
        context = msgspec.convert(
            {**manifest.settings, **paths}, Context, dec_hook=lambda type_, value: type_(value)
        )
    except msgspec.ValidationError as exc:
        raise BackupError(f"its settings are not those of a context: {exc}") from None
    return context, place / "state"


def _must_stand(folder: Path, context: Context, now: dt.datetime) -> None:
    """Refuse an archive whose registry is not that of the context."""
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
            f"{', '.join(str(_there(path)) for path in replaced)} is there already",
            remedy="move it away, or let it be set aside: --force",
            reason="backup-occupied",
        )


def _set_aside(path: Path, now: dt.datetime, *, rehearse: bool) -> Path:
    """Move a database with its log aside; its heads file stays, because it has the last accepted bulletins."""
    aside = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%SZ}")
    parts = list(zip(_parts(path), _parts(aside), strict=True))
    if any(there.exists() for _, there in parts):
        raise BackupError(f"{aside} is there already", reason="backup-occupied")
    for part, there in () if rehearse else parts:
        if part.exists():
            part.rename(there)
    return aside


def _there(path: Path) -> Path:
    """The path of an existing database, or of its remaining files."""
    return next(part for part in reversed(_parts(path)) if part.exists())


def _parts(path: Path) -> tuple[Path, ...]:
    """A database's files, itself last: SQLite would use a leftover log for any database that is put beside it."""
    return tuple(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal", ""))


def _targets(folder: Path, context: Context, state: Path, home: Path) -> Iterator[tuple[Path, Path]]:
    """Each unpacked file and its place; databases last, so that a program never finds one without its registry."""
    seal = context.seal_keys
    places: Mapping[str, Path | None] = {
        **{f"files/{field}": getattr(context, field) for field in (*SECRETS, *PLAIN)},
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
        elif name.startswith(f"{SIGN_ON}/"):
            target = home / source.name
        elif name.startswith("seal/"):
            target = None if seal is None else seal if seal.suffix == ".pem" else seal / source.name
        else:
            target = places.get(name)
        if target is not None:
            yield source, target


def _databases_last(path: Path) -> tuple[bool, str]:
    return path.suffix == ".db", str(path)


def _put(source: Path, target: Path) -> None:
    """Write a file readable only for its owner, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Others may use the folder too: the name is unpredictable, and only the owner can read the file from its first byte
    # on.
    with source.open("rb") as file, written_atomically(target) as out:
        shutil.copyfileobj(file, out)
