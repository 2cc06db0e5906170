"""A draft begun: a file with every field, and questions that fill it in."""

from __future__ import annotations

import datetime as dt
import tomllib
from typing import Any

import pytest

from bus.drafts import DRAFTED, Question, answered, begun, questions, read
from bus.drafts.composing import MANY
from bus.drafts.phrases import field_names
from schemas.bodies import KINDS
from schemas.bulletin import Draft

NOW = dt.datetime(2026, 11, 28, 22, tzinfo=dt.UTC)
USUAL = {"tlp": "green", "audience": "community"}


def reply(question: Question) -> str:
    """An answer that a person could give: a word, the example, or a little text."""
    if question.words:
        return question.words[0]
    for what, text in (
        ("from 9 to 10", "9"),
        ("whole number", "3"),
        ("yes or no", "yes"),
        ("a time", "now"),
        ("a day", "2026-11-28"),
    ):
        if what in question.wanted:
            return text
    return question.wanted.rpartition(", as ")[2] if ", as " in question.wanted else "Something happened"


@pytest.mark.parametrize("kind", DRAFTED)
def test_an_empty_draft_says_what_it_needs(kind: str) -> None:
    """It is TOML, and what is needed stands in it, empty, so that `check` asks for just that."""
    found = read(begun(kind).encode(), NOW)
    assert not [each for each in found.findings if each.rule != "schema" or each.line is None]
    empty = {each.path for each in found.findings}
    assert {"$.info[0].headline", "$.info[0].summary"} <= empty


@pytest.mark.parametrize("kind", DRAFTED)
def test_answers_make_a_draft(kind: str) -> None:
    """Every question answered, the file is a draft of its kind with these answers."""
    given: dict[Any, Any] = {}
    for question in questions(kind, USUAL):
        found = answered(question, reply(question), NOW)
        assert found.fault is None, (question.path, found.fault)
        given[question.path] = found.value
    result = read(begun(kind, given).encode(), NOW)
    assert not result.findings
    assert result.draft is not None
    assert result.draft.kind == kind


@pytest.mark.parametrize("kind", DRAFTED)
def test_every_field_stands_in_the_file(kind: str) -> None:
    """As a line or as a comment, so that nobody must look elsewhere for what may be said."""
    text = begun(kind)
    rare = {"body", "info", "msg_type", "co_issuers", "provenance", "links", "things", "labels"}
    for name in (*field_names(KINDS[kind]), *(set(field_names(Draft)) - rare)):
        assert f"{name} = " in text, name
    tomllib.loads(text)


def of(kind: str, *path: Any) -> Question:
    """The question for a field."""
    return next(each for each in questions(kind, USUAL, ("community", "eu-csirts")) if each.path == path)


ANSWERS = {
    "a word that is begun": (("severity",), "mod", "moderate", None),
    "a word with capitals": (("severity",), "Moderate", "moderate", None),
    "nothing, where something is usual": (("audience",), "", "community", None),
    "an audience that is begun": (("audience",), "eu", "eu-csirts", None),
    "yes": (("body", "significant"), "y", True, None),
    "now": (("body", "detected"), "now", "2026-11-28T22:00:00Z", None),
    "a word that is none": (("severity",), "modrate", None, "modrate is not one of the words"),
    "a beginning of several": (("certainty",), "un", None, "several words begin so: unlikely, unknown"),
    "a time without zone": (
        ("body", "detected"),
        "2026-11-28T09:00:00",
        None,
        "2026-11-28T09:00:00 has no time zone",
    ),
    "nothing, where something is needed": (("info", 0, "headline"), " ", None, "an answer is needed: a text"),
    "neither yes nor no": (("body", "significant"), "perhaps", None, "answer yes or no"),
    "a word that no list has": (
        ("body", "classification"),
        "rare:thing",
        None,
        "rare:thing is not one of the words",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_or_told_why_not(name: str) -> None:
    """The value, or the sentence."""
    path, text, value, fault = ANSWERS[name]
    found = answered(of("cyber-incident", *path), text, NOW)
    assert found.value == value
    assert (found.fault or "").startswith(fault or "")
    assert (found.fault is None) == (fault is None)


def test_a_mistyped_word_has_a_nearest() -> None:
    """So that a person needs only say yes."""
    assert answered(of("cyber-incident", "severity"), "modrate", NOW).nearest == "moderate"


def test_a_list_has_commas() -> None:
    """Each entry is read as an answer of its own."""
    found = answered(of("data-breach", "body", "nature"), f"conf {MANY} avail", NOW)
    assert found.value == ["confidentiality", "availability"]
