"""Tables: aligned on a terminal, tab-separated in a pipe, coloured where colour is wanted."""

from __future__ import annotations

import pytest

from bus.cli.frame.app import App
from bus.cli.frame.tables import Table

ROWS = (("live", "xa-csirt"), ("silent", "xb-dpa"), ("lively", "live and well"))


def printed(capsys: pytest.CaptureFixture[str], **wishes: object) -> str:
    """What a table looks like in a pipe."""
    app = App()
    app.no_config = True
    for name, value in wishes.items():
        setattr(app, name, value)
    app.table(Table(("state", "authority"), ROWS))
    return capsys.readouterr().out


def test_a_table_in_a_pipe_has_no_colour_unless_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Tabs alone."""
    assert printed(capsys) == "live\txa-csirt\nsilent\txb-dpa\nlively\tlive and well\n"


def test_color_always_is_honoured_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Words of a state, each in the colour of its meaning; the tabs stay, and nothing else changes."""
    out = printed(capsys, color="always")
    assert out == "\x1b[32mlive\x1b[0m\txa-csirt\n\x1b[31msilent\x1b[0m\txb-dpa\nlively\tlive and well\n"


def test_a_plain_table_has_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    """For screen readers, whatever else was said."""
    assert "\x1b" not in printed(capsys, color="always", plain=True)
