"""Finds the server that runs in a folder: its process id and its addresses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple


class Running(NamedTuple):
    """A running server: its process id, and its addresses by service."""

    pid: int
    addresses: dict[str, list[str]]


def ports_of(folder: Path) -> Running | None:
    """Process id and addresses of the server that runs in a folder; None if none runs.

    A killed server leaves its file of ports, and another process may have its process id by now.
    """
    for file in folder.glob("*.ports"):
        try:
            pid = int(file.stem.rpartition("_")[2])
            if _is_alive_in(folder, pid):
                return Running(pid, json.loads(file.read_bytes()))
        except (OSError, ValueError, OverflowError, RecursionError):
            continue  # it has ended, or belongs to another user
    return None


def _is_alive_in(folder: Path, pid: int) -> bool:
    """Whether a process is alive and works in a folder; without /proc, only whether it is alive."""
    os.kill(pid, 0)
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except FileNotFoundError:
        return not Path("/proc/self").exists()
