"""Measuring: processor time of this process alone, the least of several runs, and beside it a plain pass over the same bytes.

Each run is a first one: what was remembered of the same bytes is forgotten before it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache, lru_cache

import msgspec

from tests.linear.entries import REFUSALS, Entry

PART = 8
"""The whole is compared with an eighth: one pass costs 8 times as much, a pass for each byte 64 times."""
RATIO = 22.0
"""What so many times the bytes may cost: far from both, so that a busy machine, which slows what is long more, decides nothing."""
NOISE_S = 0.005
"""Below this a ratio says nothing; the price alone is looked at."""
QUICK_S = 0.004
RUNS = 30


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one hostile shape costs one way in, in seconds of processor time."""

    entry: str
    shape: str
    size: int
    part_s: float
    half_s: float = 0.0
    """Of half of it, where that was asked for."""
    whole_s: float
    plain_s: float

    @property
    def ratio(self) -> float:
        """How much more the whole costs than its part."""
        return self.whole_s / max(self.part_s, 1e-9)

    @property
    def doubled(self) -> float:
        """How much more the whole costs than its half: one pass 2 times as much, a pass for each byte 4 times."""
        return self.whole_s / max(self.half_s, 1e-9)

    @property
    def price(self) -> float:
        """How many plain passes over the same bytes it costs."""
        return self.whole_s / max(self.plain_s, 1e-9)

    def faults(self, entry: Entry) -> list[str]:
        """What is more than allowed."""
        found = []
        if self.whole_s > NOISE_S and self.ratio > RATIO:
            found.append(f"{self}: {PART} times the size costs {self.ratio:.1f} times as much")
        if self.whole_s > NOISE_S and self.price > entry.price:
            found.append(f"{self}: {self.price:.0f} plain passes; {entry.price:.0f} are allowed")
        return found

    def __str__(self) -> str:
        return f"{self.entry}, {self.shape}"


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """No collection of garbage in between."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def measured(entry: Entry, shape: str, size: int, *, halved: bool = False) -> Cost:
    """What a shape costs at a size and at a part of it; runs are repeated while the result is too high, since noise only adds.

    Args:
        entry: the way in.
        shape: one of its hostile shapes.
        size: bytes.
        halved: measure half of it too, to be shown; it decides nothing.
    """
    sizes = (size, size // PART, size // 2 if halved else 0)
    whole, part, half = (entry.shapes[shape](each) if each else None for each in sizes)
    assert whole is not None
    ready_whole, ready_part, ready_half = (
        None if raw is None else entry.prepare(raw) for raw in (whole, part, half)
    )
    best = Cost(
        entry=entry.name, shape=shape, size=len(whole), part_s=1e9, half_s=1e9, whole_s=1e9, plain_s=1e9
    )
    for _ in range(RUNS):
        best = msgspec.structs.replace(
            best,
            part_s=min(best.part_s, seconds(entry.read, ready_part)),
            half_s=min(best.half_s, seconds(entry.read, ready_half)) if halved else 0.0,
            whole_s=min(best.whole_s, seconds(entry.read, ready_whole)),
            plain_s=min(best.plain_s, plain(len(whole))),
        )
        if not best.faults(entry):
            break
    return best


def tried(entry: Entry, shape: str, size: int, most: int) -> Cost:
    """`measured` at a size, and at more, up to `most`, as long as it is too quick to tell."""
    cost = measured(entry, shape, size)
    while cost.whole_s < QUICK_S and size * 4 <= min(most, entry.limit):
        size *= 4
        cost = measured(entry, shape, size)
    return cost


def seconds(read: Callable[..., object], raw: object) -> float:
    """Processor time of one reading, refused or not."""
    forget()
    begun = time.process_time()
    with contextlib.suppress(*REFUSALS):
        read(raw)
    return time.process_time() - begun


def forget() -> None:
    """Empty the caches that are filled by what is read, those of the standard library's URLs too."""
    for each in _caches():
        each()


@cache
def _caches() -> tuple[Callable[[], None], ...]:
    found = (
        each
        for name, module in tuple(sys.modules.items())
        if name.startswith(("schemas.", "adapters.", "urllib.parse"))
        for each in vars(module).values()
        if isinstance(each, type(_objects)) and each.cache_parameters()["maxsize"] is not None
    )
    return tuple(each.cache_clear for each in found)


def plain(size: int) -> float:
    """Processor time of a plain pass: `json.loads` over so many bytes of small objects."""
    text = _objects(size)
    begun = time.process_time()
    json.loads(text)
    return time.process_time() - begun


@lru_cache(maxsize=4)
def _objects(size: int) -> str:
    return "[" + '{"a":1},' * (size // 8) + "{}]"
