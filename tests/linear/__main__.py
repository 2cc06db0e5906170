"""`python -m tests.linear [--most BYTES] [WORD]`: what each hostile shape costs at the bound of its way in, at half and at an eighth of it."""

from __future__ import annotations

import argparse
import sys

from tests.linear.entries import entries
from tests.linear.measure import measured, undisturbed


def main(arguments: list[str]) -> int:
    """Print a line for each way in and shape; 1 when any costs more than it may."""
    parser = argparse.ArgumentParser(prog="python -m tests.linear", description=__doc__)
    parser.add_argument("--most", type=int, default=1 << 40, help="measure at no more bytes than this")
    parser.add_argument(
        "--all", action="store_true", help="every shape, not the dearest of each way in alone"
    )
    parser.add_argument("word", nargs="?", default="", help="only ways in whose name has this in it")
    given = parser.parse_args(arguments)
    write(
        "way in | bound | measured at | worst shape | eighth, ms | half, ms | whole, ms | to eighth | to half | plain passes"
    )
    broken = []
    for entry in entries():
        if given.word not in entry.name:
            continue
        with undisturbed():
            costs = [
                measured(entry, shape, min(entry.limit, given.most), halved=True) for shape in entry.shapes
            ]
        broken += [fault for cost in costs for fault in cost.faults(entry)]
        costs.sort(key=lambda cost: -cost.whole_s)
        for cost in costs if given.all else costs[:1]:
            write(
                f"{cost.entry} | {entry.limit} | {cost.size} | {cost.shape} | {cost.part_s * 1000:.1f} | "
                f"{cost.half_s * 1000:.1f} | {cost.whole_s * 1000:.1f} | {cost.ratio:.2f} | {cost.doubled:.2f} | "
                f"{cost.price:.0f}"
            )
    for fault in broken:
        write(f"too dear: {fault}")
    return 1 if broken else 0


def write(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
