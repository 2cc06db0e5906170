"""Threads in memory: bulletins that supersede or cancel one another are joined, and each thread knows its newest version. Pure.

A thread is a tree of nodes, each with the node above it (union by size: a way up has at most log2 of its members steps). What
is asked of a thread stands at its top: how many members it has, which version is the newest, and which cancel withdrew it. So
to join two threads, however long, changes two nodes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

SUPERSEDED, CANCELLED = "superseded", "cancelled"
VERSION, CANCEL = "version", "cancel"


class Key(NamedTuple):
    """A bulletin by its id, as said by an issuer at a status: only these can be of one thread."""

    id: str
    issuer: str
    status: str


class Moment(NamedTuple):
    """By what versions are compared: `issued` in seconds since the epoch, then number, then id."""

    issued: float
    seq: int
    id: str


class Said(NamedTuple):
    """A bulletin that was said: a version, or a cancel, which is no version."""

    key: Key
    issued: float
    seq: int
    is_cancel: bool


class Tie(NamedTuple):
    """The statement of one bulletin about another of its issuer and status.

    Attributes:
        target: the id of the other.
        by: who says it.
        row: the number under which it is kept.
        how: SUPERSEDED or CANCELLED.
    """

    target: str
    by: Said
    row: int
    how: str


class Node(msgspec.Struct, kw_only=True):
    """A member of a thread; at the top what is true of all of them.

    Attributes:
        n: its number.
        key: which bulletin.
        up: the number of the node above; its own at the top.
        kind: VERSION or CANCEL; None while nothing but its id is known.
        issued, seq: its time of issue, and its number.
        size: how many are below it, with itself.
        cancels: how many of those are cancels.
        newest: the newest version below it.
        cancelled_by: the least id of the cancels below it.
    """

    n: int
    key: Key
    up: int
    kind: str | None = None
    issued: float | None = None
    seq: int | None = None
    size: int = 1
    cancels: int = 0
    newest: Moment | None = None
    cancelled_by: str | None = None


class Forest:
    """Threads, as far as they are loaded: with each node also the top of its thread."""

    def __init__(
        self, nodes: Iterable[Node] = (), ways: Iterable[tuple[int, int]] = (), last: int = 0
    ) -> None:
        """Begin with what is known.

        Args:
            nodes: nodes and the tops of their threads.
            ways: numbers of nodes with those of the tops of their threads.
            last: the last number that was given to a node.
        """
        self._by_n = {node.n: node for node in nodes}
        self._by_key = {node.key: node for node in self._by_n.values()}
        self._above = dict(ways)
        self._last = last
        self.changed: dict[int, Node] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._by_key

    def node(self, key: Key) -> Node:
        """The node of a bulletin; it is made when it is not there."""
        if (node := self._by_key.get(key)) is None:
            self._last += 1
            node = Node(n=self._last, key=key, up=self._last)
            self._by_n[node.n] = self._by_key[key] = self.changed[node.n] = node
        return node

    def kind(self, key: Key) -> str | None:
        """The node of a bulletin, if it is loaded."""
        return self._by_key[key].kind if key in self._by_key else None

    def top(self, key: Key) -> Node:
        """The top of the thread of a bulletin; that of what is not there it is itself."""
        return self._top(self.node(key))

    def _top(self, node: Node) -> Node:
        n = self._above.get(node.n, node.n)
        while (up := self._by_n[n].up) != n:
            n = up
        return self._by_n[n]

    def note(self, said: Said) -> None:
        """Note what a bulletin is; it is noted once."""
        node = self.node(said.key)
        if node.kind is not None:
            return
        top = self._top(node)
        node.kind, node.issued, node.seq = CANCEL if said.is_cancel else VERSION, said.issued, said.seq
        _count(top, node)
        self._change(node, top)

    def join(self, one: Key, other: Key) -> None:
        """Make one thread of those of two bulletins."""
        first, second = self.top(one), self.top(other)
        if first is second:
            return
        top, low = (first, second) if (first.size, second.n) >= (second.size, first.n) else (second, first)
        low.up = top.n
        top.size += low.size
        top.cancels += low.cancels
        top.newest = max(filter(None, (top.newest, low.newest)), default=None)
        top.cancelled_by = min(filter(None, (top.cancelled_by, low.cancelled_by)), default=None)
        self._change(top, low)

    def _change(self, *nodes: Node) -> None:
        for node in nodes:
            self.changed[node.n] = node


def _count(top: Node, node: Node) -> None:
    """Have the top know what is known of a node now."""
    if node.kind == CANCEL:
        top.cancels += 1
        top.cancelled_by = min(filter(None, (top.cancelled_by, node.key.id)))
    elif node.issued is not None and node.seq is not None:
        moment = Moment(node.issued, node.seq, node.key.id)
        top.newest = moment if top.newest is None else max(top.newest, moment)


def anew(nodes: Iterable[Node], ties: Iterable[tuple[Key, Key]]) -> tuple[list[Node], list[Node]]:
    """Threads rebuilt from their members and the remaining ties between these.

    Args:
        nodes: all members; of each its number, key, kind, moment and number are kept.
        ties: pairs of them.

    Returns:
        The nodes that are members of a thread, and those that nothing is tied to any more.
    """
    alone = [
        Node(n=node.n, key=node.key, up=node.n, kind=node.kind, issued=node.issued, seq=node.seq)
        for node in nodes
    ]
    for node in alone:
        _count(node, node)
    forest, tied = Forest(alone), set[Key]()
    for one, other in ties:
        forest.join(one, other)
        tied |= {one, other}
    return [node for node in alone if node.key in tied], [node for node in alone if node.key not in tied]
