"""The adapter template is a project of its own: copied anywhere, it passes its own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bus.plugin import ENTRY_POINTS, adapter_named

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "examples" / "adapter_template"


@pytest.mark.slow
def test_a_copy_passes_its_own_tests(tmp_path: Path) -> None:
    """What a stranger starts from is green at once."""
    copy = tmp_path / "mine"
    shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_its_entry_point_is_found_once_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line in its pyproject.toml is the one that discovery follows."""
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text("utf-8"))["project"]
    entries = project["entry-points"][ENTRY_POINTS]
    info = tmp_path / "tocsin_hotline-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n{lines}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(TEMPLATE / "src"))
    for name in entries:
        assert adapter_named(name).manifest.name == name
