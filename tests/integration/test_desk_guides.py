"""The guides of officers and analysts, command by command as they are written there, in a running demonstration."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.integration.test_demo import Running, demo
from tests.support.guides import Reader, blocks
from tests.support.office import Desk
from tests.support.places import EXAMPLES

pytestmark = pytest.mark.short_faults

__all__ = ["demo"]


ID = re.compile(r"\b([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
PRINTED = {
    "publish incident.toml": ("ID", ID),
    "bulletin update": ("NEW", ID),
    "bulletin cancel": ("CANCEL", ID),
    "bulletin list": ("ID", ID),
    "election list": ("ELECTION", re.compile(r"^(\S+-\d{4}\S*)", re.MULTILINE)),
}


def followed(guide: str, context: str, running: Running, folder: Path, patch: pytest.MonkeyPatch) -> Reader:
    """Somebody who has typed every command of a guide as one identity of the demonstration."""
    (folder / "home").symlink_to(running.folder)
    (folder / "examples").symlink_to(EXAMPLES)
    patch.setenv("TOCSIN_CONTEXT", context)
    reader = Reader(Desk(folder, patch), PRINTED)
    for block in blocks(guide):
        if block.language == "toml":
            reader.write(block.word, block.text)
        for line in block.text.splitlines() if block.language == "sh" else ():
            reader.follow(line)
    return reader


def test_the_guide_of_officers(demo: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command succeeds; what was published is corrected and taken back."""
    reader = followed("officer.md", "xa-csirt", demo, tmp_path, monkeypatch)
    said = {reader.shown[name] for name in ("ID", "NEW", "CANCEL")}
    rows = [json.loads(line) for line in reader.desk.run("bulletin", "list", "--mine", "--json").splitlines()]
    assert len(said) == 3
    assert said < {row["id"] for row in rows}


def test_the_guide_of_analysts(demo: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command succeeds; the bulletin that is taken along verifies, and the record says that it was."""
    reader = followed("analyst.md", "xb-hub", demo, tmp_path, monkeypatch)
    found = json.loads(reader.desk.run("verify", "case.tocsin.json", "--json"))
    assert found["id"] == reader.shown["ID"]
    assert "exported" in reader.desk.run("audit", "show", "--since", "2h", "--json")
