"""What every command shares: the global options, the two output streams, and errors as sentences.

Data goes to standard output, everything else to standard error. `--json` prints one JSON object, or NDJSON
where a command streams. A terminal gets aligned tables, a pipe gets tab-separated values.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus.cli.frame.text import on_terminal, safe, safe_json

if TYPE_CHECKING:
    from bus.cli.frame.answers import Answer, Table
    from bus.cli.frame.outlet import Outlets
    from bus.config import Context, Loaded


Part = tuple[str, str | None]
"""Words and their colour."""
TINTS = {
    **dict.fromkeys(("ok", "pass", "live", "fresh", "stored", "read"), "green"),
    **dict.fromkeys(("warn", "warning", "late", "planned", "unknown", "stale", "queued"), "yellow"),
    **dict.fromkeys(
        ("FAIL", "fail", "bad", "silent", "gap", "tail", "fork", "split", "blind", "expired"), "red"
    ),
}
"""The colours of words that say how something is, where such a word is a whole cell."""


def _tinted(cell: str) -> str:
    return click.style(cell, fg=TINTS[cell]) if cell in TINTS else cell


class App:
    """The state of one invocation: options, settings (read when first asked for), and output."""

    def __init__(self) -> None:
        self.json = False
        self.context_name: str | None = None
        self.color: str | None = None
        self.plain = False
        self.verbosity = 0
        self.timeout_s: float | None = None
        self.no_input = False
        self.no_config = False
        self.health_at: str | None = None
        self.ping_s: int | None = None  # what the phase asks for, once it is known
        self.told_at: Callable[[], dt.datetime] | None = None  # when the program last looked at itself
        self.last_word: Callable[[str], None] | None = None  # writes down with which error it has ended
        self.runs_on = False  # until Ctrl-C: it waits out what passes
        self.outlets: Outlets | None = None  # of a program that runs on

    @functools.cached_property
    def loaded(self) -> Loaded:
        """All settings, read once."""
        from bus import config

        return config.load(os.environ, Path.cwd(), files=not self.no_config)

    def context(self) -> tuple[str, Context]:
        """The chosen context and its name; raises ConfigError."""
        return self.loaded.pick(self.context_name)

    def state_folder(self) -> Path:
        """The state folder of the chosen context."""
        from bus import config

        return config.state_of(*self.context(), os.environ)

    def timeout(self, default: float) -> float:
        """Seconds to wait for the bus: the flag, the setting, or `default`."""
        if self.timeout_s is not None:
            return self.timeout_s
        configured = self.loaded.settings.timeout_s
        return default if configured is None else configured

    def now(self) -> dt.datetime:
        """The present, aware, UTC."""
        return dt.datetime.now(dt.UTC)

    def logs(self, *, errors_only: bool = False) -> None:
        """Send the library's log to standard error: warnings or errors and worse, or everything with -v."""
        from bus.cli.frame import log

        log.configure(self.verbosity, errors_only=errors_only)

    @property
    def identity(self) -> Context:
        """The chosen context; raises ConfigError."""
        return self.context()[1]

    # -- output ---------------------------------------------------------------------------------------------

    def tell(self, answer: Answer) -> None:
        """Print what a command has found: its values with `--json`, otherwise words for a person."""
        if self.json:
            self._as_data(answer)
        elif answer.is_document:
            for value in answer.values:
                self.data(value)
        else:
            self._head(answer)
            for each in answer.lines:
                self.line(each) if isinstance(each, str) else each.draw(self)
            if answer.table is not None:
                self.table(answer.table)
        if answer.raw and not (self.json and answer.values):
            click.echo(answer.raw, nl=False)
        for note in answer.notes if not self.json else ():
            self.note(note)
        for remark in answer.remarks:
            self.note(remark)

    def _as_data(self, answer: Answer) -> None:
        """The values; on standard error how they are to be taken, where none of them says so."""
        health = answer.head
        if health is not None and not any(
            isinstance(value, dict) and value.get("health") is health for value in answer.values
        ):
            self.aside({"health": health})
        for value in answer.values:
            self.data(value)

    def _head(self, answer: Answer) -> None:
        """How it is to be taken; on standard error before a table in a pipe, which stays one, and before a stream."""
        if answer.head is None:
            return
        is_apart = not answer.lines if answer.table is None else not on_terminal()
        (self.warn if is_apart else self.line)(answer.head.words())

    def data(self, value: object) -> None:
        """One JSON value on standard output, on a line of its own."""
        import msgspec

        click.echo(safe_json(msgspec.json.encode(value, enc_hook=str).decode()))

    def aside(self, value: object) -> None:
        """One JSON value on standard error, on a line of its own, beside data that stays as it is."""
        import msgspec

        click.echo(safe_json(msgspec.json.encode(value, enc_hook=str).decode()), err=True)

    def line(self, text: str) -> None:
        """One line of data for a person, made safe."""
        click.echo(safe(text))

    def painted(self, parts: Iterable[Part]) -> None:
        """One line for a person, made safe, each part of it in its colour where colour is wanted."""
        colored = self.colored() and not self.plain
        line = "".join(
            click.style(safe(text), fg=color) if color and colored else safe(text) for text, color in parts
        )
        click.echo(line, color=colored)

    def block(self, text: str) -> None:
        """Several lines of data for a person; the line breaks stay, everything else is made safe."""
        for line in text.split("\n"):
            self.line(line)

    def note(self, text: str) -> None:
        """A remark on standard error; silent under `--quiet`."""
        if self.verbosity >= 0:
            click.echo(safe(text), err=True)

    def warn(self, text: str) -> None:
        """A line on standard error that is said under `--quiet` too: what is shown is to be read with it."""
        click.echo(safe(text), err=True)

    def table(self, table: Table) -> None:
        """Aligned columns on a terminal, tab-separated values in a pipe; words of a state have a colour where colour is wanted."""
        columns, rows, _ = table
        cells = [[safe("" if cell is None else cell) for cell in row] for row in rows]
        if not on_terminal():
            colored = self.colored() and not self.plain
            for row in cells:
                click.echo("\t".join(_tinted(cell) if colored else cell for cell in row), color=colored)
            return
        if not self.plain and self._rich(columns, cells):
            return
        widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(columns)]
        for row in [[name.upper() for name in columns], *cells]:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def _rich(self, columns: Sequence[str], cells: list[list[str]]) -> bool:
        try:
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text
        except ImportError:
            return False
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in columns:
            table.add_column(name.upper(), overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell, TINTS.get(cell, "")) for cell in row))
        Console(no_color=not self.colored(), highlight=False).print(table)
        return True

    def colored(self) -> bool:
        """Whether output may be coloured: `--color`, then NO_COLOR, FORCE_COLOR, and the terminal."""
        wish = self.color or self.loaded.settings.color or "auto"
        if wish != "auto":
            return wish == "always"
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return bool(os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE")) or on_terminal()

    # -- input ----------------------------------------------------------------------------------------------

    def may_ask(self) -> bool:
        """Whether a person is there to be asked: both ends are terminals and `--no-input` is not set."""
        ends = (sys.stdin, sys.stderr)
        return not self.no_input and all(end is not None and end.isatty() for end in ends)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask a person before something that cannot be undone, unless `yes` was said; without a person, fail."""
        if yes:
            return
        if not self.may_ask():
            raise click.UsageError("this needs a yes: add --yes")
        click.confirm(safe(question), abort=True, err=True)
