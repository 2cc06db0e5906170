"""The table of commands: which module holds each, and that groups are put together from it."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from bus.cli.frame.app import App
from bus.cli.frame.commands import Group, load
from bus.cli.main import COMMANDS, ROLES, SUBCOMMANDS, program, role_of

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


def test_no_help_loads_what_is_large() -> None:
    """Whatever command is asked about: no client of the broker, no keys, no log, no database."""
    code = (
        "import sys, click; from bus.cli.main import COMMANDS, program\n"
        "context = click.Context(program)\n"
        "for found in [program.get_command(context, name) for name in COMMANDS]:\n"
        "    if isinstance(found, click.Group):\n"
        "        for name in found.list_commands(context): found.get_command(context, name)\n"
        "print([m for m in ('nats', 'cryptography', 'nacl', 'structlog', 'sqlite3', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_group_of_the_table_is_a_command() -> None:
    """A group that is renamed takes its rows with it."""
    assert set(SUBCOMMANDS) <= set(COMMANDS)


def test_the_help_lists_every_command_under_its_role() -> None:
    """Each once, the roles in the order of the README; `tocsin` alone says the same."""
    helps = [CliRunner().invoke(program, arguments, obj=App()).stdout for arguments in (["--help"], [])]
    assert helps[0].rstrip() == helps[1].rstrip()
    listed: dict[str, list[str]] = {}
    under = ""
    for line in helps[0].partition(f"{ROLES['officer']}:")[1:]:
        for each in line.splitlines():
            if each and not each.startswith(" "):
                under = each.rstrip(":")
            elif each.startswith("  ") and each[2] != " ":
                listed.setdefault(under, []).append(each.split()[0])
    assert listed == {
        title: [name for name, (module, _, _) in COMMANDS.items() if role_of(module) == role]
        for role, title in ROLES.items()
    }
