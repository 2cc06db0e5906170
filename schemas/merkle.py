"""The tree of a batch: one signature over many payloads, and a path for each of them. Pure.

The tree is that of RFC 9162, section 2.1.1, and a path its inclusion proof, section 2.1.3. A leaf is the hash of a payload's
digest. Leaves and nodes have prefixes of their own, so that neither passes for the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

MIN_SIZE = 2
MAX_SIZE = 64
HASH_BYTES = 32


class Tree(NamedTuple):
    """A root, and for each leaf in turn the hashes that lead from it to the root, the lowest first."""

    root: bytes
    paths: tuple[tuple[bytes, ...], ...]


def leaf(payload: bytes) -> bytes:
    """The leaf of a payload: SHA-256(00 and SHA-256(payload)), 32 bytes."""
    return leaf_of(hashlib.sha256(payload).digest())


def leaf_of(hashed: bytes) -> bytes:
    """The leaf of a payload whose SHA-256, 32 bytes, is known."""
    return hashlib.sha256(b"\x00" + hashed).digest()


def tree(leaves: Sequence[bytes]) -> Tree:
    """The tree over 2 to 64 leaves, in their order (RFC 9162, section 2.1.1).

    Raises:
        ValueError: another number of leaves.
    """
    if not MIN_SIZE <= len(leaves) <= MAX_SIZE:
        raise ValueError(f"a batch has {MIN_SIZE} to {MAX_SIZE} leaves, not {len(leaves)}")
    levels = [list(leaves)]
    while len(level := levels[-1]) > 1:
        above = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        if len(level) & 1:
            above.append(level[-1])  # it has no sibling here, and goes up as it is
        levels.append(above)
    return Tree(levels[-1][0], tuple(_paths([(0, len(level), level) for level in levels[:-1]])))


def stretch(
    leaves: Sequence[bytes], first: int, size: int, before: Sequence[bytes], behind: Sequence[bytes]
) -> Tree:
    """The root and the paths of consecutive leaves of a tree, with the paths that the outermost two of them claim.

    Nothing is believed of these: each path that is returned leads from its leaf to the root that is returned, and whoever has the
    root from elsewhere compares.

    Args:
        leaves: one or more.
        first: the place of the first of them, from 0.
        size: how many leaves the tree has; it has all of these.
        before: exactly the `path_length` hashes of the path of the first.
        behind: the same of the last.
    """
    low, high, width = first, first + len(leaves) - 1, size
    left, right = iter(before), iter(behind)
    level, levels = list(leaves), []
    while width > 1:
        # What is beside the first, and beside the last. A claim of what is known is passed over: whoever compares finds it wrong.
        if low ^ 1 < width:
            beside = next(left)
            if low & 1:
                level.insert(0, beside)
        if high ^ 1 < width:
            beside = next(right)
            if not high & 1:
                level.append(beside)
        low -= low & 1
        levels.append((low, width, level))
        above = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        if len(level) & 1:
            above.append(level[-1])  # it has no sibling here, and goes up as it is
        level, low, high, width = above, low >> 1, high >> 1, (width + 1) >> 1
    skipped = first - levels[0][0]
    return Tree(level[0], tuple(_paths(levels)[skipped : skipped + len(leaves)]))


_Level = tuple[int, int, Sequence[bytes]]
"""The place of the first hash of a level that is known, how many the level has, and those that are known."""


def _paths(levels: Sequence[_Level]) -> list[tuple[bytes, ...]]:
    """The paths of what is known of the lowest level, the root's left out: what is beside each, then the path of the one above it."""
    above: list[tuple[bytes, ...]] = [()]  # the root's
    above_low = 0
    for low, width, level in reversed(levels):
        above = [
            (level[(place ^ 1) - low], *above[(place >> 1) - above_low])
            if place ^ 1 < width
            else above[(place >> 1) - above_low]
            for place in range(low, low + len(level))
        ]
        above_low = low
    return above


def path_length(index: int, size: int) -> int:
    """How many hashes the path of a leaf has: no more and no fewer lead to the root.

    Args:
        index: of the leaf, from 0, below `size`.
        size: how many leaves the tree has.
    """
    shared = (index ^ (size - 1)).bit_length()  # below here the tree is full beside the leaf
    return shared + (index >> shared).bit_count()


def climb(start: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root to which a path leads from a leaf (RFC 9162, section 2.1.3.2). It is climbed to its end.

    Args:
        start: the leaf.
        index: its place, from 0, below `size`.
        size: how many leaves the tree has.
        path: exactly `path_length(index, size)` hashes.

    Raises:
        ValueError: the path has another length.
    """
    if not 0 <= index < size or len(path) != path_length(index, size):
        raise ValueError("the path does not fit the place and the size")
    found, last = start, size - 1
    for hash_ in path:
        if index & 1 or index == last:
            found = _node(hash_, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = _node(found, hash_)
        index, last = index >> 1, last >> 1
    return found


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
