"""The rare cyclic garbage collection while hubs run."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from bus.hub.collecting import SELDOM, collecting_seldom


@pytest.fixture(autouse=True)
def as_found() -> Iterator[None]:
    """What is set for all tests stays set."""
    found = gc.get_threshold()
    yield
    gc.set_threshold(*found)


@pytest.mark.parametrize("first_ends_first", [True, False])
def test_the_last_hub_puts_back_what_was_found(first_ends_first: bool) -> None:
    """Whichever of several in one process is the last."""
    gc.set_threshold(700, 11, 12)
    hubs = [collecting_seldom(), collecting_seldom()]
    for each in hubs:
        each.__enter__()
        assert gc.get_threshold() == (SELDOM, 11, 12)
    one, other = hubs if first_ends_first else hubs[::-1]
    one.__exit__(None, None, None)
    assert gc.get_threshold() == (SELDOM, 11, 12)
    other.__exit__(None, None, None)
    assert gc.get_threshold() == (700, 11, 12)


@pytest.mark.parametrize("found", [0, 2 * SELDOM])
def test_who_has_it_seldom_or_off_keeps_that(found: int) -> None:
    """A hub makes it no more frequent."""
    gc.set_threshold(found, 10, 10)
    with collecting_seldom():
        assert gc.get_threshold()[0] == found
    assert gc.get_threshold()[0] == found
