"""A node of a cluster that does nothing is given up for another, and one that does something is not."""

from __future__ import annotations

import random

import pytest

from bus.transport.failover import IDLE_S, Nodes
from tests.support.waiting import longest

THREE = "nats://h:1,nats://h:2,nats://h:3"

IDLE = {
    # what became of each request, at which second; whether the node is left with the last
    "nothing is done for long": ([(0, False), (IDLE_S + 1, False)], True),
    "not for long yet": ([(0, False), (IDLE_S, False)], False),
    "something was done in between": ([(0, False), (5, True), (IDLE_S + 1, False)], False),
    "idle again, for long": ([(0, False), (1, True), (2, False), (IDLE_S + 3, False)], True),
}


@pytest.mark.parametrize("name", IDLE)
def test_who_does_nothing_for_long_is_left(name: str) -> None:
    """The served requests of a node decide, not its answers to pings."""
    asked, expected = IDLE[name]
    nodes = Nodes(THREE)
    left = False
    for at, done in asked:
        if done:
            nodes.note_success()
        else:
            left = nodes.note_failure("h:1", at)
    assert left is expected


def test_the_only_node_is_never_left() -> None:
    """There is nowhere else to go."""
    nodes = Nodes("nats://h:1")
    assert not any(nodes.note_failure("h:1", at) for at in range(0, 100, 10))


@pytest.mark.parametrize("seed", range(10))
def test_who_was_left_comes_last(seed: int) -> None:
    """All are tried, in an order that differs from client to client; the one given up only when no other is there."""
    nodes, rng = Nodes(THREE), random.Random(seed)
    assert sorted(nodes.order(rng)) == THREE.split(",")
    nodes.note_failure("h:2", 0)
    assert nodes.note_failure("h:2", longest())
    assert nodes.order(rng)[-1] == "nats://h:2"


def test_not_everybody_goes_to_the_same_node() -> None:
    """A hundred clients begin at each of three."""
    begun = {Nodes(THREE).order(random.Random(seed))[0] for seed in range(100)}
    assert begun == set(THREE.split(","))
