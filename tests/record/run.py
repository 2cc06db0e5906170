"""Run the record: `python -m tests.record.run` compares it with the fixture, `--write` renews the fixture."""

from __future__ import annotations

import argparse
import difflib
import sys
import tempfile
from pathlib import Path

from tests.record.desk import Desk
from tests.record.entries import COMMANDS, SUFFIX, group_of, held
from tests.record.placeholders import normalised, random_values
from tests.record.scene import play


def recorded() -> dict[str, str]:
    """Play the scene; the text of each group."""
    with tempfile.TemporaryDirectory(prefix="tocsin-record-") as folder:
        desk = Desk(Path(folder).resolve())
        play(desk)
    values = set(desk.names)
    for entry in desk.entries:
        values |= random_values(entry.outcome.stdout) | random_values(entry.outcome.stderr)
    texts: dict[str, list[str]] = {}
    for entry in desk.entries:
        texts.setdefault(group_of(entry.command), []).append(normalised(entry, desk.names, values))
    return {group: "\n".join(entries) for group, entries in sorted(texts.items())}


def write(texts: dict[str, str]) -> None:
    """Put texts in the place of the fixture."""
    COMMANDS.mkdir(exist_ok=True)
    for path in COMMANDS.glob(f"*{SUFFIX}"):
        path.unlink()
    for group, text in texts.items():
        (COMMANDS / f"{group}{SUFFIX}").write_text(text, "utf-8")


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """A unified diff of two records."""
    lines: list[str] = []
    for group in sorted({*before, *after}):
        one, two = (texts.get(group, "").splitlines() for texts in (before, after))
        name = f"{group}{SUFFIX}"
        lines += difflib.unified_diff(one, two, f"fixture/{name}", f"now/{name}", lineterm="")
    return lines


def main() -> int:
    """Compare or write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew the fixture")
    wants = parser.parse_args()
    texts = recorded()
    if wants.write:
        write(texts)
        return 0
    lines = difference(held(), texts)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
