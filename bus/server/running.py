"""Which server runs in a folder: its process id and its addresses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple


class Running(NamedTuple):
    """A server that runs: its process id, and its addresses by what they serve."""

    pid: int
    addresses: dict[str, list[str]]


def ports_of(folder: Path) -> Running | None:
    """Process id and addresses of the server that runs in a folder; None when none does.

    A server that was killed leaves its file of ports behind, and another process may have its number by now.
    """
    for file in folder.glob("*.ports"):
        try:
            pid = int(file.stem.rpartition("_")[2])
            if _is_alive_in(folder, pid):
                return Running(pid, json.loads(file.read_bytes()))
        except (OSError, ValueError, OverflowError, RecursionError):
            continue  # it has ended, or is another user's
    return None


def _is_alive_in(folder: Path, pid: int) -> bool:
    """Whether a process lives and works in a folder; where the system tells nothing of processes, whether it lives."""
    os.kill(pid, 0)
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except FileNotFoundError:
        return not Path("/proc/self").exists()
