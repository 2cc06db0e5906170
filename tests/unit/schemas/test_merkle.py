"""The tree of a batch: RFC 9162's, and every place in it is proved by exactly its own path."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.merkle import MAX_SIZE, climb, leaf, path_length, stretch, tree

SIZES = range(2, MAX_SIZE + 1)


def leaves(size: int) -> list[bytes]:
    """Leaves of some payloads."""
    return [leaf(f"payload {n}".encode()) for n in range(size)]


def root(found: Sequence[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word for word."""
    if len(found) == 1:
        return found[0]
    split = max(1 << n for n in range(7) if 1 << n < len(found))
    return hashlib.sha256(b"\1" + root(found[:split]) + root(found[split:])).digest()


def test_a_leaf_is_of_the_digest_of_its_payload() -> None:
    """SHA-256(00 and SHA-256(payload))."""
    assert leaf(b"{}") == hashlib.sha256(b"\0" + hashlib.sha256(b"{}").digest()).digest()


@pytest.mark.parametrize("size", SIZES)
def test_each_path_leads_to_the_root(size: int) -> None:
    """From its own leaf, with the number of hashes that place and size want."""
    found = leaves(size)
    made = tree(found)
    assert made.root == root(found)
    assert len(made.paths) == size
    for index, path in enumerate(made.paths):
        assert len(path) == path_length(index, size) <= 6
        assert climb(found[index], index, size, path) == made.root


@pytest.mark.parametrize("size", [2, 3, 5, 8, 63, 64])
def test_no_other_place_has_the_same_path(size: int) -> None:
    """A leaf does not pass for another's place, nor at its own for another's leaf."""
    found = leaves(size)
    made = tree(found)
    for index, path in enumerate(made.paths):
        for other in set(range(size)) - {index}:
            assert climb(found[other], index, size, path) != made.root
            if path_length(other, size) == len(path):
                assert climb(found[index], other, size, path) != made.root


@pytest.mark.parametrize("size", [2, 3, 5, 7, 8, 13, 33, 63, 64])
def test_a_stretch_has_the_paths_of_its_tree(size: int) -> None:
    """Each one, with what the outermost two of it claim."""
    found = leaves(size)
    root_, paths = tree(found)
    for first in range(size):
        for end in range(first + 1, size + 1):
            made = stretch(found[first:end], first, size, paths[first], paths[end - 1])
            assert made == (root_, paths[first:end])


@given(st.data())
def test_a_claim_that_is_wrong_leads_elsewhere(data: st.DataObject) -> None:
    """To another root, or it is not what comes back; and what comes back leads where it says."""
    size = data.draw(st.integers(2, MAX_SIZE))
    first = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(first + 1, size))
    found = leaves(size)
    root_, paths = tree(found)
    outer = [list(paths[first]), list(paths[end - 1])]
    wrong = data.draw(st.sampled_from(outer))
    wrong[data.draw(st.integers(0, len(wrong) - 1))] = bytes(32)
    made = stretch(found[first:end], first, size, *outer)
    assert made.root != root_ or (outer[0], outer[1]) != (list(made.paths[0]), list(made.paths[-1]))
    for index, path in enumerate(made.paths, first):
        assert climb(found[index], index, size, path) == made.root


@pytest.mark.parametrize("size", [0, 1, 65, 200])
def test_other_sizes_are_no_batch(size: int) -> None:
    """One alone is signed alone; more than 64 are two batches."""
    with pytest.raises(ValueError, match="2 to 64"):
        tree(leaves(size))


@pytest.mark.parametrize(("index", "size"), [(5, 5), (-1, 5), (64, 64)])
def test_a_place_outside_is_refused(index: int, size: int) -> None:
    """It is below the size."""
    with pytest.raises(ValueError, match="path"):
        climb(bytes(32), index, size, [bytes(32)] * 3)


@given(
    st.integers(2, 64).flatmap(
        lambda size: st.tuples(st.just(size), st.integers(0, size - 1), st.integers(0, 8))
    )
)
def test_a_path_of_another_length_is_refused(case: tuple[int, int, int]) -> None:
    """A climb goes to its end, and no further."""
    size, index, length = case
    path = [bytes(32)] * length
    if length == path_length(index, size):
        climb(bytes(32), index, size, path)
        return
    with pytest.raises(ValueError, match="path"):
        climb(bytes(32), index, size, path)


def test_a_node_does_not_pass_for_a_leaf() -> None:
    """Two hashes given as one payload's digest come to another hash than the node above them: the prefixes differ."""
    one, other = leaves(2)
    node = tree([one, other]).root
    assert hashlib.sha256(b"\0" + one + other).digest() != node
    assert leaf(one + other) != node
    four = leaves(4)
    made = tree(four)
    below = tree(four[:2]).root
    # The node above the first two, taken for a leaf of a tree of two, would give the root: only a leaf may begin a climb.
    assert climb(below, 0, 2, made.paths[0][1:]) == made.root
    assert all(
        climb(leaf(raw), 0, 2, made.paths[0][1:]) != made.root for raw in (below, one + other, b"payload 0")
    )
