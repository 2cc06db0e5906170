"""What the demonstration tells a newcomer to type."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bus.cli.developer import telling
from bus.cli.frame import App


@pytest.mark.parametrize("called", ["here it is/bin/tocsin", "nowhere/tocsin", "-c"])
def test_every_path_it_names_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], called: str
) -> None:
    """In any folder, as a shell reads the lines: the program as it was called, and the draft."""
    program = tmp_path / "here it is" / "bin" / "tocsin"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [called])
    running: Any = SimpleNamespace(
        server=SimpleNamespace(url="nats://127.0.0.1:4222"),
        registry=SimpleNamespace(domain="demo", version=1),
    )
    telling.greet(App(), tmp_path / "a demo", running)
    said = capsys.readouterr().err
    (export,) = re.findall(r"export .*", said)
    (draft,) = re.findall(r"publish (\S+)", said)
    script = f'{export}; command -v tocsin; ls "{draft}"'
    done = subprocess.run(["/bin/sh", "-c", script], cwd="/", capture_output=True, text=True, check=True)
    found, listed = done.stdout.splitlines()
    wanted = program if called.startswith("here") else Path(sys.executable).with_name("tocsin")
    assert (found, listed) == (str(wanted), str(tmp_path / "a demo" / "drafts" / "cyber.toml"))


@pytest.mark.parametrize(
    ("platform", "environment", "is_seen"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
        ("linux", {"DISPLAY": ":0", "CI": "true"}, False),
        ("darwin", {"CI": "1"}, False),
    ],
)
def test_a_browser_opens_only_where_somebody_sees_it(
    platform: str, environment: dict[str, str], is_seen: bool
) -> None:
    """On a desktop, and never in continuous integration."""
    assert telling.is_desktop(platform, environment) is is_seen
