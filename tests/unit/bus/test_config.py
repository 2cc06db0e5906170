"""Settings: which layer wins, and every wrong one is a sentence that names the place and what may stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.config import Context, load, save_context
from bus.errors import ConfigError

CONTEXT = 'authority = "xa-csirt"\ndomain = "nations"\npin = "x"\nregistry = "r.json"\n'

BAD_FILES: dict[str, tuple[bytes, str, str]] = {
    "an unknown key": (b'contxt = "x"\n', "config-malformed", "no setting 'contxt'; did you mean 'context'?"),
    "an unknown key of a context": (
        b'[contexts.a]\ndomian = "x"\n',
        "config-malformed",
        "context a: there is no setting 'domian'; did you mean 'domain'?",
    ),
    "a missing key": (
        b'[contexts.a]\nauthority = "a"\ndomain = "d"\nregistry = "r"\n',
        "config-malformed",
        "context a: the setting 'pin' is missing",
    ),
    "no TOML": (b'context = "x\n', "config-malformed", "line 1"),
    "no text": (b"\x92\x00\xff", "config-unreadable", "UTF-8"),
    "a colour nobody knows": (b'color = "blue"\n', "config-malformed", "auto, always, never"),
    "a negative time": (b"timeout_s = -1\n", "config-malformed", "0 or more"),
    "a time that is a word": (b'timeout_s = "soon"\n', "config-malformed", "number of seconds"),
    "an endless time": (b"timeout_s = inf\n", "config-malformed", "number of seconds"),
    "contexts that are no tables": (b"contexts = 3\n", "config-malformed", "[contexts.NAME]"),
    "a context that is no table": (b"contexts = {a = 3}\n", "config-malformed", "[contexts.a]"),
    "a path of a user who is not known": (
        f'[contexts.a]\n{CONTEXT}nkey = "~nobody-of-this-name/a.nk"\n'.encode(),
        "config-malformed",
        "user name that is unknown here",
    ),
    "a server of another protocol": (
        f'[contexts.a]\n{CONTEXT}server = "http://x"\n'.encode(),
        "config-malformed",
        "nats://host:4222",
    ),
    "a server without a number": (
        f'[contexts.a]\n{CONTEXT}server = "nats://127.0.0.1:port"\n'.encode(),
        "config-malformed",
        "nats://host:4222",
    ),
}


@pytest.mark.parametrize(("content", "reason", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_one_sentence(tmp_path: Path, content: bytes, reason: str, words: str) -> None:
    """It names the file and what is wrong in it."""
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as found:
        load({"TOCSIN_HOME": str(tmp_path)}, tmp_path)
    assert found.value.reason == reason
    assert str(path) in str(found.value)
    assert words in str(found.value)


def test_a_folder_in_place_of_the_file_is_no_absence(tmp_path: Path) -> None:
    """What cannot be read is said; it is not as if nothing were configured."""
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigError) as found:
        load({"TOCSIN_HOME": str(tmp_path)}, tmp_path)
    assert found.value.reason == "config-unreadable"


@pytest.mark.parametrize(
    ("variable", "value"), [("TOCSIN_TIMEOUT", "soon"), ("TOCSIN_TIMEOUT", "-1"), ("TOCSIN_COLOR", "blue")]
)
def test_a_bad_variable_is_named(tmp_path: Path, variable: str, value: str) -> None:
    """The environment is held to the same as a file."""
    with pytest.raises(ConfigError) as found:
        load({"TOCSIN_HOME": str(tmp_path), variable: value}, tmp_path)
    assert variable in str(found.value)


def test_the_nearer_layer_wins_and_says_so(tmp_path: Path) -> None:
    """A variable before ./tocsin.toml before the own file; each value with its origin."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text('context = "own"\ncolor = "never"\ntimeout_s = 1\n')
    (tmp_path / "tocsin.toml").write_text('context = "here"\ntimeout_s = 2\n')
    found = load({"TOCSIN_HOME": str(tmp_path / "home"), "TOCSIN_TIMEOUT": "3"}, tmp_path)
    assert (found.settings.context, found.settings.color, found.settings.timeout_s) == ("here", "never", 3.0)
    assert {each.key: each.origin for each in found.origins} == {
        "context": str(tmp_path / "tocsin.toml"),
        "color": str(tmp_path / "home" / "config.toml"),
        "timeout_s": "environment TOCSIN_TIMEOUT",
    }


@pytest.mark.parametrize("name", ["xa-csirt", "xa.csirt", "name with blanks", 'quo"te'])
def test_what_is_written_can_be_read(tmp_path: Path, name: str) -> None:
    """Any name of a context survives, and paths come back absolute."""
    made = Context(authority="xa-csirt", domain="nations", pin="x", registry=tmp_path / "r.json")
    save_context(tmp_path, name, made, current=True)
    found = load({"TOCSIN_HOME": str(tmp_path)}, tmp_path)
    assert found.pick(None) == (name, made)
