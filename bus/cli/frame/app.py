"""The state that every command shares: the global options, the two output streams, and errors as sentences.

Data goes to standard output, everything else to standard error. `--json` prints one JSON object, or NDJSON
where a command streams. A terminal gets aligned tables, a pipe gets tab-separated values.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus.cli.frame.progress import Line
from bus.cli.frame.tables import Table, laid_out
from bus.cli.frame.text import on_terminal, safe, safe_json

if TYPE_CHECKING:
    from bus.cli.frame.outlet import Outlets
    from bus.config import Context, Loaded


Part = tuple[str, str | None]
"""Pairs of text and colour."""

TINTS = {
    **dict.fromkeys(("ok", "pass", "live", "fresh", "stored", "read"), "green"),
    **dict.fromkeys(("warn", "warning", "late", "planned", "unknown", "stale", "queued"), "yellow"),
    **dict.fromkeys(
        ("FAIL", "fail", "bad", "silent", "gap", "tail", "fork", "split", "blind", "expired"), "red"
    ),
}
"""The colours of state words; only a whole cell of a table gets one."""


def _tinted(cell: str) -> str:
    word = cell.rstrip()
    return click.style(word, fg=TINTS[word]) + cell[len(word) :] if word in TINTS else cell


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
        self.ping_s: int | None = None  # what the phase requires, once known
        self.told_at: Callable[[], dt.datetime] | None = None  # time of the program's last self-check
        self.last_word: Callable[[str], None] | None = None  # records the error that ended it
        self.runs_on = False  # until Ctrl-C: it waits while a fault is temporary
        self.progress: Line | None = None  # the line of long work, on a terminal
        self.outlets: Outlets | None = None  # of a program that runs until Ctrl-C

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

    def data(self, value: object) -> None:
        """Print one JSON value on standard output, on a line of its own."""
        import msgspec

        self._echo(safe_json(msgspec.json.encode(value, enc_hook=str).decode()))

    def aside(self, value: object) -> None:
        """Print one JSON value on standard error, on a line of its own; the data on standard output stays clean."""
        import msgspec

        self._echo(safe_json(msgspec.json.encode(value, enc_hook=str).decode()), err=True)

    def line(self, text: str) -> None:
        """Print one line of data for a person, made safe."""
        self._echo(safe(text))

    def painted(self, parts: Iterable[Part]) -> None:
        """Print one line for a person, made safe, each part in its colour if colour is on."""
        colored = self.colored() and not self.plain
        line = "".join(
            click.style(safe(text), fg=color) if color and colored else safe(text) for text, color in parts
        )
        self._echo(line, color=colored)

    def raw(self, text: str) -> None:
        """Print a text unchanged; the caller must make sure that it is safe."""
        self._echo(text, nl=False)

    def block(self, text: str) -> None:
        """Print several lines of data for a person; the line breaks stay, all else is made safe."""
        for line in text.split("\n"):
            self.line(line)

    def note(self, text: str) -> None:
        """Print a remark on standard error; silent under `--quiet`."""
        if self.verbosity >= 0:
            self._echo(safe(text), err=True)

    def warn(self, text: str) -> None:
        """Print a line on standard error, under `--quiet` too: a reader needs it to understand the output."""
        self._echo(safe(text), err=True)

    def table(self, table: Table) -> None:
        """Print aligned columns that fit the terminal, or tab-separated values in a pipe; state words have a colour if colour is on."""
        columns, rows, less = table
        cells = [[safe("" if cell is None else cell) for cell in row] for row in rows]
        if not on_terminal():
            for row in cells:
                self._cells(row, "\t")
            return
        layout = laid_out(columns, cells, shutil.get_terminal_size().columns, less)
        if layout.heading:
            self._styled("  ".join(layout.heading).rstrip(), bold=True)
        for row in layout.lines:
            self._cells(row, "  ")
        if layout.left_out:
            self.note(
                f"the terminal is too narrow for: {', '.join(layout.left_out)} (a pipe and --json have all)"
            )

    def _cells(self, row: Sequence[str], between: str) -> None:
        colored = self.colored() and not self.plain
        line = between.join(_tinted(cell) if colored else cell for cell in row)
        self._echo(line.rstrip() if between == "  " else line, color=colored)

    def _styled(self, text: str, *, bold: bool) -> None:
        colored = self.colored() and not self.plain
        self._echo(click.style(text, bold=bold) if colored else text, color=colored)

    def colored(self) -> bool:
        """Whether output may be coloured: `--color`, then NO_COLOR, FORCE_COLOR, and the terminal."""
        wish = self.color or self.loaded.settings.color or "auto"
        if wish != "auto":
            return wish == "always"
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return bool(os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE")) or on_terminal()

    @contextlib.contextmanager
    def at_work(self, what: str, share: Callable[[], float] | None = None) -> Iterator[None]:
        """Show on a terminal, until the context exits, the long work in progress and how far it has come.

        Args:
            what: the work, as in `taking in FILE`.
            share: returns how much is done, from 0 to 1; called in another thread.
        """
        there = sys.stderr is not None and sys.stderr.isatty() and not (self.json or self.plain)
        if not there or self.verbosity < 0 or self.progress is not None:
            yield
            return
        self.progress = Line(safe(what), share, lambda: shutil.get_terminal_size().columns)
        try:
            yield
        finally:
            self.progress.end()
            self.progress = None

    def _echo(self, text: str, *, err: bool = False, nl: bool = True, color: bool | None = None) -> None:
        if self.progress is not None:
            self.progress.hide()
        click.echo(text, err=err, nl=nl, color=color)

    # -- input ----------------------------------------------------------------------------------------------

    def may_ask(self) -> bool:
        """Whether the program can ask a person: both ends are terminals and `--no-input` is not set."""
        ends = (sys.stdin, sys.stderr)
        return not self.no_input and all(end is not None and end.isatty() for end in ends)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask a person before an act that cannot be undone, unless `yes` is set; fails if no person can be asked."""
        if yes:
            return
        if not self.may_ask():
            raise click.UsageError("this needs a confirmation: add --yes")
        click.confirm(safe(question), abort=True, err=True)

    def agrees(self, question: str, *, usual: bool = False) -> bool:
        """Ask a person yes or no. Call `may_ask` first."""
        return click.confirm(safe(question), default=usual, err=True)

    def answer_to(self, question: str, usual: str | None = None) -> str:
        """Ask a person for a text; `usual` if they type nothing."""
        text: str = click.prompt(
            safe(question),
            default=usual or "",
            show_default=bool(usual),
            prompt_suffix="> ",
            err=True,
        )
        return text
