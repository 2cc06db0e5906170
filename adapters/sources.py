"""Sources of native documents: a spool folder, or standard input."""

from __future__ import annotations

import asyncio
import errno
import functools
import json
import operator
import os
import select
import stat
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from bus.logs import logger
from bus.plugin import AdapterError, Observation, Verdict

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
UNFINISHED = (".part", ".tmp", ".swp", "~")
LONGEST_WAIT_S = 30.0
# A file name is at most 255 bytes on common file systems; this leaves room for a number and `.reason.json`.
MAX_NAME_BYTES = 200
_REFUSED = "refused"
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
STDIN_CHUNK_BYTES = 65_536
STDIN_LOOK_S = 0.2
_MADE_OF = operator.attrgetter("st_dev", "st_ino", "st_size", "st_mtime_ns")

log = logger()


class FolderSource:
    """A spool folder: files appear in `in/` by renaming, and end in `done/`, or in `refused/` beside a file with the reason.

    The order is: publish, write the report, move. After a crash between two steps the file is offered again. The
    publisher keeps the digest of the document in the same transaction as its bulletins. So the second time gives the
    first bulletins, and report and move are repeated. A file that is replaced while it is read stays, as a new
    document.
    """

    def __init__(
        self, spool: Path, *, poll_s: float = 1.0, max_bytes: int = MAX_DOCUMENT_BYTES, once: bool = False
    ) -> None:
        """Watch a folder.

        Args:
            spool: the folder; missing subfolders are made.
            poll_s: seconds between two checks.
            max_bytes: a larger file is refused unread.
            once: end when all files have been offered.
        """
        self.incoming, self.done, self.refused = (spool / part for part in ("in", "done", _REFUSED))
        self._poll_s = poll_s
        self._max_bytes = max_bytes
        self._once = once
        self._left = False
        # Offered and not settled yet: the next may be requested before the last one is settled.
        self._offered: set[Path] = set()
        self._problem = ""  # reason why the spool, or a file in it, cannot be read now

    async def observe(self) -> AsyncIterator[Observation]:
        """Yield files in the order of their names; after one that has to wait, none until the next check."""
        wait_s = self._poll_s
        self._offered.clear()
        while True:
            self._left = False
            for path in await asyncio.to_thread(self._waiting):
                observation = await asyncio.to_thread(self._offer, path)
                if observation is not None:
                    self._is_well()
                    yield observation
                if self._left:
                    break
            if self._once:
                return
            wait_s = min(wait_s * 2, LONGEST_WAIT_S) if self._left else self._poll_s
            await asyncio.sleep(wait_s)

    def _waiting(self) -> list[Path]:
        try:
            for folder in (self.incoming, self.done, self.refused):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            found = sorted(
                path
                for path in self.incoming.iterdir()
                if not path.name.startswith(".")
                and not path.name.endswith(UNFINISHED)
                and path not in self._offered
            )
        except OSError as exc:
            self._waits(str(exc))
            return []
        if not found:
            self._is_well()
        return found

    def _waits(self, problem: str) -> None:
        """Leave all files in place until the next check; log it once."""
        self._left = True
        if problem != self._problem:
            log.warning("spool_unreadable", spool=str(self.incoming), problem=problem)
        self._problem = problem

    def _is_well(self) -> None:
        if self._problem:
            log.warning("spool_readable_again", spool=str(self.incoming))
        self._problem = ""

    def _offer(self, path: Path) -> Observation | None:
        try:
            data, found = self._read(path)
        except FileNotFoundError:
            return None
        except (MemoryError, OSError) as exc:  # not a fault of the file
            self._waits(str(exc) or "not enough memory")
            return None
        except AdapterError as exc:
            log.warning("document_refused", document=_shown(path), reason=exc.reason, detail=str(exc))
            try:
                self._settle(path, None, Verdict(accepted=False, reason=exc.reason, detail=str(exc)))
            except OSError as problem:
                log.warning("document_not_settled", document=_shown(path), problem=str(problem))
            return None
        self._offered.add(path)
        return Observation(name=_shown(path), data=data, settle=functools.partial(self._settle, path, found))

    def _read(self, path: Path) -> tuple[bytes, os.stat_result]:
        """(bytes, stat result) of a file.

        Raises:
            AdapterError: the file is not a document.
            OSError, MemoryError: the system cannot read it now.
        """
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as exc:
            if exc.errno in _SHORT:
                raise
            reason = "not-a-file" if exc.errno in (errno.ELOOP, errno.ENXIO) else "unreadable"
            raise AdapterError(f"cannot be read: {exc.strerror}", reason=reason) from None
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise AdapterError("not a regular file", reason="not-a-file")
            with os.fdopen(handle, "rb", closefd=False) as file:
                data = file.read(self._max_bytes + 1)
        except OSError as exc:
            if exc.errno in _SHORT:
                raise
            raise AdapterError(f"cannot be read: {exc.strerror}", reason="unreadable") from None
        finally:
            os.close(handle)
        if len(data) > self._max_bytes:
            raise AdapterError(f"at most {self._max_bytes} bytes are read", reason="too-large")
        return data, found

    def _settle(self, path: Path, found: os.stat_result | None, verdict: Verdict) -> None:
        self._offered.discard(path)
        if verdict.later:
            self._left = True
            return
        target = _free(self.done if verdict.accepted else self.refused, path)
        report = {
            "accepted": verdict.accepted,
            "reason": verdict.reason,
            "detail": verdict.detail,
            "bulletins": list(verdict.bulletins),
            "losses": [{"path": loss.path, "why": loss.why} for loss in verdict.losses],
        }
        beside = _beside(target)
        try:
            text = json.dumps(report, ensure_ascii=False, indent=1)
            beside.write_bytes(text.encode("utf-8", "backslashreplace"))
            if found is None or _same(path, found):
                path.replace(target)
            else:
                log.info("document_replaced_meanwhile", document=_shown(path))
        except OSError:
            self._left = True
            raise


class StdinSource:
    """A source with the one document on standard input."""

    def __init__(self, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> None:
        self._max_bytes = max_bytes

    async def observe(self) -> AsyncIterator[Observation]:
        """Yield one document, read to its end.

        Raises:
            AdapterError: `too-large`.
        """
        stop = threading.Event()
        try:
            data = await asyncio.to_thread(self._read, stop)
        finally:
            stop.set()
        if len(data) > self._max_bytes:
            raise AdapterError(f"at most {self._max_bytes} bytes are read", reason="too-large")

        def settle(verdict: Verdict) -> None:
            if not verdict.accepted:
                raise AdapterError(verdict.detail, reason=verdict.reason)

        yield Observation(name="standard input", data=data, settle=settle)

    def _read(self, stop: threading.Event) -> bytes:
        """Read to the end, or until `stop`: a plain read would keep the program from ending on Ctrl-C."""
        handle, chunks, size = sys.stdin.fileno(), [], 0
        while not stop.is_set() and size <= self._max_bytes:
            if not select.select([handle], [], [], STDIN_LOOK_S)[0]:
                continue
            chunk = os.read(handle, STDIN_CHUNK_BYTES)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks)


def _shown(path: Path) -> str:
    """A file's name as text that can be stored and printed; a name on disk may be any bytes."""
    return path.name.encode("utf-8", "replace").decode()


def _free(folder: Path, path: Path) -> Path:
    """A free name in the folder for a document, whose report name is free too."""
    stem, suffix = path.stem, path.suffix
    while len(os.fsencode(stem + suffix)) > MAX_NAME_BYTES:
        stem, suffix = (stem[:-1], suffix) if len(stem) > 1 else (stem, suffix[:-1])
    # A document may have the name of another's report; it then has a report of its own. A report without its document
    # is from before a crash, and is written again.
    target, count = folder / f"{stem}{suffix}", 1
    while _is_taken(target) or (_is_taken(_beside(target)) and _is_taken(_beside(_beside(target)))):
        count += 1
        target = folder / f"{stem}.{count}{suffix}"
    return target


def _beside(target: Path) -> Path:
    """The path of the report of a settled document."""
    return target.with_name(f"{target.name}.{'reason' if target.parent.name == _REFUSED else 'report'}.json")


def _is_taken(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _same(path: Path, found: os.stat_result) -> bool:
    """Whether the path still leads to the file that was read."""
    return _MADE_OF(path.lstat()) == _MADE_OF(found)
