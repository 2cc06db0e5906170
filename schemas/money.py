"""Sums of money: their places in a body, and a check of their currencies."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from schemas.bodies.digital import PoliticalAd
from schemas.parts import Amount
from schemas.scalars import Part
from schemas.vocabularies import vocabulary


def currencies(body: Part) -> Iterator[tuple[str, str]]:
    """(path, code) of each currency in a body or a part of it."""
    if isinstance(body, PoliticalAd) and body.currency is not None:
        yield "$.body.currency", body.currency
    for path, amount in amounts(body, "$.body"):
        yield f"{path}.currency", amount.currency


def amounts(value: object, path: str) -> Iterator[tuple[str, Amount]]:
    """(path, amount) of every sum of money in a struct or a tuple of structs, in the order of the wire."""
    if isinstance(value, Amount):
        yield path, value
    elif isinstance(value, tuple):
        for n, each in enumerate(value):
            yield from amounts(each, f"{path}[{n}]")
    elif isinstance(value, msgspec.Struct):
        for name, wire in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            yield from amounts(getattr(value, name), f"{path}.{wire}")


def fault_of_currency(code: str) -> str | None:
    """A sentence on why a code is not a present currency of ISO 4217; None if it is."""
    known = vocabulary("currency")
    if any(each.id == code for each in known.terms):
        return None
    former = next((each for each in known.former if each.id == code), None)
    if former is None:
        return f"{code} is not a currency of ISO 4217"
    now = f"; it is now {former.now[0]}" if former.now else ""
    return f"{code} ({former.label}) was {former.why}{now}"
