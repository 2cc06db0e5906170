"""Which files processes wait for until the disk has them, as strace sees it."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.waiting import longest

_CALL = re.compile(
    r"(\d+) +(\d+\.\d+) (?:fsync|fdatasync)\(\d+<([^>]*)>(?:\) += 0 <(\d+\.\d+)>| <unfinished)"
)
_END = re.compile(r"(\d+) +(\d+\.\d+) <\.\.\. (?:fsync|fdatasync) resumed>\) += 0")


class Sync(NamedTuple):
    """A file of which a process waited until the disk had it, from when to when, in seconds since 1970."""

    path: str
    began: float
    ended: float


def syncs_in(trace: str) -> Iterator[Sync]:
    """Those that `strace -f -ttt -T -y` has seen, in the order of their ends."""
    open_: dict[str, tuple[str, float]] = {}
    for line in trace.splitlines():
        if call := _CALL.match(line):
            thread, began, path, took = call.groups()
            if took is None:
                open_[thread] = path, float(began)
            else:
                yield Sync(path, float(began), float(began) + float(took))
        elif (end := _END.match(line)) and end[1] in open_:
            path, start = open_.pop(end[1])
            yield Sync(path, start, float(end[2]))


@asynccontextmanager
async def synced(folder: Path, *pids: int) -> AsyncIterator[list[Sync]]:
    """What processes sync within the context; the list is filled when it ends. The test is skipped where nobody may look.

    Args:
        folder: where the trace is written.
        pids: the processes; this one may be among them.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not here, and nothing else sees what a broker syncs")
    trace = folder / "strace.txt"
    places = [argument for pid in pids for argument in ("-p", str(pid))]
    tracer = await asyncio.create_subprocess_exec(
        "strace", "-f", "-ttt", "-T", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace), *places,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert tracer.stderr is not None
    try:
        attached = 0
        async with asyncio.timeout(longest()):
            while attached < len(pids):
                line = (await tracer.stderr.readline()).decode()
                if not line or "ptrace" in line:
                    pytest.skip(f"strace may not look here: {line.strip()}")
                attached += " attached" in line
        found: list[Sync] = []
        yield found
    finally:
        if tracer.returncode is None:
            tracer.terminate()  # it lets go of what it looks at, and ends
        await tracer.communicate()
    found += syncs_in(trace.read_text("utf-8", "replace"))
