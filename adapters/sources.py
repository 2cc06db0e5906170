"""Where native documents come from: a spool folder, or standard input."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from bus.plugin import AdapterError, Observation, Verdict

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
UNFINISHED = (".part", ".tmp", ".swp", "~")


class FolderSource:
    """A spool folder: files appear in `in/` by renaming, and end in `done/` or, with their reason beside, in `refused/`.

    A file is moved only after its bulletins are kept, so a crash offers it again; the publisher's key then keeps it
    from giving a second bulletin.
    """

    def __init__(
        self, spool: Path, *, poll_s: float = 1.0, max_bytes: int = MAX_DOCUMENT_BYTES, once: bool = False
    ) -> None:
        """Watch a folder.

        Args:
            spool: the folder; its parts are made when they are not there.
            poll_s: seconds between looks.
            max_bytes: a larger file is refused unread.
            once: end when everything there has been offered.
        """
        self.incoming, self.done, self.refused = (spool / part for part in ("in", "done", "refused"))
        self._poll_s = poll_s
        self._max_bytes = max_bytes
        self._once = once

    async def observe(self) -> AsyncIterator[Observation]:
        """Files in the order of their names."""
        for folder in (self.incoming, self.done, self.refused):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            for path in await asyncio.to_thread(self._waiting):
                try:
                    data = await asyncio.to_thread(self._read, path)
                except AdapterError as exc:
                    self._settle(path, Verdict(accepted=False, reason=exc.reason, detail=exc.detail))
                    continue
                except FileNotFoundError:
                    continue
                yield Observation(name=path.name, data=data, settle=functools.partial(self._settle, path))
            if self._once:
                return
            await asyncio.sleep(self._poll_s)

    def _waiting(self) -> list[Path]:
        return sorted(
            path
            for path in self.incoming.iterdir()
            if not path.name.startswith(".") and not path.name.endswith(UNFINISHED)
        )

    def _read(self, path: Path) -> bytes:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as exc:
            raise AdapterError(f"cannot be read: {exc.strerror}", reason="unreadable") from None
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise AdapterError("not a regular file", reason="not-a-file")
            if found.st_size > self._max_bytes:
                raise AdapterError(
                    f"{found.st_size} bytes; at most {self._max_bytes} are read", reason="too-large"
                )
            return file.read(self._max_bytes + 1)

    def _settle(self, path: Path, verdict: Verdict) -> None:
        folder = self.done if verdict.accepted else self.refused
        target = folder / path.name
        count = 1
        while target.exists() or target.is_symlink():
            count += 1
            target = folder / f"{path.stem}.{count}{path.suffix}"
        report = {
            "accepted": verdict.accepted,
            "reason": verdict.reason,
            "detail": verdict.detail,
            "bulletins": list(verdict.bulletins),
            "losses": [{"path": loss.path, "why": loss.why} for loss in verdict.losses],
        }
        target.with_name(f"{target.name}.{'report' if verdict.accepted else 'reason'}.json").write_text(
            json.dumps(report, ensure_ascii=False, indent=1), "utf-8"
        )
        path.replace(target)


class StdinSource:
    """The one document on standard input."""

    def __init__(self, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> None:
        self._max_bytes = max_bytes

    async def observe(self) -> AsyncIterator[Observation]:
        """One document, read to its end.

        Raises:
            AdapterError: `too-large`.
        """
        data = await asyncio.to_thread(sys.stdin.buffer.read, self._max_bytes + 1)
        if len(data) > self._max_bytes:
            raise AdapterError(f"at most {self._max_bytes} bytes are read", reason="too-large")

        def settle(verdict: Verdict) -> None:
            if not verdict.accepted:
                raise AdapterError(verdict.detail, reason=verdict.reason)

        yield Observation(name="standard input", data=data, settle=settle)
