"""How far long work has come is said on a terminal alone, in one line that goes away."""

from __future__ import annotations

import io
import sys

import pytest

from bus.cli.frame import progress
from bus.cli.frame.app import App
from bus.cli.frame.progress import CLEAR, words
from tests.support.waiting import eventually_sync


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("share", [None, 0.0, 0.5, 1.0, 1.5])
def test_the_line_never_breaks(share: float | None, width: int) -> None:
    """It is shorter than the terminal is wide, whatever it says."""
    assert len(words("taking in bundle.tocsin-bundle", 12.0, share, width)) < width


def test_it_says_how_much_is_done() -> None:
    """As a share where that is known, otherwise for how long it is at it."""
    assert words("publishing", 3.0, 0.5, 40) == "publishing: 50% [##########...........]"
    assert words("rebuilding", 3.2, None, 80) == "rebuilding: 3 s"


def test_the_line_goes_away_for_what_is_printed_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is left beside a note or an answer."""
    there = Terminal()
    monkeypatch.setattr(sys, "stderr", there)
    monkeypatch.setattr(progress, "FIRST_S", 0.0)
    app = App()
    with app.at_work("rebuilding"):
        eventually_sync(lambda: "rebuilding" in there.getvalue())
        app.note("a remark")
    out = there.getvalue()
    assert f"{CLEAR}a remark\n" in out
    assert out.rpartition(CLEAR)[2].strip() in ("", "a remark")


@pytest.mark.parametrize("wish", ["json", "plain", "quiet", "pipe"])
def test_there_is_none_where_nobody_looks(monkeypatch: pytest.MonkeyPatch, wish: str) -> None:
    """Nor for a screen reader, beside JSON, or under --quiet."""
    there = io.StringIO() if wish == "pipe" else Terminal()
    monkeypatch.setattr(sys, "stderr", there)
    app = App()
    app.json, app.plain, app.verbosity = wish == "json", wish == "plain", -1 if wish == "quiet" else 0
    with app.at_work("rebuilding"):
        assert app.progress is None
    assert there.getvalue() == ""
