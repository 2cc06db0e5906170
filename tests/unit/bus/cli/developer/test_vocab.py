"""`tocsin vocab`: what there is, what a word means, and what a former id is today."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bus.cli.main import main
from schemas.vocabularies import names

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tocsin(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program; gives the exit code, standard output and standard error."""

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(args)
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def test_without_a_name_all_are_listed(tocsin: Run) -> None:
    """Each with its version and source."""
    code, out, _ = tocsin("vocab", "--json")
    listed = json.loads(out)
    assert code == 0
    assert [each["name"] for each in listed] == list(names())
    assert all(each["version"] and each["source"] and each["terms"] for each in listed)


def test_a_name_lists_its_words(tocsin: Run) -> None:
    """One a line, in a pipe."""
    code, out, _ = tocsin("vocab", "tlp")
    assert code == 0
    assert out.split() == ["red", "amber+strict", "amber", "green", "clear"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("rsit", "ransom"), "information-content-security:unauthorised-information-modification"),
        (("disarm", "T0086"), "T0086\tDevelop Image-Based Content"),
        (("attack", "T1566"), "T1566\tPhishing"),
        (("attack", "T1086"), "T1086 (PowerShell) was revoked; it is now T1059.001"),
        (("attack", "spearphishing", "voice"), "T1566.004"),
        (("T0086",), "disarm\tT0086\tDevelop Image-Based Content"),
        (("financial",), "authority-kind\tfinancial-intelligence-unit"),
        (("currency", "euro"), "EUR\tEuro"),
        (("disarm", "T0099.004"), "similar labels: T0097.202"),
    ],
)
def test_a_word_is_told(tocsin: Run, asked: tuple[str, ...], said: str) -> None:
    """An id, part of a label or text, several parts, a former id."""
    code, out, _ = tocsin("vocab", *asked)
    assert code == 0
    assert said in out


def test_programs_get_the_same(tocsin: Run) -> None:
    """Version, source and licence stand beside what was found."""
    code, out, _ = tocsin("vocab", "attack", "T1086", "--json")
    (found,) = json.loads(out)
    assert code == 0
    assert found["vocabulary"] == "attack-enterprise"
    assert found["former"][0]["now"] == ["T1059.001"]
    assert found["version"]
    assert "MITRE" in found["licence"]


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        (("rsit", "phising"), "fraud:phishing"),
        (("distarm", "x"), "disarm"),
        (("rsit", "xqzt"), "no word is similar"),
        (("xqzt",), "lists"),
    ],
)
def test_what_is_not_there_ends_with_3_and_the_nearest(
    tocsin: Run, asked: tuple[str, ...], nearest: str
) -> None:
    """A word, and a vocabulary."""
    code, out, err = tocsin("vocab", *asked)
    assert (code, out) == (3, "")
    assert nearest in err
