"""`tocsin audit`: the chained record of what this identity refused, overrode, signed, accepted, exported and opened."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus.audit import read, set_aside
from bus.audit import verify as check
from bus.cli import frame
from bus.cli.frame import FILE, Answer, App, Group, Since, Table, command, must_be_new
from schemas.codec import parse_time
from schemas.errors import SchemaError

if TYPE_CHECKING:
    from bus.audit import Fact

_file = click.option("--file", type=FILE, help="this record instead of the context's")


@click.group(cls=Group)
def audit() -> None:
    """What this identity did and refused, one chained line each, in the state folder; without a context, beside the settings."""


@command(audit, "verify")
@click.option(
    "--head", metavar="DIGEST", help="a head that you wrote down: every line up to it must be there"
)
@_file
def verify(app: App, *, head: str | None, file: Path | None) -> Answer:
    """Check every line of the record. If the record was changed, names the first broken line and exits 6."""
    path = file or frame.audit_file(app)
    chain = check(path, head=head)
    notes = []
    if chain.torn:
        where = "; the last one is the end of the file" if chain.unfinished else ""
        notes.append(f"{chain.torn} line(s) were torn by a crash{where}; their content is lost")
    if head is None:
        notes.append(
            "no --head was given: this check does not show a changed last line or a cut end; write the head "
            "down elsewhere (tocsin audit head)"
        )
    facts = {"verified": True, "file": str(path), "head_given": head is not None}
    verified = f"verified: {chain.entries} entries, each chained to the one before"
    return Answer(
        facts | msgspec.to_builtins(chain),
        lines=[verified, f"  head     {chain.head or '-'}"],
        notes=notes,
    )


@command(audit, "show")
@click.option("--since", metavar="SPAN|TIME", help="a span such as 2h or 7d, or a time  [default: all]")
@_file
def show(app: App, *, since: str | None, file: Path | None) -> Answer:
    """Print the entries, oldest first, and check each. With --json, one object on each line."""
    start = _start(app, since)
    found = [entry for entry in read(file or frame.audit_file(app)) if entry.time >= start]
    rows = (
        (
            entry.seq,
            entry.time,
            entry.event,
            " ".join(f"{name}={_spell(fact)}" for name, fact in entry.facts.items()),
        )
        for entry in found
    )
    return Answer(*found, table=Table(("seq", "time", "event", "facts"), rows))


@command(audit, "head")
@_file
def head(app: App, *, file: Path | None) -> Answer:
    """Check the record and print the digest of its last line. Write it down where nobody here can change it."""
    chain = check(file or frame.audit_file(app))
    return Answer({"head": chain.head, "entries": chain.entries}, lines=[chain.head or "-"])


def _start(app: App, text: str | None) -> str:
    """The time of the first entry to show, in the form of the record; empty for all."""
    if not text or text == "all":
        return ""
    try:
        since = parse_time(text)
    except SchemaError:
        since = app.now() - (Since().convert(text, None, None) or dt.timedelta())
    return f"{since:%Y-%m-%dT%H:%M:%SZ}"


def _spell(fact: Fact) -> str:
    return ",".join(fact) if isinstance(fact, list) else str(fact)


@command(audit, "archive")
@click.argument("target", type=FILE)
@_file
def archive(app: App, target: Path, *, file: Path | None) -> Answer:
    """Move the record to TARGET, a new name on the same disk, and begin a new record that names its head.

    The record is checked first. Programs may keep running. To check the old record later: `audit verify --file TARGET
    --head DIGEST`, with the head from the first entry of the new record.
    """
    must_be_new(target)
    old = set_aside(file or frame.audit_file(app), target, app.now())
    return Answer(
        {"file": str(target), "entries": old.entries, "head": old.head},
        lines=[old.head or "-"],
        notes=[f"{old.entries} entries are now in {target}; the new record begins with its head"],
    )
