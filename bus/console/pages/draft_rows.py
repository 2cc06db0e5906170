"""The lists of a draft as rows of its form, and back. Pure.

A field of a row is called `observables.3.value`: the list, the number of the row, the cell. A row says exactly one entry; the last cell
of each, `more`, has in TOML what the others have no cell for. An entry that no row can say stays in the text of the form, and all after it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bus import drafts, toml
from bus.console.pages.draft_tables import MORE, TABLES, Faults, Table, completed
from schemas.vocab import PERSONAL_RANK, PersonalFlag

Fields = Mapping[str, str]
PASTE = "observables.paste"
"""A field for several values, one a line."""
MOST_NUMBER = 9999
_FIELD = re.compile(
    "|".join(rf"{each.name}\.(?:0|[1-9][0-9]{{0,3}})\.(?:{'|'.join(each.blank)})" for each in TABLES.values())
)


# -- what was sent --------------------------------------------------------------------------------------------------------


def is_field(name: str) -> bool:
    """Whether a form may have a field of a row with this name."""
    return _FIELD.fullmatch(name) is not None


def rows(fields: Fields, table: Table) -> list[tuple[int, dict[str, str]]]:
    """The rows of a list that a form has, each with its number, in their order; a cell that was not sent is empty."""
    found: dict[int, dict[str, str]] = {}
    for name, value in fields.items():
        if name.startswith(f"{table.name}.") and is_field(name):
            _, number, cell = name.split(".")
            found.setdefault(int(number), dict.fromkeys(table.blank, ""))[cell] = value
    return sorted(found.items())


def said(fields: Fields, table: Table) -> list[tuple[int, dict[str, str]]]:
    """The rows of a list that say something."""
    return [(n, row) for n, row in rows(fields, table) if _is_said(table, row)]


def _is_said(table: Table, row: Mapping[str, str]) -> bool:
    return any(text.strip() not in ("", table.blank[cell]) for cell, text in row.items())


def written(table: Table, n: int, row: Mapping[str, str]) -> dict[str, str]:
    """A row as fields of a form."""
    return {f"{table.name}.{n}.{cell}": text for cell, text in row.items()}


def next_number(fields: Fields, table: Table) -> int:
    """The number of a new row."""
    return max((n for n, _ in rows(fields, table)), default=-1) + 1


def added(fields: Fields, name: str) -> tuple[dict[str, str], str]:
    """(the form with one row more of a list, the field to go on with); the field is empty where there are as many as may be."""
    table = TABLES[name]
    n = next_number(fields, table)
    if len(rows(fields, table)) >= table.most or n > MOST_NUMBER:
        return dict(fields), ""
    return {**fields, **written(table, n, table.blank)}, f"{name}.{n}.{table.cells[0].name}"


def removed(fields: Fields, row: str) -> dict[str, str]:
    """The form without a row, such as `observables.3`; whole where a list has no such row."""
    if not is_field(f"{row}.{MORE}"):
        return dict(fields)
    return {name: value for name, value in fields.items() if not name.startswith(f"{row}.")}


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
        completed(entry, "", [])
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
    held = {
        name: value
        for name, value in entry.items()
        if value is not None and (name, value) not in _usual(table)
    }
    row, faults = _row(table, held), Faults()
    # A field of one line drops the ends of lines, and any field has them as in drafts.
    is_kept = all(
        "\r" not in row[cell.name] and (cell.shape == "lines" or "\n" not in row[cell.name])
        for cell in table.cells
    )
    is_exact = is_kept and _is_said(table, row) and _entry(table, row, "", faults) == held and not faults
    return row if is_exact else None


def _usual(table: Table) -> list[tuple[str, Any]]:
    """What a row leaves out of a draft."""
    return [
        *((cell.name, cell.first) for cell in table.cells if cell.is_usual),
        *((cell.name, False) for cell in table.cells if cell.shape == "tick"),
    ]


def _row(table: Table, entry: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for cell in table.cells:
        value = entry.get(cell.name)
        if cell.shape == "words" and isinstance(value, list):
            found[cell.name] = ", ".join(map(str, value))
        elif cell.shape == "tick":
            found[cell.name] = "1" if value is True else ""
        else:
            found[cell.name] = (cell.first if cell.is_usual else "") if value is None else str(value)
    rest = {name: value for name, value in entry.items() if name not in found}
    return found | {MORE: drafts.table_text(rest)}


def _entry(table: Table, row: Mapping[str, str], name: str, faults: Faults) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for cell in table.cells:
        text = row[cell.name].strip()
        if not text or (cell.is_usual and text == cell.first):
            continue
        if cell.shape == "words":
            found[cell.name] = text.replace(",", " ").split()
        else:
            found[cell.name] = True if cell.shape == "tick" else text
    try:
        rest = toml.loads(row[MORE].encode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeEncodeError) as exc:
        faults.append((f"{name}.{MORE}", f"this text cannot be read: {exc}"))
        return found
    twice = sorted(rest.keys() & table.blank.keys())
    faults.extend(
        (f"{name}.{MORE}", f"{each} has a field of its own in this row; write it there") for each in twice
    )
    found |= {each: value for each, value in rest.items() if each not in twice}
    table.finished(found, name, faults)
    return ordered(table, found)


def ordered(table: Table, entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with its fields in the order of the cells, so that a form that says the same becomes the same bytes."""
    return {cell.name: entry[cell.name] for cell in table.cells if cell.name in entry} | dict(entry)


def strictest(observables: object) -> str:
    """The flag of personal data that a draft with these observables, or with anything there, has to declare; empty for none."""
    held = observables if isinstance(observables, list) else []
    said = [each.get("personal") for each in held if isinstance(each, dict)]
    flags = [PersonalFlag(each) for each in said if each in tuple(PersonalFlag)]
    worst = max(flags, key=PERSONAL_RANK.__getitem__, default=PersonalFlag.NONE)
    return "" if worst is PersonalFlag.NONE else str(worst)


# -- findings -------------------------------------------------------------------------------------------------------------


def field_of(path: Sequence[str]) -> str:
    """The field of a row that a path of a draft leads to, as `observables.3.value`: the list itself, or a row, where it leads no further.

    The number is that of the entry; `typed_at` gives that of its row.
    """
    table = TABLES[path[0]]
    if table.is_one:
        path = (path[0], "0", *path[1:])
    if len(path) < 2:
        return table.name
    cells = [cell.name for cell in table.cells]
    cell = [path[2] if path[2] in cells else MORE] if len(path) > 2 else []
    return ".".join((table.name, str(int(path[1]) - table.skipped), *cell))


def typed_at(fields: Fields, field: str) -> str:
    """The field of a form that a finding about a draft stands beside: that of the row that says the entry, or of the text.

    Args:
        fields: the form that says the draft.
        field: as `field_of` gives it, or any other.
    """
    name, _, rest = field.partition(".")
    table = TABLES.get(name)
    if table is None or not rest:
        return field
    number, _, cell = rest.partition(".")
    numbers = [n for n, _ in said(fields, table)]
    if int(number) >= len(numbers):
        return name if table.is_one else MORE
    return ".".join(filter(None, (name, str(numbers[int(number)]), cell)))


def on_page(fields: Fields, field: str) -> str:
    """The place of a field on a page with these fields: what has been pasted has no rows there yet."""
    name, _, rest = field.partition(".")
    has_row = (
        name not in TABLES
        or not rest
        or any(each.startswith(f"{name}.{rest.partition('.')[0]}.") for each in fields)
    )
    return field if has_row else PASTE


def is_beside(field: str, place: str) -> bool:
    """Whether what is said about a field stands at a place of the form; a place that ends with a dot has all cells of a row."""
    return f"{field}.".startswith(place) if place.endswith(".") else field == place


def differing(before: Fields, after: Fields) -> Iterator[str]:
    """The fields of rows that two forms have, in their order."""
    for table in TABLES.values():
        for n in sorted({n for each in (before, after) for n, _ in rows(each, table)}):
            yield from written(table, n, table.blank)
