"""`tocsin context show` and `set`: single settings of an identity."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.office import Desk

BASE = (
    *("--authority", "xa-csirt", "--domain", "tocsin.example", "--pin", "A" * 43),
    *("--registry", "registry.tocsin.json", "--state", "state"),
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with one context and a deadline."""
    desk = Desk(tmp_path, monkeypatch)
    desk.run("context", "add", "me", *BASE, "--key", "old.pem", "--server", "nats://127.0.0.1:4222", "--use")
    settings = desk.folder / "home" / "config.toml"
    settings.write_text(
        settings.read_text().replace("[contexts", '[deadlines]\n"p1.during" = [60, 300]\n[contexts')
    )
    return desk


def settings_of(desk: Desk) -> dict[str, object]:
    """The settings of the context, without its name."""
    found: dict[str, object] = json.loads(desk.run("context", "show", "me", "--json"))
    return found


def entries(desk: Desk) -> list[dict[str, str]]:
    """The facts of the audit record's entries."""
    lines = (desk.folder / "state" / "audit.jsonl").read_text().splitlines()
    return [json.loads(line)["facts"] for line in lines]


def test_one_setting_changes_and_the_others_stay(desk: Desk) -> None:
    """The new key of an authority after a rotation; deadlines and the choice of the context stay too."""
    before = settings_of(desk)
    desk.run("context", "set", "me", "--key", "new.pem", "--passphrase-file", "new.pass")
    new = {"key": str(desk.folder / "new.pem"), "passphrase_file": str(desk.folder / "new.pass")}
    assert settings_of(desk) == {**before, **new}
    assert desk.run("context", "current") == "me\n"
    assert "p1.during" in desk.run("config", "show")


def test_a_setting_is_taken_out(desk: Desk) -> None:
    """By the name that `context show` gives it; the address of a key in a token is no path."""
    desk.run("context", "set", "me", "--unset", "server", "--key", "pkcs11:token=a")
    found = settings_of(desk)
    assert ("server" in found, found["key"]) == (False, "pkcs11:token=a")


def test_what_changed_is_on_record(desk: Desk) -> None:
    """By name, and the pin before it; what changes nothing is not recorded."""
    desk.run("context", "set", "me", "--key", "new.pem", "--pin", "B" * 43)
    desk.run("context", "set", "me", "--key", "new.pem")
    added, changed = entries(desk)
    assert (changed["changed"], changed["pin_before"]) == ("pin, key", added["pin"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "no setting to change"),
        (("--server", "127.0.0.1"), "nats://host:4222"),
        (("--tls-cert", "a.pem"), "go together"),
        (("--key", "a.pem", "--unset", "key"), "not both"),
        (("--unset", "pin"), "'pin' is not one of"),
    ],
)
def test_what_add_refuses_set_refuses_too(desk: Desk, arguments: tuple[str, ...], text: str) -> None:
    """And nothing is written or recorded."""
    before = settings_of(desk)
    assert text in desk.run("context", "set", "me", *arguments, code=2)
    assert (settings_of(desk), len(entries(desk))) == (before, 1)


def test_a_context_that_is_not_there_is_named(desk: Desk) -> None:
    """With the nearest."""
    assert "did you mean 'me'" in desk.run("context", "set", "mee", "--key", "a.pem", code=2)


def test_what_goes_before_the_users_settings_is_not_changed_in_vain(desk: Desk) -> None:
    """A `tocsin.toml` of the folder would win over what was written."""
    (desk.folder / "tocsin.toml").write_text((desk.folder / "home" / "config.toml").read_text())
    assert "overrides your own settings" in desk.run("context", "set", "me", "--key", "a.pem", code=2)
