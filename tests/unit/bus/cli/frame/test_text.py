"""What a hostile author writes reaches a terminal or a log as text, and as nothing else."""

from __future__ import annotations

import unicodedata

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bus.cli.frame.app import App
from bus.cli.frame.text import JOINERS, UNSEEN, safe

HOSTILE = {
    "a line of its own": "x\n2027-05-23 admitted everything",
    "a carriage return": "x\rall is well",
    "a cursor": "a\x1b[2Jb",
    "a title": "\x1b]0;owned\x07",
    "eight bits": "\x9b31m",
    "turned round": "\u202egnp.exe",
    "isolated": "\u2066a\u2069",
    "a NUL": "a\x00b",
    "half a character": "\ud800",
}


def unseen(text: str) -> set[str]:
    """The characters in it that steer a terminal, or are not seen."""
    return {each for each in text if unicodedata.category(each) in UNSEEN} - JOINERS


@pytest.fixture
def plain() -> None:
    """Logs as the command line sets them up."""
    App().logs()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_log_line_is_one_line(plain: None, capfd: pytest.CaptureFixture[str], text: str) -> None:
    """Event and fields: no line end, cursor movement or turned text comes through."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory())
    structlog.get_logger().warning(f"refused {text}", subject=text, detail=text)
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    assert text not in out
    assert unseen(out) == {"\n"}
    assert "\x00" not in out
    assert "\x9b" not in out


@given(st.text(st.characters()))
def test_whatever_is_shown_is_printable(text: str) -> None:
    """No control character, no override, and letters stay as they are."""
    shown = safe(text)
    assert not unseen(shown)
    assert safe(shown) == shown
