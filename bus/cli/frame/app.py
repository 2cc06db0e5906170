"""What every command shares: the global options, the two output streams, and errors as sentences.

Data goes to standard output, everything else to standard error. `--json` prints one JSON object, or NDJSON
where a command streams. A terminal gets aligned tables, a pipe gets tab-separated values.
"""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.config import Context, Loaded

P = ParamSpec("P")
R = TypeVar("R")

# Controls, format characters (bidirectional overrides, tags, zero-width space), surrogates, line and paragraph ends.
UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# Format characters that scripts and emoji are written with.
JOINERS = frozenset("\u200c\u200d")


def safe(text: object) -> str:
    """`text` fit for one line of a terminal: what would steer it, or not be seen, becomes a visible escape."""
    return "".join(
        character
        if character in JOINERS or unicodedata.category(character) not in UNSEEN
        else f"\\u{ord(character):04x}"
        if ord(character) <= 0xFFFF
        else f"\\U{ord(character):08x}"
        for character in str(text)
    )


def hint(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about a word nobody knows: the nearest known one, or all of them."""
    listed = [str(each) for each in known]
    near = difflib.get_close_matches(word, listed, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(listed)}"


def on_terminal() -> bool:
    """Whether standard output is there and is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


class NotFoundError(TocsinError):
    """What was asked for is not here."""

    reason = "not-found"
    exit_code = 3


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
        self.ping_s: int | None = None  # what the phase asks for, once it is known

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

    # -- output ---------------------------------------------------------------------------------------------

    def data(self, value: object) -> None:
        """One JSON value on standard output, on a line of its own."""
        import msgspec

        click.echo(msgspec.json.encode(value, enc_hook=str).decode())

    def line(self, text: str) -> None:
        """One line of data for a person, made safe."""
        click.echo(safe(text))

    def block(self, text: str) -> None:
        """Several lines of data for a person; the line breaks stay, everything else is made safe."""
        for line in text.split("\n"):
            click.echo(safe(line))

    def note(self, text: str) -> None:
        """A remark on standard error; silent under `--quiet`."""
        if self.verbosity >= 0:
            click.echo(safe(text), err=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Aligned columns on a terminal, tab-separated values in a pipe."""
        cells = [[safe("" if cell is None else cell) for cell in row] for row in rows]
        if not on_terminal():
            for row in cells:
                click.echo("\t".join(row))
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
            table.add_row(*(Text(cell) for cell in row))
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

    def confirm(self, question: str, *, flag: str) -> None:
        """Ask a person before something that cannot be undone; without one, fail and name the flag."""
        if not self.may_ask():
            raise click.UsageError(f"this needs a yes: add {flag}")
        click.confirm(question, abort=True, err=True)


def _set(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def remember(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        # A count of nought and an absent flag leave what an outer level of the command line has said.
        if value is None or (isinstance(value, int) and not value):
            return
        app = context.ensure_object(App)
        setattr(app, attribute, value)

    return remember


def _option(*names: str, attribute: str, **settings: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return click.option(*names, expose_value=False, is_eager=True, callback=_set(attribute), **settings)


_GLOBAL = (
    _option(
        "--context", attribute="context_name", metavar="NAME", help="identity to act as [env: TOCSIN_CONTEXT]"
    ),
    _option(
        "--timeout",
        attribute="timeout_s",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="how long to wait for the bus [env: TOCSIN_TIMEOUT]",
    ),
    _option(
        "--color",
        attribute="color",
        type=click.Choice(["auto", "always", "never"]),
        help="colour [env: TOCSIN_COLOR, NO_COLOR]",
    ),
    _option("--plain", attribute="plain", is_flag=True, help="no boxes or colour, for screen readers"),
    _option("--no-input", attribute="no_input", is_flag=True, help="never ask; fail naming the missing flag"),
    _option("--no-config", attribute="no_config", is_flag=True, help="ignore every settings file"),
    _option("-v", "--verbose", attribute="verbosity", count=True, help="log more to standard error"),
)


# What the two helpers below name their parameters.
SHARED = frozenset(
    ("context", "timeout", "color", "plain", "no_input", "no_config", "verbose", "quiet", "json", "help")
)


def _quiet(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(App).verbosity = -1


def global_options(function: Callable[P, R]) -> Callable[P, R]:
    """The options that every command and the program itself accept, in any place."""
    for option in reversed(_GLOBAL):
        function = option(function)
    return click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, is_eager=True, callback=_quiet, help="data only"
    )(function)


def json_option(function: Callable[P, R]) -> Callable[P, R]:
    """`--json`: machine-readable output with a tested shape."""
    return _option("--json", attribute="json", is_flag=True, help="machine-readable output")(function)


class Command(click.Command):
    """A command whose help lists its own options first, then those that every command takes."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Two lists of options."""
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx) if isinstance(each, click.Option) else None
            if record is not None:
                (shared if each.name in SHARED else own).append(record)
        for title, records in (("Options", own), ("Shared options", shared)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Group(click.Group):
    """A group of commands that suggests the nearest name for one that it has not."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a hint."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            text = f"there is no command {args[0]!r}{hint(args[0], self.list_commands(ctx))}"
            raise click.UsageError(text, ctx) from None


def command(
    group: click.Group | None = None, name: str | None = None, **settings: Any
) -> Callable[[Callable[..., None]], click.Command]:
    """Declare a command that receives the App first and accepts the shared options and `--json`."""

    def declare(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def body(*arguments: object, **options: object) -> None:
            function(click.get_current_context().ensure_object(App), *arguments, **options)

        made: click.Command = click.command(name, cls=Command, **settings)(json_option(global_options(body)))
        if group is not None:
            group.add_command(made)
        return made

    return declare
