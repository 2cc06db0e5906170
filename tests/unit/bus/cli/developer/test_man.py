"""Manual pages say what the help says, and roff reads them without a complaint."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bus.cli.developer.help import ENVIRONMENT
from bus.cli.developer.man import escaped, pages
from bus.cli.frame import App, command
from bus.cli.main import COMMANDS, program
from tests.support.office import Desk
from tests.support.waiting import longest

DAY = dt.date(2026, 11, 28)
TRICKY = [
    ".TH is no request",
    "'so neither",
    "a\\b \\fB -x--y 'quoted' \"twice\" `back` ^ ~",
    "Straße, Αθήνα",
]


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """Every page by the name of its file."""
    return dict(pages(program, "tocsin", "1.2.3", DAY, ENVIRONMENT))


def shown(text: str, columns: int = 5000) -> str:
    """A page as a terminal shows it, on one line and without what makes letters bold; and roff says nothing."""
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not here")
    done = subprocess.run(
        [groff, "-man", "-ww", "-Tutf8", "-P-c", f"-rLL={columns}n"],
        input=text.encode("ascii"),
        capture_output=True,
        timeout=longest(),
    )
    assert (done.stderr.decode(), done.returncode) == ("", 0)
    return " ".join(re.sub(".\x08", "", unicodedata.normalize("NFC", done.stdout.decode())).split())


def every_command(
    group: click.Group, ctx: click.Context, path: str = "tocsin"
) -> Iterator[tuple[str, click.Command]]:
    """Each command with its path, groups and the program among them."""
    yield path, group
    for name in group.list_commands(ctx):
        found = group.get_command(ctx, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from every_command(found, click.Context(found, parent=ctx), f"{path} {name}")
        else:
            yield f"{path} {name}", found


def test_every_command_has_a_page(made: dict[str, str]) -> None:
    """Groups too; nothing else has one."""
    wanted = {f"{path.replace(' ', '-')}.1" for path, _ in every_command(program, click.Context(program))}
    assert set(made) == wanted


def test_roff_shows_what_the_help_says(made: dict[str, str]) -> None:
    """Every paragraph and the help of every option, letter for letter, of all pages together; and it warns of nothing."""
    text = shown("".join(made.values()))
    missing = []
    for _, each in every_command(program, click.Context(program)):
        said = (each.help or "").split("\n\n")
        options = [p for p in each.params if isinstance(p, click.Option) and not p.hidden]
        said += [option.help or "" for option in options] + [name for o in options for name in o.opts]
        missing += [part for part in said if " ".join(part.split()) not in text]
    assert missing == []


def test_they_fit_a_screen(made: dict[str, str]) -> None:
    """Of 80 columns: no word is too long for its line, or roff would say so."""
    assert shown("".join(made.values()), 80)


def test_the_first_page_has_all_commands_variables_and_exit_codes(made: dict[str, str]) -> None:
    """Each by its own words."""
    first = made["tocsin.1"]
    for word in (*COMMANDS, *ENVIRONMENT, "130"):
        assert rf"\fB{escaped(word)}\fR" in first


@pytest.mark.parametrize("words", TRICKY)
def test_what_roff_would_read_as_its_own_is_shown_as_it_is(words: str) -> None:
    """Requests, escapes, hyphens and quotes."""

    @click.group(help=f"First.\n\n{words}")
    def root() -> None: ...

    @command(root, "go", help=words)
    @click.option("--on", is_flag=True, help=words)
    def go(_app: App, *, on: bool) -> None: ...

    for text in dict(pages(root, "tocsin", "1", DAY, {"HOME": words})).values():
        assert words in shown(text)


def test_man_reads_them(tmp_path: Path, made: dict[str, str]) -> None:
    """The program that people use, on one page."""
    program_ = shutil.which("man")
    if program_ is None or subprocess.run([program_, "-V"], capture_output=True).returncode:
        pytest.skip("man is not here")
    (tmp_path / "tocsin.1").write_text(made["tocsin.1"])
    command_ = [program_, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(tmp_path / "tocsin.1")]
    done = subprocess.run(command_, capture_output=True, timeout=longest())
    assert (done.stderr, done.returncode) == (b"", 0)


def test_they_are_written_into_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: dict[str, str]
) -> None:
    """By the installed program, of the day that a build of a package names."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    Desk(tmp_path, monkeypatch).run("help", "--man", "man/man1")
    found = {each.name for each in (tmp_path / "man" / "man1").iterdir()}
    assert found == set(made)
    assert r'"1970\-01\-02"' in (tmp_path / "man" / "man1" / "tocsin-publish.1").read_text()
