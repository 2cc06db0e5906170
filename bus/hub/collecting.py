"""Makes Python's cyclic garbage collection rare while hubs run in this process.

A collection starts when a number of containers more were made than freed. It examines young objects, and at times all
loaded ones. A hub's input is a tree without cycles that is freed once it is settled. Its batches would start useless
collections all the time, at 5 µs a bulletin.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = 20_000
"""The threshold in containers: those of two batches of 500."""
_found: list[tuple[int, int, int]] = []


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Collect rarely while the body runs; the last of several bodies restores the threshold that the first has found."""
    found = _found[0] if _found else gc.get_threshold()
    _found.append(found)
    if found[0]:  # else somebody has turned it off
        gc.set_threshold(max(found[0], SELDOM), *found[1:])
    try:
        yield
    finally:
        _found.pop()
        if not _found:
            gc.set_threshold(*found)
