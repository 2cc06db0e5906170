"""The files for a forge name what is there: targets, scripts, folders, tools."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import bus
from tests.support.places import ROOT

CI = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
OWNERS = (ROOT / ".github" / "CODEOWNERS").read_text("utf-8")
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
FORMS = sorted((ROOT / ".github").rglob("*.yml"))


def test_what_ci_runs_is_there() -> None:
    """A target of make, or a script that can be run; nothing else."""
    steps = re.findall(r"^ +- run: (\S+) ?(\S*)", CI, re.MULTILINE)
    assert len(steps) >= 6
    for program, target in steps:
        if program == "make":
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
        else:
            assert os.access(ROOT / program, os.X_OK), program


def test_ci_may_only_read() -> None:
    """A pull request of a stranger gets no right and leaves no credentials."""
    assert "permissions:\n  contents: read\n" in CI
    assert CI.count("actions/checkout@") == CI.count("persist-credentials: false")


def test_a_hook_runs_what_make_check_runs() -> None:
    """A commit that the hooks pass is not refused by `make check` for the same thing."""
    entries = re.findall(r"entry: \.venv/bin/(\S+(?: (?!-)\S+)?)", HOOKS)
    assert len(entries) >= 6
    assert not [entry for entry in entries if f"$(BIN)/{entry}" not in MAKEFILE]


def test_every_owned_path_is_there() -> None:
    """A folder that has moved has no owner until this file moves with it."""
    rows = [line.split() for line in OWNERS.splitlines() if line and not line.startswith("#")]
    assert all(owner.startswith("@") for _, *owners in rows for owner in owners)
    packages = ("/bus/", "/schemas/", "/adapters/")
    home = Path(next(iter(bus.__path__))).parent
    for path, *_ in rows:
        root = home if path.startswith(packages) else ROOT
        assert path == "*" or (root / path.lstrip("/")).exists(), path


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_is_plain_yaml(path: Path) -> None:
    """No tabs, and indentation by two."""
    lines = path.read_text("utf-8").splitlines()
    assert not [line for line in lines if "\t" in line]
    assert not [line for line in lines if (len(line) - len(line.lstrip(" "))) % 2]
