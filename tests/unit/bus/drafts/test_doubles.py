"""Whether a draft was sent a short time ago."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.drafts import doubles, read
from bus.drafts.doubles import MOST, REMEMBERED_S, Before
from schemas.bulletin import Defaults, Draft
from schemas.vocab import Pap, Tlp
from tests.unit.bus.drafts.test_looking import GOOD

GIVEN = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
NOW = 1_800_000_000.0


def good() -> Draft:
    """The draft of the tests."""
    draft = read(GOOD, dt.datetime(2026, 11, 28, tzinfo=dt.UTC)).draft
    assert draft is not None
    return draft


def test_the_same_draft_asks_for_the_same() -> None:
    """Whether its marking stands in it or comes from the context."""
    marked = msgspec.structs.replace(good(), tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
    assert doubles.asked_for(good(), GIVEN) == doubles.asked_for(marked, GIVEN)


@pytest.mark.parametrize("change", [{"tlp": Tlp.AMBER}, {"audience": "eu-csirts"}, {"labels": ("a:b",)}])
def test_another_draft_or_channel_asks_for_something_else(change: dict[str, object]) -> None:
    """Content, marking and audience count."""
    assert doubles.asked_for(good(), GIVEN) != doubles.asked_for(
        msgspec.structs.replace(good(), **change), GIVEN
    )


def test_what_was_accepted_is_remembered_for_some_hours() -> None:
    """And forgotten after them."""
    raw = doubles.with_new(b"", [Before(int(NOW), "ab", "01")], NOW)
    assert doubles.remembered(raw, NOW + REMEMBERED_S)["ab"].id == "01"
    assert doubles.remembered(raw, NOW + REMEMBERED_S + 1) == {}
    assert doubles.with_new(raw, [], NOW + REMEMBERED_S + 1) == b""


def test_the_newest_are_kept() -> None:
    """However many are sent."""
    raw = b""
    for n in range(3):
        raw = doubles.with_new(raw, [Before(int(NOW), f"{n}-{m}", "01") for m in range(MOST)], NOW)
    assert len(doubles.remembered(raw, NOW)) == MOST
    assert "2-0" in doubles.remembered(raw, NOW)


@given(st.binary(max_size=300))
def test_a_damaged_file_forgets(raw: bytes) -> None:
    """Whatever bytes stand there, nothing is raised, and what comes is kept."""
    assert "ab" in doubles.remembered(doubles.with_new(raw, [Before(int(NOW), "ab", "01")], NOW), NOW)


@given(count=st.integers(1, 5), data=st.data())
def test_a_file_that_was_cut_off_in_a_line_is_damaged(count: int, data: st.DataObject) -> None:
    """It counts as empty; one that ends with a line is whole."""
    raw = doubles.with_new(b"", [Before(int(NOW), f"{n:032x}", "01") for n in range(count)], NOW)
    end = data.draw(st.integers(0, len(raw)))
    is_whole = raw[:end].endswith(b"\n") or not end
    assert doubles.is_damaged(raw[:end]) is not is_whole
    assert len(doubles.remembered(raw[:end], NOW)) == (raw[:end].count(b"\n") if is_whole else 0)
