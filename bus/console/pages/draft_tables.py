"""Which lists of a draft have rows in its form, with which cells, and how a typed entry is completed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from bus import drafts
from bus.console.pages.draft_cells import Cell, Faults
from bus.console.pages.draft_types import cells_of_row, lists_in
from schemas.bodies import KINDS
from schemas.observables import classify, personal_flag, refanged
from schemas.open_vocab import OPEN
from schemas.parts import Action, Evidence, Handling, Info, Observable, PersonalData, Ref, Ttp
from schemas.vocab import PERSONAL_RANK, PersonalFlag, RefRel

MORE = "more"
"""The cell for the rest of an entry."""
FACTS = "facts."
"""Fields of the form for what a kind of bulletin has of its own begin with this."""
_MOST_ROWS = 60
"""Of a list in the facts of a kind; where the wire has more, they stand in the text."""
USUAL_BASIS = "celex:32016R0679#6.1.e"
"""Public authorities act in the public interest (GDPR article 6(1)(e))."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADDRESS = re.compile(rf"(?:https?://[^/\s]*)?/[bi]/({_UUID.pattern})(?:[?#]\S*)?")
_OF_VERSIONS = (RefRel.SUPERSEDES, RefRel.CANCELS, RefRel.ACKNOWLEDGES, RefRel.REJECTS)
"""Set by what a draft does, never chosen."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A list of a draft as rows.

    Attributes:
        name: as on the wire; of a list in the facts of a kind, with `facts.` before it.
        type_: of an entry.
        most: rows of a form; where the wire has more, they stand in the text.
        cells: of a row.
        finished: completes an entry that was typed: (entry, what a row is called, faults).
        is_one: whether a draft has one entry and no list.
        skipped: so many entries have fields of their own in the form.
        is_needed: whether the wire wants an entry.
    """

    name: str
    type_: type[msgspec.Struct]
    most: int
    cells: tuple[Cell, ...]
    finished: Callable[[dict[str, Any], str, Faults], None] = lambda _, __, ___: None
    is_one: bool = False
    skipped: int = 0
    is_needed: bool = False

    @property
    def blank(self) -> dict[str, str]:
        """A new row."""
        return {cell.name: cell.first for cell in self.cells} | {MORE: ""}

    @property
    def wire(self) -> str:
        """Its name on the wire."""
        return self.name.removeprefix(FACTS)

    @property
    def own(self) -> frozenset[str]:
        """The fields of an entry that have cells."""
        return frozenset(cell.name.partition(".")[0] for cell in self.cells)

    @property
    def others(self) -> tuple[str, ...]:
        """The fields of an entry that have no cell."""
        return tuple(each for each in self.type_.__struct_fields__ if each not in self.own)


def _open(name: str, vocabulary: str, **of: Any) -> Cell:
    return Cell(
        name=name, shape="choice", words=tuple(sorted(OPEN[vocabulary].values)), vocabulary=vocabulary, **of
    )


def completed(entry: dict[str, Any], row: str, faults: Faults) -> None:
    """Undo what kept a value from being opened; see its type and whom it may name where nobody has chosen them."""
    value, type_ = entry.get("value"), entry.get("type")
    if value is None:
        return
    if type_ is None:
        seen = classify(value)
        if seen is None:
            faults.append((f"{row}.type", "nothing shows what this value is; choose its type"))
            return
        entry |= {"type": seen.type, "value": seen.value}
        if seen.platform is not None:
            entry.setdefault("platform", seen.platform)
    else:
        entry["value"] = refanged(type_, value)
    entry.setdefault("personal", str(personal_flag(entry["type"], entry["value"])))


def strictest(observables: object) -> str:
    """The flag of personal data that a draft with these observables, or with anything there, has to declare; empty for none."""
    held = observables if isinstance(observables, list) else []
    said = [each.get("personal") for each in held if isinstance(each, dict)]
    flags = [PersonalFlag(each) for each in said if each in tuple(PersonalFlag)]
    worst = max(flags, key=PERSONAL_RANK.__getitem__, default=PersonalFlag.NONE)
    return "" if worst is PersonalFlag.NONE else str(worst)


def _reference(entry: dict[str, Any], row: str, faults: Faults) -> None:
    """Take the id out of the address of a page."""
    del row, faults
    if found := _ADDRESS.fullmatch(entry.get("id", "")):
        entry["id"] = found[1]


_KIND = Cell(
    name="kind", shape="choice", words=tuple(sorted(OPEN["action-kind"].values)), vocabulary="action-kind"
)
TABLES: Mapping[str, Table] = {
    each.name: each
    for each in (
        Table(
            name="info",
            type_=Info,
            most=25,
            skipped=1,
            cells=(
                Cell(name="lang", most=35),
                Cell(name="headline"),
                Cell(name="summary", shape="lines", most=2000),
                Cell(name="instruction", shape="lines", most=1000),
                Cell(name="public_line", shape="lines", most=600),
            ),
        ),
        Table(
            name="observables",
            type_=Observable,
            most=100,
            cells=(
                Cell(name="value", most=2048),
                _open("type", "observable-type"),
                _open("role", "observable-role", first="infrastructure", is_usual=True),
                Cell(
                    name="personal",
                    shape="choice",
                    is_rare=True,
                    words=tuple(map(str, PersonalFlag)),
                    vocabulary="personal-flag",
                ),
                Cell(name="actionable", shape="tick", is_rare=True),
                Cell(name="note", most=500, is_rare=True),
            ),
            finished=completed,
        ),
        Table(
            name="actions",
            type_=Action,
            most=30,
            cells=(
                Cell(name="text", shape="lines", most=500),
                _KIND,
                Cell(
                    name="to",
                    shape="words",
                    most=1000,
                    words=tuple(sorted(OPEN["authority-kind"].values)),
                    vocabulary="authority-kind",
                ),
                Cell(name="due", most=40),
            ),
        ),
        Table(
            name="references",
            type_=Ref,
            most=50,
            cells=(
                Cell(name="id", most=400),
                Cell(
                    name="rel",
                    shape="choice",
                    words=tuple(str(each) for each in RefRel if each not in _OF_VERSIONS),
                    vocabulary="ref-rel",
                ),
                Cell(name="issuer", most=80),
            ),
            finished=_reference,
        ),
        Table(
            name="personal_data",
            type_=PersonalData,
            most=1,
            is_one=True,
            cells=(
                Cell(name="purpose"),
                Cell(name="lawful_basis", most=80, first=USUAL_BASIS),
                Cell(name="retention_until", most=10),
                Cell(
                    name="flag",
                    shape="choice",
                    words=tuple(str(each) for each in PersonalFlag if each is not PersonalFlag.NONE),
                    vocabulary="personal-flag",
                ),
            ),
        ),
        Table(name="ttps", type_=Ttp, most=60, cells=cells_of_row(Ttp)),
        Table(name="evidence", type_=Evidence, most=50, cells=cells_of_row(Evidence)),
        Table(name="handling", type_=Handling, most=1, cells=cells_of_row(Handling, 99), is_one=True),
    )
}
"""Each list that any draft has rows for, by its name on the wire."""


def tables_of(kind: str) -> Mapping[str, Table]:
    """Each list that the form of a kind has rows for, by its name: those of any draft, and those of the facts of this kind."""
    return _tables(kind) if kind in drafts.DRAFTED else TABLES


@cache
def _tables(kind: str) -> Mapping[str, Table]:
    own = (
        Table(
            name=f"{FACTS}{each.name}",
            type_=each.type_,
            most=min(each.most, _MOST_ROWS),
            cells=cells_of_row(each.type_),
            is_needed=each.is_needed,
        )
        for each in lists_in(KINDS[kind])
    )
    return {**TABLES, **{each.name: each for each in own}}
