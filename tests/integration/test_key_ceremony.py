"""The guide of the key ceremony, command by command as it is written there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.office import Desk
from tests.unit.bus.test_hsm import MODULE, real, token

__all__ = ["token"]

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "key-ceremony.md"
BLOCK = re.compile(r"^```sh( token)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
PRINTED = {
    "key new": ("NKEY", re.compile(r"^(U[A-Z2-7]{55})$", re.MULTILINE)),
    "registry verify": ("DIGEST", re.compile(r"digest +(\S{43})")),
    "key show": ("KID", re.compile(r"\b(\S{43})\b")),
    "audit head": ("HEAD", re.compile(r"^(\S{43})$", re.MULTILINE)),
}

pytestmark = pytest.mark.timeout(120)


def commands(*, of_token: bool) -> list[str]:
    """The lines of the guide's blocks, those for a token or all others."""
    found = [
        line
        for token_, block in BLOCK.findall(GUIDE.read_text("utf-8"))
        for line in block.splitlines()
        if bool(token_) is of_token
    ]
    assert len(found) > 4
    return found


class Reader:
    """Somebody who types what the guide says, and fills in what they were shown."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.shown: dict[str, str] = {}

    def follow(self, line: str) -> None:
        """One line: a tocsin command, its output shown or written into a file; or a folder, or a copy."""
        words = [self.shown.get(word, word) for word in shlex.split(line)]
        if words[0] in ("mkdir", "cp"):
            subprocess.run(words, cwd=self.desk.folder, check=True)
            return
        assert words.pop(0) == "tocsin", line
        target = None
        if words[-2] == ">":
            target = self.desk.folder / words[-1]
            words = words[:-2]
        out = self.desk.run(*words)
        if target is not None:
            target.write_text(out)
        name, pattern = PRINTED.get(" ".join(words[:2]), ("", None))
        if pattern is not None and (found := pattern.search(out)):
            self.shown[name] = found[1]


def test_the_guide_founds_changes_ends_and_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command succeeds, and what they make is what the guide says: five versions, one ended key, a record."""
    desk = Desk(tmp_path, monkeypatch)
    reader = Reader(desk)
    for line in commands(of_token=False):
        reader.follow(line)
    held = json.loads(desk.run("registry", "verify", "--json"))
    assert (held["version"], held["pinned"], held["authorities"]) == (5, True, 2)
    document = json.loads(desk.run("registry", "show", "registry.tocsin.json", "--json"))
    csirt = document["authorities"]["xa-csirt"]["keys"]
    assert [kid for kid, key in csirt.items() if key.get("revoked_since")] == [reader.shown["KID"]]
    assert len(csirt) == 2
    assert len(document["root"]["keys"]) == 3
    assert len(document["authorities"]["xa-hub"]["seal_keys"]) == 1
    assert document["audiences"]["community"]["seal"] == "cross-border"
    record = [json.loads(line)["event"] for line in desk.run("audit", "show", "--json").splitlines()]
    assert record.count("registry-accepted") == 4
    assert record.count("revocation-accepted") == 1


@real
def test_the_part_about_tokens(token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in a real PKCS#11 token, wherever its module lies here."""
    desk = Desk(tmp_path, monkeypatch)
    shutil.copy(token / "pin", tmp_path / "pin")
    reader = Reader(desk)
    for line in commands(of_token=False):
        if "root-b." in line and line.startswith("tocsin key"):
            reader.follow(line)
    for line in commands(of_token=True):
        reader.follow(line.replace("/usr/lib/softhsm/libsofthsm2.so", str(MODULE)))
    assert json.loads(desk.run("registry", "verify", "token.tocsin.json", "--json"))["version"] == 1
