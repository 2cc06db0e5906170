"""A module of the command line imports what it uses at its top: rooms open lazily, so that costs nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import bus.cli

ROOT = Path(bus.cli.__file__).parent
# Who imports inside a function, what, and why that must be.
LATE = {
    "main.py": {"msgspec": "an error as JSON; `--help` loads no msgspec"},
    "frame/app.py": {
        "bus": "settings are read when they are first asked for; `--help` needs none",
        "bus.cli.frame": "the log is set up when a command wants one",
        "msgspec": "data as JSON; `--help` loads no msgspec",
    },
    "frame/answers.py": {"bus.cli.frame.running": "for answers that come as a stream"},
    "frame/commands.py": {
        "asyncio": "for commands that are coroutines; `--help` needs none",
        "bus": "the log is set up before a command runs",
        "bus.cli.frame": "the log, when something is logged",
        "bus.cli.frame.running": "for programs that run on",
    },
    "frame/files.py": {"bus.cli.frame.running": "a person is asked; what only reads a file needs no asyncio"},
    "frame/log.py": {"structlog": "only when something is logged"},
    "frame/patience.py": {"asyncio": "what opens a registry alone needs none"},
    "officer/compose.py": {"readline": "not every Python has it, and only a person who types needs it"},
    "frame/session.py": {"asyncio": "what opens a registry alone needs none"},
}


def late(path: Path) -> set[str]:
    """The modules that functions of a file import."""
    inside = [
        node
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    ]
    found = {node.module or "" for node in inside if isinstance(node, ast.ImportFrom)}
    return found | {alias.name for node in inside if isinstance(node, ast.Import) for alias in node.names}


def test_no_function_imports_but_those_that_are_listed() -> None:
    """What is listed and imported no more fails too."""
    found = {str(path.relative_to(ROOT)): names for path in ROOT.rglob("*.py") if (names := late(path))}
    assert found == {name: set(modules) for name, modules in LATE.items()}
