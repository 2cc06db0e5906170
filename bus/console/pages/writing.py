"""A draft that somebody writes: its form, what the hub says of it, who has a hand in it. The same struct is shown and sent as JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from bus import drafts, sheets
from bus.console.asked import Asked
from bus.console.page import Content
from bus.console.pages import draft_ends, draft_facts, draft_form, draft_rows, elections
from bus.console.pages.draft_cells import Cell
from bus.console.pages.draft_ends import End
from bus.console.pages.draft_facts import Facts
from bus.console.pages.draft_form import Problem
from bus.console.pages.draft_tables import MORE, Table
from bus.console.pages.foreseen import NOTHING, Said, Shown, narrowest_of
from bus.console.pages.hands import AtDesk, Hands
from bus.console.texts import stamp
from bus.hub.acting import Held
from bus.policy import narrowest
from schemas.elections import phase_at
from schemas.parts import ElectionRef
from schemas.vocab import Tlp


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A marking and an audience that may be chosen; `is_open` is false for one that no grant opens."""

    value: str
    tlp: str
    audience: str
    members: int
    is_open: bool = True


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the fields of a form offer.

    Attributes:
        ways: markings and audiences, the widest first.
        elections: (id, name) of those that are known.
        kind: what the kind of the draft is called.
        example: a time as fields take it, that of tomorrow.
        clocks: those of the registry, each with what it asks for.
    """

    ways: tuple[Way, ...]
    elections: tuple[tuple[str, str], ...]
    kind: str
    example: str
    clocks: dict[str, str]


class Theirs(msgspec.Struct, frozen=True, kw_only=True):
    """A field in which two who wrote at the same time differ."""

    field: str
    saved: str
    mine: str


class Row(NamedTuple):
    """A row of a list: how its fields begin, and what they have, by cell."""

    name: str
    cells: Mapping[str, str]


class Writing(Content, frozen=True, kw_only=True):
    """The page.

    Attributes:
        n: the draft's number; 0 before it is saved for the first time.
        version: the version that the form changes; 0 before.
        fields: the form as it was typed.
        options: what its fields offer.
        problems: what of it cannot be read.
        said: what the hub says of it.
        what: what is made: `draft`, `update` or `cancel`.
        saved_by: who saved this version; empty before it is saved.
        hands: who has a hand in it; None before it is saved.
        theirs: where somebody has saved since: what differs, and the version that was saved.
        their_version: that version; 0 where nobody has.
        problem: a sentence over the form: what was not done.
        state: how far its bulletin has come; empty where it has become none.
        hubs: which hubs have it.
        digest: of the saved bytes.
        raw: the saved bytes as text.
        focus: the field to go on with; empty for none.
    """

    n: int = 0
    version: int = 0
    fields: dict[str, str]
    options: Options
    problems: tuple[Problem, ...] = ()
    said: Said = NOTHING
    what: str = "draft"
    saved_by: str = ""
    hands: Hands | None = None
    theirs: tuple[Theirs, ...] = ()
    their_version: int = 0
    problem: str = ""
    state: str = ""
    hubs: tuple[Held, ...] | None = None
    digest: str = ""
    raw: str = ""
    focus: str = ""

    def wrong(self, place: str) -> tuple[str, ...]:
        """What cannot be read at a place of the form (`draft_rows.is_beside`)."""
        return tuple(each.text for each in self.problems if draft_rows.is_beside(each.field, place))

    @property
    def facts(self) -> Facts:
        """What the form has for the facts of the kind."""
        return draft_facts.facts_of(self.fields["kind"])

    @property
    def more(self) -> bool:
        """Whether the text in TOML says anything."""
        return any(line.strip() and not line.startswith("#") for line in self.fields["more"].split("\n"))

    @property
    def end_lists(self) -> tuple[str, ...]:
        """The lists whose rows a tie may name."""
        return draft_ends.lists(self.fields)

    @property
    def ends(self) -> tuple[End, ...]:
        """The rows that a tie may name."""
        return tuple(draft_ends.offered(self.fields))

    def cell(self, name: str) -> Cell:
        """A field that is in no list and no fact."""
        return draft_form.CELLS[name]

    def table(self, name: str) -> Table:
        """A list of the form; the clocks of its deadlines are those of the registry."""
        table = draft_rows.tables(self.fields)[name]
        if name != "deadlines":
            return table
        clock, *others = table.cells
        clock = msgspec.structs.replace(clock, words=tuple(self.options.clocks))
        return msgspec.structs.replace(table, cells=(clock, *others))

    def rows(self, table: Table) -> tuple[Row, ...]:
        """The rows of a list, in their order."""
        return tuple(Row(f"{table.name}.{n}.", cells) for n, cells in draft_rows.rows(self.fields, table))

    def blank(self, table: Table) -> Row:
        """A new row of a list; its number is left open, for a script."""
        return Row(f"{table.name}.{{n}}.", table.blank)


def known_elections(asked: Asked) -> dict[str, ElectionRef]:
    """The elections that the reader may read of, each with the phase of now."""
    found = {}
    for each in asked.calendars:
        ref = each.row.bulletin.election
        if ref is not None:
            found[ref.id] = msgspec.structs.replace(ref, phase=phase_at(each.body, asked.now))
    return found


def options_of(asked: Asked, fields: Mapping[str, str]) -> Options:
    """What a form offers to its reader, by the grants of this authority and the reader's own limits."""
    kind, chosen = fields["kind"], fields["to"]
    ways = [
        Way(value=draft_form.way(tlp, audience), tlp=tlp, audience=audience, members=members)
        for tlp, audience, members in open_ways(asked, kind)
    ]
    if chosen and chosen not in {each.value for each in ways}:
        tlp, _, audience = chosen.partition("/")
        if tlp in tuple(Tlp):
            ways.append(Way(value=chosen, tlp=tlp, audience=audience, members=0, is_open=False))
    names = {each.election: elections.name_of(asked, each) for each in asked.calendars}
    return Options(
        ways=tuple(ways),
        elections=tuple(sorted(names.items())),
        kind=kind_name(asked, kind),
        example=stamp(asked.now.replace(minute=0, second=0) + dt.timedelta(days=1)),
        clocks={each: sheets.clock_in_words(asked.words, each) for each in asked.registry.document.clocks},
    )


def open_ways(asked: Asked, kind: str) -> list[tuple[str, str, int]]:
    """(marking, audience, members) of each way that is open to a kind and to the reader."""
    found = drafts.audiences_of(asked.registry, asked.hub)
    return [each for each in _openings(found, kind) if asked.viewer.clearance.sees(Tlp(each[0]), each[1])]


def _openings(ways: Sequence[drafts.Opening], kind: str) -> Iterator[tuple[str, str, int]]:
    """(marking, audience, members) of each way that is open to a kind; the widest first."""
    order = tuple(reversed(tuple(map(str, Tlp))))
    found = [(tlp, each.audience, each.members) for each in ways if kind in each.kinds for tlp in each.tlps]
    yield from sorted(found, key=lambda each: (order.index(each[0]), -each[2], each[1]))


def kind_name(asked: Asked, kind: str) -> str:
    """What a kind is called."""
    words = asked.words.word("kind", kind) if kind in drafts.DRAFTED else kind
    return f"{words[:1].upper()}{words[1:]}"


def written(options: Options, fields: dict[str, str], **of: Any) -> Writing:
    """The page of a form."""
    tlp = fields["to"].partition("/")[0]
    said = of.get("said", NOTHING)
    marking = narrowest((*narrowest_of(said, tlp if tlp in tuple(Tlp) else ""),)) or Tlp.GREEN
    return Writing(
        marking=str(marking),
        is_exercise=fields["status"] == "exercise",
        fields=fields,
        options=options,
        what=fields["msg_type"] if fields["msg_type"] in ("update", "cancel") else "draft",
        **of,
    )


def with_said(page: Writing, said: Said) -> Writing:
    """The page with what the hub says beside its fields and rows, marked as narrowly as what it is compared with."""
    said = msgspec.structs.replace(said, findings=tuple(_placed(page.fields, each) for each in said.findings))
    marking = narrowest((Tlp(page.marking), *narrowest_of(said, ""))) or Tlp.GREEN
    return msgspec.structs.replace(page, said=said, marking=str(marking))


def _placed(fields: Mapping[str, str], found: Shown) -> Shown:
    """A finding beside its field; of what is missing and has a field, how it is written in a file is left out."""
    field, text = draft_form.typed_at(fields, found.field), found.text
    if field.rpartition(".")[2] not in (MORE, draft_facts.TEXT) and " is missing: " in text:
        text = text.partition(":")[0]
    return msgspec.structs.replace(found, field=field, text=text)


def of_desk(asked: Asked, kept: AtDesk) -> Writing:
    """The page of a saved draft."""
    fields = draft_form.of_draft(kept.draft.text, kept.draft.title, known_elections(asked))
    page = written(
        options_of(asked, fields),
        fields,
        n=kept.draft.n,
        version=kept.draft.version,
        saved_by=kept.saved_by,
        hands=kept.hands,
        digest=kept.draft.digest,
        raw=kept.draft.text.decode("utf-8", "replace"),
    )
    marking = narrowest((Tlp(page.marking), kept.tlp)) or kept.tlp
    return msgspec.structs.replace(page, marking=str(marking))
