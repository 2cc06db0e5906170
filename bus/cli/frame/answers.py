"""What a command has found, as data: the frame prints it, for a person or a program, and ends with its exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from bus.cli.frame.app import App
    from bus.health import Report


class Drawing(Protocol):
    """Something that a person sees in more than one way: it looks at the terminal and prints itself."""

    def draw(self, app: App) -> None:
        """Print it, through the functions of the App alone."""
        ...


class Table(NamedTuple):
    """A table: aligned on a terminal, without its heading and separated by tabs in a pipe.

    Attributes:
        columns: their names.
        rows: a cell for each column; None is empty.
        less: columns that a narrow terminal does without, the least important first.
    """

    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    less: Sequence[str] = ()


class Answer:
    """What a command returns, or yields one after the other as it finds them.

    Attributes:
        values: what `--json` prints, each on a line of its own.
        lines: what a person reads, on standard output; with `raw` a text that stands as it is, in JSON too where no value does.
        table: comes after the lines.
        notes: for a person, on standard error; not beside JSON.
        remarks: the same, beside JSON too.
        head: as of when the answer is and how it is to be taken, before all else.
        is_document: a person gets the values too, as JSON: other programs read it.
        code: the exit code; of several answers the last that is not 0 counts.
    """

    __slots__ = ("code", "head", "is_document", "lines", "notes", "raw", "remarks", "table", "values")

    def __init__(
        self,
        *values: object,
        lines: Iterable[str | Drawing] = (),
        table: Table | None = None,
        notes: Iterable[str] = (),
        remarks: Iterable[str] = (),
        head: Report | None = None,
        raw: str = "",
        is_document: bool = False,
        code: int = 0,
    ) -> None:
        self.values = values
        self.lines = lines
        self.table = table
        self.notes = notes
        self.remarks = remarks
        self.head = head
        self.raw = raw
        self.is_document = is_document
        self.code = code
