"""The lists of a draft as rows of its form, and back. Pure.

A field of a row is called `observables.3.value`: the list, the number of the row, the cell. A row says exactly one entry; the last cell
of each, `more`, has in TOML what the others have no cell for. An entry that no row can say stays in the text of the form, and all after it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bus import drafts, toml
from bus.console.pages.draft_cells import Faults, is_usual, texts_of, values_of
from bus.console.pages.draft_completing import observable
from bus.console.pages.draft_tables import MORE, TABLES, Table, tables_of
from bus.console.pages.draft_types import ordered

Fields = Mapping[str, str]
PASTE = "observables.paste"
"""A field for several values, one a line."""
TWICE = "{} stands in the form too; keep one of the two"
"""What is wrong where a field or a row says something, and the text, too."""
MOST_NUMBER = 9999
_NUMBER = re.compile(r"0|[1-9][0-9]{0,3}")


class At(NamedTuple):
    """A place in a list of the form: its list, the number of a row, the cell; number and cell are empty where it is the list or the row."""

    table: Table
    number: str = ""
    cell: str = ""


# -- what was sent --------------------------------------------------------------------------------------------------------


def tables(fields: Fields) -> Mapping[str, Table]:
    """The lists that this form has, by their names."""
    return tables_of(fields.get("kind", ""))


def at(held: Mapping[str, Table], field: str) -> At | None:
    """The place that a field has in one of these lists; None for none."""
    for table in held.values():
        if field == table.name:
            return At(table)
        if field.startswith(f"{table.name}."):
            number, _, cell = field[len(table.name) + 1 :].partition(".")
            return At(table, number, cell) if _NUMBER.fullmatch(number) else None
    return None


def names(fields: Fields) -> list[str]:
    """The fields of rows among those that were sent."""
    held = tables(fields)
    found = ((name, at(held, name)) for name in fields)
    return [name for name, place in found if place is not None and place.cell in place.table.blank]


def rows(fields: Fields, table: Table) -> list[tuple[int, dict[str, str]]]:
    """The rows of a list that a form has, each with its number, in their order; a cell that was not sent is empty."""
    found: dict[int, dict[str, str]] = {}
    only, blank = {table.name: table}, dict.fromkeys(table.blank, "")
    for name, value in fields.items():
        place = at(only, name)
        if place is not None and place.cell in blank:
            found.setdefault(int(place.number), dict(blank))[place.cell] = value
    return sorted(found.items())


def said(fields: Fields, table: Table) -> list[tuple[int, dict[str, str]]]:
    """The rows of a list that say something."""
    return [(n, row) for n, row in rows(fields, table) if _is_said(table, row)]


def _is_said(table: Table, row: Mapping[str, str]) -> bool:
    blank = table.blank
    return any(text.strip() not in ("", blank[cell]) for cell, text in row.items())


def written(table: Table, n: int, row: Mapping[str, str]) -> dict[str, str]:
    """A row as fields of a form."""
    return {f"{table.name}.{n}.{cell}": text for cell, text in row.items()}


def next_number(fields: Fields, table: Table) -> int:
    """The number of a new row."""
    return max((n for n, _ in rows(fields, table)), default=-1) + 1


def added(fields: Fields, name: str) -> tuple[dict[str, str], str]:
    """(the form with one row more of a list, the field to go on with); the field is empty where there are as many as may be."""
    table = tables(fields)[name]
    n = next_number(fields, table)
    if len(rows(fields, table)) >= table.most or n > MOST_NUMBER:
        return dict(fields), ""
    return {**fields, **written(table, n, table.blank)}, f"{name}.{n}.{table.cells[0].name}"


def removed(fields: Fields, row: str) -> tuple[dict[str, str], str]:
    """(the form without a row, such as `observables.3`, the field to go on with); whole where a list has no such row."""
    place = at(tables(fields), row)
    if place is None or not place.number or place.cell:
        return dict(fields), ""
    left = {name: value for name, value in fields.items() if not name.startswith(f"{row}.")}
    return left, f"{place.table.name}.add"


def spread(fields: Fields) -> tuple[dict[str, str], str]:
    """(the form with a row for each value that was pasted, the first field of them); what has no room stays where it was pasted.

    The type of each is seen from its spelling, as adapters see it; where it is not, its row waits for a choice.
    """
    table = TABLES["observables"]
    lines = [line.strip() for line in fields.get(PASTE, "").split("\n")]
    lines = [line for line in lines if line]
    n = next_number(fields, table)
    room = max(0, min(table.most - len(rows(fields, table)), MOST_NUMBER + 1 - n))
    found = dict(fields)
    for number, line in enumerate(lines[:room], n):
        row = {**table.blank, "value": line}
        entry: dict[str, Any] = {"value": line}
        observable(entry, "", [])
        row |= _row(table, entry)
        found |= written(table, number, row)
    found[PASTE] = "\n".join(lines[room:])
    return found, f"observables.{n}.value" if lines[:room] else ""


# -- rows and entries -----------------------------------------------------------------------------------------------------


def entries(fields: Fields, table: Table, faults: Faults) -> list[dict[str, Any]]:
    """What the rows of a list say in a draft."""
    found = said(fields, table)
    if len(found) > table.most:
        faults.append(
            (table.name, f"a form has at most {table.most} rows of these; write the others below, in TOML")
        )
    return [_entry(table, row, f"{table.name}.{n}", faults) for n, row in found]


def of_entries(table: Table, held: Any) -> tuple[dict[str, str], Any]:
    """(the fields of rows for what a draft has in a list, what no row can say; None for nothing).

    Args:
        table: the list.
        held: what the draft has there, anything.
    """
    if table.is_one:
        row = _exact(table, held)
        return ({}, held) if row is None else (written(table, 0, row), None)
    if not isinstance(held, list):
        return {}, held
    found: dict[str, str] = {}
    for n, entry in enumerate(held):
        row = _exact(table, entry) if n < table.most else None
        if row is None:
            return found, held[n:]
        found |= written(table, n, row)
    return found, None


def _exact(table: Table, entry: Any) -> dict[str, str] | None:
    """The row that says exactly this entry; None where none does."""
    if not isinstance(entry, dict):
        return None
    cells = {cell.name: cell for cell in table.cells}
    held = {
        name: value
        for name, value in entry.items()
        if value is not None and not (name in cells and is_usual(cells[name], value))
    }
    row, faults = _row(table, held), Faults()
    is_exact = "\r" not in row[MORE] and _is_said(table, row) and _entry(table, row, "", faults) == held
    return row if is_exact and not faults else None


def _row(table: Table, entry: Mapping[str, Any]) -> dict[str, str]:
    texts, rest = texts_of(table.cells, entry)
    return texts | {MORE: drafts.table_text(rest)}


def _entry(table: Table, row: Mapping[str, str], name: str, faults: Faults) -> dict[str, Any]:
    found = values_of(table.cells, row, f"{name}.", faults)
    rest = in_toml(row[MORE], f"{name}.{MORE}", faults)
    if rest is None:
        return found
    twice = sorted(rest.keys() & table.own)
    faults.extend(
        (f"{name}.{MORE}", f"{each} has a field of its own in this row; write it there") for each in twice
    )
    found |= {each: value for each, value in rest.items() if each not in twice}
    table.finished(found, name, faults)
    return ordered(table.type_, found)


def in_toml(text: str, field: str, faults: Faults) -> dict[str, Any] | None:
    """What a text of the form says; None where it cannot be read.

    Args:
        text: in TOML.
        field: what its field is called.
        faults: takes why it cannot be read.
    """
    try:
        return toml.loads(text.encode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeEncodeError) as exc:
        faults.append((field, f"this text cannot be read: {exc}"))
        return None


def beside(fields: Fields, table: Table, rest: dict[str, Any], text: str, faults: Faults) -> Any:
    """What a draft has in a list: what its rows say, and after it what a text of the form has, which is taken out of it; None for nothing.

    Args:
        fields: the form.
        table: the list.
        rest: what the text says.
        text: the field of it.
        faults: takes what cannot be read.
    """
    found, name = entries(fields, table, faults), table.wire
    if not found:
        return rest.pop(name, None)
    if table.is_one:
        if name in rest:
            faults.append((text, TWICE.format(name)))
        return found[0]
    more = rest.pop(name, [])
    if not isinstance(more, list):
        faults.append((text, f"{name} is a list of tables; write [[{name}]] above each"))
        return found
    return [*found, *more]


# -- findings -------------------------------------------------------------------------------------------------------------


def field_of(table: Table, path: Sequence[str]) -> str:
    """The field of a row that a path of a draft leads to, as `observables.3.value`: the list itself, or a row, where it leads no further.

    The number is that of the entry; `typed_at` gives that of its row.

    Args:
        table: the list.
        path: below it, as ("3", "value").
    """
    if table.is_one:
        path = ("0", *path)
    if not path or not path[0].isdecimal():  # where no list stands, there are no rows
        return table.name
    cells = {cell.name for cell in table.cells}
    named = next((each for each in (".".join(path[1:3]), *path[1:2]) if each in cells), MORE)
    return ".".join((table.name, str(int(path[0]) - table.skipped), *([named] if path[1:] else ())))


def typed_at(fields: Fields, field: str, text: str = MORE) -> str:
    """The field of a form that a finding about a draft stands beside: that of the row that says the entry, or of the text.

    Args:
        fields: the form that says the draft.
        field: as `field_of` gives it, or any other.
        text: the field of the text.
    """
    place = at(tables(fields), field)
    if place is None or not place.number:
        return field
    numbers = [n for n, _ in said(fields, place.table)]
    if int(place.number) >= len(numbers):
        return place.table.name if place.table.is_one else text
    return ".".join(filter(None, (place.table.name, str(numbers[int(place.number)]), place.cell)))


def on_page(fields: Fields, field: str) -> str:
    """The place of a field on a page with these fields: what has been pasted has no rows there yet."""
    place = at(tables(fields), field)
    if place is None or not place.number or place.table.name != "observables":
        return field
    row = f"{place.table.name}.{place.number}."
    return field if any(each.startswith(row) for each in fields) else PASTE


def is_beside(field: str, place: str) -> bool:
    """Whether what is said about a field stands at a place of the form; a place that ends with a dot has all cells of a row."""
    return f"{field}.".startswith(place) if place.endswith(".") else field == place


def differing(before: Fields, after: Fields) -> Iterator[str]:
    """The fields of rows that two forms have, in their order."""
    for table in tables(after).values():
        for n in sorted({n for each in (before, after) for n, _ in rows(each, table)}):
            yield from written(table, n, table.blank)
