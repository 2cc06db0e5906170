"""A disk of few megabytes, in memory, that can be filled."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

ROOM = 16 * 1024**2


class NoDiskError(Exception):
    """This machine lets nobody mount one."""


@contextmanager
def small_disk(folder: Path, room: int = ROOM) -> Iterator[Path]:
    """A tmpfs of so many bytes, mounted on a new folder.

    Raises:
        NoDiskError: mounting is not allowed here.
    """
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        raise NoDiskError("this machine mounts no tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def disk_or_skip(folder: Path) -> Iterator[Path]:
    """A disk of few megabytes; the test is skipped where mounting is not allowed."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(folder))
        except NoDiskError as exc:
            pytest.skip(str(exc))
        yield disk


def fill(disk: Path, left: int) -> Path:
    """Take up a disk but for so many bytes, or but for what a program beside takes meanwhile; remove the file to free it."""
    ballast = disk / "ballast"
    free = int(subprocess.check_output(["stat", "-f", "-c", "%a", str(disk)])) * 4096
    try:
        ballast.write_bytes(bytes(max(0, free - left)))
    except OSError as exc:
        if exc.errno != errno.ENOSPC:  # the programs that write there took some of it meanwhile
            raise
    return ballast
