"""The adapter template is a project of its own: copied anywhere, it passes its own tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from adapters.conformance import COUNTRY, NOW
from bus.plugin import ENTRY_POINTS, adapter_named
from tests.support.places import ROOT

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
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.short_faults
@pytest.mark.timeout(180)
def test_a_stranger_installs_it_and_runs_it(tmp_path: Path) -> None:
    """Both projects as wheels, away from any checkout: the inherited tests pass, and the adapter is listed and converts its sample."""
    copy, site = tmp_path / "mine", tmp_path / "site"
    shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    _ran([*pip, "install", *offline, "--target", str(site), str(ROOT), str(copy)], tmp_path)
    # Without the checkout on the path: -P leaves out the folder one stands in.
    tocsin = [sys.executable, "-P", str(site / "bin" / "tocsin"), "adapter"]
    where = "import adapters, tocsin_hotline; print(adapters.__file__, tocsin_hotline.__file__)"
    assert _ran([sys.executable, "-P", "-c", where], tmp_path, site).count(str(site)) == 2
    shutil.rmtree(copy / "src")
    _ran(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(copy / "tests")],
        copy,
        site,
    )
    assert "hotline-json" in _ran([*tocsin, "list"], tmp_path, site)
    (sample,) = adapter_from(TEMPLATE)
    (tmp_path / "calls.json").write_bytes(sample)
    convert = [*tocsin, "convert", "--from", "hotline-json", "calls.json", "--json"]
    assert len(json.loads(_ran(convert, tmp_path, site))["drafts"]) == 2


def test_the_readmes_document_converts() -> None:
    """`export.json` beside the README is what the hotline writes, and gives two drafts."""
    from bus.plugin import ReadContext, translate

    sys.path.insert(0, str(TEMPLATE / "src"))
    try:
        from tocsin_hotline.adapter import ADAPTER
    finally:
        sys.path.remove(str(TEMPLATE / "src"))
    found = translate(
        ADAPTER.formats["hotline-json"],
        (TEMPLATE / "export.json").read_bytes(),
        ReadContext(received=NOW, adapter="test", country="XA", tz="UTC"),
    )
    assert len(found.drafts) == 2


def adapter_from(template: Path) -> tuple[bytes, ...]:
    """The template's samples, filled in."""
    sys.path.insert(0, str(template / "src"))
    try:
        from tocsin_hotline.adapter import ADAPTER

        return tuple(each.data for each in ADAPTER.samples(COUNTRY, NOW, 1))
    finally:
        sys.path.remove(str(template / "src"))


def _ran(command: list[str], folder: Path, site: Path | None = None) -> str:
    """Run a command to its good end; gives what it printed."""
    path = {} if site is None else {"PYTHONPATH": str(site)}
    ran = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


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
