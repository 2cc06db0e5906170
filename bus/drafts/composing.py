"""The questions that fill in a draft, and what their answers say. Pure; made from the types, so it cannot fall behind."""

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
"""Between the entries of a list, as a person answers."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a draft needs to say.

    Attributes:
        path: the field.
        about: what is asked for, in words.
        wanted: what may be answered.
        words: the words that may be answered; none where it is no word.
        vocabulary: what these words are called.
        usual: what stands there when nothing is answered; None where something must be.
        type_, extra: of the field.
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
    """What came of an answer.

    Attributes:
        value: as the draft says it; None where the answer does not stand.
        fault: why it does not stand.
        nearest: the answer that is probably meant.
    """

    value: Any = None
    fault: str | None = None
    nearest: str | None = None


# -- questions ----------------------------------------------------------------------------------------------------


def questions(kind: str, usual: Mapping[str, str], audiences: tuple[str, ...] = ()) -> tuple[Question, ...]:
    """What is asked for a draft of a kind: marking and audience, how urgent, bad and sure, its words, and what its body must have.

    Args:
        kind: one of `DRAFTED`.
        usual: what the context gives for `tlp` and `audience`.
        audiences: to whom may be published; empty where that is not known.
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
    """What may be answered, where nobody types quotes."""
    return wanted.removesuffix(", in quotes").replace("true or false, without quotes", "yes or no")


def answered(question: Question, text: str, now: dt.datetime) -> Answer:
    """What an answer says: a word may be begun, a list has commas, `now` is the present.

    Args:
        question: what was asked.
        text: what a person typed.
        now: the present.
    """
    text = text.strip() or (question.usual or "")
    if not text:
        return Answer(fault=f"something is needed: {question.wanted}")
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
            fault=f"there are several: {listed}" if begun else f"{text} is none of the words", nearest=like
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
