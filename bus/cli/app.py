"""What every command shares: the global options, the two output streams, and errors as sentences.

Data goes to standard output, everything else to standard error. `--json` prints one JSON object, or NDJSON
where a command streams. A terminal gets aligned tables, a pipe gets tab-separated values.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from bus.config import Context, Loaded

P = ParamSpec("P")
R = TypeVar("R")

BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def safe(text: object) -> str:
    """`text` fit for a terminal: control and bidirectional-override characters become visible escapes."""
    return "".join(
        character
        if character not in BIDI and unicodedata.category(character) not in ("Cc", "Cs")
        else f"\\u{ord(character):04x}"
        for character in str(text)
    )


def _escaped(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> MutableMapping[str, object]:
    """What is logged is foreign words often enough: no text in it moves a cursor or begins a line of its own."""
    return {name: safe(value) if isinstance(value, str) else value for name, value in event.items()}


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

    def logs(self) -> None:
        """Send the library's log to standard error: warnings and worse, or everything with -v."""
        import structlog

        level = 10 if self.verbosity > 0 else 30 if self.verbosity == 0 else 50
        structlog.configure(
            processors=[_escaped, *structlog.get_config()["processors"]],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )

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
        for line in text.splitlines():
            click.echo(safe(line))

    def note(self, text: str) -> None:
        """A remark on standard error; silent under `--quiet`."""
        if self.verbosity >= 0:
            click.echo(safe(text), err=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Aligned columns on a terminal, tab-separated values in a pipe."""
        cells = [[safe("" if cell is None else cell) for cell in row] for row in rows]
        if not sys.stdout.isatty():
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
        return bool(os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE")) or sys.stdout.isatty()

    # -- input ----------------------------------------------------------------------------------------------

    def may_ask(self) -> bool:
        """Whether a person is there to be asked: both ends are terminals and `--no-input` is not set."""
        return not self.no_input and sys.stdin.isatty() and sys.stderr.isatty()

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


def command(
    group: click.Group | None = None, name: str | None = None, **settings: Any
) -> Callable[[Callable[..., None]], click.Command]:
    """Declare a command that receives the App first and accepts the shared options and `--json`."""

    def declare(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def body(*arguments: object, **options: object) -> None:
            function(click.get_current_context().ensure_object(App), *arguments, **options)

        made: click.Command = click.command(name, **settings)(json_option(global_options(body)))  # type: ignore[no-untyped-call]
        if group is not None:
            group.add_command(made)
        return made

    return declare
