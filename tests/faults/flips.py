"""Damages to a file, by seed: one bit turned over, an end cut off, nothing left."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

BIT, CUT, EMPTY = "bit", "cut", "empty"
HARMLESS, UNDETECTABLE = "harmless", "undetectable"


class Case(NamedTuple):
    """One damage of one file; `kind` is a bit turned over, an end cut off, or nothing left."""

    seed: int
    kind: str


def cases(bits: int, cuts: int) -> tuple[Case, ...]:
    """So many bits, so many cuts, and the empty file."""
    return (
        *(Case(seed, BIT) for seed in range(bits)),
        *(Case(seed, CUT) for seed in range(cuts)),
        Case(0, EMPTY),
    )


def damaged(raw: bytes, case: Case, name: str) -> bytes:
    """The bytes of a file after a damage; the place is drawn by the seed and the file's name."""
    rng = random.Random(f"{name} {case.kind} {case.seed}")
    if case.kind == EMPTY:
        return b""
    if case.kind == CUT:
        return raw[: rng.randrange(1, len(raw))]
    changed, place = bytearray(raw), rng.randrange(len(raw))
    if not changed[place]:  # most of a young database is nothing but zeros: draw once more
        place = rng.randrange(len(raw))
    changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


def damage(path: Path, case: Case, name: str) -> None:
    """Do it to a file, which keeps its mode."""
    path.write_bytes(damaged(path.read_bytes(), case, name))


class Tally:
    """What came of the damages of each file."""

    def __init__(self) -> None:
        """Nothing was tried."""
        self.found: dict[str, Counter[str]] = {}

    def add(self, name: str, outcome: str) -> None:
        """One damage of a file, and its outcome: `harmless`, `undetectable: WHAT`, or the reason of a refusal."""
        self.found.setdefault(name, Counter())[outcome] += 1

    def total(self, name: str, which: Callable[[str], bool] = lambda _: True) -> int:
        """How many damages of a file had such an outcome."""
        return sum(count for outcome, count in self.found[name].items() if which(outcome))

    def table(self) -> str:
        """A row for each file: tried, refused, harmless, undetectable, and the reasons."""
        rows = []
        for name, outcomes in self.found.items():
            undetectable = self.total(name, lambda each: each.startswith(UNDETECTABLE))
            harmless = outcomes[HARMLESS]
            refused = outcomes.total() - harmless - undetectable
            rows.append(
                f"{name:22} {outcomes.total():5} {refused:5} {harmless:5} {undetectable:5}  "
                f"{dict(outcomes.most_common())}"
            )
        return "\n".join(("file                   tried refused harmless undetectable", *rows))
