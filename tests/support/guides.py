"""Somebody who types what a guide says, in its order, and fills in what they were shown."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.office import Desk

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"
BLOCK = re.compile(r"^```(sh|toml)(?: (\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
PRINTED = {
    "key new": ("NKEY", re.compile(r"^(U[A-Z2-7]{55})$", re.MULTILINE)),
    "registry verify": ("DIGEST", re.compile(r"digest +(\S{43})")),
    "key show": ("KID", re.compile(r"\b(\S{43})\b")),
    "audit head": ("HEAD", re.compile(r"^(\S{43})$", re.MULTILINE)),
    "publish scans.toml": ("ID", re.compile(r"\b([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")),
    "server carrier-key": ("CARRIER", re.compile(r"^(U[A-Z2-7]{55})$", re.MULTILINE)),
}


class Block(NamedTuple):
    """One block of a guide: `sh` or `toml`, the word beside that, and what is in it."""

    language: str
    word: str
    text: str


def blocks(guide: str) -> list[Block]:
    """The blocks of a guide, in order."""
    return [Block(*found) for found in BLOCK.findall((GUIDES / guide).read_text("utf-8"))]


class Reader:
    """Follows the lines of a guide at a desk."""

    def __init__(self, desk: Desk, printed: Mapping[str, tuple[str, re.Pattern[str]]] = PRINTED) -> None:
        self.desk = desk
        self.printed = printed
        self.shown: dict[str, str] = {}

    def words(self, line: str) -> list[str]:
        """A command with everything filled in, without the name of the program."""
        program, *words = [self.shown.get(word, word) for word in shlex.split(line)]
        assert program == "tocsin", line
        return words

    def write(self, name: str, text: str) -> None:
        """A file that the guide shows."""
        for word, value in self.shown.items():
            text = text.replace(f'"{word}"', f'"{value}"')
        (self.desk.folder / name).write_text(text)

    def follow(self, line: str) -> str:
        """One line: a tocsin command, its output shown or written into a file; or a folder, or a copy."""
        if line.startswith(("mkdir ", "cp ")):
            subprocess.run(shlex.split(line), cwd=self.desk.folder, check=True)
            return ""
        words = self.words(line)
        target = None
        if words[-2:-1] == [">"]:
            target = self.desk.folder / words[-1]
            words = words[:-2]
        out = self.desk.run(*words)
        if target is not None:
            target.write_text(out)
        name, pattern = self.printed.get(" ".join(words[:2]), ("", None))
        if pattern is not None and (found := pattern.search(out)):
            # Of several carriers each has the name of its country.
            self.shown[f"{name}-{words[2][:2].upper()}" if name == "CARRIER" else name] = found[1]
        return out
