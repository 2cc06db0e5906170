"""`make attacks`: every attack that the threat model names, with mutations by the ten thousand, and the totals of all."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

FACTOR = "TOCSIN_MUTATIONS"
"""The variable that says how many times as many mutations are tried as in `make test`."""
MODEL = Path(__file__).resolve().parent.parent / "docs" / "threat-model.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py::\w+)`")
TIMES = 15
LEAST = 20_000


class Totals:
    """A pytest plugin that counts what came of all of them."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.mutations: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A case counts once, by how its body ended or why it had none; properties are whole at the end."""
        if report.when == "call" or not report.passed:
            self.cases[report.outcome] += 1
        if report.when == "teardown":
            self.mutations.update({name: int(str(count)) for name, count in report.user_properties})

    def holds(self) -> bool:
        """Whether enough was tried and nothing got through."""
        found = self.mutations
        return (
            not self.cases["failed"] and found["tried"] >= LEAST and not found["accepted"] + found["crashed"]
        )

    def __str__(self) -> str:
        named, found = self.cases, self.mutations
        return (
            f"attacks    {named.total()} named cases: {named['passed']} withstood, {named['failed']} failed, "
            f"{named['skipped']} skipped\n"
            f"mutations  {found['tried']} tried: {found['accepted']} accepted, {found['crashed']} crashed\n"
        )


def main(arguments: list[str]) -> int:
    """Run them; 0 when all were withstood."""
    os.environ.setdefault(FACTOR, str(TIMES))
    named = list(dict.fromkeys(NAMED.findall(MODEL.read_text("utf-8"))))
    totals = Totals()
    # A test bounds itself by its time in `make test`; here it tries many times as much.
    ended = pytest.main(["-q", "-n", "2", "-o", "timeout=600", *arguments, *named], plugins=[totals])
    sys.stdout.write(str(totals))
    return int(ended) or int(not totals.holds())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
