"""Checks the documents against the code.

Links, decision records, reason codes, commands, exit codes, named tests and modules, faults, the tree of modules, tables, layers, doors, words, module sizes.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from bus.admission import REASONS
from bus.cli import COMMANDS, program
from bus.cli.frame import EXIT_CODES
from bus.hub.picture import projection
from bus.sealing import SEAL_REASONS, SECTION_REASONS, SIGHT_REASONS

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")
TREE = re.compile(r"^```text (\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"CREATE (?:VIRTUAL )?TABLE IF NOT EXISTS (\w+)")
MODULE = re.compile(r"`((?:bus|schemas|adapters|tests)/[\w/]+\.py)`")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
PACKAGES = ("bus", "schemas", "adapters")
LONG = 300  # lines; a longer module has a reason in docs/architecture.md
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


def raised() -> Iterator[str]:
    """Reason codes that an error of the code is raised with, and docs/reason-codes.md does not explain."""
    text = (ROOT / "docs" / "reason-codes.md").read_text("utf-8")
    for package in PACKAGES:
        for module in sorted((ROOT / package).rglob("*.py")):
            codes = {code for node in ast.walk(ast.parse(module.read_text("utf-8"))) for code in _codes(node)}
            yield from (
                f"docs/reason-codes.md does not name {code}, which {module.relative_to(ROOT)} raises"
                for code in sorted(codes)
                if f"`{code}`" not in text
            )


def _codes(node: ast.AST) -> Iterator[str]:
    """The reason codes in a call of an error class, or the default of such a class."""
    values: list[ast.expr | None] = []
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error"):
        values = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
    elif isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
        values = [
            line.value
            for line in node.body
            if isinstance(line, ast.Assign | ast.AnnAssign) and ast.unparse(line).startswith("reason")
        ]
    for value in values:
        for part in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


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


def paths() -> Iterator[str]:
    """Modules that a document names by their path and are not there; old paths stand in two pages, made-up ones in the how-tos."""
    pages = {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "schemas").glob("*.md")}
    pages -= {ROOT / "CHANGELOG.md", ROOT / "docs" / "names.md", *(ROOT / "docs" / "how-to").glob("*.md")}
    for page in sorted(pages):
        for path in sorted(set(MODULE.findall(page.read_text("utf-8")))):
            if not (ROOT / path).is_file():
                yield f"{page.relative_to(ROOT)}: {path} is not there"


def faults() -> Iterator[str]:
    """Faults of the matrix that docs/faults.md says nothing about."""
    text = (ROOT / "docs" / "faults.md").read_text("utf-8")
    yield from (f"docs/faults.md has no row {n}" for n in range(1, FAULTS + 1) if f"\n| {n} |" not in text)


def tree() -> Iterator[str]:
    """Modules that the tree of docs/architecture.md does not name, names twice, or names without a caption."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named: list[str] = []
    for _, block in TREE.findall(text):
        folders: list[str] = []
        for line in block.splitlines():
            name, _, caption = line.strip().partition(" ")
            if not caption.strip():
                yield f"docs/architecture.md: {name} has no caption"
            del folders[(len(line) - len(line.lstrip())) // 2 :]
            if name.endswith("/"):
                folders.append(name)
            else:
                named.append("".join(folders) + name)
    there = {
        str(module.relative_to(ROOT))
        for package in PACKAGES
        for module in (ROOT / package).rglob("*.py")
        if module.name != "__init__.py"
    }
    yield from (f"docs/architecture.md has no line for {name}" for name in sorted(there - set(named)))
    yield from (f"docs/architecture.md: {name} is not there" for name in sorted(set(named) - there))
    yield from (
        f"docs/architecture.md: {name} stands twice" for name in sorted(set(named)) if named.count(name) > 1
    )


def tables() -> Iterator[str]:
    """Tables of bus/ that docs/architecture.md does not list beside the module that makes them, and the other way round."""
    page = ROOT / "docs" / "architecture.md"
    listed: set[tuple[str, str]] = set()
    for names, target in re.findall(
        r"^\| (`[^|]+`) \| \[[^\]]*\]\(([^)]+)\) \|", page.read_text("utf-8"), re.MULTILINE
    ):
        module = (page.parent / target).resolve()
        listed |= {(name, str(module.relative_to(ROOT))) for name in re.findall(r"`(\w+)`", names)}
    made = {
        (name, str(module.relative_to(ROOT)))
        for module in (ROOT / "bus").rglob("*.py")
        for name in TABLE.findall(module.read_text("utf-8"))
    }
    # Three tables of one shape are made from a template there: they stand in the finished text only.
    literal = {name for name, _ in made}
    template = str(Path(projection.__file__).relative_to(ROOT))
    made |= {(name, template) for name in TABLE.findall(projection.SCHEMA) if name not in literal}
    yield from (
        f"docs/architecture.md does not list table {name} of {module}"
        for name, module in sorted(made - listed)
    )
    yield from (
        f"docs/architecture.md: {module} makes no table {name}" for name, module in sorted(listed - made)
    )


def layers() -> Iterator[str]:
    """Layers of bus/ that docs/architecture.md lists otherwise than the contract in pyproject.toml."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    told = [
        set(re.findall(r"`(\w+)`", row)) for row in re.findall(r"^\| \d+ \| ([^|]+) \|", text, re.MULTILINE)
    ]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    for contract in settings["contracts"]:
        if contract.get("containers") == ["bus"]:
            rows = [set(re.findall(r"\w+", row)) for row in contract["layers"]]
            there = [{name for name in row if _is_in_bus(name)} for row in rows]
            if told != [row for row in there if row]:
                yield "docs/architecture.md lists other layers than the contract of bus in pyproject.toml"


def _is_in_bus(name: str) -> bool:
    return (ROOT / "bus" / name).is_dir() or (ROOT / "bus" / f"{name}.py").is_file()


def doors() -> Iterator[str]:
    """Names that docs/api.md promises of a room, and its door does not have."""
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    for room, names in re.findall(r"^\| `(bus\.\w+)` \| (`[^|]+`) \|", text, re.MULTILINE):
        door = getattr(importlib.import_module(room), "__all__", None)
        if door is not None:
            yield from (
                f"docs/api.md: {room} has no {name}"
                for name in re.findall(r"`(\w+)`", names)
                if name not in door
            )


def words() -> Iterator[str]:
    """Words that the glossary explains twice."""
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    explained = [
        word
        for row in re.findall(r"^\| (\*\*.+?) \|", text, re.MULTILINE)
        for word in re.findall(r"\*\*(.+?)\*\*", row)
    ]
    yield from (
        f"docs/glossary.md explains {word} twice"
        for word in sorted(set(explained))
        if explained.count(word) > 1
    )


def sizes() -> Iterator[str]:
    """Long modules without a reason in docs/architecture.md, and reasons of modules that are not long."""
    page = ROOT / "docs" / "architecture.md"
    _, _, section = page.read_text("utf-8").partition("\n## Long modules\n")
    reasoned = {
        str((page.parent / target).resolve().relative_to(ROOT))
        for target, reason in re.findall(r"^\| \[[^\]]*\]\(([^)]+)\) \|([^|\n]*)\|$", section, re.MULTILINE)
        if reason.strip()
    }
    lines = {
        str(module.relative_to(ROOT)): len(module.read_text("utf-8").splitlines())
        for package in PACKAGES
        for module in (ROOT / package).rglob("*.py")
    }
    long = {name for name, count in lines.items() if count > LONG}
    yield from (
        f"{name} has {lines[name]} lines; above {LONG} docs/architecture.md must say why it is one module"
        for name in sorted(long - reasoned)
    )
    yield from (
        f"docs/architecture.md gives a reason for {name}, which has no more than {LONG} lines"
        for name in sorted(reasoned - long)
    )


def main() -> int:
    """Print every fault; 1 when there is one."""
    checks = (
        links,
        records,
        reasons,
        raised,
        commands,
        tests,
        paths,
        faults,
        tree,
        tables,
        layers,
        doors,
        words,
        sizes,
    )
    found = [fault for check in checks for fault in check()]
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
