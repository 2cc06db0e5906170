"""What the processors of this machine did, as Linux counts it: for the process of a run, and for all that is not of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_COUNTED = 8  # user, nice, system, idle, iowait, irq, softirq, steal; guests stand in user already
_IDLE = (3, 4)


class Load(NamedTuple):
    """Processor seconds of the whole machine since it was started: spent, and that could have been spent."""

    busy_s: float
    all_s: float


def load() -> Load:
    """What has been spent until now."""
    return load_of(Path("/proc/stat").read_text("ascii"))


def load_of(stat: str) -> Load:
    """What `/proc/stat` says: waiting for a disk is idle, what the host took (`steal`) is spent."""
    ticks = [int(field) for field in stat.split("\n", 1)[0].split()[1 : 1 + _COUNTED]]
    everything = sum(ticks)
    return Load((everything - sum(ticks[at] for at in _IDLE)) / _TICKS, everything / _TICKS)


def share_of_others(before: Load, after: Load, own_s: float) -> float:
    """The share of the machine's processors, 0 to 1, that others took between two moments in which we took `own_s` seconds."""
    available = after.all_s - before.all_s
    return max(0.0, after.busy_s - before.busy_s - own_s) / available if available > 0 else 0.0


def cpu_of(pid: int) -> float:
    """Seconds, user and system, that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
