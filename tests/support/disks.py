"""A disk of few megabytes, and what fills it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOM = 16 * 1024**2


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of few megabytes, in memory; skipped where mounting is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Take up a disk but for so many bytes; remove the file to free it."""
    ballast = disk / "ballast"
    free = int(subprocess.check_output(["stat", "-f", "-c", "%a", str(disk)])) * 4096
    ballast.write_bytes(bytes(free - left))
    return ballast
