"""What authors build on: manifests as data, and samples as templates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from adapters import sdk
from adapters.formats.misp import FORMAT as MISP
from adapters.sdk import AdapterError, AuthorityAdapter, read_manifest

NOW = dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC)
GOOD = """
name = "mine"
authority_kind = "csirt"
domain = "cyber"
formats = ["misp-event"]
kinds = ["cyber-threat"]
tlp = "green"
pap = "green"
audience = "community"
network = { tlp = "amber+strict", audience = "eu-csirts" }
"""


def module(tmp_path: Path, manifest: str = GOOD) -> str:
    """The path of an adapter's module with a manifest beside it."""
    (tmp_path / "mine.manifest.toml").write_text(manifest)
    return str(tmp_path / "mine.py")


def test_everything_the_sdk_promises_is_there() -> None:
    """Each exported name exists, once, in order."""
    assert list(sdk.__all__) == sorted(set(sdk.__all__))
    assert all(hasattr(sdk, name) for name in sdk.__all__)


MANIFESTS = {
    "an unknown key": (GOOD + "colour = 'red'", "colour"),
    "a TLP that is none": (GOOD.replace('tlp = "green"', 'tlp = "white"', 1), "white"),
    "a missing key": (GOOD.replace('pap = "green"', ""), "pap"),
    "a number for a list": (GOOD.replace('["cyber-threat"]', "7"), "kinds"),
    "no TOML": ("name = ", "mine.manifest.toml"),
    "a name that is no slug": (GOOD.replace('"mine"', '"My Adapter"'), "name"),
    "an unknown key of the network": (
        GOOD.replace('audience = "eu-csirts" }', 'audience = "a", x = 1 }'),
        "x",
    ),
    "other formats than the module": (GOOD.replace("misp-event", "misp-events"), "other formats"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_bad_manifest_says_what_is_wrong(name: str, tmp_path: Path) -> None:
    """One error, one reason, and the word that is to be mended."""
    text, word = MANIFESTS[name]
    with pytest.raises(AdapterError, match=word) as refused:
        AuthorityAdapter(module(tmp_path, text), (MISP,))
    assert refused.value.reason == "manifest"


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    """The error names the file that should be there."""
    with pytest.raises(AdapterError, match=r"mine\.manifest\.toml"):
        read_manifest(str(tmp_path / "mine.py"))


def test_defaults_come_from_the_manifest(tmp_path: Path) -> None:
    """What drafts leave out is data."""
    manifest = read_manifest(module(tmp_path, GOOD + "lifetime_days = 3\n"))
    defaults = manifest.defaults()
    assert (defaults.tlp, defaults.pap, defaults.audience, defaults.lifetime_days) == (
        "green",
        "green",
        "community",
        3,
    )


def test_an_adapter_without_samples_has_none(tmp_path: Path) -> None:
    """Samples are not asked for."""
    assert list(AuthorityAdapter(module(tmp_path), (MISP,)).samples("XA", NOW, 1)) == []


def test_samples_are_templates(tmp_path: Path) -> None:
    """Country, serial and dates are filled in; a dollar sign is doubled; what is hidden is left alone."""
    folder = tmp_path / "samples" / "mine"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text('{"cc": "${cc}", "n": ${serial}, "on": "${today}", "cost": "$$5"}')
    (folder / ".hidden").write_text("${nothing}")
    (sample,) = AuthorityAdapter(module(tmp_path), (MISP,)).samples("XA", NOW, 12)
    assert sample.name == "a-12.json"
    assert msgspec.json.decode(sample.data) == {"cc": "xa", "n": 12, "on": "2027-05-23", "cost": "$5"}


def test_a_folder_is_polled_as_the_manifest_says(tmp_path: Path) -> None:
    """The spool's parts hang under the folder that is given."""
    source = AuthorityAdapter(module(tmp_path), (MISP,)).folder(tmp_path / "spool")
    assert source.incoming == tmp_path / "spool" / "in"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("${country}", "there is no ${country}; there are: CC,"), ("$ 5", "a dollar sign is $$")],
)
def test_a_template_that_cannot_be_filled_says_which_and_why(tmp_path: Path, text: str, problem: str) -> None:
    """Never a bare KeyError."""
    folder = tmp_path / "samples" / "mine"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(text)
    adapter = AuthorityAdapter(module(tmp_path), (MISP,))
    with pytest.raises(AdapterError) as told:
        list(adapter.samples("XA", NOW, 1))
    assert told.value.reason == "sample"
    assert "a.json" in str(told.value)
    assert problem in str(told.value)
