"""The tree of a batch: one signature over many payloads, and a path for each of them. Pure.

The tree is that of RFC 9162, section 2.1.1, and a path its inclusion proof, section 2.1.3. A leaf is the hash of a payload's
digest. Leaves and nodes have different prefixes, so that one cannot replace the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

MIN_SIZE = 2
MAX_SIZE = 64
HASH_BYTES = 32


class Tree(NamedTuple):
    """A root, and for each leaf the hashes on its path to the root, lowest first."""

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
            above.append(level[-1])  # it has no sibling here, and moves up unchanged
        levels.append(above)
    return Tree(levels[-1][0], tuple(_paths([(0, len(level), level) for level in levels[:-1]])))


def stretch(
    leaves: Sequence[bytes], first: int, size: int, before: Sequence[bytes], behind: Sequence[bytes]
) -> Tree:
    """The root and the paths of consecutive leaves of a tree, from the claimed paths of the first and the last.

    The claims are not trusted: each returned path leads from its leaf to the returned root, and the caller compares
    that root with a known one.

    Args:
        leaves: one or more.
        first: the index of the first leaf, from 0.
        size: number of leaves of the tree, which contains all of these.
        before: exactly the `path_length` hashes of the path of the first.
        behind: the same for the last.
    """
    low, high, width = first, first + len(leaves) - 1, size
    left, right = iter(before), iter(behind)
    level, levels = list(leaves), []
    while width > 1:
        # The hashes beside the first and the last. Claims about known hashes are ignored; a wrong claim shows in the comparison.
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
            above.append(level[-1])  # it has no sibling here, and moves up unchanged
        level, low, high, width = above, low >> 1, high >> 1, (width + 1) >> 1
    skipped = first - levels[0][0]
    return Tree(level[0], tuple(_paths(levels)[skipped : skipped + len(leaves)]))


_Level = tuple[int, int, Sequence[bytes]]
"""(index of the first known hash of a level, number of hashes of the level, known hashes)."""


def _paths(levels: Sequence[_Level]) -> list[tuple[bytes, ...]]:
    """The paths of the known hashes of the lowest level, without the root: for each, its sibling, then the path of its parent."""
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
    """The exact number of hashes in the path of a leaf.

    Args:
        index: of the leaf, from 0, below `size`.
        size: how many leaves the tree has.
    """
    shared = (index ^ (size - 1)).bit_length()  # below this level the tree beside the leaf is full
    return shared + (index >> shared).bit_count()


def climb(start: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root at the end of a path from a leaf (RFC 9162, section 2.1.3.2).

    Args:
        start: the leaf.
        index: its index, from 0, below `size`.
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
