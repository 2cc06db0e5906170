"""The joint: installed adapters are found by entry point, and a broken one hinders no other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.plugin import AdapterError, adapter_named, discover

OURS = {"electoral", "cyber", "digital", "data-protection"}

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a stranger's package: a module and the metadata a wheel brings."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(package: str, source: str, **entries: str) -> None:
        (tmp_path / f"{package}.py").write_text(source)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "".join(f"{name.replace('_', '-')} = {value}\n" for name, value in entries.items())
        (info / "entry_points.txt").write_text(f"[tocsin.adapters]\n{lines}")
        monkeypatch.delitem(sys.modules, package, raising=False)

    return put


def test_our_own_come_through_the_same_door() -> None:
    """The four that ship are installed, load, and carry their own names."""
    found = {each.name: each for each in discover()}
    assert set(found) >= OURS
    for name in OURS:
        adapter = found[name].adapter
        assert adapter is not None, found[name].problem
        assert adapter.manifest.name == name


BROKEN = {
    "it raises": ("raise ValueError('no')", "ValueError: no"),
    "it ends the program": ("import sys; sys.exit(3)", "SystemExit"),
    "it is no Python": ("def", "SyntaxError"),
    "it needs what is not there": ("import tocsin_nowhere", "ModuleNotFoundError"),
    "it has no such object": ("", "AttributeError"),
    "it is no adapter": ("ADAPTER = 7", "has no manifest"),
    "its manifest is a dict": (
        "class A:\n manifest = {}\n formats = {}\n samples = run = folder = standard_input = None\nADAPTER = A()",
        "another type",
    ),
    "its manifest is a trap": (
        """class A:
    formats = samples = run = folder = standard_input = None
    @property
    def manifest(self):
        raise OSError("gone")
ADAPTER = A()""",
        "OSError: gone",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_adapter_is_reported_and_hinders_no_other(name: str, install: Install) -> None:
    """Whatever a stranger's module does when it is loaded, the others are found."""
    source, problem = BROKEN[name]
    install("tocsin_broken", source, broken="tocsin_broken:ADAPTER")
    found = {each.name: each for each in discover()}
    assert found["broken"].adapter is None
    assert problem in found["broken"].problem
    assert all(found[each].adapter is not None for each in OURS)
    with pytest.raises(AdapterError) as refused:
        adapter_named("broken")
    assert refused.value.reason == "broken-adapter"


def test_a_name_that_two_packages_offer_is_nobody_s(install: Install) -> None:
    """A stranger's package cannot take the place of an adapter by taking its name."""
    install(
        "tocsin_usurper", "from adapters.authorities.cyber import ADAPTER", cyber="tocsin_usurper:ADAPTER"
    )
    claims = [each for each in discover() if each.name == "cyber"]
    assert len(claims) == 2
    assert all(each.adapter is None and "remove one" in each.problem for each in claims)


def test_a_stranger_s_adapter_is_found(install: Install) -> None:
    """A package of its own, with nothing but an entry point, is an adapter like ours."""
    install("tocsin_kin", "from adapters.authorities.cyber import ADAPTER", kin="tocsin_kin:ADAPTER")
    assert adapter_named("kin").manifest.name == "cyber"


def test_an_unknown_adapter_is_an_error_that_names_the_known() -> None:
    """The message helps."""
    with pytest.raises(AdapterError, match="cyber") as refused:
        adapter_named("cybr")
    assert refused.value.reason == "unknown-adapter"
