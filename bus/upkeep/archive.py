"""An archive of a context: one tar file whose first member lists the others with their digests. Nothing else is in it.

What a member may be called is a fixed list, so no name in an archive leads anywhere: where a member goes, the settings of
the one who restores it say. Members are regular files, in the order of the list, each once. All of them are read and
compared before anything is written to its place.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from bus.errors import BusError
from bus.storage import written_atomically

SPEC: Literal["tocsin-backup/1"] = "tocsin-backup/1"
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_MEMBERS = 20_000
MAX_STORE_BYTES = 64 << 30
MAX_FILE_BYTES = 16 * 1024 * 1024
_BLOCK = 1 << 20
_FORMAT: Final = (
    tarfile.GNU_FORMAT
)  # a size has no bound in it; the names are too short for its further headers
_STORES = re.compile(r"state/(?:outbox\.db|store\.db|desk\.db|audit\.jsonl)")
_FILES = re.compile(
    r"registry/(?:registry\.tocsin\.json|registry\.v[1-9][0-9]{0,8}\.tocsin\.json|beacon\.tocsin\.json"
    r"|revocations/[A-Za-z0-9_-]{1,64}\.tocsin\.json)"
    r"|files/(?:key|nkey|tls_key|tls_cert|tls_ca|certificate|contacts)"
    r"|seal/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.pem"
)


class BackupError(BusError):
    """An archive that is none, or is not as it was written; or a place where one may not be restored."""

    reason = "malformed-backup"


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: its name in the archive, its bytes by number and SHA-256."""

    name: Annotated[str, Meta(max_length=128)]
    size: Annotated[int, Meta(ge=0)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an archive holds, of whom, and when it was made."""

    spec: Literal["tocsin-backup/1"]
    made: Annotated[dt.datetime, Meta(tz=True)]
    context: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")]
    settings: dict[str, str | int]
    members: Annotated[tuple[Member, ...], Meta(max_length=MAX_MEMBERS)]


class _Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The manifest as it is written, with the SHA-256 of its very bytes: the members are checked by it, and it by this."""

    sha256: str
    manifest: msgspec.Raw


def listing_of(manifest: bytes) -> bytes:
    """The bytes of the first member, around an encoded manifest."""
    listing = _Listing(sha256=hashlib.sha256(manifest).hexdigest(), manifest=msgspec.Raw(manifest))
    return msgspec.json.encode(listing)


def write_archive(
    path: Path,
    files: Mapping[str, Path],
    *,
    context: str,
    settings: Mapping[str, str | int],
    made: dt.datetime,
) -> str:
    """Write an archive for its owner alone, whole or not at all.

    Args:
        path: the archive.
        files: what goes in, by the name that it has there; they must not change meanwhile.
        context: the name of the context.
        settings: its settings that are no paths.
        made: the present.

    Returns:
        The SHA-256 of the archive, to be written down elsewhere.

    Raises:
        BackupError: `backup-member`: what could be written and never be restored, by its name or its size.
        OSError: the disk.
    """
    members = tuple(
        Member(name=name, size=file.stat().st_size, sha256=_digest_of(file))
        for name, file in sorted(files.items())
    )
    manifest = Manifest(spec=SPEC, made=made, context=context, settings=dict(settings), members=members)
    listed = listing_of(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    try:
        _must_be_restorable(len(listed), manifest)
    except BackupError as exc:
        raise BackupError(
            f"this could not be restored: {exc}",
            remedy="give the file a shorter name of letters, digits, dots and hyphens, or keep it elsewhere",
            reason="backup-member",
        ) from None
    with written_atomically(path) as out, tarfile.open(fileobj=out, mode="w", format=_FORMAT) as tar:
        tar.addfile(_entry(MANIFEST, len(listed), made), io.BytesIO(listed))
        for member in members:
            with files[member.name].open("rb") as file:
                tar.addfile(_entry(member.name, member.size, made), file)
    return _digest_of(path)


def _header(name: str, size: int, made: dt.datetime) -> bytes:
    """The bytes before a member."""
    return _entry(name, size, made).tobuf(_FORMAT, tarfile.ENCODING, "strict")


def _entry(name: str, size: int, made: dt.datetime) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(made.timestamp())
    return entry


@contextmanager
def unpacked(path: Path, beside: Path, *, sha256: str | None = None) -> Iterator[tuple[Manifest, Path]]:
    """Every member of an archive, checked, in a folder that goes away at the end; nothing is written elsewhere.

    Args:
        path: the archive.
        beside: an existing folder on the disk where the members are to go; the temporary one is made in it.
        sha256: what the whole archive must have as its digest.

    Raises:
        BackupError: `malformed-backup`, `backup-digest`.
        OSError: the disk.
    """
    with path.open("rb") as file:
        if sha256 is not None and (found := _digest(file)) != sha256.lower():
            raise BackupError(f"{path} has the digest {found}, not {sha256}", reason="backup-digest")
        file.seek(0)
        with tempfile.TemporaryDirectory(dir=beside, prefix=".restoring.") as name:
            yield _unpack(path, file, Path(name)), Path(name)


def _unpack(path: Path, file: IO[bytes], folder: Path) -> Manifest:
    try:
        manifest = _manifest(file)
        _must_have_room(manifest, folder)
        for member in manifest.members:
            _take(file, member, manifest.made, folder)
    except BackupError as exc:
        raise BackupError(f"{path}: {exc}", reason=exc.reason) from None
    except (tarfile.TarError, msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as exc:
        raise BackupError(f"{path} is no archive of tocsin: {exc}") from None
    if any(iter(lambda: file.read(_BLOCK).strip(b"\0"), b"")):
        raise BackupError(f"{path} holds more than it lists")
    return manifest


def _manifest(file: IO[bytes]) -> Manifest:
    """The list at the head of an archive, in which every name may stand in one."""
    header = file.read(tarfile.BLOCKSIZE)
    size = tarfile.TarInfo.frombuf(header, tarfile.ENCODING, "strict").size
    if not 0 < size <= MAX_MANIFEST_BYTES:  # before it is read
        raise BackupError("an archive of tocsin begins with its list")
    listing = msgspec.json.decode(file.read(size), type=_Listing)
    listed = bytes(listing.manifest)
    if hashlib.sha256(listed).hexdigest() != listing.sha256:
        raise BackupError("its list is not as it was written", reason="backup-digest")
    manifest = msgspec.json.decode(listed, type=Manifest)
    if header != _header(MANIFEST, size, manifest.made):
        raise BackupError("an archive of tocsin begins with its list")
    _skip_padding(file, size)
    _must_be_restorable(size, manifest)
    return manifest


def _must_be_restorable(size: int, manifest: Manifest) -> None:
    """What a list may be: asked of one that is read, and of one that is to be written."""
    if size > MAX_MANIFEST_BYTES or len(manifest.members) > MAX_MEMBERS:
        raise BackupError("it lists too much")
    names = [member.name for member in manifest.members]
    if len(set(names)) != len(names):
        raise BackupError("it lists a name twice")
    for member in manifest.members:
        most = MAX_STORE_BYTES if _STORES.fullmatch(member.name) else MAX_FILE_BYTES
        if not (_STORES.fullmatch(member.name) or _FILES.fullmatch(member.name)) or member.size > most:
            raise BackupError(f"it lists what belongs to no backup: {member.name!r}, {member.size} bytes")


def _must_have_room(manifest: Manifest, folder: Path) -> None:
    room = os.statvfs(folder)
    if sum(member.size for member in manifest.members) > room.f_bavail * room.f_frsize:
        raise BackupError("there is no room on this disk for what it holds", reason="backup-room")


def _take(file: IO[bytes], member: Member, made: dt.datetime, folder: Path) -> None:
    """Write a member into the temporary folder, and compare it with the list.

    Its header must be the very bytes that we write for it. So there are no links, devices, sparse or further headers.
    """
    if file.read(tarfile.BLOCKSIZE) != _header(member.name, member.size, made):
        raise BackupError(f"where it lists {member.name} it holds something else")
    target = folder / member.name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    found, left = hashlib.sha256(), member.size
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while left and (block := file.read(min(_BLOCK, left))):
            found.update(block)
            out.write(block)
            left -= len(block)
        out.flush()
        os.fsync(out.fileno())
    if left or found.hexdigest() != member.sha256:
        raise BackupError(f"{member.name} is not as it was written", reason="backup-digest")
    _skip_padding(file, member.size)


def _skip_padding(file: IO[bytes], size: int) -> None:
    if any(file.read(-size % tarfile.BLOCKSIZE)):
        raise BackupError("it holds something between its members")


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return _digest(file)


def _digest(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while block := file.read(_BLOCK):
        found.update(block)
    return found.hexdigest()
