"""The drafts of experts beside the checkout: the good stand without a remark, the absurd do not, each twin does."""

from __future__ import annotations

import pytest

from tests.drafts.judging import CORPUS, judge

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="no drafts beside the checkout, in ../shared/cases/drafts"
)


@pytest.mark.parametrize("folder", ["good", "twins", "bad"])
def test_each_draft_is_judged_as_an_expert_would(folder: str) -> None:
    """By the index of its folder."""
    wrong = [each for each in judge(CORPUS / folder) if not each.is_right]
    assert wrong == []
