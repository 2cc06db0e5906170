"""The table of commands: which module holds each, and that groups are put together from it."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from bus.cli.frame.commands import Group, load
from bus.cli.main import COMMANDS, SUBCOMMANDS, program

PLACES = [(group, name) for group, names in SUBCOMMANDS.items() for name in names]


@pytest.mark.parametrize(("group", "name"), PLACES)
def test_a_command_is_where_the_table_says(group: str, name: str) -> None:
    """It bears the name it is found by, and the group's own module holds none of that name."""
    found = program.get_command(click.Context(program), group)
    assert isinstance(found, Group)
    assert name not in found.commands
    assert load(*SUBCOMMANDS[group][name]).name == name
    assert name in found.list_commands(click.Context(found))


def test_a_group_imports_no_other_role_until_it_is_asked() -> None:
    """Of `tocsin bulletin draft` only modules of its own role are loaded."""
    code = (
        "import sys, click; from bus.cli.main import program\n"
        "program.get_command(click.Context(program), 'bulletin')\n"
        "print({m.split('.')[2] for m in sys.modules if m.startswith('bus.cli.')} - {'main', 'frame'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "{'officer'}"


def test_no_command_loads_what_draws_tracebacks() -> None:
    """Structlog takes rich where it finds it; a command does without, whichever of its imports comes first."""
    code = (
        "import sys; from bus.cli.main import program\n"
        "program.main(['adapter', 'list', '--json'], standalone_mode=False)\n"
        "print([m for m in ('structlog', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['structlog']"


def test_every_group_of_the_table_is_a_command() -> None:
    """A group that is renamed takes its rows with it."""
    assert set(SUBCOMMANDS) <= set(COMMANDS)
