"""What a hostile author writes reaches a terminal or a log as text, and as nothing else."""

from __future__ import annotations

import ast
import json
import unicodedata
from pathlib import Path

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

import bus
from bus.cli import main
from bus.cli.frame.answers import Answer, tell
from bus.cli.frame.app import App
from bus.cli.frame.tables import Table
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
    "a text in selectors": "a" + "".join(chr(0xE0100 + byte) for byte in b"hidden"),
    "letters that are empty": "a\u3164\u115f\u2800b",
    "marks that are empty": "a\u034f\u180b\ufe00b",
}


def unseen(text: str) -> set[str]:
    """The characters in it that steer a terminal, or are not seen."""
    return {each for each in text if unicodedata.category(each) in UNSEEN or each in EMPTY} - JOINERS


EMPTY = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00\ufe0d\ufff0\U000e0100\U000e01ef\U000e0fff"
)
"""Some of what shows nothing though its category is one of letters, marks, symbols, or none."""


EVERY_UNSEEN = "".join(chr(n) for n in range(0x110000) if unicodedata.category(chr(n)) in UNSEEN - {"Cs"})
EVERY_UNSEEN += "".join(sorted(EMPTY))
PRINTERS = {
    *("click.echo", "click.secho", "click.confirm", "print", "sys.stdout.write", "sys.stderr.write"),
    *("sys.stdout.buffer.write", "rich.print"),
}
# Who may write to a terminal without the functions of this room, and why.
WRITERS = {
    "bus/cli/frame/app.py": "it makes everything safe",
    "bus/cli/frame/progress.py": "the App makes its words safe",
    "bus/cli/main.py": "it makes the error safe",
    "bus/console/__main__.py": "lines of JSON for the hub that started it, which are ASCII or escaped",
    "bus/demo/stage.py": "the demonstration's own sentences",
}


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


def test_json_is_escaped_and_stays_equal(capfd: pytest.CaptureFixture[str]) -> None:
    """Every character that steers or is not seen is an escape; what the JSON says is the same, beyond the first plane too."""
    said = {"headline": f"a{EVERY_UNSEEN}é\u4e00\U0001f600z", EVERY_UNSEEN: 1}
    App().data(said)
    printed = capfd.readouterr().out
    assert printed.endswith("\n")
    assert not {each for each in printed[:-1] if unicodedata.category(each) in UNSEEN or each in EMPTY}
    assert json.loads(printed) == said
    assert "é\u4e00\U0001f600" in printed


def test_a_raw_bulletin_stays_on_its_line(capfd: pytest.CaptureFixture[str]) -> None:
    """An author may break lines between members: no reader of lines takes a part of a bulletin for an object."""
    raw = b'{"info":[\r\n{"headline":"x\\n\xc2\x9b31m"}\n\t],"seq":1}'
    App().data({"bulletin": msgspec.Raw(raw)})
    printed = capfd.readouterr().out
    assert printed.count("\n") == 1
    assert json.loads(printed)["bulletin"] == json.loads(raw)
    assert unseen(printed) == {"\n"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_everything_that_is_printed_is_safe(capfd: pytest.CaptureFixture[str], text: str) -> None:
    """Lines, blocks, notes and tables, of words for people."""
    app = App()
    app.plain = True
    tell(app, Answer(lines=[text], table=Table((text, "b"), [[text, 1]]), notes=[text], remarks=[text]))
    app.painted([(text, "red")])
    app.block(text)
    out, err = capfd.readouterr()
    assert unseen(out + err) <= {"\n", "\t"}


@pytest.mark.parametrize(
    "text", [*(each for each in HOSTILE.values()), "\udcff"], ids=[*HOSTILE, "bytes of a file name"]
)
@pytest.mark.parametrize("as_json", [False, True])
def test_an_error_that_quotes_is_safe(capfd: pytest.CaptureFixture[str], text: str, as_json: bool) -> None:
    """As a sentence and as JSON."""
    app = App()
    app.json = as_json
    main._say(app, 1, "schema", f"there is no file {text}")
    err = capfd.readouterr().err
    assert unseen(err) == {"\n"}
    assert err.count("\n") == 1


def test_emoji_and_the_scripts_that_need_joiners_are_shown_as_they_are() -> None:
    """What people write is not escaped: accents, selectors of emoji, joiners, right-to-left letters."""
    for text in (
        "é\u0301",
        "\u2764\ufe0f",
        "\u0915\u094d\u200d\u0937",
        "\u05d0\u05d1",
        "\U0001f468\u200d\U0001f469",
    ):
        assert safe(text) == text


def test_nothing_else_writes_to_the_terminal() -> None:
    """Who prints, prints through this room, where everything is made safe; each exception is named with its reason."""
    root = Path(bus.__file__).parent.parent
    found = {
        str(path.relative_to(root))
        for folder in ("bus", "adapters", "schemas")
        for path in (root / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in PRINTERS
    }
    assert found - {"schemas/export.py"} == set(WRITERS)


RAW = {
    "bus/cli/analyst/proof.py": "signed files, which are ASCII",
    "bus/cli/developer/help.py": "our own help and completion script",
    "bus/cli/developer/schema.py": "our own documents",
    "bus/cli/officer/bulletin.py": "a signed file, which is ASCII",
    "bus/cli/officer/compose.py": "a draft begun, of our own words",
    "bus/cli/officer/seal.py": "a signed file, which is ASCII",
    "bus/cli/operator/server.py": "the broker's configuration, whose names are ASCII by their pattern",
}
"""Whose answers stand as they are, and why that is safe."""


def test_who_answers_with_a_text_as_it_stands_is_named() -> None:
    """Each with the reason why nothing in it steers a terminal."""
    root = Path(bus.__file__).parent.parent
    found = {
        str(path.relative_to(root))
        for path in (root / "bus" / "cli").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Answer"
        and any(keyword.arg == "raw" for keyword in node.keywords)
    }
    assert found == set(RAW)
