"""Which versions of a registry had all their keys checked for the order of their points, remembered beside its file.

That check costs a millisecond for each key, which thousands of authorities would pay with every command. It is done when
a version is first held, for nothing in a version changes after that: the digest is that of its payload. All signatures
and rules are checked each time. Who can write here can write the settings with the pin as well.
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
    """The digests that are remembered beside a registry's file; none where that cannot be read."""
    try:
        lines = _beside(file).read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(line for line in lines[:MOST] if _DIGEST.fullmatch(line))


def write(file: Path, digests: Collection[str]) -> None:
    """Remember these digests. Where that is not possible, keys are checked again."""
    text = "".join(f"{each}\n" for each in sorted(digests)[:MOST])
    with contextlib.suppress(OSError):
        write_atomically(_beside(file), text.encode("ascii"), mode=0o644)


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name.removesuffix('.json').removesuffix('.tocsin')}.checked")
