"""A bulletin on a terminal: aligned, never wider than the window, hostile words escaped, colour only as an extra."""

from __future__ import annotations

import re

import msgspec
import pytest

from bus.cli.frame.app import App
from bus.cli.frame.lines import BulletinLines
from bus.cli.frame.text import wrapped
from schemas.bulletin import Bulletin
from schemas.vocab import Tlp
from tests.support.world import bulletin, shared_world

PAINT = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Standard output taken for a terminal; its width is COLUMNS."""
    for module in ("bus.cli.frame.lines", "bus.cli.frame.text", "bus.cli.frame.app"):
        monkeypatch.setattr(f"{module}.on_terminal", lambda: True)
    for variable in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return monkeypatch


def told(headline: str = "Flood against the results portal, " * 4) -> Bulletin:
    """A bulletin with these words."""
    made = bulletin(shared_world(), tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    return msgspec.structs.replace(made, info=(msgspec.structs.replace(made.info[0], headline=headline),))


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_window(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    """From 80 columns on; the headline hangs under itself, and every word of it is there."""
    terminal.setenv("COLUMNS", str(width))
    BulletinLines(told(), ("late",), "stale", "xb-hub has no grant for it").draw(App())
    lines = PAINT.sub("", capsys.readouterr().out).splitlines()
    assert all(len(line) <= max(width, 80) for line in lines)
    text = " ".join(" ".join(lines).split())
    for words in ("xa-csirt", "TLP:AMBER+STRICT", "eu-csirts", "verified", "late", "trust stale", "no grant"):
        assert words in text
    assert text.count("Flood against the results portal,") == 4


def test_hostile_words_neither_steer_nor_add_a_line(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escapes of a headline are shown as text, in the bulletin's own lines, without any colour of ours either."""
    terminal.setenv("COLUMNS", "200")
    shown = App()
    shown.color = "never"
    BulletinLines(told("a\x1b[2Jb\u202ec\nd\u2028e")).draw(shown)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "a\\u001b[2Jb\\u202ec\\u000ad\\u2028e" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(("color", "painted"), [("always", True), ("never", False)])
def test_colour_says_nothing_that_words_do_not(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], color: str, painted: bool
) -> None:
    """With and without it the same text stands there."""
    terminal.setenv("COLUMNS", "100")
    shown = App()
    shown.color = color
    BulletinLines(told()).draw(shown)
    out = capsys.readouterr().out
    assert bool(PAINT.search(out)) is painted
    assert "TLP:AMBER+STRICT" in PAINT.sub("", out)


def test_a_folded_line_of_the_picture_is_one_bulletins(terminal: pytest.MonkeyPatch) -> None:
    """A line end in a headline makes no line of its own in the picture."""
    terminal.setenv("COLUMNS", "60")
    lines = wrapped("  p2 11-25 17:03 xa-csirt  all is well\n  p1 forged line " + "x " * 40)
    assert not any(line.startswith("  p1") for line in lines)
    assert all(len(line) <= 60 and "\n" not in line for line in lines)
