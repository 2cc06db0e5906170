"""Begins a draft: a commented file of TOML for any kind, and the questions that fill it in. Pure; made from the types, so it cannot fall behind."""

from __future__ import annotations

import datetime as dt
import json
import textwrap
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import inspect

from bus.drafts.fields import fault_of
from bus.drafts.findings import MOST_WORDS
from bus.drafts.phrases import asked, info_of, nearest, one_of, text_or_table, words_at
from bus.drafts.source import Path
from schemas.bodies import KINDS
from schemas.bulletin import Draft
from schemas.parts import Info
from schemas.vocab import Status

OF_PROGRAMS = frozenset({"channel-status", "receipt", "sealed", "reanchor", "request", "copy"})
"""Kinds that programs say, and nobody drafts."""
DRAFTED = tuple(kind for kind in KINDS if kind not in OF_PROGRAMS)
"""Kinds that a person drafts."""
MANY = ","
"""Between the entries of a list, as a person answers."""

_WIDTH = 100
_BESIDE = 44
_NOTE = "#     "
_FIRST = ("tlp", "audience", "urgency", "severity", "certainty", "confidence")
_RARE = frozenset({"body", "info", "msg_type", "co_issuers", "provenance", "links", "things", "labels"})
_WORDS = MappingProxyType(
    {
        "tlp": "who may read it",
        "audience": "to whom it goes",
        "urgency": "how soon to act",
        "severity": "how bad it is",
        "certainty": "how sure you are",
        "lang": "the language of the words",
        "headline": "one line: what happened",
        "summary": "what is known, what is not, what readers should do",
    }
)
"""What some fields are about, where the types do not say."""


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
        below, way = _below(each.type), (*path, each.encode_name)
        if isinstance(below, inspect.VarTupleType) and isinstance(below.item_type, inspect.StructType):
            yield from _needed(below.item_type, (*way, 0))
        elif isinstance(below, inspect.StructType):
            yield from _needed(below, way)
        else:
            yield _question(way, each)


def _below(type_: inspect.Type) -> inspect.Type:
    if isinstance(type_, inspect.Metadata):
        return _below(type_.type)
    if isinstance(type_, inspect.UnionType):
        only, both = one_of(type_), text_or_table(type_)
        return _below(both[0]) if both is not None else type_ if only is None else _below(only)
    return type_


def _question(
    path: Path, field: inspect.Field, *, usual: str | None = None, words: tuple[str, ...] = ()
) -> Question:
    known, name = words_at(field.type, {})
    return Question(
        path=path,
        about=_about(field),
        wanted=asked(field.type, {}),
        words=words or known,
        vocabulary=None if words else name,
        usual=usual,
        type_=field.type,
        extra={},
    )


def _about(field: inspect.Field) -> str:
    return _WORDS.get(field.encode_name) or _described(field.type) or field.encode_name.replace("_", " ")


def _described(type_: inspect.Type) -> str:
    """What a field is about; what its type takes is said otherwise."""
    if not isinstance(type_, inspect.Metadata):
        return ""
    told = (type_.extra_json_schema or {}).get("description", "")
    is_of_type = isinstance(type_.type, inspect.StrType | inspect.DateTimeType) and "vocabulary" not in (
        type_.extra or {}
    )
    return "" if is_of_type else str(told)


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
    type_ = _below(question.type_)
    if isinstance(type_, inspect.VarTupleType):
        parts = [part.strip() for part in text.split(MANY) if part.strip()]
        read = [_read(part, _below(type_.item_type), question, now) for part in parts]
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
        like = nearest(text, question.words)
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


# -- the file -----------------------------------------------------------------------------------------------------


def begun(kind: str, answers: Mapping[Path, Any] = MappingProxyType({})) -> str:
    """The file of a draft: what is needed, empty or as it was answered, and below it as comments what else may be said.

    Args:
        kind: one of `DRAFTED`.
        answers: values by their paths.
    """
    body = info_of(KINDS[kind])
    top = {each.encode_name: each for each in info_of(Draft).fields}
    lines = [
        f"# A draft of kind {kind}. Write between the quotes, and take away the # before what you want to add.",
        "# Times are written as 2026-11-28T18:07:00Z, or with the offset of your clock: 2026-11-28T19:07:00+01:00.",
        "# Check it:    tocsin bulletin check FILE",
        "# See readers: tocsin preview FILE",
        "# Send it:     tocsin publish FILE",
        "",
        "# Marking and audience come from your context unless you name them here.",
    ]
    for name in _FIRST:
        lines += _field(top[name], (name,), answers, needed=(name,) in answers)
    lines += ["", "# What else may be said of it:"]
    for name, each in top.items():
        if name not in _FIRST and name not in _RARE:
            lines += _field(each, (name,), answers, needed=False)
    lines += ["", "[[info]]"]
    for each in info_of(Info).fields:
        lines += _field(each, ("info", 0, each.encode_name), answers, needed=each.required)
    lines += ["", "[body]", f'kind = "{kind}"']
    for each in (one for one in body.fields if one.required):
        lines += _field(each, ("body", each.encode_name), answers, needed=True)
    lines += ["", "# What else may be said in it:"]
    for each in (one for one in body.fields if not one.required):
        lines += _field(each, ("body", each.encode_name), answers, needed=False)
    return "\n".join(lines).rstrip() + "\n"


def _field(field: inspect.Field, path: Path, answers: Mapping[Path, Any], *, needed: bool) -> list[str]:
    """The line of a field, with what may stand there behind it, or above it where that is long."""
    literal = _literal(answers[path]) if path in answers else _empty(field.type, path, answers)
    if field.encode_name == "lang" and path not in answers:
        literal = '"en"'
    line = f"{'' if needed else '# '}{field.encode_name} = {literal}"
    remark = _remark(field)
    if not remark:
        return [line]
    if len(remark) + _BESIDE <= _WIDTH and len(line) < _BESIDE:
        return [f"{line.ljust(_BESIDE)}# {remark}"]
    above = textwrap.wrap(remark, _WIDTH - len(_NOTE), break_on_hyphens=False)
    return [*(f"{_NOTE}{part}" for part in above), line]


def _remark(field: inspect.Field) -> str:
    """What a field is about, and what may stand there."""
    words, name = words_at(field.type, {})
    words = tuple(word for word in words if word != Status.BEAT)  # nobody drafts a heartbeat
    about = _WORDS.get(field.encode_name) or _described(field.type)
    if words:
        more = f", and {len(words) - MOST_WORDS} more: tocsin vocab {name}" if len(words) > MOST_WORDS else ""
        wanted = ", ".join(words[:MOST_WORDS]) + more
    else:
        wanted = asked(field.type, {})
    return f"{about}: {wanted}" if about else wanted


def _empty(type_: inspect.Type, path: Path, answers: Mapping[Path, Any]) -> str:
    below = _below(type_)
    if isinstance(below, inspect.VarTupleType):
        return f"[{_empty(below.item_type, (*path, 0), answers)}]"
    if isinstance(below, inspect.StructType):
        names = [each for each in below.fields if each.required] or list(below.fields[:1])
        inner = ", ".join(
            f"{each.encode_name} = "
            + (
                _literal(answers[way])
                if (way := (*path, each.encode_name)) in answers
                else _empty(each.type, way, answers)
            )
            for each in names
        )
        return "{ " + inner + " }"
    return '""'


def _literal(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)
