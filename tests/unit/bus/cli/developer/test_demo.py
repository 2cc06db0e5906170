"""The folder of a demonstration."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from bus.demo.founding import prepare
from bus.errors import TrustError


def test_the_folder_of_another_version_is_named_with_what_to_do(tmp_path: Path) -> None:
    """A registry that is not read here does not leave its reader alone with a sentence about headers."""
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "registry.tocsin.json").write_text('{"payload": "e30", "signatures": []}')
    with pytest.raises(TrustError, match="made by another version") as refused:
        prepare(tmp_path, now=dt.datetime.now(dt.UTC))
    assert str(tmp_path) in str(refused.value)
    assert str(refused.value).endswith("delete that folder, or name another")
