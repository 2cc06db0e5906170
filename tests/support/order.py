"""In which order tests begin: what takes long first, so that at the end nobody waits for it alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

Test = TypeVar("Test")


def slow_first(
    tests: Sequence[Test], workers: int, of: Callable[[Test], tuple[Hashable, bool]]
) -> list[Test]:
    """The same tests in another order.

    pytest-xdist gives each worker a share of equal count, one after the other, and lets who is done take from the end of
    another's. So each share begins with its part of the slow modules. A module stays together, for what its tests share.

    Args:
        tests: in the order that was drawn; it is kept among the slow modules and among the others.
        workers: how many share them.
        of: the module of a test, and whether the test is slow.
    """
    modules: dict[Hashable, list[Test]] = {}
    slow: dict[Hashable, None] = {}
    for test in tests:
        module, is_slow = of(test)
        modules.setdefault(module, []).append(test)
        if is_slow:
            slow[module] = None
    shares: list[list[Test]] = [[] for _ in range(workers)]
    for number, module in enumerate(slow):
        shares[number % workers] += modules[module]
    quick = [test for module, several in modules.items() if module not in slow for test in several]
    ordered: list[Test] = []
    for number, share in enumerate(shares):
        count = max(0, (len(tests) - len(ordered)) // (workers - number) - len(share))
        ordered += [*share, *quick[:count]]
        quick = quick[count:]
    return ordered + quick
