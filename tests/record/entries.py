"""Entries of the record, and the text files that hold them: one file for each group of commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import click

COMMANDS = Path(__file__).parent / "commands"
SUFFIX = ".txt"
_HEADING = re.compile(
    r"^=== (?P<command>[a-z -]+?) \| (?P<title>.*) \| (?P<form>[a-z]+)(?: \|.*)?$", re.MULTILINE
)


class Form(StrEnum):
    """How a command is run: into a pipe, into a pipe with `--json`, or on a terminal of 80 columns."""

    PIPE = "pipe"
    JSON = "json"
    TERMINAL = "terminal"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a process printed, and its exit code."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One command line and its outcome, still with the values of this run.

    Attributes:
        command: the leaf command, such as `bulletin ack`.
        title: what the call shows.
        form: how it was run.
        line: the command line as it was typed.
        outcome: what came of it.
        is_sorted: its lines have no order of their own, and are sorted.
        first: only so many lines of standard output are kept, and the number and a digest of the others.
        hidden: patterns of what varies in this call alone, each with its placeholder.
    """

    command: str
    title: str
    form: Form
    line: str
    outcome: Outcome
    is_sorted: bool = False
    first: int | None = None
    hidden: dict[str, str] = field(default_factory=dict)


def group_of(command: str) -> str:
    """The file of a command: its group, or `top` for a command of the program itself."""
    return command.split(maxsplit=1)[0] if " " in command else "top"


def written(entry: Entry, line: str, stdout: str, stderr: str) -> str:
    """An entry as it stands in its file, from texts without values of a run."""
    remarks = ["lines sorted"] if entry.is_sorted else []
    remarks += [f"first {entry.first} lines"] if entry.first is not None else []
    heading = " | ".join((entry.command, entry.title, entry.form, *remarks))
    parts = [f"=== {heading}\n$ {line}\nexit {entry.outcome.code}\n"]
    for name, text in (("stdout", stdout), ("stderr", stderr)):
        if text:
            parts.append(f"--- {name}\n{text}" + ("" if text.endswith("\n") else "\n--- no line end\n"))
    return "".join(parts)


def held() -> dict[str, str]:
    """The fixture: the text of each group."""
    return {path.stem: path.read_text("utf-8") for path in sorted(COMMANDS.glob(f"*{SUFFIX}"))}


def headings(texts: Iterable[str]) -> Iterator[tuple[str, str, Form]]:
    """Command, title and form of every entry in some files."""
    for text in texts:
        for match in _HEADING.finditer(text):
            yield match["command"], match["title"], Form(match["form"])


def leaves(group: click.Group) -> Iterator[str]:
    """The name of every command of a program that is no group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {leaf}" for leaf in leaves(command))
        else:
            yield name
