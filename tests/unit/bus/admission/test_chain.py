"""The place of a bulletin among those of its channel: every outcome, and which of two reasons wins."""

from __future__ import annotations

import pytest

from bus.admission.chain import REFUSED, Link, Neighbours, Outcome, judge_link

FIRST = Link(seq=1, digest="a", prev=None, id="id-1")
FIFTH = Link(seq=5, digest="e", prev="d", id="id-5")

CASES: dict[str, tuple[Link, Neighbours, Outcome]] = {
    "the first of its channel": (FIRST, Neighbours(), Outcome.NEXT),
    "the first one seen, above number one": (FIFTH, Neighbours(), Outcome.TRIMMED),
    "right after the head": (FIFTH, Neighbours(head_seq=4, predecessor="d"), Outcome.NEXT),
    "right after a head whose digest is not held": (FIFTH, Neighbours(head_seq=4), Outcome.NEXT),
    "one missing before it": (FIFTH, Neighbours(head_seq=3), Outcome.GAP),
    "in a hole": (FIFTH, Neighbours(head_seq=9), Outcome.FILLS),
    "in a hole between two that agree": (
        FIFTH,
        Neighbours(head_seq=6, predecessor="d", successor_prev="e"),
        Outcome.FILLS,
    ),
    "at the number of a head whose digest is not held": (FIFTH, Neighbours(head_seq=5), Outcome.GAP),
    "number one, in a hole": (FIRST, Neighbours(head_seq=2, successor_prev="a"), Outcome.FILLS),
    "the same again": (FIFTH, Neighbours(head_seq=5, at_seq="e", digest_of_id="e"), Outcome.DUPLICATE),
    "the same again, though its neighbours deny it": (
        FIFTH,
        Neighbours(head_seq=6, at_seq="e", predecessor="x", successor_prev="x", digest_of_id="x"),
        Outcome.DUPLICATE,
    ),
    "another at its place": (FIFTH, Neighbours(head_seq=5, at_seq="x"), Outcome.FORK),
    "another at its place, under its id": (
        FIFTH,
        Neighbours(head_seq=5, at_seq="x", digest_of_id="x"),
        Outcome.FORK,
    ),
    "its id at another place": (FIFTH, Neighbours(head_seq=4, digest_of_id="x"), Outcome.REPLAYED_ID),
    "its own digest at another place": (FIFTH, Neighbours(head_seq=4, digest_of_id="e"), Outcome.REPLAYED_ID),
    "its id used, and its chain broken": (
        FIFTH,
        Neighbours(head_seq=4, predecessor="x", digest_of_id="x"),
        Outcome.REPLAYED_ID,
    ),
    "after another than it names": (FIFTH, Neighbours(head_seq=4, predecessor="x"), Outcome.BROKEN_CHAIN),
    "before one that names another": (
        FIFTH,
        Neighbours(head_seq=6, successor_prev="x"),
        Outcome.BROKEN_CHAIN,
    ),
    "before one that names nothing": (FIFTH, Neighbours(head_seq=6, successor_prev=""), Outcome.BROKEN_CHAIN),
}


@pytest.mark.parametrize(("link", "held", "outcome"), CASES.values(), ids=CASES)
def test_what_is_held_decides(link: Link, held: Neighbours, outcome: Outcome) -> None:
    """One outcome for each state of the channel."""
    assert judge_link(link, held) is outcome


def test_every_outcome_is_shown() -> None:
    """The table leaves none out."""
    assert {outcome for _, _, outcome in CASES.values()} == set(Outcome)


def test_the_outcomes_that_refuse_are_reason_codes() -> None:
    """A contradiction refuses; holes, order and repetition never do."""
    assert {outcome.value for outcome in REFUSED} == {"fork", "replayed-id", "broken-chain"}
