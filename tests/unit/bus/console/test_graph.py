"""The graph of an incident: what stands further to the right is later, and above each column stands when it begins."""

from __future__ import annotations

import datetime as dt
import re

from hypothesis import given
from hypothesis import strategies as st

from bus.console.graph import Node, graph
from bus.languages import ENGLISH
from tests.support.world import NOW

LANES = (("cyber", "Cybersecurity"), ("electoral", "Elections"))


def node(n: int, minutes: int, lane: str) -> Node:
    """A bulletin so many minutes after the first."""
    at = NOW + dt.timedelta(minutes=minutes)
    return Node(id=str(n), lane=lane, priority=3, issuer="xa-emb", who="XA", at=at, when=f"{at:%H:%M}", day=f"{at.day} May", headline=f"No {n}")  # fmt: skip


@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.sampled_from([key for key, _ in LANES])), min_size=1, max_size=12
    )
)
def test_a_column_is_a_time(drawn: list[tuple[int, str]]) -> None:
    """Columns never go back; one holds what lies within half an hour, at most one of a lane, and has its time above."""
    minutes = sorted(drawn)
    nodes = [node(n, when, lane) for n, (when, lane) in enumerate(minutes)]
    svg = str(graph(ENGLISH, nodes, (), LANES))
    lefts = [float(x) for x in re.findall(r'<rect class="node" x="([\d.]+)"', svg)]
    assert len(lefts) == len(nodes)
    assert lefts == sorted(lefts)
    for left in set(lefts):
        column = [each for each, x in zip(nodes, lefts, strict=True) if x == left]
        assert len({each.lane for each in column}) == len(column)
        assert column[-1].at - column[0].at <= dt.timedelta(minutes=30)
    heads = re.findall(r'<text x="[\d.]+" y="18"[^>]*>([^<]+)', svg)
    assert [head.rpartition(" ")[2] for head in heads] == [
        nodes[lefts.index(x)].when for x in sorted(set(lefts))
    ]
