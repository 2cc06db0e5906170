"""A commented draft in TOML for any kind, made from the structs themselves so that it cannot fall behind them."""

from __future__ import annotations

import datetime as dt
import enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from schemas.bodies import KINDS
from schemas.bulletin import Draft
from schemas.vocab import Status

WIDTH = 46
_PLACEHOLDERS = {
    "headline": "Say in one line what happened",
    "summary": "What is known, what is not, and what readers should do.",
}


def template(kind: str, now: dt.datetime) -> str:
    """The draft file for a kind: required fields to fill in, optional ones commented out.

    Args:
        kind: a kind of body.
        now: the present, for example times.
    """
    lines = [
        f"# Draft of a {kind}. Fill in what stands here; take away the # before what you want to add.",
        "# Check it:    tocsin bulletin check FILE",
        "# See readers: tocsin preview FILE",
        "# Send it:     tocsin publish FILE",
        "",
        "# Marking and audience come from your context unless you name them here.",
    ]
    lines += [
        _line(field, now) for field in msgspec.structs.fields(Draft) if field.name not in ("info", "body")
    ]
    lines += ["", "[[info]]", 'lang = "en"']
    lines += [f'{name} = "{text}"' for name, text in _PLACEHOLDERS.items()]
    lines += ["", "[body]", f'kind = "{kind}"']
    lines += [_line(field, now) for field in msgspec.structs.fields(KINDS[kind])]
    return "\n".join(lines) + "\n"


def _line(field: msgspec.structs.FieldInfo, now: dt.datetime) -> str:
    value, remark = _example(field.type, now)
    lead = "" if field.required else "# "
    return f"{lead}{field.encode_name} = {value}".ljust(WIDTH) + (f"  # {remark}" if remark else "")


def _example(hint: Any, now: dt.datetime) -> tuple[str, str]:
    """An example value in TOML, and what may stand there."""
    remarks: list[str] = []
    while get_origin(hint) is Annotated or get_origin(hint) in (Union, UnionType):
        if get_origin(hint) is Annotated:
            remarks += [text for meta in hint.__metadata__ if (text := _remark(meta))]
            hint = hint.__origin__
        else:
            hint = next(branch for branch in get_args(hint) if branch is not type(None))
    value, more = _value(hint, now)
    return value, "; ".join(dict.fromkeys([*remarks, *([more] if more else [])]))


def _remark(meta: msgspec.Meta) -> str:
    remarks = [meta.description or ""]
    if meta.extra and "vocabulary" in meta.extra:
        remarks.append(f"tocsin vocab {meta.extra['vocabulary']} lists the words")
    if meta.max_length is not None:
        remarks.append(f"at most {meta.max_length}")
    if meta.le is not None:
        remarks.append(f"at most {meta.le}")
    return ", ".join(remark for remark in remarks if remark)


def _value(hint: Any, now: dt.datetime) -> tuple[str, str]:
    if get_origin(hint) is tuple:
        inner, remark = _example(get_args(hint)[0], now)
        return f"[{inner}]", remark
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        words = [str(word.value) for word in hint if word is not Status.BEAT]  # nobody drafts a heartbeat
        return f'"{words[0]}"', " | ".join(words)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        fields = msgspec.structs.fields(hint)
        inner = ", ".join(f"{f.encode_name} = {_example(f.type, now)[0]}" for f in fields if f.required)
        others = [f.encode_name for f in fields if not f.required]
        return "{ " + inner + " }", f"may have {', '.join(others)}" if others else ""
    time, date = f'"{now:%Y-%m-%dT%H:%M:%SZ}"', f'"{now:%Y-%m-%d}"'
    return {bool: "false", int: "1", dt.datetime: time, dt.date: date}.get(hint, '"..."'), ""
