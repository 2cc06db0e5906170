"""Structs of the wire with every field filled: one value that suits the type of each field, two where there may be several."""

from __future__ import annotations

import datetime as dt
import types
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from schemas.bodies import KINDS
from schemas.bulletin import Bulletin
from schemas.lint import fields_of
from schemas.open_vocab import OPEN
from schemas.parts import Authority
from schemas.vocab import Domain, MsgType, Status

ISSUED = dt.datetime(2027, 5, 23, 9, 30, tzinfo=dt.UTC)
ENDS = frozenset({"from_", "to", "of"})


@cache
def filled(type_: type) -> Any:
    """A struct of this type with every field filled. Its texts are not checked: each names its field."""
    hints = get_type_hints(type_, include_extras=True)
    values = {name: _value(hints[name], name, words) for name, _, words in fields_of(type_)}
    if type_.__name__ in ("Link", "MediaCheck"):
        values |= dict.fromkeys(ENDS & values.keys(), "body")
    # What is as its default has it is not told.
    values |= {field.name: False for field in msgspec.structs.fields(type_) if field.default is True}
    return type_(**values)


@cache
def bulletin_of(kind: str) -> Bulletin:
    """A bulletin of a kind with every field of its body, and of itself, filled."""
    whole: Bulletin = filled(Bulletin)
    return msgspec.structs.replace(
        whole,
        spec="tocsin/1",
        id="018f3c5e-7d3a-7000-8000-00000000000a",
        issuer=Authority(id="xa-csirt", kind="csirt", domain=Domain.CYBER, country="XA"),
        issued=ISSUED,
        expires=ISSUED + dt.timedelta(days=30),
        status=Status.ACTUAL,
        msg_type=MsgType.ALERT,
        body=filled(KINDS[kind]),
    )


def _value(hint: Any, name: str, words: str | None) -> Any:
    origin = get_origin(hint)
    if origin is Annotated:
        return _value(get_args(hint)[0], name, words)
    if origin is tuple:
        one = _value(get_args(hint)[0], name, words)
        return (one, one)
    if origin in (Union, types.UnionType):
        options = [each for each in get_args(hint) if each is not type(None)]
        return _value(options[0], name, words)
    if origin is not None:  # Literal
        return get_args(hint)[0]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return filled(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return list(hint)[-1]
    if words is not None:
        return min(OPEN[words].values) if words in OPEN else "word"
    return {
        str: f"about {name.strip('_').replace('_', ' ')}",
        int: 7,
        bool: True,
        dt.datetime: ISSUED,
        dt.date: ISSUED.date(),
    }[hint]
