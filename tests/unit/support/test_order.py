"""The order in which tests begin."""

from __future__ import annotations

import pytest

from tests.support.order import slow_first

TESTS = ["a1", "a2", "b1", "c1", "c2", "c3", "d1", "e1", "e2", "f1"]
SLOW = {"c2", "d1", "f1"}


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (1, ["c1", "c2", "c3", "d1", "f1", "a1", "a2", "b1", "e1", "e2"]),
        (2, ["c1", "c2", "c3", "f1", "a1", "d1", "a2", "b1", "e1", "e2"]),
        (3, ["c1", "c2", "c3", "d1", "a1", "a2", "f1", "b1", "e1", "e2"]),
    ],
)
def test_each_share_begins_with_its_slow_modules(workers: int, expected: list[str]) -> None:
    """Whole modules, in turn; every test is there once, and the shares are of equal count."""
    assert slow_first(TESTS, workers, lambda test: (test[0], test in SLOW)) == expected


def test_a_share_of_slow_modules_alone_loses_nothing() -> None:
    """More slow tests in one module than a share holds: the others have less."""
    assert slow_first(["a1", "a2", "a3", "b1"], 3, lambda test: (test[0], test[0] == "a")) == [
        "a1",
        "a2",
        "a3",
        "b1",
    ]
