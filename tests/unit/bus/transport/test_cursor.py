"""The comparison of a stream with the cursor taken on it, case by case."""

from __future__ import annotations

import pytest

from bus.transport.cursor import Anchor, Cursor, anchor

AT = Cursor(seq=7, digest="d7", stored_ns=70, pending=3)

# What the reader holds, the first message it is given, the last sequence given, how many are still to be given.
CASES = {
    "nothing was read": (Cursor(), None, 0, 0, Anchor.HOLDS),
    "nothing was read, and there is much": (Cursor(), AT, 7, 100, Anchor.HOLDS),
    "the very record": (AT, Cursor(seq=7, digest="d7", stored_ns=70, pending=0), 7, 0, Anchor.HOLDS),
    "another bulletin at its place": (AT, Cursor(seq=7, digest="d8", stored_ns=70), 7, 0, Anchor.GONE),
    "the same bulletin, stored again": (AT, Cursor(seq=7, digest="d7", stored_ns=71), 7, 0, Anchor.GONE),
    "the same bulletin at another place": (AT, Cursor(seq=8, digest="d7", stored_ns=70), 8, 0, Anchor.GONE),
    "only what came later": (AT, Cursor(seq=9, digest="d9", stored_ns=90), 9, 0, Anchor.GONE),
    "a stream that ends before it": (AT, None, 6, 0, Anchor.GONE),
    "an empty stream": (AT, None, 0, 0, Anchor.GONE),
    "something is there and was not given": (AT, None, 6, 2, Anchor.UNSEEN),
    "it was given, and did not come": (AT, None, 7, 0, Anchor.UNSEEN),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_where_a_reader_goes_on(case: tuple[Cursor, Cursor | None, int, int, Anchor]) -> None:
    """It continues only if the last record read is still the same; if the record is not visible, it asks again."""
    cursor, first, delivered, pending, expected = case
    assert anchor(cursor, first, delivered=delivered, pending=pending) is expected


LETS_GO = {
    # The first message of a stream of heartbeats, and what it means there.
    "only what came later": (Cursor(seq=9, digest="d9", stored_ns=90), Anchor.HOLDS),
    "a higher number that was stored before": (Cursor(seq=9, digest="d9", stored_ns=60), Anchor.GONE),
    "the very record": (Cursor(seq=7, digest="d7", stored_ns=70), Anchor.HOLDS),
    "another bulletin at its place": (Cursor(seq=7, digest="d8", stored_ns=90), Anchor.GONE),
}


@pytest.mark.parametrize(("first", "expected"), LETS_GO.values(), ids=LETS_GO.keys())
def test_what_was_let_go_is_stood_for_by_what_follows(first: Cursor, expected: Anchor) -> None:
    """A stream that keeps only the newest may have dropped the last record read."""
    assert anchor(AT, first, delivered=first.seq, pending=0, keeps_all=False) is expected
