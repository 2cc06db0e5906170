"""A commented draft of any kind in TOML: the required fields, empty, and below them the optional ones. Pure; made from the types."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import inspect

from bus.drafts.findings import MOST_WORDS
from bus.drafts.phrases import asked, info_of, one_of, text_or_table, words_at
from bus.drafts.source import Path
from schemas.bodies import KINDS
from schemas.bulletin import Draft
from schemas.parts import Info
from schemas.vocab import Status

OF_PROGRAMS = frozenset({"channel-status", "receipt", "sealed", "reanchor", "request", "copy"})
"""Kinds that only programs publish."""
DRAFTED = tuple(kind for kind in KINDS if kind not in OF_PROGRAMS)
"""Kinds that a person drafts."""
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
"""Descriptions of fields whose types have none."""


def plainly(type_: inspect.Type) -> inspect.Type:
    """A type without its metadata; for a text or a table, the text."""
    if isinstance(type_, inspect.Metadata):
        return plainly(type_.type)
    if isinstance(type_, inspect.UnionType):
        only, both = one_of(type_), text_or_table(type_)
        return plainly(both[0]) if both is not None else type_ if only is None else plainly(only)
    return type_


def about_of(field: inspect.Field) -> str:
    """The description of a field."""
    return _WORDS.get(field.encode_name) or _described(field.type) or field.encode_name.replace("_", " ")


def _described(type_: inspect.Type) -> str:
    """The description of a field, without its allowed values."""
    if not isinstance(type_, inspect.Metadata):
        return ""
    told = (type_.extra_json_schema or {}).get("description", "")
    is_of_type = isinstance(type_.type, inspect.StrType | inspect.DateTimeType) and "vocabulary" not in (
        type_.extra or {}
    )
    return "" if is_of_type else str(told)


def begun(kind: str, answers: Mapping[Path, Any] = MappingProxyType({})) -> str:
    """The file of a draft: the required fields, empty or filled, and below them as comments the optional ones.

    Args:
        kind: one of `DRAFTED`.
        answers: values by path.
    """
    top = {each.encode_name: each for each in info_of(Draft).fields}
    lines = [
        f"# A draft of kind {kind}. Write between the quotes. To add an optional field, remove the # before it.",
        "# Times are written as 2026-11-28T18:07:00Z, or with the offset of your clock: 2026-11-28T19:07:00+01:00.",
        "# Check it:    tocsin bulletin check FILE",
        "# See readers: tocsin preview FILE",
        "# Send it:     tocsin publish FILE",
        "",
        "# Marking and audience come from your context unless you name them here.",
    ]
    for name in _FIRST:
        lines += _field(top[name], (name,), answers, needed=(name,) in answers)
    lines += ["", "# Optional fields of the bulletin:"]
    for name, each in top.items():
        if name not in _FIRST and name not in _RARE:
            lines += _field(each, (name,), answers, needed=False)
    lines += ["", "[[info]]"]
    for each in info_of(Info).fields:
        lines += _field(each, ("info", 0, each.encode_name), answers, needed=each.required)
    lines += ["", "[body]", f'kind = "{kind}"']
    lines += _of_body(kind, answers)
    return "\n".join(lines).rstrip() + "\n"


def _of_body(kind: str, answers: Mapping[Path, Any]) -> list[str]:
    """The fields of a body: those that it needs, then the optional ones as comments."""
    fields = info_of(KINDS[kind]).fields
    lines = []
    for each in (one for one in fields if one.required):
        lines += _field(each, ("body", each.encode_name), answers, needed=True)
    lines += ["", "# Optional fields of the body:"]
    for each in (one for one in fields if not one.required):
        way = ("body", each.encode_name)
        lines += _field(each, way, answers, needed=way in answers)
    return lines


def rest_text(type_: type, beside: Collection[str], values: Mapping[str, Any] = MappingProxyType({})) -> str:
    """What a form says of a struct in TOML: what is filled in, and as comments what else the form has no field for.

    Args:
        type_: the struct.
        beside: fields of it that the form has.
        values: what is filled in; a name that the struct does not have is kept.
    """
    lines = [table_text(values)]
    for each in info_of(type_).fields:
        if each.encode_name not in beside and each.encode_name not in values:
            lines += _field(each, (each.encode_name,), {}, needed=False)
    text = "\n".join(lines).strip()
    return text + "\n" if text else ""


def table_text(values: Mapping[str, Any]) -> str:
    """Values by their names in TOML."""
    return "".join(f"{_key(name)} = {_literal(value)}\n" for name, value in values.items())


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _literal(name)


def _field(field: inspect.Field, path: Path, answers: Mapping[Path, Any], *, needed: bool) -> list[str]:
    """The line of a field, with its allowed values after it, or above it if they are long."""
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
    """The description of a field, and its allowed values."""
    words, name = words_at(field.type, {})
    words = tuple(word for word in words if word != Status.BEAT)  # no person drafts a heartbeat
    about = _WORDS.get(field.encode_name) or _described(field.type)
    if words:
        more = f", and {len(words) - MOST_WORDS} more: tocsin vocab {name}" if len(words) > MOST_WORDS else ""
        wanted = ", ".join(words[:MOST_WORDS]) + more
    else:
        wanted = asked(field.type, {})
    return f"{about}: {wanted}" if about else wanted


def _empty(type_: inspect.Type, path: Path, answers: Mapping[Path, Any]) -> str:
    below = plainly(type_)
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
    """A value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        if any(isinstance(each, Mapping) for each in value):
            return "[\n" + "".join(f"  {_literal(each)},\n" for each in value) + "]"
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, Mapping):
        held = [(name, each) for name, each in value.items() if each is not None]
        return (
            "{ " + ", ".join(f"{_key(name)} = {_inline(each)}" for name, each in held) + " }"
            if held
            else "{}"
        )
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)


def _inline(value: Any) -> str:
    """A value inside a table in braces, which stands on one line."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    return _literal(value)
