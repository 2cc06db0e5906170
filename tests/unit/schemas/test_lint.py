"""Open vocabularies: every field that names one has it, and unknown words are remarked, never refused."""

from __future__ import annotations

import msgspec
import pytest

from schemas import codec, rules
from schemas.bodies.coordination import Feedback
from schemas.lint import fields_of, lint
from schemas.open_vocab import OPEN
from schemas.parts import Target
from schemas.vocab import FeedbackKind
from tests.support.world import bulletin, draft, shared_world


def test_every_named_vocabulary_exists_and_is_used() -> None:
    """No field points at a list that is not there, and every word could stand in its field."""
    named = {name for type_ in codec.wire_types() for _, _, name in fields_of(type_) if name is not None}
    assert named == set(OPEN)
    for vocabulary in OPEN.values():
        assert vocabulary.values
        assert vocabulary.source
        assert all(
            word == word.lower() == word.strip("-") and len(word) <= (90 if vocabulary.name == "rsit" else 64)
            for word in vocabulary.values
        )


def test_an_unknown_word_is_remarked_with_its_path() -> None:
    """It decodes, keeps every rule, and is told."""
    made = bulletin(
        shared_world(), say=draft(targets=(Target(kind="electorate"), Target(kind="weather-service")))
    )
    read = codec.decode(codec.encode(made))
    rules.check(read)
    assert [(v.rule, v.path) for v in lint(read)] == [("target-kind", "$.targets[1].kind")]
    assert lint(msgspec.structs.replace(read, targets=())) == ()


@pytest.mark.parametrize(
    "word", [*OPEN["notice-outcome"].values, *OPEN["order-effect"].values, "nothing-known"]
)
def test_the_outcome_of_a_notice_or_an_order_is_a_known_word_of_feedback(word: str) -> None:
    """And nothing else is."""
    body = Feedback(verdict=FeedbackKind.ACTION_TAKEN, text="Done.", outcome=word)
    found = [(v.rule, v.path) for v in lint(draft(body=body))]
    assert found == ([("feedback-outcome", "$.body.outcome")] if word == "nothing-known" else [])


def test_classified_information_is_remarked() -> None:
    """A label of EU classification does not travel here; the label that says there is none may."""
    made = bulletin(shared_world(), labels=("euci:none", "euci:R-UE", "misp:threat-level"))
    assert [(v.rule, v.path) for v in lint(made)] == [("euci", "$.labels[1]")]
