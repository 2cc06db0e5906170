"""The questions that fill in a draft, and the parsing of their answers. Pure; made from the types, so always up to date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect

from bus.drafts.fields import fault_of
from bus.drafts.findings import MOST_WORDS
from bus.drafts.phrases import asked, info_of, nearest, words_at
from bus.drafts.source import Path
from bus.drafts.template import about_of, plainly
from schemas.bodies import KINDS
from schemas.bulletin import Draft
from schemas.parts import Info

MANY = ","
"""Separates the entries of a list in an answer."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question about a field that a draft needs.

    Attributes:
        path: the field.
        about: the meaning of the field, in words.
        wanted: the allowed answers, in words.
        words: the allowed words; empty if the answer is not a word of a vocabulary.
        vocabulary: the name of these words.
        usual: the value for an empty answer; None if an answer is required.
        type_, extra: type and metadata of the field.
    """

    path: Path
    about: str
    wanted: str
    type_: Any
    extra: Mapping[str, Any]
    words: tuple[str, ...] = ()
    vocabulary: str | None = None
    usual: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """The result of parsing an answer.

    Attributes:
        value: the value for the draft; None if the answer is not valid.
        fault: why the answer is not valid.
        nearest: the answer that is probably intended.
    """

    value: Any = None
    fault: str | None = None
    nearest: str | None = None


# -- questions ----------------------------------------------------------------------------------------------------


def questions(kind: str, usual: Mapping[str, str], audiences: tuple[str, ...] = ()) -> tuple[Question, ...]:
    """The questions for a kind: marking, audience, priority, severity, certainty, texts, and the required fields of its body.

    Args:
        kind: one of `DRAFTED`.
        usual: the context's values for `tlp` and `audience`.
        audiences: the audiences open to the authority; empty if unknown.
    """
    fields = {each.encode_name: each for each in info_of(Draft).fields}
    asked_for = [
        _question(("audience",), fields["audience"], usual=usual.get("audience"), words=audiences),
        _question(("tlp",), fields["tlp"], usual=usual.get("tlp")),
        *(_question((name,), fields[name], usual="unknown") for name in ("urgency", "severity", "certainty")),
    ]
    for each in info_of(Info).fields:
        if each.required:
            usual_word = "en" if each.encode_name == "lang" else None
            asked_for.append(_question(("info", 0, each.encode_name), each, usual=usual_word))
    return (*asked_for, *_needed(info_of(KINDS[kind]), ("body",)))


def _needed(info: inspect.StructType, path: Path) -> Iterator[Question]:
    for each in info.fields:
        if not each.required:
            continue
        below, way = plainly(each.type), (*path, each.encode_name)
        if isinstance(below, inspect.VarTupleType) and isinstance(below.item_type, inspect.StructType):
            yield from _needed(below.item_type, (*way, 0))
        elif isinstance(below, inspect.StructType):
            yield from _needed(below, way)
        else:
            yield _question(way, each)


def _question(
    path: Path, field: inspect.Field, *, usual: str | None = None, words: tuple[str, ...] = ()
) -> Question:
    known, name = words_at(field.type, {})
    return Question(
        path=path,
        about=about_of(field),
        wanted=_spoken(asked(field.type, {})),
        words=words or known,
        vocabulary=None if words else name,
        usual=usual,
        type_=field.type,
        extra={},
    )


def _spoken(wanted: str) -> str:
    """The allowed answers in words, for input without quotes."""
    return wanted.removesuffix(", in quotes").replace("true or false, without quotes", "yes or no")


def answered(question: Question, text: str, now: dt.datetime) -> Answer:
    """Parse an answer: the beginning of a word is enough, commas separate a list, `now` is the present.

    Args:
        question: the question.
        text: the typed text.
        now: the present.
    """
    text = text.strip() or (question.usual or "")
    if not text:
        return Answer(fault=f"an answer is needed: {question.wanted}")
    type_ = plainly(question.type_)
    if isinstance(type_, inspect.VarTupleType):
        parts = [part.strip() for part in text.split(MANY) if part.strip()]
        read = [_read(part, plainly(type_.item_type), question, now) for part in parts]
    else:
        read = [_read(text, type_, question, now)]
    for each in read:
        if each.fault is not None:
            return each
    value = [each.value for each in read] if isinstance(type_, inspect.VarTupleType) else read[0].value
    fault = fault_of(question.type_, value, question.extra, now)
    return Answer(value) if fault is None else Answer(fault=fault)


def _read(text: str, type_: inspect.Type, question: Question, now: dt.datetime) -> Answer:
    if question.words:
        begun = [word for word in question.words if word.startswith(text.lower())]
        if text.lower() in question.words:
            return Answer(text.lower())
        if len(begun) == 1:
            return Answer(begun[0])
        within = [word for word in question.words if text.lower() in word]
        like = within[0] if len(within) == 1 else nearest(text, question.words)
        begun = begun or (within if len(within) > 1 else [])
        listed = ", ".join(begun[:MOST_WORDS])
        return Answer(
            fault=f"several words begin so: {listed}" if begun else f"{text} is not one of the words",
            nearest=like,
        )
    if isinstance(type_, inspect.BoolType):
        truth = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}
        return Answer(truth[text.lower()]) if text.lower() in truth else Answer(fault="answer yes or no")
    if isinstance(type_, inspect.IntType):
        is_number = text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 18
        return Answer(int(text)) if is_number else Answer(fault=f"{text} is not {question.wanted}")
    if text.lower() == "now" and isinstance(type_, inspect.DateTimeType):
        return Answer(f"{now:%Y-%m-%dT%H:%M:%SZ}")
    return Answer(text)
