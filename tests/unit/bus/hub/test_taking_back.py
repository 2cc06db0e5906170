"""Which answers a hub takes back: those to this author's bulletin, that the person who asks may read."""

from __future__ import annotations

import pytest

from bus.hub.acting import standing
from schemas.bodies.coordination import Feedback
from schemas.bulletin import Bulletin
from schemas.parts import Ref
from schemas.vocab import FeedbackKind, RefRel, Tlp
from tests.support.world import NOW, bulletin, draft, shared_world

THEIRS = "0197a1b0-0000-7000-8000-000000000001"


def answered(seq: int, author: str, tlp: Tlp = Tlp.GREEN) -> Bulletin:
    """An answer to the bulletin of an author; two authors have used one id."""
    refs = (Ref(id=THEIRS, rel=RefRel.ANSWERS, issuer=author),)
    body = Feedback(verdict=FeedbackKind.ENDORSE, text="So we see it.")
    say = draft("endorse", references=refs, body=body, tlp=tlp)
    return bulletin(shared_world(), "xb-csirt", say=say, seq=seq, prev=None, issued=NOW)


@pytest.mark.parametrize(
    ("author", "upto", "wanted"),
    [("xa-csirt", Tlp.RED, {1, 2}), ("xa-csirt", Tlp.GREEN, {1}), ("xa-emb", Tlp.RED, {3}), ("xa-dpa", Tlp.RED, set())],
)  # fmt: skip
def test_nobody_takes_back_an_answer_to_another_author_or_above_themselves(
    author: str, upto: Tlp, wanted: set[int]
) -> None:
    """Who takes the id of another's bulletin would have the answer to that one withdrawn, too."""
    said = [answered(1, "xa-csirt"), answered(2, "xa-csirt", Tlp.AMBER), answered(3, "xa-emb")]
    found = standing(said, author, (THEIRS,), (FeedbackKind.ENDORSE,), upto)
    assert {each.seq for each in found} == wanted
