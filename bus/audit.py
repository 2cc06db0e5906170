"""The audit record: what an identity refused, overrode, signed, accepted, exported or opened, one chained line each.

A line is a JSON object of ASCII alone, with `seq` (from 1), `time`, `event`, `facts` and `prev`, the SHA-256 of the line
before it. The file is opened only for appending, so it works with the append-only attribute of a file system. A crash
may tear its last line. The next writer ends that line and names its digest in an entry `torn`; nothing is rewritten.
The chain shows every change except of the last line. The *head*, the digest of the last line, written down elsewhere,
also shows a changed last line and a cut end.

Facts are names and numbers, never a secret, a passphrase or text of a bulletin.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from bus.errors import BusError
from schemas.codec import digest

AUDIT_FILE = "audit.jsonl"
MAX_LINE_BYTES = 16_384
MAX_TEXT = 300  # bytes of one fact in the file
MAX_LISTED = 32  # entries of a list
TORN = "torn"
CONTINUED = "continued"
_BLOCK = 65_536

Fact = str | int | bool | list[str]


class AuditError(BusError):
    """An audit record was changed, or cannot be continued."""

    reason = "audit-broken"


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line. `time` is UTC, to the second; `prev` is None only in the first."""

    seq: int
    time: str
    event: str
    facts: dict[str, Fact]
    prev: str | None


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """The result of verifying a record: number of entries, head, and number of lines torn by crashes."""

    entries: int
    head: str | None
    torn: int
    unfinished: bool


def append(path: Path, event: str, facts: Mapping[str, Fact], now: dt.datetime) -> str:
    """Add one entry; it is on the disk when this returns. Several processes may append; each waits for its turn.

    Args:
        path: the record; made with mode 0600 if missing.
        event: a kebab-case word.
        facts: the facts; texts are cut at 300 bytes, lists at 32 entries.
        now: the present, aware.

    Returns:
        The new head.

    Raises:
        AuditError: the end of the file is not that of an audit record; `verify` finds the place.
        OSError: from the disk.
    """
    new = not path.exists()
    handle = _locked(path)
    try:
        last, torn, ended = _end(path, handle)
        time = f"{now.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
        seq, prev = (0, None) if last is None else last
        lines = [] if ended else [b""]  # ends the torn line
        told: list[tuple[str, dict[str, Fact]]] = [
            (event, {name: _fit(fact) for name, fact in facts.items()})
        ]
        if torn:
            told.insert(0, (TORN, {"lines": [digest(line) for line in torn]}))
        for name, kept in told:
            seq += 1
            lines.append(_line(Entry(seq=seq, time=time, event=name, facts=kept, prev=prev)))
            prev = digest(lines[-1])
        _write(handle, b"\n".join(lines) + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
    if new:
        _sync_folder(path.parent)
    return digest(lines[-1])


def set_aside(path: Path, target: Path, now: dt.datetime) -> Inspection:
    """Move a verified record to another name, and begin a new one in its place. Its first entry names the head of the old one.

    Running programs continue in the new record.

    Args:
        path: the record.
        target: a free name on the same disk.
        now: the present, aware.

    Returns:
        The old record.

    Raises:
        AuditError: as `verify`; nothing was moved.
        OSError: from the disk, or the name is taken.
    """
    next(_lines(path), None)  # a missing record is not made
    handle = _locked(path)
    try:
        old = verify(path)
        begun = path.with_name(f".{path.name}.begun")
        begun.unlink(missing_ok=True)
        append(begun, CONTINUED, {"head": old.head or "", "entries": old.entries, "file": target.name}, now)
        os.link(path, target)
        begun.replace(path)
        _sync_folder(path.parent)
    finally:
        os.close(handle)
    return old


def verify(path: Path, *, head: str | None = None) -> Inspection:
    """Check every line of a record.

    Args:
        path: the record.
        head: a head written down earlier; it must be the digest of one line.

    Raises:
        AuditError: `audit-missing`; `audit-line`, `audit-seq` or `audit-prev`, naming the first broken line;
            `audit-head` when no line has the head: the end was cut off or changed, or the whole record was rewritten.
    """
    entries = torn = 0
    last = None
    open_end = False
    seen = head is None
    for entry, line in _checked(path):
        open_end = entry is None
        if entry is None:
            torn += 1
            continue
        entries, last = entry.seq, digest(line)
        seen = seen or last == head
    if not seen:
        raise AuditError(
            f"{path} has no line {head}: its end was cut off or changed, or the whole record was rewritten",
            reason="audit-head",
        )
    return Inspection(entries=entries, head=last, torn=torn, unfinished=open_end)


def read(path: Path) -> Iterator[Entry]:
    """The entries in order, each checked as `verify` does.

    Raises:
        AuditError: at the first broken line.
    """
    return (entry for entry, _ in _checked(path) if entry is not None)


# -- the chain ----------------------------------------------------------------------------------------------------


def _checked(path: Path) -> Iterator[tuple[Entry | None, bytes]]:
    """Yield (entry, line); the entry is None for a line torn by a crash, which the next entry must name."""
    seq, prev, at = 0, None, 0
    torn: list[bytes] = []
    ended = True
    for number, line, ended in _lines(path):  # noqa: B007 (how the last one ended is asked below)
        entry = _entry(line)
        if entry is None:
            torn.append(line)
            yield None, line
            continue
        if torn and (entry.event != TORN or entry.facts.get("lines") != [digest(line) for line in torn]):
            raise _broken(path, at + 1, "is not an entry of an audit record", "audit-line")
        if not torn and entry.event == TORN:
            raise _broken(path, number, "names a torn line that does not exist", "audit-line")
        if entry.seq != seq + 1:
            raise _broken(path, number, f"has number {entry.seq} instead of {seq + 1}", "audit-seq")
        if entry.prev != prev:
            text = (
                f"was changed, or line {number} that follows it" if at else "does not name the line before it"
            )
            raise _broken(path, max(1, at), text, "audit-prev")
        torn = []
        seq, prev, at = entry.seq, digest(line), number
        yield entry, line
    if torn and ended:
        raise _broken(path, at + 1, "is not an entry of an audit record", "audit-line")


def _broken(path: Path, number: int, text: str, reason: str) -> AuditError:
    return AuditError(f"{path}: line {number} {text}", reason=reason)


def _line(entry: Entry) -> bytes:
    """The canonical line of an entry: members in order, no spaces, ASCII; control characters are escaped."""
    return _spelled(msgspec.structs.asdict(entry))


def _spelled(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f").encode("ascii")


def _entry(line: bytes) -> Entry | None:
    """The entry in a line; None if the line is not an entry in canonical form."""
    if len(line) > MAX_LINE_BYTES:
        return None
    try:
        entry = msgspec.convert(json.loads(line.decode("ascii")), Entry)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None
    return entry if _line(entry) == line else None


def _fit(fact: Fact) -> Fact:
    if isinstance(fact, list):
        return [_text(text) for text in fact[:MAX_LISTED]]
    return _text(fact) if isinstance(fact, str) else fact


def _text(text: str) -> str:
    # A file name may hold bytes that are not text.
    whole = text.encode("utf-8", "backslashreplace").decode()
    kept = whole[:MAX_TEXT]
    while len(_spelled(kept)) > MAX_TEXT:
        kept = kept[: len(kept) * 7 // 8]
    return kept if kept == whole else f"{kept}..."


# -- the file -----------------------------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """Yield (number, bytes, whether the line is ended) of every line. A too long line comes in pieces, and is refused."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 2):
                number += 1
                yield number, line.removesuffix(b"\n"), line.endswith(b"\n")
    except FileNotFoundError:
        raise AuditError(
            f"there is no audit record at {path}: nothing is recorded yet, or the file was removed",
            reason="audit-missing",
        ) from None


def _locked(path: Path) -> int:
    """A file descriptor of the record, locked; opened again if the record was set aside during the wait."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _end(path: Path, handle: int) -> tuple[tuple[int, str] | None, list[bytes], bool]:
    """((number, digest) of the last entry or None, torn lines after it, whether the file ends with a complete line).

    A complete last line that is not an entry was changed, not torn by a crash: nothing is written after it.
    """
    size = os.fstat(handle).st_size
    start = max(0, size - _BLOCK)
    lines = os.pread(handle, size - start, start).split(b"\n")
    ended = lines[-1] == b""
    if ended:
        lines.pop()
    if start:
        lines.pop(0)  # a piece of a line
    torn: list[bytes] = []
    entry = None
    while lines and (entry := _entry(lines[-1])) is None:
        torn.insert(0, lines.pop())
    if (torn and ended) or len(torn) > MAX_LISTED or (start and not lines):
        raise AuditError(
            f"{path} does not end like an audit record, so nothing is added to it; find the place with tocsin audit "
            "verify, then keep the file aside as evidence"
        )
    return (entry.seq, digest(lines[-1])) if entry else None, torn, ended


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
