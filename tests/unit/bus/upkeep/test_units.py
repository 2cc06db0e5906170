"""Units of systemd: their content, their acceptance by systemd, and the quoting of every name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.upkeep.units import UnitError, UnitSpec, hidden, is_ours, is_unchanged, unit_name, unit_text

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here (Debian: systemd)")
MOST_EXPOSED = 20
"""In tenths, as `systemd-analyze security` counts: a service without walls has 96."""


def spec(**changes: Any) -> UnitSpec:
    """A hub's unit."""
    fields: dict[str, Any] = {
        "name": "tocsin-hub-xa-hub",
        "description": "tocsin: the hub xa-hub",
        "command": ("/usr/bin/env", "hub", "run", "--context", "xa-hub"),
        "environment": {"TOCSIN_HOME": "/etc/tocsin"},
        "writes": (Path("/var/lib/tocsin/xa-hub"), Path("/etc/tocsin/registry")),
        "credentials": {"hub.pass": Path("/etc/tocsin/hub.pass")},
        "scope": "system",
        "run_as": "nobody",
    }
    return UnitSpec(**{**fields, **changes})


def setting(text: str, name: str) -> str:
    """The value of a setting in a unit."""
    (found,) = re.findall(f"(?m)^{name}=(.*)$", text)
    return str(found)


# -- quoting ------------------------------------------------------------------------------------------------------


def words_of(line: str) -> list[str]:
    """A line as systemd takes it apart (systemd.syntax(7), quoting): words, quotes, and backslashes within them."""
    words, word, quoted, begun, at = [], "", "", False, 0
    while at < len(line):
        letter = line[at]
        if letter == "\\":
            at += 1
            word += {"n": "\n", "t": "\t"}.get(line[at], line[at])
            begun = True
        elif quoted:
            quoted, word = ("", word) if letter == quoted else (quoted, word + letter)
        elif letter in "\"'":
            quoted, begun = letter, True
        elif letter in " \t":
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word, begun = word + letter, True
        at += 1
    assert not quoted
    return [*words, word] if begun else words


def expanded(word: str) -> str:
    """A word after systemd has replaced its specifiers and variables; one that is left alone is an error here."""
    assert re.sub(r"%%|\$\$", "", word).count("%") == 0
    assert re.sub(r"\$\$", "", word).count("$") == 0
    return word.replace("%%", "%").replace("$$", "$")


NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("%$\"'\\ ;|&*?~#{}()"), max_size=30
)


@given(names=st.lists(NAMES, min_size=1, max_size=4))
def test_every_argument_comes_through(names: list[str]) -> None:
    """For any path systemd hands over exactly these arguments."""
    text = unit_text(spec(command=("/usr/bin/env", *names)))
    assert [expanded(word) for word in words_of(setting(text, "ExecStart"))] == ["/usr/bin/env", *names]


@given(name=NAMES.filter(lambda name: "/" not in name))
def test_every_folder_comes_through(name: str) -> None:
    """In a list of paths, and in a variable, where `$` is a letter like any other."""
    place = Path("/srv") / name
    text = unit_text(spec(writes=(place,), environment={"X": str(place)}))
    for line in (setting(text, "ReadWritePaths"), setting(text, "Environment").replace("X=", "", 1)):
        (word,) = words_of(line)
        assert word.replace("%%", "%") == str(place)


@pytest.mark.parametrize("name", ["a\nb", "a\x00", "a\x1b[", "\ud800"])
def test_what_no_unit_can_hold_is_refused(name: str) -> None:
    """A line break would be a setting of its own."""
    with pytest.raises(UnitError, match="no unit can hold"):
        unit_text(spec(command=("/usr/bin/env", name)))
    with pytest.raises(UnitError):
        unit_text(spec(writes=(Path("/srv") / name,)))


@pytest.mark.parametrize("letter", ["'", '"', "\\"])
def test_a_program_that_systemd_would_not_start_is_refused(letter: str) -> None:
    """It takes no quotes in the path of a program."""
    with pytest.raises(UnitError, match="starts no program"):
        unit_text(spec(command=(f"/opt/a{letter}b/tocsin",)))


@pytest.mark.parametrize("name", ["a ", "a\\", "a\t"])
def test_a_secret_that_would_lose_its_end_is_refused(name: str) -> None:
    """Systemd reads that path unquoted up to the end of the line."""
    with pytest.raises(UnitError):
        unit_text(spec(credentials={"x": Path("/srv") / name}))


# -- what stands in them ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["system", "user"])
def test_a_unit_is_begun_anew_but_for_what_a_person_must_mend(scope: str) -> None:
    """A watchdog, a restart on failure, and none for wrong settings."""
    text = unit_text(spec(scope=scope))
    assert setting(text, "Type") == "notify"
    assert setting(text, "Restart") == "on-failure"
    assert setting(text, "RestartPreventExitStatus") == "2 3 5 6"
    assert int(setting(text, "WatchdogSec")) > 0
    assert setting(text, "ProtectSystem") == "strict"
    assert ("User=nobody" in text) == (scope == "system")


def test_home_folders_are_closed_unless_something_lies_there() -> None:
    """Then they can be read, and what is written into is named."""
    assert setting(unit_text(spec()), "ProtectHome") == "yes"
    assert setting(unit_text(spec(writes=(Path("/home/hub/state"),))), "ProtectHome") == "read-only"
    assert setting(unit_text(spec(reads=(Path("/root/venv"),))), "ProtectHome") == "read-only"


def test_what_lies_in_a_temporary_folder_is_named() -> None:
    """A unit has temporary folders of its own, and does not see what is in the machine's."""
    writes, reads = (Path("/tmp/hub"),), (Path("/etc/pass"), Path("/var/tmp/pass"))  # noqa: S108
    assert hidden(spec(writes=writes, reads=reads)) == (writes[0], reads[1])
    assert hidden(spec()) == ()


def test_a_change_by_hand_is_seen() -> None:
    """One letter is enough; an unchanged unit is recognised."""
    text = unit_text(spec())
    assert is_unchanged(text)
    assert not is_unchanged(text.replace("RestartSec=5", "RestartSec=6"))
    assert not is_unchanged("[Unit]\n")
    assert not is_unchanged("")


def test_names_say_program_context_and_which_of_several() -> None:
    """And a folder of units has others than ours."""
    assert unit_name("hub", "xa-hub") == "tocsin-hub-xa-hub"
    assert unit_name("adapter", "xa-csirt", "misp") == "tocsin-adapter-xa-csirt-misp"
    assert is_ours("tocsin-hub-xa-hub.service")
    assert not is_ours("ssh.service")
    assert not is_ours("tocsin-hub.timer")


# -- what systemd says of them --------------------------------------------------------------------------------------


def analyzed(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A verdict of systemd-analyze on the last argument, a unit."""
    assert ANALYZE is not None
    around = {"XDG_RUNTIME_DIR": str(Path(arguments[-1]).parent), "HOME": "/"}
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, env=around)


def put(folder: Path, made: UnitSpec) -> Path:
    """A unit in a folder."""
    path = folder / f"{made.name}.service"
    path.write_text(unit_text(made))
    return path


@needs_systemd
@pytest.mark.parametrize("scope", ["system", "user"])
@pytest.mark.parametrize("netlink", [False, True])
def test_systemd_takes_them(tmp_path: Path, scope: str, netlink: bool) -> None:
    """Without a word."""
    path = put(tmp_path, spec(scope=scope, netlink=netlink, run_as="root"))
    done = analyzed("verify", "--man=no", *(["--user"] if scope == "user" else []), str(path))
    said = [line for line in done.stderr.splitlines() if path.name in line]
    assert (done.returncode, said) == (0, [])


@needs_systemd
def test_the_walls_are_high(tmp_path: Path) -> None:
    """By systemd's own count of what a service could still do."""
    path = put(tmp_path, spec())
    done = analyzed("security", "--offline=yes", "--no-pager", f"--threshold={MOST_EXPOSED}", str(path))
    assert done.returncode == 0, done.stdout


@needs_systemd
def test_systemd_finds_a_program_whatever_it_is_called(tmp_path: Path) -> None:
    """Its own reading of our quotes: the program is found; under another name it is not."""
    folder = tmp_path / "a b%c$d;|&{e}"
    folder.mkdir()
    program = folder / "to c%sin$x"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = put(tmp_path, spec(name="tocsin-a", command=(str(program), "x y", "%n", "$HOME"), run_as="root"))
    missing = put(tmp_path, spec(name="tocsin-b", command=(f"{program}!",), run_as="root"))
    assert analyzed("verify", "--man=no", str(found)).returncode == 0
    assert "not executable" in analyzed("verify", "--man=no", str(missing)).stderr


@pytest.mark.parametrize("name", ["", "a b", "root\nExecStartPre=/bin/true", "%u", "-x", "a:b", "a" * 40])
def test_what_names_no_user_is_refused(name: str) -> None:
    """It would be another setting, or another user."""
    with pytest.raises(UnitError, match="not the name of a user"):
        unit_text(spec(run_as=name))
