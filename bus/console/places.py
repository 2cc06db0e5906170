"""Countries as tiles: where each stands in the map, and what it is called. Read once from a file that comes with the console."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from itertools import count, product
from pathlib import Path

import msgspec

COLUMNS = 8
NOWHERE = ("EU", "INTL")
_FILE = Path(__file__).parent / "map" / "europe.toml"


class _Map(msgspec.Struct, frozen=True):
    tiles: dict[str, tuple[int, int]]
    names: dict[str, str]


@cache
def _map() -> _Map:
    return msgspec.convert(tomllib.loads(_FILE.read_text(encoding="utf-8")), _Map)


def name_of(country: str) -> str:
    """What a country is called; its code where the map does not know it."""
    return _map().names.get(country, country)


def tiles(countries: Collection[str]) -> Mapping[str, tuple[int, int]]:
    """Column and row of each tile.

    Args:
        countries: the countries of the network, and those that something is about. Those of the map keep their places where the
            network has one of them; others follow in the free places below.
    """
    known = _map().tiles
    others = sorted(each for each in countries if each not in known)
    if not any(each in known and each not in NOWHERE for each in countries):
        beside = [each for each in NOWHERE if each in countries]
        return dict(_placed([*others, *beside], count(1)))
    below = max(row for _, row in known.values())
    return {**known, **dict(_placed(others, count(below + 1)))}


def _placed(countries: Iterable[str], rows: Iterable[int]) -> Iterator[tuple[str, tuple[int, int]]]:
    places = ((column, row) for row, column in product(_bounded(rows), range(1, COLUMNS + 1)))
    yield from zip(countries, places, strict=False)


def _bounded(rows: Iterable[int]) -> list[int]:
    return [row for row, _ in zip(rows, range(40), strict=False)]
