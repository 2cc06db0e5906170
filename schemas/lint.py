"""Remarks about a valid bulletin: unknown words, markings that other formats lose. Never a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from schemas.bulletin import Bulletin, Draft
from schemas.errors import Violation
from schemas.open_vocab import OPEN


def lint(bulletin: Bulletin | Draft) -> tuple[Violation, ...]:
    """Every word that its open vocabulary does not list, and every EU classification, with its path."""
    classified = (
        Violation("euci", f"$.labels[{n}]", f"{label}: classified information does not travel here")
        for n, label in enumerate(bulletin.labels)
        if label.startswith("euci:") and label != "euci:none"
    )
    return (*_walk(bulletin, "$"), *classified)


def _walk(value: object, path: str) -> Iterator[Violation]:
    if isinstance(value, tuple):
        for n, each in enumerate(value):
            yield from _walk(each, f"{path}[{n}]")
    elif isinstance(value, msgspec.Struct):
        for name, wire_name, vocabulary in fields_of(type(value)):
            found = getattr(value, name)
            if vocabulary is None:
                yield from _walk(found, f"{path}.{wire_name}")
                continue
            here = f"{path}.{wire_name}"
            is_list = isinstance(found, tuple)
            for n, word in enumerate(found if is_list else (found,)):
                if word is not None and word not in OPEN[vocabulary].values:
                    at = f"{here}[{n}]" if is_list else here
                    yield Violation(vocabulary, at, f"{word!r} is no known word of {vocabulary}")


@cache
def fields_of(type_: type[msgspec.Struct]) -> tuple[tuple[str, str, str | None], ...]:
    """A struct's fields: attribute, wire name, and the open vocabulary that its words are of."""
    hints = get_type_hints(type_, include_extras=True)
    return tuple((f.name, f.encode_name, _vocabulary(hints[f.name])) for f in msgspec.structs.fields(type_))


def _vocabulary(hint: Any) -> str | None:
    if get_origin(hint) is Annotated:
        for meta in hint.__metadata__:
            if isinstance(meta, msgspec.Meta) and meta.extra and "vocabulary" in meta.extra:
                return str(meta.extra["vocabulary"])
    return next((found for part in get_args(hint) if (found := _vocabulary(part)) is not None), None)
