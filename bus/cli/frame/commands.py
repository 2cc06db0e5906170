"""Declares commands: their shared options, and the group that imports a command on first use."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import click

from bus.cli.frame import completing
from bus.cli.frame.answers import Outcome, drained, told, waited
from bus.cli.frame.app import App
from bus.cli.frame.text import hint

R = TypeVar("R")
Declare = Callable[[Callable[..., R]], Callable[..., R]]


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Set the attribute of the App with the parameter's name."""
    # A count of zero or an absent flag keeps the value of an outer level of the command line.
    if value is None or (isinstance(value, int) and not value):
        return
    setattr(context.ensure_object(App), str(parameter.name), value)


def _quiet(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(App).verbosity = -1


class Shared(click.Option):
    """An option that every command takes."""


_option = functools.partial(click.option, cls=Shared, expose_value=False, is_eager=True, callback=_remember)

_GLOBAL = (
    _option("--json", is_flag=True, help="machine-readable output"),
    _option("-q", "--quiet", is_flag=True, callback=_quiet, help="data only"),
    _option(
        "--context",
        "context_name",
        metavar="NAME",
        shell_complete=completing.contexts,
        help="identity to act as [env: TOCSIN_CONTEXT]",
    ),
    _option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="how long to wait for the bus [env: TOCSIN_TIMEOUT]",
    ),
    _option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        help="colour [env: TOCSIN_COLOR, NO_COLOR]",
    ),
    _option("--plain", is_flag=True, help="no boxes or colour, for screen readers"),
    _option("--no-input", is_flag=True, help="never ask; fail naming the missing flag"),
    _option("--no-config", is_flag=True, help="ignore every settings file"),
    _option("-v", "--verbose", "verbosity", count=True, help="log more to standard error"),
)


def _with(options: Sequence[Declare[Any]], function: Callable[..., R]) -> Callable[..., R]:
    """The function with these options added, in the order of the help."""
    for option in reversed(options):
        function = option(function)
    return function


def global_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add the options that the program, every group and every command accept, at any place."""
    return _with(_GLOBAL, function)


def _unlisted_options() -> list[Shared]:
    """The same options as parameters that no help lists."""
    declared: click.Command = click.command()(global_options(lambda: None))
    shared = [each for each in declared.params if isinstance(each, Shared)]
    for each in shared:
        each.hidden = True
    return shared


# A digest or key id: SHA-256 in base64url. One in 64 begins with "-" as options do, but none is an option.
_DIGEST = re.compile(r"-[A-Za-z0-9_-]{42}")


class Command(click.Command):
    """A command whose help lists its own options first, then the shared ones."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does, but a word in the form of a digest is a value, even if it begins with `-`."""
        return super().parse_args(ctx, self._options_first(ctx, args) if _has_digest(args) else args)

    def _options_first(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The same words, reordered: options first, then `--`, then values, so that no value is read as an option."""
        takes = {
            name: parameter.nargs
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and not (parameter.is_flag or parameter.count)
            for name in parameter.opts
        }
        options: list[str] = []
        values: list[str] = []
        left = list(args)
        while left:
            word = left.pop(0)
            if word == "--":
                values += left
                break
            if not word.startswith("-") or word == "-" or _DIGEST.fullmatch(word):
                values.append(word)
                continue
            taken = takes.get(word, 0)
            options += [word, *left[:taken]]
            del left[:taken]
        return [*options, "--", *values]

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke as click does. The log does not load its traceback renderer, which takes a tenth of a second.

        Log lines before a command configures its log also go to standard error: they are no part of an answer.
        """
        from bus import logs

        logs.plainly()
        logs.set_up(_warn)
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the two lists of options."""
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                (shared if isinstance(parameter, Shared) else own).append(record)
        for title, records in (("Options", own), ("Shared options", shared)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _warn() -> None:
    from bus.cli.frame import log

    log.to_stderr(log.WARNING)


def _has_digest(args: list[str]) -> bool:
    return any(_DIGEST.fullmatch(each) for each in args)


def load(module: str, attribute: str) -> click.Command:
    """Import a command from its module."""
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


class Group(click.Group):
    """A group of commands. Without a command it shows its help; for an unknown name it shows the nearest.

    It takes the shared options, before the command's name.

    Attributes:
        elsewhere: command name -> (module, attribute), for commands in other modules; imported on first use.
    """

    elsewhere: Mapping[str, tuple[str, str]] = MappingProxyType({})

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Make the group, as click does; the shared options are added if missing."""
        usual = {"invoke_without_command": True, "subcommand_metavar": "COMMAND [ARGS]..."}
        super().__init__(*arguments, **{**usual, **settings})
        if not any(isinstance(each, Shared) for each in self.params):
            self.params += _unlisted_options()

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke as click does; without a command, print help on standard output and end with exit code 0."""
        outcome = super().invoke(ctx)
        if ctx.invoked_subcommand is None:
            ctx.ensure_object(App).block(ctx.get_help())
        return outcome

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in alphabetical order."""
        return sorted({*self.commands, *self.elsewhere})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command with a name; None if there is none."""
        if cmd_name in self.elsewhere:
            return load(*self.elsewhere[cmd_name])
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve as click does; the error for an unknown name has a hint."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            text = f"there is no command {args[0]!r}{hint(args[0], self.list_commands(ctx))}"
            raise click.UsageError(text, ctx) from None


def gathered(
    name: str, into: Callable[..., object], *options: Declare[Any], fields: Sequence[str] = ()
) -> Declare[Any]:
    """Declare options that a command receives as one value.

    Args:
        name: the parameter of the command.
        into: makes that value from the options: a struct, whose fields without an option keep their default, or a function.
        options: in the order of the help.
        fields: the names of the options, if `into` is not a struct.
    """
    names: Sequence[str] = fields or into.__struct_fields__  # type: ignore[attr-defined]

    def declare(function: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(function)
        def body(*arguments: object, **values: object) -> R:
            fields = {field: values.pop(field) for field in names if field in values}
            return function(*arguments, **values, **{name: into(**fields)})

        return _with(options, body)

    return declare


def command(
    group: click.Group | None = None,
    name: str | None = None,
    *,
    when_asked: int | None = None,
    **settings: Any,
) -> Callable[[Callable[..., Outcome]], click.Command]:
    """Declare a command. It receives the App first, and accepts the shared options and `--json`.

    The function returns an `Answer` or several, or yields them one by one; the frame prints them and ends with their
    exit code. It may be a coroutine function or an asynchronous generator. A program that runs until Ctrl-C and
    prints nothing at its end returns its exit code; None is 0.

    Args:
        group: the group of the command.
        name: its name; the default is the function's name.
        when_asked: for an asynchronous program that runs until it is asked to end: its exit code if the signal comes
            before it waits in `ended` (`bus.cli.frame.running`).
        settings: passed to click.
    """

    def declare(function: Callable[..., Outcome]) -> click.Command:
        @functools.wraps(function)
        def body(*arguments: object, **options: object) -> None:
            app = click.get_current_context().ensure_object(App)
            outcome = function(app, *arguments, **options)
            if isinstance(outcome, Coroutine):
                code = _run(app, waited(app, outcome), when_asked)
            elif isinstance(outcome, AsyncIterator):
                code = _run(app, drained(app, outcome), when_asked)
            else:
                code = told(app, outcome)
            if code:
                raise click.exceptions.Exit(code)

        declared: click.Command = click.command(name, cls=Command, **settings)(global_options(body))
        if group is not None:
            group.add_command(declared)
        return declared

    return declare


def _run(app: App, work: Coroutine[Any, Any, int], when_asked: int | None) -> int:
    """Run a coroutine to its end. Returns the exit code."""
    import asyncio

    if when_asked is None:
        return asyncio.run(work)
    from bus.cli.frame.running import run_on

    return run_on(app, work, when_asked) or 0
