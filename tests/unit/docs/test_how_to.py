"""What the pages of docs/how-to say, done in a copy of the tree as they say it, and what comes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.how_to import PAGES, Copy

# Each page starts a dozen programs; how long they take is the machine's affair.
pytestmark = [pytest.mark.short_faults, pytest.mark.timeout(600)]


def test_a_reason_code(tmp_path: Path) -> None:
    """It is raised, and the documents fail their check until they explain it."""
    Copy(tmp_path).follow("add-a-reason-code.md")


def test_a_command(tmp_path: Path) -> None:
    """It answers --help and --json, and the documents fail their check until they describe it."""
    printed = "".join(Copy(tmp_path).follow("add-a-command.md"))
    assert "Take SUBJECT apart" in printed
    assert '"issuer":"xa-csirt"' in printed


def test_a_format(tmp_path: Path) -> None:
    """Its adapter lists it, the conformance kit accepts it, and `adapter convert` reads a file of it."""
    printed = Copy(tmp_path).follow("add-a-format.md")
    assert any("late-opening-csv" in each for each in printed if "\t" in each)
    read = next(json.loads(each) for each in printed if each.startswith("{"))
    assert [draft["body"]["kind"] for draft in read["drafts"]] == ["election-incident"]
    assert [loss["path"] for loss in read["losses"]] == ["clerk", "tlp"]


def test_a_kind(tmp_path: Path) -> None:
    """It is encoded and decoded, checked as a draft, and exported with its words."""
    printed = Copy(tmp_path).follow("add-a-kind.md")
    assert any('kind = "polling-place"' in each for each in printed)
    documents = [json.loads(each) for each in printed if each.startswith("{")]
    assert any("PollingPlace" in each.get("$defs", {}) for each in documents)
    assert any(
        "reopened" in each["polling-place-event"]["values"] for each in documents if "$defs" not in each
    )


def test_every_page_is_followed() -> None:
    """A page without a test would soon say what is not so."""
    text = Path(__file__).read_text("utf-8")
    assert all(f'follow("{page.name}")' in text for page in PAGES.glob("*.md"))
