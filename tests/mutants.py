"""The score of `make mutants`: how many mutants of the pure cores the tests kill, and which survive beyond those known.

mutmut numbers the mutants of a function, and the numbers move with its code. So a survivor is known by its function and
by the lines that the mutation changes. `tests/mutants.txt` lists those that are accepted, each with its reason:

    bus.admission.chain.judge_link
    - if link.seq < held.head_seq:
    + if link.seq <= held.head_seq:
    # why no test can tell, or need not

A mutant without tests, or whose tests ended in any other way than a failure, counts as a survivor: a busy machine
times out too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ACCEPTED = ROOT / "tests" / "mutants.txt"
LEAST = 0.9
KILLED = frozenset({1, 3})
"""pytest's exit codes for failed tests and for an error of its own, which a mutation alone can have caused."""

MARK = "\u01c1"
"""What mutmut puts before and behind the name of a class."""


class Change(NamedTuple):
    """A mutation: in which function, and what it puts in the place of what."""

    function: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """As in the list of the accepted."""
        return "\n".join((self.function, *self.lines))


def function_of(mutant: str) -> str:
    """The function of a mutant, as Python names it."""
    name, _, _ = mutant.rpartition("__mutmut_")
    module, _, last = name.rpartition(".")
    member = last.removeprefix("x").removeprefix("_").strip(MARK).replace(MARK, ".")
    return f"{module}.{member}"


def change_of(mutant: str, diff: str) -> Change:
    """A mutant, known by what it changes.

    Args:
        mutant: mutmut's name of it.
        diff: what `mutmut show` prints.
    """
    changed = [line for line in diff.splitlines() if re.match(r"[-+](?![-+]{2} )", line)]
    return Change(function_of(mutant), tuple(f"{line[0]} {line[1:].strip()}" for line in changed))


def read_accepted(text: str) -> Mapping[Change, str]:
    """The accepted survivors with their reasons.

    Raises:
        ValueError: a block without a reason.
    """
    accepted: dict[Change, str] = {}
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.splitlines()]
        if lines and all(line.startswith("#") for line in lines):
            continue  # a heading
        function, *rest = lines
        reasons = [line for line in rest if line.startswith("#")]
        if not reasons:
            raise ValueError(f"{ACCEPTED.name}: no reason for\n{block}")
        change = Change(function, tuple(line for line in rest if not line.startswith("#")))
        accepted[change] = " ".join(line.removeprefix("#").strip() for line in reasons)
    return accepted


def read_results(folder: Path) -> dict[str, int | None]:
    """Every mutant of a run with the exit code of its tests; None when they were not run."""
    results: dict[str, int | None] = {}
    for path in sorted(folder.rglob("*.meta")):
        results.update(json.loads(path.read_text("utf-8"))["exit_code_by_key"])
    return results


def main() -> int:
    """Print score and survivors; 1 when too few are killed, or some were not tried."""
    results = read_results(ROOT / "mutants")
    survivors = [name for name, code in results.items() if code not in KILLED]
    untried = [name for name, code in results.items() if code is None]
    accepted = read_accepted(ACCEPTED.read_text("utf-8"))
    changes = {_change(name): name for name in survivors}
    for change, name in changes.items():
        sys.stdout.write(f"\n# {name}\n{change}\n# {accepted.get(change, 'NEW: kill it or give a reason')}\n")
    killed = len(results) - len(survivors)
    new = changes.keys() - accepted.keys()
    sys.stdout.write(
        f"\n{killed} of {len(results)} mutants killed, {killed / max(1, len(results)):.1%}; {len(survivors)} "
        f"survive, {len(new)} of them new; {len(untried)} were not tried\n"
    )
    for change in accepted.keys() - changes.keys():
        sys.stdout.write(f"\nkilled or gone by now; take it out of {ACCEPTED.name}:\n{change}\n")
    enough = bool(results) and killed >= LEAST * len(results) and not untried
    return 0 if enough else 1


def _change(mutant: str) -> Change:
    mutmut = Path(sys.executable).parent / "mutmut"
    shown = subprocess.run([mutmut, "show", mutant], cwd=ROOT, capture_output=True, text=True, check=True)
    return change_of(mutant, shown.stdout)


if __name__ == "__main__":
    sys.exit(main())
