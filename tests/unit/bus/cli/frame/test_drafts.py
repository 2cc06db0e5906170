"""The drafts that people copy from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.cli.frame.drafts import read_draft
from schemas.lint import lint
from tests.support.office import Desk
from tests.support.places import EXAMPLES

DRAFTS = sorted((EXAMPLES / "drafts").iterdir())


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda path: path.name)
def test_an_example_passes_every_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draft: Path) -> None:
    """Every rule, its sections' too, and every word known."""
    assert f"{draft}: ok" in Desk(tmp_path, monkeypatch).run("bulletin", "check", str(draft))
    assert lint(read_draft(str(draft))) == ()
