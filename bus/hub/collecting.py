"""How seldom Python looks for objects that refer to each other in a circle, while hubs run in this process.

It looks each time so many more containers are made than freed, and each time goes through what is young, and at times through
everything that is loaded. What a hub takes in is a tree without circles, freed as soon as it is settled; its batches make
Python look all the time for what is not there, at 5 µs a bulletin.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = 20_000
"""So many containers: those of two batches of 500."""
_found: list[tuple[int, int, int]] = []


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look seldom for as long as the body runs; the last of several bodies puts back what the first has found."""
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
