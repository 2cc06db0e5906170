"""Checks the documents against the code: links, decision records, reason codes, commands, exit codes, named tests, faults, module sizes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from bus.admission.admit import REASONS
from bus.cli.frame.exit_codes import EXIT_CODES
from bus.cli.main import COMMANDS, program
from bus.sealing.opening import SEAL_REASONS
from bus.sealing.sections import SECTION_REASONS
from bus.sealing.view import SIGHT_REASONS

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
MAX_LINES = 400
FAULTS = 34


def links() -> Iterator[str]:
    """Relative links that lead nowhere."""
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "schemas").glob("*.md")]:
        for target in LINK.findall(page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)}: {target} is not there"


def records() -> Iterator[str]:
    """Decision records that their index does not name."""
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text("utf-8")
    for record in sorted(folder.glob("[0-9]*.md")):
        title = record.read_text("utf-8").splitlines()[0].removeprefix("# ")
        if f"[{title}]({record.name})" not in index:
            yield f"docs/adr/README.md does not list {record.name} by its title"


def reasons() -> Iterator[str]:
    """Reason codes that no document explains."""
    on_the_wire = (*REASONS, *SEAL_REASONS, *SECTION_REASONS)
    for name, codes in (
        ("docs/reason-codes.md", (*on_the_wire, *SIGHT_REASONS)),
        ("schemas/SPEC.md", on_the_wire),
    ):
        text = (ROOT / name).read_text("utf-8")
        yield from (f"{name} does not name {reason}" for reason in codes if f"`{reason}`" not in text)


def commands() -> Iterator[str]:
    """Commands that docs/cli.md does not describe, and exit codes it does not list."""
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    context = click.Context(program)
    for name in COMMANDS:
        found = program.get_command(context, name)
        parts = (
            [f"{name} {sub}" for sub in found.list_commands(context)]
            if isinstance(found, click.Group)
            else [name]
        )
        yield from (
            f"docs/cli.md does not describe `tocsin {part}`" for part in parts if f"`{part}" not in text
        )
    yield from (
        f"docs/cli.md does not list exit code {code}" for code in EXIT_CODES if f"| {code} |" not in text
    )


def tests() -> Iterator[str]:
    """Tests that a document names and nobody has written."""
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for file, name in TEST.findall(page.read_text("utf-8")):
            path = ROOT / file
            if not path.is_file() or f"def {name}(" not in path.read_text("utf-8"):
                yield f"{page.relative_to(ROOT)}: there is no test {file}::{name}"


def faults() -> Iterator[str]:
    """Faults of the matrix that docs/faults.md says nothing about."""
    text = (ROOT / "docs" / "faults.md").read_text("utf-8")
    yield from (f"docs/faults.md has no row {n}" for n in range(1, FAULTS + 1) if f"\n| {n} |" not in text)


def sizes() -> Iterator[str]:
    """Modules of more than one idea."""
    for package in ("schemas", "bus", "adapters"):
        for module in (ROOT / package).rglob("*.py"):
            count = len(module.read_text("utf-8").splitlines())
            if count > MAX_LINES:
                yield f"{module.relative_to(ROOT)} has {count} lines; at most {MAX_LINES}"


def main() -> int:
    """Print every fault; 1 when there is one."""
    found = [
        fault for check in (links, records, reasons, commands, tests, faults, sizes) for fault in check()
    ]
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
