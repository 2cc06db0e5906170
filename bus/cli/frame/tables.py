"""The layout of a table on a terminal: the columns that fit, and the line breaks in cells; pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

GAP = 2
LEAST = 24
"""Least width, in characters, of the one column whose cells are broken while the others are not."""
_EMPTY = frozenset(("", "0", "-"))
# No line break at a space inside a time.
_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d)")
_KEPT = "\u00a0"


class Table(NamedTuple):
    """A table: aligned on a terminal; in a pipe, separated by tabs and without heading.

    Attributes:
        columns: their names.
        rows: a cell for each column; None is empty.
        less: columns that a narrow terminal leaves out, the least important first.
    """

    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    less: Sequence[str] = ()


class Layout(NamedTuple):
    """Lines of padded cells, and the columns that were left out.

    Attributes:
        heading: the names of the columns, padded.
        lines: the cells of each line, padded.
        left_out: names of columns that do not fit.
        is_listed: whole words do not fit either: each cell has a line of its own after its name, without a heading.
    """

    heading: list[str]
    lines: list[list[str]]
    left_out: tuple[str, ...]
    is_listed: bool = False


def laid_out(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, less: Collection[str] = ()
) -> Layout:
    """Lay out a table. No line is wider than the terminal; no word and no time is cut.

    Columns of `less` are left out first: the empty ones, then the others in the given order. Then the widest column
    is broken between words, then every column. If that does not fit, each cell gets a line of its own. A word wider
    than the terminal stays whole.

    Args:
        columns: their names.
        rows: a cell for each column, safe to print.
        width: of the terminal, in characters.
        less: columns that may be left out.
    """
    kept = list(range(len(columns)))
    while (widths := _fitting(columns, rows, kept, width)) is None:
        place = _least(columns, rows, kept, less)
        if place is None:
            break
        kept.remove(place)
    left_out = tuple(name for place, name in enumerate(columns) if place not in kept)
    widths = widths or _broken(columns, rows, kept, width)
    if widths is None:
        return _listed(columns, rows, width)
    heading = [columns[place].upper().ljust(wide) for place, wide in zip(kept, widths, strict=True)]
    lines = [line for row in rows for line in _lines([row[place] for place in kept], widths)]
    return Layout(heading, lines, left_out)


def _least(
    columns: Sequence[str], rows: Sequence[Sequence[str]], kept: Sequence[int], less: Collection[str]
) -> int | None:
    """The index of the column to leave out next; None when no more can be left out."""
    may_go = [n for n in (columns.index(name) for name in less if name in columns) if n in kept]
    mute = [place for place in may_go if all(row[place] in _EMPTY for row in rows)]
    return next(iter(mute or may_go), None)


def _fitting(
    columns: Sequence[str], rows: Sequence[Sequence[str]], kept: Sequence[int], width: int
) -> list[int] | None:
    """The column widths if only the widest column is broken; None when that does not fit."""
    natural = [max([len(columns[place]), *(len(row[place]) for row in rows)]) for place in kept]
    over = sum(natural) + GAP * (len(kept) - 1) - width
    if over <= 0:
        return natural
    widest = natural.index(max(natural))
    room = natural[widest] - over
    if room < max(LEAST, _longest(columns, rows, kept[widest])):
        return None
    natural[widest] = room
    return natural


def _broken(
    columns: Sequence[str], rows: Sequence[Sequence[str]], kept: Sequence[int], width: int
) -> list[int] | None:
    """The column widths if all columns are broken between words; None when the longest words do not fit."""
    natural = [max([len(columns[place]), *(len(row[place]) for row in rows)]) for place in kept]
    widths = [_longest(columns, rows, place) for place in kept]
    free = width - sum(widths) - GAP * (len(kept) - 1)
    if free < 0:
        return None
    while free and any(whole > wide for whole, wide in zip(natural, widths, strict=True)):
        needy = max(range(len(kept)), key=lambda n: natural[n] - widths[n])
        widths[needy] += 1
        free -= 1
    return widths


def _longest(columns: Sequence[str], rows: Sequence[Sequence[str]], place: int) -> int:
    """The length of the longest word of a column, its name included."""
    return max(
        [
            len(columns[place]),
            *(len(word) for row in rows for word in _TIME.sub(rf"\1{_KEPT}\2", row[place]).split(" ")),
        ]
    )


def _wrapped(text: str, width: int) -> list[str]:
    """A cell in lines, broken only between words."""
    kept = _TIME.sub(rf"\1{_KEPT}\2", text)
    parts = textwrap.wrap(kept, max(1, width), break_long_words=False, break_on_hyphens=False) or [""]
    return [part.replace(_KEPT, " ") for part in parts]


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """The lines of a row."""
    cells = [
        [cell] if len(cell) <= wide else _wrapped(cell, wide) for cell, wide in zip(row, widths, strict=True)
    ]
    return [
        [
            (cell[number] if number < len(cell) else "").ljust(wide)
            for cell, wide in zip(cells, widths, strict=True)
        ]
        for number in range(max(map(len, cells), default=0))
    ]


def _listed(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Layout:
    """A line for each cell, after the name of its column; an empty line between rows."""
    names = max(map(len, columns))
    lines: list[list[str]] = []
    for row in rows:
        lines += [[""]] if lines else []
        for name, cell in zip(columns, row, strict=True):
            first, *more = _wrapped(cell, width - names - GAP)
            lines.append([name.ljust(names), first])
            lines += [[" " * names, part] for part in more]
    return Layout([], lines, (), is_listed=True)
