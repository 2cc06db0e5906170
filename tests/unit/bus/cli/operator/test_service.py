"""`tocsin service`: units for the programs of a context."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bus.upkeep.units import is_unchanged
from tests.support.office import Desk

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "server": ("broker", "--port", "4333"),
    "hub": (),
    "adapter": ("cyber", "--spool", "my spool"),
    "heartbeat": (),
    "keeper": (
        *("--key", "beacon.pem", "--passphrase-file", "beacon.pass"),
        *("--provisioner", "broker/provisioner.nk", "--hours", "12"),
    ),
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with one context, whose folder has a name to be quoted."""
    folder = tmp_path / "a desk 100%"
    folder.mkdir()
    desk = Desk(folder, monkeypatch)
    desk.run(
        *("context", "add", "mine", "--authority", "xa-csirt", "--domain", "test", "--pin", "x"),
        *("--registry", "registry/registry.tocsin.json", "--beacon", "registry/beacon.tocsin.json"),
        *("--key", "csirt.pem", "--passphrase-file", "csirt.pass", "--use"),
    )
    return desk


def written(desk: Desk, program: str, *more: str) -> str:
    """The unit of a program, as it would be written."""
    return desk.run("service", "install", program, *more, "--print", "--", *ARGUMENTS[program])


def test_an_interpreter_in_somebodys_home_can_be_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment elsewhere links to it; behind closed homes the program would not start."""
    link = desk.folder / "python"
    link.symlink_to("/home/somebody/python/bin/python3")
    monkeypatch.setattr("sys.executable", str(link))
    assert "ProtectHome=read-only" in written(desk, "hub", "--user")


SYSTEM = ("--system", "--run-as", "daemon")


@pytest.mark.parametrize("program", ARGUMENTS)
@pytest.mark.parametrize("scope", [SYSTEM, ("--user",)])
def test_every_program_has_a_unit_that_systemd_takes(
    desk: Desk, program: str, scope: tuple[str, ...]
) -> None:
    """With the whole command, absolute paths, and the folders that it writes into."""
    text = written(desk, program, *scope)
    assert is_unchanged(text)
    assert "--context mine" in text
    assert "TOCSIN_HOME=" in text
    writable = text.count("ReadWritePaths=")
    assert writable == (3 if program in ("server", "adapter") else 2)
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here (Debian: systemd)")
    unit = desk.folder / "tocsin-one.service"
    unit.write_text(text)
    arguments = [analyze, "verify", "--man=no", *(["--user"] if scope == ("--user",) else []), str(unit)]
    done = subprocess.run(
        arguments, capture_output=True, text=True, env={"XDG_RUNTIME_DIR": str(desk.folder), "HOME": "/"}
    )
    ours = [
        line for line in done.stderr.splitlines() if unit.name in line
    ]  # units of the machine may have faults
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize(
    ("program", "secrets"),
    [
        ("hub", ["csirt.pass"]),
        ("heartbeat", ["csirt.pass"]),
        ("adapter", ["csirt.pass"]),
        ("keeper", ["beacon.pass"]),
        ("server", []),
    ],
)
def test_secrets_are_handed_over_by_systemd(desk: Desk, program: str, secrets: list[str]) -> None:
    """In the system scope, under the name of their file; a user's programs read their own files."""
    lines = [
        line for line in written(desk, program, *SYSTEM).splitlines() if line.startswith("LoadCredential")
    ]
    assert [line.partition(":")[0] for line in lines] == [f"LoadCredential={name}" for name in secrets]
    assert "LoadCredential" not in written(desk, program, "--user")


def test_a_secret_that_is_handed_over_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of a file that this user may not read, or that is not there; others are read as before."""
    from bus.errors import KeyFileError
    from bus.keys import read_secret, write_secret

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "hub.pass").write_bytes(b"handed over\n")
    assert read_secret(Path("/nowhere/hub.pass")) == b"handed over"
    (tmp_path / "sub").mkdir()
    write_secret(tmp_path / "sub" / "third.pass", b"third")
    assert read_secret(tmp_path / "sub" / "third.pass") == b"third"
    with pytest.raises(KeyFileError):
        read_secret(Path("/nowhere/fourth.pass"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hub", "--", "--nonsense"), "--nonsense"),
        (("adapter", "--", "--spool", "x"), "NAME"),
        (("keeper", "--user", "--", "--key", "a", "--provisioner", "b"), "--passphrase-file"),
        (("hub", *("--system", "--run-as", "root")), "--run-as"),
        (("hub", "--name", "a b"), "cannot name"),
        (("hub", "--name", "z\u00fcrich"), "cannot name"),
    ],
)
def test_what_would_not_run_is_not_written(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    """The program's own command checks its arguments."""
    assert said in desk.run("service", "install", "--dir", "units", *arguments, code=2)
    assert not (desk.folder / "units").exists()


def test_a_context_of_this_folder_alone_is_refused(desk: Desk) -> None:
    """A unit does not run here, and would not find it."""
    (desk.folder / "tocsin.toml").write_text(
        '[contexts.here]\nauthority = "xa-csirt"\ndomain = "test"\npin = "x"\nregistry = "r.json"\n'
    )
    said = desk.run("service", "install", "hub", "--context", "here", "--user", "--print", code=2)
    assert "[context-here]" in said


def test_units_are_listed_and_removed_and_a_change_by_hand_is_kept(desk: Desk) -> None:
    """Written again as it is; once changed, only with --force, and so is its end."""
    install = ("service", "install", "hub", "--user", "--dir", "units")
    desk.run(*install)
    desk.run(*install)
    (path,) = (desk.folder / "units").iterdir()
    assert path.name == "tocsin-hub-mine.service"
    path.write_text(path.read_text() + "Nice=5\n")
    assert "[unit-changed]" in desk.run(*install, code=1)
    listed = json.loads(desk.run("service", "list", "--dir", "units", "--json"))
    assert listed == [{"unit": path.name, "file": "units/" + path.name, "changed": True}]
    assert "[unit-changed]" in desk.run("service", "remove", "tocsin-hub-mine", "--dir", "units", code=1)
    assert "no unit" in desk.run("service", "remove", "tocsin-server-mine", "--dir", "units", code=3)
    desk.run(*install, "--force")
    assert is_unchanged(path.read_text())
    desk.run("service", "remove", "tocsin-hub-mine", "--dir", "units")
    assert list((desk.folder / "units").iterdir()) == []


def test_a_label_does_not_make_it_the_unit_of_another_context(desk: Desk) -> None:
    """`mine` with the label `two` reads as the context `mine-two`: the hub of one would end that of the other in silence."""
    install = ("service", "install", "hub", "--user", "--dir", "units")
    desk.run(
        *("context", "add", "mine-two", "--authority", "xa-hub", "--domain", "test", "--pin", "x"),
        *("--registry", "registry/registry.tocsin.json"),
    )
    desk.run(*install, "--context", "mine-two")
    (path,) = (desk.folder / "units").iterdir()
    before = path.read_text()
    assert "[unit-changed]" in desk.run(*install, "--context", "mine", "--name", "two", code=1)
    assert path.read_text() == before
    desk.run(*install, "--context", "mine-two")
    desk.run(*install, "--context", "mine", "--name", "two", "--force")
    assert path.read_text() != before
