"""The file of drafts that were sent a short time ago, beside the outbox; read and written by what a person sends."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from bus.drafts import doubles
from bus.storage import write_atomically

FILE = "asked"
"""Its name, in the state folder."""


class Remembered:
    """What was sent lately. Every lookup reads the file, for other programs write it too."""

    def __init__(self, folder: Path) -> None:
        """Take the folder beside the outbox."""
        self.path = folder / FILE

    def is_damaged(self) -> bool:
        """Whether the file is none of this kind: then everything in it is forgotten."""
        return doubles.is_damaged(self._raw())

    def known(self, now: float) -> dict[str, doubles.Before]:
        """What was sent, by the digest of the draft (`doubles.asked_for`).

        Args:
            now: seconds since 1970.
        """
        return doubles.remembered(self._raw(), now)

    def keep(self, new: Sequence[doubles.Before], now: float) -> None:
        """Write down what was accepted. A disk that takes nothing is no reason to fail: the bulletins are out."""
        if not new:
            return
        with contextlib.suppress(OSError):
            write_atomically(self.path, doubles.with_new(self._raw(), new, now))

    def _raw(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                return file.read(doubles.MOST_BYTES + 1)
        except OSError:
            return b""
