"""Manual pages of every command, from the same declarations as `--help`; pure: takes a command, returns roff (man(7))."""

from __future__ import annotations

import datetime as dt
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping

import click

from bus.cli.frame import EXIT_CODES, Shared

SECTION = "1"
_LEADS = re.compile(r"^([.'])", re.MULTILINE)
# Characters that roff would replace by others: a hyphen, quotes, an accent; and the backslash, its escape.
# A list of words that is wider than the screen may break at its bars.
_SPECIAL = {
    "|": r"|\:",
    "\\": r"\e",
    "-": r"\-",
    "'": r"\(aq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
    '"': r"\(dq",
}

FILES = {
    "./tocsin.toml": "settings of this folder",
    "$TOCSIN_HOME/config.toml, $XDG_CONFIG_HOME/tocsin/config.toml": "your own settings: contexts",
    "/etc/tocsin/config.toml": "settings of this machine",
    "$XDG_STATE_HOME/tocsin/CONTEXT/": "outbox, store and audit record of a context",
}


def escaped(text: str) -> str:
    """Text escaped for roff, in ASCII, so that each letter shows as it is and no line is a request."""
    return _LEADS.sub(r"\\&\1", "".join(_SPECIAL.get(each) or _plain(each) for each in text))


def _plain(letter: str) -> str:
    return letter if letter.isascii() else rf"\[u{ord(letter):04X}]"


def page_name(path: str) -> str:
    """The name of the page of a command: `tocsin registry rotate` stands in tocsin-registry-rotate."""
    return path.replace(" ", "-")


def pages(
    root: click.Group, name: str, version: str, date: dt.date, environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The name of the file and the text of the page of each command, groups included; hidden commands have none.

    Args:
        root: the program.
        name: of the program.
        version: of the release, shown at the foot of a page.
        date: shown beside the version.
        environment: name -> meaning of each variable.
    """
    foot = f"{date:%Y\\-%m\\-%d}", f"{name} {version}"
    yield from _pages(root, click.Context(root, info_name=name), foot, environment)


def _pages(
    command: click.Command, ctx: click.Context, foot: tuple[str, str], environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    under = _commands(command, ctx) if isinstance(command, click.Group) else []
    text = "\n".join(_lines(command, ctx, foot, under, environment))
    yield f"{page_name(ctx.command_path)}.{SECTION}", f"{text}\n"
    for name, each in under:
        yield from _pages(each, click.Context(each, info_name=name, parent=ctx), foot, environment)


def _commands(group: click.Group, ctx: click.Context) -> list[tuple[str, click.Command]]:
    found = [(name, group.get_command(ctx, name)) for name in group.list_commands(ctx)]
    return [(name, each) for name, each in found if each is not None and not each.hidden]


def _lines(
    command: click.Command,
    ctx: click.Context,
    foot: tuple[str, str],
    under: list[tuple[str, click.Command]],
    environment: Mapping[str, str],
) -> Iterator[str]:
    path = ctx.command_path
    date, release = foot
    yield f'.TH "{page_name(path).upper()}" {SECTION} "{date}" "{release}" "User commands"'
    yield from (".nh", ".ad l")  # readers copy options from here: no word is broken or stretched
    yield from (".SH NAME", rf"{escaped(page_name(path))} \- {escaped(_short(command))}")
    yield from (".SH SYNOPSIS", f".B {escaped(path)}", escaped(" ".join(command.collect_usage_pieces(ctx))))
    yield from (".SH DESCRIPTION", *_paragraphs(command.help or ""))
    if under:
        yield ".SH COMMANDS"
        yield from _defined((name, _short(each)) for name, each in under)
    own, shared = _options(command, ctx)
    for title, records in (("OPTIONS", own), ("SHARED OPTIONS", shared)):
        if records:
            yield f".SH {title}"
            yield from _defined(records)
    yield ".SH EXIT STATUS"
    yield from _defined((str(code), meaning) for code, meaning in EXIT_CODES.items())
    if ctx.parent is None:
        yield ".SH ENVIRONMENT"
        yield from _defined(environment.items())
        yield ".SH FILES"
        yield from _defined(FILES.items())
    yield from (".SH SEE ALSO", ",\n".join(_pointer(each) for each in _beside(ctx, under)))


def _short(command: click.Command) -> str:
    """The first sentence of the command's help."""
    first = inspect.cleandoc(command.help or "").split("\n\n")[0]
    return " ".join(first.split()).rstrip(".")


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help, not wrapped; one that begins with a backspace stays as it is."""
    for n, paragraph in enumerate(each for each in inspect.cleandoc(text).split("\n\n") if each.strip()):
        if n:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield from (".nf", escaped(paragraph.removeprefix("\b").strip("\n")), ".fi")
        else:
            yield escaped(" ".join(paragraph.split()))


def _options(
    command: click.Command, ctx: click.Context
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(own options, shared options) of a command, each as (names, help)."""
    own: list[tuple[str, str]] = []
    shared: list[tuple[str, str]] = []
    for each in command.get_params(ctx):
        record = each.get_help_record(ctx) if isinstance(each, click.Option) else None
        if record is not None:
            (shared if isinstance(each, Shared) else own).append(record)
    return own, shared


def _defined(records: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The roff lines of a list of words with their meanings."""
    for word, meaning in records:
        yield from (".TP", rf"\fB{escaped(word)}\fR", escaped(" ".join(meaning.split())) or r"\&")


def _beside(ctx: click.Context, under: list[tuple[str, click.Command]]) -> list[str]:
    """The related pages: those of the commands of a group, or of a command's group."""
    if under:
        return [page_name(f"{ctx.command_path} {name}") for name, _ in under]
    return [page_name(ctx.parent.command_path)] if ctx.parent is not None else []


def _pointer(name: str) -> str:
    return rf"\fB{escaped(name)}\fR({SECTION})"
