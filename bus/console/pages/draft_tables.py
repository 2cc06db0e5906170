"""Which lists and parts of a draft have rows in its form, with which cells. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from bus import drafts
from bus.console.pages.draft_cells import Cell, Faults
from bus.console.pages.draft_completing import observable, reference
from bus.console.pages.draft_types import cells_of_row, lists_in
from schemas import parts
from schemas.bodies import KINDS
from schemas.links import Link, MediaCheck, Thing
from schemas.open_vocab import OPEN
from schemas.vocab import PersonalFlag, RefRel

MORE = "more"
"""The cell for the rest of an entry."""
FACTS = "facts."
"""Fields of the form for what a kind of bulletin has of its own begin with this."""
_MOST_ROWS = 60
"""Of a list in the facts of a kind; where the wire has more, they stand in the text."""
USUAL_BASIS = "celex:32016R0679#6.1.e"
"""Public authorities act in the public interest (GDPR article 6(1)(e))."""
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
        of: its name on the wire, where that is another.
        is_one: whether a draft has one entry and no list.
        skipped: so many entries have fields of their own in the form.
        is_needed: whether the wire wants an entry.
        apart: the fields of an entry that are lists of the form themselves.
    """

    name: str
    type_: type[msgspec.Struct]
    most: int
    cells: tuple[Cell, ...]
    finished: Callable[[dict[str, Any], str, Faults], None] = lambda _, __, ___: None
    of: str = ""
    is_one: bool = False
    skipped: int = 0
    is_needed: bool = False
    apart: tuple[str, ...] = ()

    @property
    def blank(self) -> dict[str, str]:
        """A new row."""
        return {cell.name: cell.first for cell in self.cells} | {MORE: ""}

    @property
    def wire(self) -> str:
        """Its name on the wire."""
        return self.of or self.name.removeprefix(FACTS)

    @property
    def own(self) -> frozenset[str]:
        """The fields of an entry that have cells."""
        return frozenset(cell.name.partition(".")[0] for cell in self.cells)

    @property
    def others(self) -> tuple[str, ...]:
        """The fields of an entry that have no cell and no rows."""
        names = drafts.field_names(self.type_)
        return tuple(each for each in names if each not in self.own and each not in self.apart)


def _open(name: str, vocabulary: str, **of: Any) -> Cell:
    return Cell(
        name=name, shape="choice", words=tuple(sorted(OPEN[vocabulary].values)), vocabulary=vocabulary, **of
    )


def _end(name: str) -> Cell:
    return Cell(name=name, shape="end", most=40, is_needed=True)


def _and_others(type_: type[msgspec.Struct], *cells: Cell) -> tuple[Cell, ...]:
    """These cells, and those of the other fields of an entry, folded away; nobody has to write these."""
    said = {each.name for each in cells}
    others = (each for each in cells_of_row(type_) if each.name not in said)
    return (*cells, *(msgspec.structs.replace(each, is_rare=True, is_needed=False) for each in others))


TABLES: Mapping[str, Table] = {
    each.name: each
    for each in (
        Table(
            name="info",
            type_=parts.Info,
            most=25,
            skipped=1,
            cells=_and_others(
                parts.Info,
                Cell(name="lang", most=35),
                Cell(name="headline"),
                Cell(name="summary", shape="lines", most=2000),
                Cell(name="instruction", shape="lines", most=1000),
                Cell(name="public_line", shape="lines", most=600),
            ),
        ),
        Table(
            name="observables",
            type_=parts.Observable,
            most=100,
            cells=_and_others(
                parts.Observable,
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
            finished=observable,
        ),
        Table(
            name="actions",
            type_=parts.Action,
            most=30,
            cells=_and_others(
                parts.Action,
                Cell(name="text", shape="lines", most=500),
                _open("kind", "action-kind"),
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
            type_=parts.Ref,
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
            finished=reference,
        ),
        Table(
            name="personal_data",
            type_=parts.PersonalData,
            most=1,
            is_one=True,
            cells=_and_others(
                parts.PersonalData,
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
        Table(name="ttps", type_=parts.Ttp, most=60, cells=cells_of_row(parts.Ttp)),
        Table(name="evidence", type_=parts.Evidence, most=50, cells=cells_of_row(parts.Evidence)),
        Table(
            name="handling", type_=parts.Handling, most=1, cells=cells_of_row(parts.Handling, 99), is_one=True
        ),
        Table(
            name="confidence",
            type_=parts.Confidence,
            most=1,
            is_one=True,
            cells=(
                Cell(name="source", shape="choice", words=tuple("ABCDEF"), vocabulary="source"),
                Cell(name="credibility", shape="grade", words=tuple("123456"), vocabulary="credibility"),
                _open("likelihood", "likelihood"),
                Cell(name="score", shape="number", most=20),
                Cell(name="basis", shape="lines", most=500),
            ),
        ),
        Table(
            name="attribution",
            type_=parts.Attribution,
            most=1,
            cells=cells_of_row(parts.Attribution),
            is_one=True,
            apart=("actors",),
        ),
        Table(name="actors", type_=parts.Actor, most=20, cells=cells_of_row(parts.Actor)),
        Table(name="targets", type_=parts.Target, most=50, cells=cells_of_row(parts.Target)),
        Table(name="legal", type_=parts.Legal, most=20, cells=cells_of_row(parts.Legal)),
        Table(
            name="deadlines",
            type_=parts.Deadline,
            most=10,
            cells=(
                Cell(name="clock", shape="choice", vocabulary="clock", is_needed=True),
                Cell(name="started", shape="time", most=40, is_needed=True),
                Cell(name="due", shape="time", most=40),
                Cell(name="met", shape="time", most=40),
            ),
        ),
        Table(name="rights", type_=parts.Rights, most=1, cells=cells_of_row(parts.Rights), is_one=True),
        Table(name="things", type_=Thing, most=40, cells=cells_of_row(Thing)),
        Table(
            name="co_issuers",
            type_=parts.Authority,
            most=20,
            cells=_and_others(parts.Authority, Cell(name="id", most=45, is_needed=True)),
        ),
        Table(name="places", of="areas", type_=parts.Area, most=30, cells=cells_of_row(parts.Area)),
        Table(
            name="ballot",
            of="election",
            type_=parts.ElectionRef,
            most=1,
            cells=cells_of_row(parts.ElectionRef),
            is_one=True,
        ),
        Table(
            name="links",
            type_=Link,
            most=30,
            cells=_and_others(Link, _end("from"), _open("rel", "link-type", is_needed=True), _end("to")),
        ),
        Table(
            name="media_checks",
            type_=MediaCheck,
            most=10,
            cells=_and_others(
                MediaCheck,
                _end("of"),
                _open("method", "media-check", is_needed=True),
                _open("verdict", "media-verdict", is_needed=True),
            ),
        ),
    )
}
"""Each list and part that any draft has rows for, by its name in the form; actors are those of the attribution, ties come after what they tie."""


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
