"""The officer's desk: a draft begun, looked at whole, sent once; rules, codes and audiences explained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bus.cli.frame.app import App
from tests.support.clocks import utc_now
from tests.support.hubs import hub_desk
from tests.support.office import Desk
from tests.support.world import make_world

AS = ("--context", "xa-csirt")
GOOD = """
urgency = "expected"
severity = "moderate"
certainty = "observed"
confidence = { credibility = 2 }
tlp = "green"
pap = "green"
audience = "community"

[[info]]
lang = "en"
headline = "Mail of the commission waits"
summary = "Since nine. Nothing is lost."

[body]
kind = "cyber-threat"
title = "Mail of the commission waits"
"""
BAD = GOOD.replace('severity = "moderate"', 'severty = "moderat"').replace(
    '"green"\naudience', '"grey"\naudience'
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The CSIRT of XA, with two drafts."""
    desk = hub_desk(tmp_path / "here", monkeypatch, make_world(utc_now()), "xa-csirt")
    (desk.folder / "good.toml").write_text(GOOD)
    (desk.folder / "bad.toml").write_text(BAD)
    return desk


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person types at a terminal, one answer after the other; after the last one Ctrl-C."""
    answers: list[str] = []

    def answer(_self: App, _question: str, _usual: str | None = None) -> str:
        if not answers:
            raise click.Abort
        return answers.pop(0)

    def agrees(_self: App, question: str, *, usual: bool = False) -> bool:
        return answer(_self, question) == "y"

    monkeypatch.setattr(App, "may_ask", lambda _: True)
    monkeypatch.setattr(App, "answer_to", answer)
    monkeypatch.setattr(App, "agrees", agrees)
    return answers


def test_a_new_draft_is_for_its_writer_alone_and_follows_no_link(desk: Desk) -> None:
    """It may become of any marking, and a link to nothing is no new name."""
    assert desk.look(*AS, "bulletin", "draft", "cyber-threat", "--out", "mine.toml").code == 0
    assert (desk.folder / "mine.toml").stat().st_mode & 0o077 == 0
    (desk.folder / "link.toml").symlink_to(desk.folder / "elsewhere.toml")
    assert desk.look(*AS, "bulletin", "draft", "cyber-threat", "--out", "link.toml").code == 2
    assert not (desk.folder / "elsewhere.toml").exists()


def rules(said: str) -> Iterator[tuple[str, int | None]]:
    """Rule and line of each thing that `check --json` tells."""
    for line in said.splitlines():
        for each in json.loads(line)["violations"]:
            yield each["rule"], each.get("line")


def test_check_tells_all_of_it_with_its_line(desk: Desk) -> None:
    """In one run, for a person with a caret, for a program by number."""
    told = desk.look(*AS, "bulletin", "check", "bad.toml")
    assert told.code == 5
    assert (
        "bad.toml:3:1: severty: there is no field severty here; did you mean severity? [schema]" in told.out
    )
    assert '    7 | pap = "grey"\n      |       ^^^^^^\n      = green, red, amber, clear' in told.out
    as_data = desk.look(*AS, "bulletin", "check", "bad.toml", "--json").out
    assert list(rules(as_data)) == [("schema", 3), ("schema", 3), ("schema", 7)]


def test_publish_tells_all_of_it_too(desk: Desk) -> None:
    """Nothing is signed, and the last line says what happened."""
    told = desk.look(*AS, "publish", "--wait", "accepted", "bad.toml")
    assert (told.code, told.out) == (5, "")
    assert "did you mean moderate?" in told.err
    assert told.err.splitlines()[-1] == "tocsin: bad.toml: 3 faults to correct [schema]"


def test_an_audience_that_is_not_mine_is_told_with_those_that_are(desk: Desk) -> None:
    """With the nearest; `audiences` lists them."""
    told = desk.look(*AS, "publish", "--wait", "accepted", "good.toml", "--audience", "comunity")
    assert told.code == 5
    assert "did you mean community?" in told.err
    assert told.err.splitlines()[-1].endswith("[not-permitted]")
    listed = [line.split("\t")[0] for line in desk.run(*AS, "audiences").splitlines()]
    assert "community" in listed
    assert desk.look(*AS, "audiences", "comunity").code == 3


def test_the_same_draft_is_sent_once(desk: Desk) -> None:
    """The second is refused where nobody can be asked; `--again` means it, and another draft is another."""
    send = (*AS, "publish", "--wait", "accepted", "--json")
    first = json.loads(desk.run(*send, "good.toml"))
    refused = desk.look(*send, "good.toml")
    assert refused.code == 5
    assert "said-before" in refused.err
    assert first["id"] in refused.err
    assert first["id"] in desk.look(*send, "good.toml", "--dry-run").err
    assert json.loads(desk.run(*send, "good.toml", "--again"))["seq"] == 2
    (desk.folder / "good.toml").write_text(GOOD.replace("Since nine", "Since ten"))
    assert json.loads(desk.run(*send, "good.toml"))["seq"] == 3


def test_a_damaged_record_of_what_was_sent_is_begun_anew(desk: Desk) -> None:
    """With a word about it; what is sent then is remembered."""
    send = (*AS, "publish", "--wait", "accepted", "--json", "good.toml")
    desk.run(*send)
    (record,) = desk.folder.rglob("asked")
    record.write_bytes(record.read_bytes()[:-3])
    told = desk.look(*send)
    assert told.code == 0
    assert "is damaged: earlier drafts are forgotten" in told.err
    assert desk.look(*send).code == 5


def test_one_command_sends_a_draft_once(desk: Desk) -> None:
    """A file that is named twice is sent once, and the exit code says that it was partly done."""
    told = desk.look(*AS, "publish", "--wait", "accepted", "--json", "good.toml", "good.toml")
    assert told.code == 8
    assert len(told.out.splitlines()) == 1
    assert "the same draft stands in good.toml" in told.err


def test_a_person_is_asked_about_the_second(desk: Desk, typed: list[str]) -> None:
    """Yes sends it, no does not."""
    send = (*AS, "publish", "--wait", "accepted", "--json", "good.toml")
    desk.run(*send)
    typed += ["n", "y"]
    assert "nothing was sent" in desk.run(*send, code=5)
    assert json.loads(desk.run(*send))["seq"] == 2


def test_a_draft_is_begun_by_questions(desk: Desk, typed: list[str]) -> None:
    """A word may be begun; a slip is asked about; the file that comes of it is right."""
    typed += ["comm", "green", "exp", "modrat", "y", "obs", "", "Mail waits", "Since nine.", "Mail waits"]
    told = desk.look(*AS, "bulletin", "new", "cyber-threat", "--out", "new.toml")
    assert (told.code, typed) == (0, [])
    assert "new.toml is ready" in told.err
    assert desk.look(*AS, "bulletin", "check", "new.toml").code == 0


def test_what_was_answered_is_kept(desk: Desk, typed: list[str]) -> None:
    """Ctrl-C in the midst leaves a file with what there is, and says which."""
    typed += ["community", "green", "exp"]
    told = desk.look(*AS, "bulletin", "new", "cyber-threat", "--out", "new.toml")
    assert told.code == 130
    assert "your answers are in new.toml" in told.err
    assert 'urgency = "expected"' in (desk.folder / "new.toml").read_text()


def test_an_editor_is_opened_until_it_is_right(
    desk: Desk, typed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time the headline is missing; the faults are shown, and the person edits again."""
    editor = desk.folder / "editor"
    editor.write_text(
        "#!/bin/sh\n"
        'sed -i \'s/^# tlp = ""/tlp = "green"/; s/^# audience = ""/audience = "community"/\' $1\n'
        'if grep -q \'^title = ""\' $1; then sed -i \'s/^title = ""/title = "Mail"/; s/^summary = ""/summary = "It waits."/\' $1\n'
        'else sed -i \'s/^headline = ""/headline = "Mail waits"/\' $1; fi\n'
    )
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    typed += ["y"]
    told = desk.look(*AS, "bulletin", "new", "cyber-threat", "--edit", "--out", "new.toml")
    assert (told.code, typed) == (0, []), told.err
    assert "info[0].headline: the text is empty" in told.err


def test_without_a_terminal_the_commented_draft_is_printed(desk: Desk) -> None:
    """As `bulletin draft` does."""
    assert desk.run("bulletin", "new", "rfi") == desk.run("bulletin", "draft", "rfi")


def test_rules_and_codes_are_explained(desk: Desk) -> None:
    """What nobody knows exits 3, with the nearest."""
    assert desk.run("explain", "r24").startswith("R24: TLP:CLEAR goes only to the audience")
    assert "met under: Registry and keys" in desk.run("explain", "key-revoked")
    assert json.loads(desk.run("explain", "R36", "--json"))["source"]
    assert "tocsin vocab rsit" in desk.run("explain", "rsit")
    assert "did you mean key-revoked?" in desk.run("explain", "key-revokd", code=3)


def test_an_update_is_told_whole_too(desk: Desk) -> None:
    """A rule that it breaks stands beside the fault of its shape, with the line."""
    first = json.loads(desk.run(*AS, "publish", "--wait", "accepted", "--json", "good.toml"))
    (desk.folder / "late.toml").write_text('expires = "2020-01-01T00:00:00Z"\n' + BAD)
    told = desk.look(*AS, "bulletin", "update", first["id"], "late.toml", "--wait", "accepted")
    assert told.code == 5
    assert "late.toml:1:11: expires: " in told.err
    assert "did you mean moderate?" in told.err
