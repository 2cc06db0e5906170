"""Drafts to publish lie in the folder of the demonstration, whether it comes from a checkout or a wheel."""

from __future__ import annotations

import tomllib
from pathlib import Path

from bus.cli.frame import read_draft
from bus.demo import put_drafts
from bus.demo.drafts import PACKAGED
from schemas.bulletin import Draft
from tests.support.places import ROOT

EXAMPLES = ROOT / "examples" / "drafts"


def test_all_drafts_of_the_examples_are_there(tmp_path: Path) -> None:
    """Byte for byte."""
    placed = put_drafts(tmp_path / "demo", (tmp_path / "nowhere", EXAMPLES))
    assert placed == tmp_path / "demo" / "drafts"
    wanted = {each.name: each.read_bytes() for each in EXAMPLES.iterdir()}
    assert {each.name: each.read_bytes() for each in placed.iterdir()} == wanted


def test_they_are_found_here(tmp_path: Path) -> None:
    """As this installation has them; the one that the greeting names is a draft."""
    assert isinstance(read_draft(str(put_drafts(tmp_path) / "cyber.toml")), Draft)


def test_what_a_person_has_changed_stays(tmp_path: Path) -> None:
    """The demonstration goes on from last time."""
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / "cyber.toml").write_text("mine")
    assert (put_drafts(tmp_path) / "cyber.toml").read_text() == "mine"


def test_a_wheel_has_them_where_they_are_looked_for() -> None:
    """What pyproject.toml puts into a wheel is the place of the code."""
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    (target,) = [to for frm, to in hatch["wheel"]["force-include"].items() if frm == "examples/drafts"]
    assert PACKAGED.as_posix().endswith(f"/{target}")
