"""A filter as a query of a store: conditions over the tables `facts`, `observables` and `words`, which `sayings` fills.

The words of a filter are parameters and never part of the SQL.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from bus.filters.sayings import words_in
from bus.filters.selection import FACTS, Selection


class Question(NamedTuple):
    """An SQL condition on a table of the situation, and the values for its question marks."""

    where: str
    arguments: tuple[object, ...]


def question_of(selection: Selection, now: dt.datetime) -> Question:
    """The condition for a table with the columns `row` and `issued`; always true for an empty selection.

    Args:
        selection: the filter.
        now: the present, aware.
    """
    where: list[str] = []
    arguments: list[object] = []
    for name in FACTS:
        if values := getattr(selection, name):
            marks = ", ".join("?" * len(values))
            where.append(f"row IN (SELECT row FROM facts WHERE field = ? AND value IN ({marks}))")
            arguments += [name, *values]
    if selection.incident:
        each = " OR ".join(["value >= ? AND value < ?"] * len(selection.incident))
        where.append(f"row IN (SELECT row FROM facts WHERE field = 'incident' AND ({each}))")
        # Ids have only digits, letters up to f and hyphens, so `g` sorts after every id with the same beginning.
        arguments += [bound for value in selection.incident for bound in (value, f"{value}g")]
    if selection.observable:
        marks = ", ".join("?" * len(selection.observable))
        where.append(f"row IN (SELECT row FROM observables WHERE norm IN ({marks}))")
        arguments += selection.observable
    if selection.text:
        where.append("row IN (SELECT rowid FROM words WHERE words MATCH ?)")
        arguments.append(" AND ".join(map(phrase_of, selection.text)))
    if selection.since_s is not None:
        where.append("issued >= ?")
        arguments.append(now.timestamp() - selection.since_s)
    return Question(" AND ".join(where) or "1", tuple(arguments))


def phrase_of(text: str) -> str:
    """A phrase of FTS5: words in order; an `*` after the last allows any ending. Words contain no quotes."""
    words = " ".join(words_in(text))
    return f'"{words}"{" *" if text.endswith("*") else ""}'
