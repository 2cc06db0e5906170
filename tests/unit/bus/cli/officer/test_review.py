"""What only a person can judge stops a draft, until somebody says why it is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.office import done_here

DRAFT = """
urgency = "expected"
severity = "moderate"
certainty = "observed"
[confidence]
credibility = 1
[body]
kind = "cyber-threat"
title = "Calls to party staff"
[[info]]
lang = "en"
headline = "Calls to party staff"
summary = "The caller uses +99 555 123 4567."
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A draft with a telephone number, and no context."""
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path / "home"))
    path = tmp_path / "draft.toml"
    path.write_text(DRAFT)
    return path


def test_a_doubt_stops_check_until_it_is_reviewed(file: Path) -> None:
    """The number is told with its path; --reviewed passes it."""
    stopped = done_here(["bulletin", "check", "--json", str(file)])
    (line,) = [json.loads(text) for text in stopped.out.splitlines()]
    assert stopped.code == 5
    assert [(each["rule"], each["path"]) for each in line["violations"]] == [
        ("personal", "$.info[0].summary")
    ]
    passed = done_here(["bulletin", "check", "--reviewed", "a published line", str(file)])
    assert passed.code == 0


def test_a_draft_takes_any_time_of_rfc_3339(file: Path) -> None:
    """An offset becomes Z; what is no time stays refused."""
    file.write_text(
        'expires = "2999-01-01t07:00:00+02:00"\n' + DRAFT.replace("+99 555 123 4567", "a hidden number")
    )
    found = done_here(["bulletin", "check", str(file)])
    assert "R5" in found.out
    assert found.code == 5
