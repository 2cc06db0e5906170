"""The facts of a kind as fields of the form, and back: a field for each value, rows for lists, a text in TOML for what neither says. Pure.

A field is called `facts.detected`. A value that no field says exactly stands in the text, `facts`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from bus import drafts
from bus.console.pages import draft_rows
from bus.console.pages.draft_cells import Cell, Faults, texts_of, values_of
from bus.console.pages.draft_tables import FACTS, Table, tables_of
from bus.console.pages.draft_types import cells_of, ordered
from schemas.bodies import KINDS

TEXT = "facts"
"""The field of the text."""
Fields = Mapping[str, str]
_COMMON: Mapping[str, str] = {
    "content-order": "information_requested effect",
    "cyber-incident": "assets impact users_affected countries description mitigation",
    "cyber-threat": "malware exploited description detection",
    "data-breach": "subjects_approx cause consequences measures",
    "election-incident": "process_effect units_affected voters_affected until description correct_information",
    "enforcement": "decided fine finding comply_by",
    "fimi": "name channels languages reach synthetic origin",
    "legal-referral": "opened case_ref amount summary",
    "platform-measure": "visibility account territorial_scope facts",
    "political-ad": "sponsor payer sponsor_country funds_origin finding",
    "sanctions-listing": "conducts publication_url",
    "vulnerability": "cvss exploited status remediation patch_at advisory",
}
"""Of a kind with many facts, those that its authors know first; the others are folded away."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the form of a kind has for its facts.

    Attributes:
        cells: a field for each value, in the order of the wire.
        tables: its lists.
        type_: of the facts.
    """

    cells: tuple[Cell, ...] = ()
    tables: tuple[Table, ...] = ()
    type_: type[msgspec.Struct] = msgspec.Struct

    @property
    def blank(self) -> dict[str, str]:
        """The fields of a new form."""
        return {f"{FACTS}{cell.name}": cell.first for cell in self.cells}

    def texts(self, fields: Fields) -> dict[str, str]:
        """What the fields of a form have, by the names of their values on the wire."""
        return {cell.name: fields.get(f"{FACTS}{cell.name}", "") for cell in self.cells}

    @property
    def own(self) -> frozenset[str]:
        """The facts for which the form has fields or rows."""
        return frozenset(cell.name.partition(".")[0] for cell in self.cells) | {
            each.wire for each in self.tables
        }


def facts_of(kind: str) -> Facts:
    """What the form of a kind has for its facts; nothing for a kind that no person drafts."""
    return _facts(kind) if kind in drafts.DRAFTED else Facts()


@cache
def _facts(kind: str) -> Facts:
    type_ = KINDS[kind]
    common = _COMMON[kind].split() if kind in _COMMON else drafts.field_names(type_)
    tables = (each for name, each in tables_of(kind).items() if name.startswith(FACTS))
    return Facts(cells=cells_of(type_, common), tables=tuple(tables), type_=type_)


def of_body(kind: str, body: Mapping[str, Any]) -> dict[str, str]:
    """The facts of a draft as fields of its form.

    Args:
        kind: of the draft; of one that no person drafts all stands in the text.
        body: the facts without their kind.
    """
    if kind not in drafts.DRAFTED:
        return {TEXT: drafts.table_text(body)}
    facts = facts_of(kind)
    texts, rest = texts_of(facts.cells, {name: value for name, value in body.items() if value is not None})
    found = {f"{FACTS}{name}": text for name, text in texts.items()}
    for table in facts.tables:
        if (held := rest.pop(table.wire, None)) is not None:
            rows, unsaid = draft_rows.of_entries(table, held)
            found |= rows
            if unsaid is not None or not rows:
                rest[table.wire] = unsaid if rows else held
    return found | {TEXT: drafts.rest_text(facts.type_, facts.own, rest)}


def read(fields: Fields, faults: Faults) -> dict[str, Any]:
    """The facts that a form says, with their kind.

    Args:
        fields: the form.
        faults: takes what cannot be read.
    """
    kind, rest = fields["kind"], draft_rows.in_toml(fields[TEXT], TEXT, faults) or {}
    if "kind" in rest:
        faults.append((TEXT, "the kind of a draft cannot be changed; begin another draft"))
    facts = facts_of(kind)
    found = values_of(facts.cells, facts.texts(fields), FACTS, faults)
    faults.extend(
        (TEXT, f"{name} has a field of its own in the form, which says something else; keep one of the two")
        for name in sorted(found.keys() & rest.keys())
    )
    for table in facts.tables:
        entries = draft_rows.beside(fields, table, rest, TEXT, faults)
        if entries is not None:
            found[table.wire] = entries
    return {"kind": kind, **ordered(facts.type_, {**found, **rest})}


def typed_at(fields: Fields, field: str) -> str:
    """The field of a form that a finding about its facts stands beside.

    Args:
        fields: the form that says the draft.
        field: `facts.` and the path below the facts, as `facts.windows.3.phase`.
    """
    facts = facts_of(fields["kind"])
    path = field.removeprefix(FACTS).split(".")
    for table in facts.tables:
        if path[0] == table.wire:
            return draft_rows.typed_at(fields, draft_rows.field_of(table, path[1:]), TEXT)
    names = {cell.name for cell in facts.cells}
    name = next((each for each in (".".join(path[:2]), path[0]) if each in names), "")
    if not name or (not fields.get(f"{FACTS}{name}", "").strip() and _stands_in(fields[TEXT], path[0])):
        return TEXT
    return f"{FACTS}{name}"


def _stands_in(text: str, name: str) -> bool:
    """Whether a text has a line of this name; a line in a longer value counts, too, which moves a sentence and nothing else."""
    return re.search(rf"""^[ \t]*\[*[ \t]*["']?{re.escape(name)}\b""", text, re.MULTILINE) is not None
