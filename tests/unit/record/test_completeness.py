"""The record holds every command of the program."""

from __future__ import annotations

from bus.cli.main import program
from tests.record.entries import Form, headings, held, leaves

ENTRIES = list(headings(held().values()))


def test_every_command_has_its_help_in_the_record() -> None:
    """A new command without a record is told by its name."""
    helped = {command for command, title, _ in ENTRIES if title == "help"}
    assert set(leaves(program)) - helped == set()


def test_every_command_is_run_with_and_without_json() -> None:
    """Help aside."""
    for form in (Form.PIPE, Form.JSON):
        assert (
            set(leaves(program))
            - {command for command, title, run in ENTRIES if title != "help" and run is form}
            == set()
        )


def test_the_record_holds_no_command_that_is_gone() -> None:
    """What the program has no more is taken out of the record."""
    assert {command for command, _, _ in ENTRIES} - set(leaves(program)) == set()
