"""Waiting trust messages have bounds for any number of subjects, at a constant cost."""

from __future__ import annotations

from bus.subscribing import early
from bus.subscribing.early import Early


def test_the_number_of_subjects_has_an_end() -> None:
    """The one that has waited longest goes."""
    kept = Early()
    for number in range(early.MOST_SUBJECTS + 7):
        kept.keep(f"s{number}", b"x")
    assert len(kept.waiting()) == early.MOST_SUBJECTS
    assert {subject for subject, _, _ in kept.waiting()} == {
        f"s{number}" for number in range(7, early.MOST_SUBJECTS + 7)
    }


def test_a_subject_is_counted_with_its_length() -> None:
    """Long names do not get past the bound in bytes; a short one among them stays."""
    kept = Early()
    kept.keep("short", b"x")
    for number in range(100):
        kept.keep(f"{number}" + "s" * 100_000, b"x")
    subjects = [subject for subject, _, _ in kept.waiting()]
    assert sum(map(len, subjects)) <= early.MOST_EARLY_BYTES
    assert "short" in subjects


def test_what_is_dropped_makes_room() -> None:
    """After everything has gone nothing is counted, and a repeated message is counted once."""
    kept = Early()
    for number in range(40):
        for _ in range(3):
            kept.keep(f"s{number % 4}", b"%d" % number * 1000)
    for subject, name, _ in kept.waiting():
        kept.drop(subject, name)
    assert (kept._total, kept._sizes, kept.waiting()) == (0, {}, [])


def test_a_message_that_does_not_fit_pushes_out_its_own_subject() -> None:
    """One that is larger than all that may be kept is not kept, and no other goes for it."""
    kept = Early()
    kept.keep("small", b"x")
    kept.keep("large", b"x" * (early.MOST_EARLY_BYTES + 1))
    assert [subject for subject, _, _ in kept.waiting()] == ["small"]
