"""An archive of a context: one tar file whose first member lists the others with their digests, and nothing else.

Members may have only names from a fixed list, so no name in an archive points to a path: the settings of the restoring
person decide where a member goes. Members are regular files, in the order of the list, each once. All of them are read
and compared before any is written to its place.
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
)  # this format does not bound sizes; the names are too short to need further headers
_STORES = re.compile(r"state/(?:outbox\.db|store\.db|desk\.db|audit\.jsonl)")
_FILES = re.compile(
    r"registry/(?:registry\.tocsin\.json|registry\.v[1-9][0-9]{0,8}\.tocsin\.json|beacon\.tocsin\.json"
    r"|revocations/[A-Za-z0-9_-]{1,64}\.tocsin\.json)"
    r"|files/(?:key|nkey|tls_key|tls_cert|tls_ca|certificate|contacts)"
    r"|oidc/(?:oidc\.toml|oidc-secret|oidc-ca\.pem)"
    r"|seal/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.pem"
)


class BackupError(BusError):
    """An invalid or changed archive, or a place where it may not be restored."""

    reason = "malformed-backup"


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: its name in the archive, its size in bytes and its SHA-256."""

    name: Annotated[str, Meta(max_length=128)]
    size: Annotated[int, Meta(ge=0)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of an archive, its identity, and the time when it was made."""

    spec: Literal["tocsin-backup/1"]
    made: Annotated[dt.datetime, Meta(tz=True)]
    context: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")]
    settings: dict[str, str | int]
    members: Annotated[tuple[Member, ...], Meta(max_length=MAX_MEMBERS)]


class _Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The manifest as written, with the SHA-256 of its bytes: the manifest checks the members, and this digest the manifest."""

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
    """Write an archive readable only for its owner, whole or not at all.

    Args:
        path: the archive.
        files: the files to include, by their names in the archive; they must not change during the write.
        context: the name of the context.
        settings: its settings that are not paths.
        made: the present.

    Returns:
        The SHA-256 of the archive, to be noted elsewhere.

    Raises:
        BackupError: `backup-member`: a file that could not be restored, because of its name or its size.
        OSError: the disk fails.
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
    """The header bytes before a member."""
    return _entry(name, size, made).tobuf(_FORMAT, tarfile.ENCODING, "strict")


def _entry(name: str, size: int, made: dt.datetime) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(made.timestamp())
    return entry


@contextmanager
def unpacked(path: Path, beside: Path, *, sha256: str | None = None) -> Iterator[tuple[Manifest, Path]]:
    """Unpack every member of an archive, checked, into a temporary folder that is deleted at the end; write nothing elsewhere.

    Args:
        path: the archive.
        beside: an existing folder on the target disk; the temporary one is made in it.
        sha256: the digest that the whole archive must have.

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
        raise BackupError(f"{path} holds more than its list")
    return manifest


def _manifest(file: IO[bytes]) -> Manifest:
    """The list at the start of an archive, with only allowed names."""
    header = file.read(tarfile.BLOCKSIZE)
    size = tarfile.TarInfo.frombuf(header, tarfile.ENCODING, "strict").size
    if not 0 < size <= MAX_MANIFEST_BYTES:  # before it is read
        raise BackupError("an archive of tocsin begins with its list")
    listing = msgspec.json.decode(file.read(size), type=_Listing)
    listed = bytes(listing.manifest)
    if hashlib.sha256(listed).hexdigest() != listing.sha256:
        raise BackupError("its list has changed since it was written", reason="backup-digest")
    manifest = msgspec.json.decode(listed, type=Manifest)
    if header != _header(MANIFEST, size, manifest.made):
        raise BackupError("an archive of tocsin begins with its list")
    _skip_padding(file, size)
    _must_be_restorable(size, manifest)
    return manifest


def _must_be_restorable(size: int, manifest: Manifest) -> None:
    """Check the bounds of a list, both when it is read and when it is written."""
    if size > MAX_MANIFEST_BYTES or len(manifest.members) > MAX_MEMBERS:
        raise BackupError("its list is too long")
    names = [member.name for member in manifest.members]
    if len(set(names)) != len(names):
        raise BackupError("it lists a name twice")
    for member in manifest.members:
        most = MAX_STORE_BYTES if _STORES.fullmatch(member.name) else MAX_FILE_BYTES
        if not (_STORES.fullmatch(member.name) or _FILES.fullmatch(member.name)) or member.size > most:
            raise BackupError(f"it lists a member that no backup has: {member.name!r}, {member.size} bytes")


def _must_have_room(manifest: Manifest, folder: Path) -> None:
    room = os.statvfs(folder)
    if sum(member.size for member in manifest.members) > room.f_bavail * room.f_frsize:
        raise BackupError("this disk has no room for its content", reason="backup-room")


def _take(file: IO[bytes], member: Member, made: dt.datetime, folder: Path) -> None:
    """Write a member into the temporary folder, and compare it with the list.

    Its header must have exactly the bytes that we write for it. So there are no links, devices, sparse or further
    headers.
    """
    if file.read(tarfile.BLOCKSIZE) != _header(member.name, member.size, made):
        raise BackupError(f"in the place of {member.name} it holds another member")
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
        raise BackupError(f"{member.name} has changed since it was written", reason="backup-digest")
    _skip_padding(file, member.size)


def _skip_padding(file: IO[bytes], size: int) -> None:
    if any(file.read(-size % tarfile.BLOCKSIZE)):
        raise BackupError("it holds bytes between its members")


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return _digest(file)


def _digest(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while block := file.read(_BLOCK):
        found.update(block)
    return found.hexdigest()
