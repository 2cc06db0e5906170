"""The result of a command, as data. The frame prints it for a person or as JSON, and ends with its exit code."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from bus.cli.frame.app import App, Part
from bus.cli.frame.tables import Table
from bus.cli.frame.text import on_terminal

if TYPE_CHECKING:
    from bus.health import Report


class Drawing(Protocol):
    """An output that adapts to the terminal: it prints itself."""

    def draw(self, app: App) -> None:
        """Print it, through the functions of the App alone."""
        ...


class Painted(NamedTuple):
    """A line whose parts have colours, if colour is on."""

    parts: Sequence[Part]

    def draw(self, app: App) -> None:
        """Print it."""
        app.painted(self.parts)


class Answer:
    """The result of a command, which returns one or several, or yields them one after the other.

    Attributes:
        values: what `--json` prints, each on a line of its own.
        lines: what a person reads, on standard output.
        table: comes after the lines.
        raw: a text printed unchanged; with `--json` only if there is no value. It must not hold control characters for terminals.
        notes: for a person, on standard error; left out with `--json`.
        remarks: the same, with `--json` too.
        head: the time of the answer and its reliability, printed first.
        is_document: without `--json` too the values are printed as JSON, for other programs.
        code: the exit code; of several answers, the last code that is not 0 counts.
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


def tell(app: App, answer: Answer) -> None:
    """Print an answer: its values with `--json`, otherwise words for a person."""
    if app.json:
        _as_data(app, answer)
    elif answer.is_document:
        for value in answer.values:
            app.data(value)
    else:
        _head(app, answer)
        for each in answer.lines:
            app.line(each) if isinstance(each, str) else each.draw(app)
        if answer.table is not None:
            app.table(answer.table)
    if answer.raw and not (app.json and answer.values):
        app.raw(answer.raw)
    for note in answer.notes if not app.json else ():
        app.note(note)
    for remark in answer.remarks:
        app.note(remark)


def _as_data(app: App, answer: Answer) -> None:
    """Print the values; and their reliability on standard error, if no value holds it."""
    health = answer.head
    if health is not None and not any(
        isinstance(value, dict) and value.get("health") is health for value in answer.values
    ):
        app.aside({"health": health})
    for value in answer.values:
        app.data(value)


def _head(app: App, answer: Answer) -> None:
    """Print the head of an answer; on standard error before a table in a pipe or a stream, which then stay clean."""
    if answer.head is None:
        return
    is_apart = not answer.lines if answer.table is None else not on_terminal()
    (app.warn if is_apart else app.line)(answer.head.words())


Told = Answer | Iterable[Answer] | int | None
Outcome = Told | AsyncIterator[Answer] | Coroutine[Any, Any, Told]  # of a command


async def drained(app: App, found: AsyncIterator[Answer]) -> int:
    """Print answers as they come, no faster than they are read. Returns the exit code."""
    from bus.cli.frame.running import until_shown

    code = 0
    async with contextlib.aclosing(cast("AsyncGenerator[Answer, None]", found)) as answers:
        async for answer in answers:
            tell(app, answer)
            code = answer.code or code
            await until_shown(app)
    return code


async def waited(app: App, work: Coroutine[Any, Any, Told]) -> int:
    """Wait for answers and print them. Returns the exit code."""
    return told(app, await work)


def told(app: App, found: Told) -> int:
    """Print the answers of a command. Returns the exit code."""
    if found is None or isinstance(found, int):
        return found or 0
    code = 0
    for answer in (found,) if isinstance(found, Answer) else found:
        tell(app, answer)
        code = answer.code or code
    return code
