"""Options of several commands: files, spans of time, selection of bulletins."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Collection
from pathlib import Path

import click
import msgspec

from bus.cli.frame.app import App
from bus.cli.frame.text import hint

FILE = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)
STATUS = click.Choice(["actual", "exercise", "system", "test"])

repeatable = functools.partial(click.option, multiple=True)
yes_option = click.option("--yes", is_flag=True, help="do not ask")


def _keep_address(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(App).health_at = value


health_option = click.option(
    "--health",
    metavar="ADDRESS",
    expose_value=False,
    callback=_keep_address,
    help="serve /healthz and /metrics at HOST:PORT or unix:PATH  [default: the context's setting health]",
)

_SINCE = re.compile(r"(\d+)([smhd])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Since(click.ParamType):  # type: ignore[type-arg]  # generic only in its stubs
    """Parses `all`, `now`, or a span such as `2h` into how long ago it is; None for all."""

    name = "span"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.timedelta | None:
        """The span; zero for `now`, None for `all`."""
        if value in ("all", "now"):
            return None if value == "all" else dt.timedelta()
        if span := _SINCE.fullmatch(value):
            return dt.timedelta(**{_UNIT[span[2]]: int(span[1])})
        self.fail(f"{value!r} is neither all, now, nor a span such as 30m, 2h or 7d", param, ctx)


def must_be_known(what: str, word: str, known: Collection[str]) -> None:
    """Refuse an unknown word; the error names the nearest known one."""
    if word not in known:
        raise click.UsageError(f"there is no {what} {word!r}{hint(word, known)}")


def check_shape(text: str, type_: object, refusal: str) -> None:
    """Refuse a word that does not have the shape of its type.

    Raises:
        click.UsageError: with the text `refusal`.
    """
    try:
        msgspec.convert(text, type_)
    except msgspec.ValidationError:
        raise click.UsageError(refusal) from None
