"""Remembers beside a registry's file which versions had all their keys checked for the order of their points.

The check costs a millisecond for each key, too much for every command with thousands of authorities. It is done once,
when a version is first held; the digest of its payload shows that nothing has changed since. All signatures and rules
are checked each time. A person who can write this file can also write the settings with the pin.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from pathlib import Path

from bus.storage import write_atomically

MOST = 1000
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")


def read(file: Path) -> frozenset[str]:
    """The remembered digests; empty if the file cannot be read."""
    try:
        lines = _beside(file).read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(line for line in lines[:MOST] if _DIGEST.fullmatch(line))


def write(file: Path, digests: Collection[str]) -> None:
    """Remember these digests. If the file cannot be written, keys are checked again."""
    text = "".join(f"{each}\n" for each in sorted(digests)[:MOST])
    with contextlib.suppress(OSError):
        write_atomically(_beside(file), text.encode("ascii"), mode=0o644)


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name.removesuffix('.json').removesuffix('.tocsin')}.checked")
