"""The ends of ties: in a form a tie names a row, on the wire it counts the entries of a list. So rows come and go, and a tie stays. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bus.console.pages import draft_rows
from bus.console.pages.draft_cells import Faults
from bus.console.pages.draft_rows import Fields
from bus.console.pages.draft_tables import FACTS, Table

ENDS: Mapping[str, tuple[str, ...]] = {"links": ("from", "to"), "media_checks": ("of",)}
"""The lists that tie, with the fields that are ends."""
BODY = "body"
"""The end that is the subject of the bulletin."""
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "observables": ("value",),
    "things": ("name", "kind"),
    "narratives": ("text",),
    "actors": ("name",),
    "targets": ("name", "country", "kind"),
    "ttps": ("name", "id"),
    "listed": ("names",),
    "evidence": ("title",),
    "references": ("id",),
}
"""The lists in which ends are, with the cells that say what a row is about."""


class End(NamedTuple):
    """A row that a tie may name: as a form says it, such as `observables/3`, its list, how many-th it is from 1, what it says."""

    value: str
    list: str
    n: int
    text: str


def offered(fields: Fields) -> Iterator[End]:
    """The rows of a form that a tie may name."""
    for name, table in _tables(fields).items():
        for n, (number, row) in enumerate(draft_rows.said(fields, table), 1):
            text = next(filter(None, (row[each] for each in _SHOWN[name])), "")
            yield End(f"{name}/{number}", table.name, n, text)


def of_entries(fields: Fields, table: Table, held: Any) -> tuple[Any, list[Any] | None]:
    """(the first ties of a list, whose ends are all rows of the form, the others); None for nothing.

    Args:
        fields: the form, with the rows of all other lists.
        table: the list.
        held: what the draft has there, anything.
    """
    if not isinstance(held, list):
        return held, None
    rows = {end.value for end in offered(fields)} | {BODY}
    for n, entry in enumerate(held):
        ends = [entry.get(each) for each in ENDS[table.name]] if isinstance(entry, dict) else []
        if any(isinstance(each, str) and each not in rows for each in ends):
            return held[:n], held[n:]
    return held, None


def counted(fields: Fields, table: Table, held: list[Any], faults: Faults) -> None:
    """Say the ends of the ties that rows say as the wire does.

    Args:
        fields: the form.
        table: their list.
        held: what it says, first that of its rows.
        faults: takes the ends that are no rows any more.
    """
    rows = {
        name: {str(number): str(n) for n, (number, _) in enumerate(draft_rows.said(fields, table))}
        for name, table in _tables(fields).items()
    }
    for (number, _), entry in zip(draft_rows.said(fields, table), held, strict=False):
        for cell in ENDS[table.name]:
            name, slash, row = str(entry.get(cell, "")).partition("/")
            if not slash or name not in rows:
                continue  # the rules say what is wrong with it
            if row in rows[name]:
                entry[cell] = f"{name}/{rows[name][row]}"
            else:
                faults.append(
                    (f"{table.name}.{number}.{cell}", "this row is not in the draft; choose another")
                )


def lists(fields: Fields) -> tuple[str, ...]:
    """The lists of a form whose rows a tie may name."""
    return tuple(table.name for table in _tables(fields).values())


def _tables(fields: Fields) -> dict[str, Table]:
    """These lists by what an end calls them; a kind has its own."""
    held = draft_rows.tables(fields)
    found = {name: held.get(name) or held.get(f"{FACTS}{name}") for name in _SHOWN}
    return {name: table for name, table in found.items() if table is not None}
