"""Somebody who follows a page of docs/how-to in a copy of the tree.

A block of a page says in its first line what it is: `diff FILE` changes a file, `sh` is commands that succeed, `sh fails` is
commands that do not yet, and any other language with a FILE is a new file.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import adapters
import bus
import schemas
from tests.support.places import ROOT

PAGES = ROOT / "docs" / "how-to"
BESIDE = (".github", "docs", "examples", "requirements", "tests", "LICENSE", "pyproject.toml")
PROGRAMS = {
    ".venv/bin/tocsin": (sys.executable, "-c", "from bus.cli.main import main; main()"),
    ".venv/bin/python": (sys.executable,),
    ".venv/bin/pytest": (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly"),
    ".venv/bin/ruff": (sys.executable, "-m", "ruff"),
}
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPACES = re.compile(r"(?<=\S) +")


class Block(NamedTuple):
    """One block of a page: its language, the word beside that, and what is in it."""

    language: str
    word: str
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    return [Block(*parts) for parts in _BLOCK.findall((PAGES / page).read_text("utf-8"))]


class Copy:
    """A copy of the tree, changed as a page says, in which commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in (schemas, bus, adapters):
            home = Path(str(package.__file__)).parent
            shutil.copytree(home, folder / home.name)
        for source in (*(ROOT / name for name in BESIDE), *ROOT.glob("*.md")):
            name = source.name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)

    def follow(self, page: str) -> list[str]:
        """Do all that a page says, in order; what each command that succeeds has printed."""
        printed = []
        for block in blocks(page):
            if block.language == "sh":
                for line in block.text.splitlines():
                    done = self.run(line)
                    assert (done.returncode != 0) is (block.word == "fails"), (line, done.stdout, done.stderr)
                    printed.append(done.stdout)
            elif block.language == "diff":
                self._change(block)
            else:
                self._write(block)
        return printed

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """One command, with the code of the copy."""
        program, *arguments = shlex.split(line)
        return subprocess.run(
            [*PROGRAMS[program], *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder),
                "TOCSIN_HOME": str(self.folder / "home"),
                "NO_COLOR": "1",
            },
            capture_output=True,
            text=True,
            timeout=300,
        )

    def _write(self, block: Block) -> None:
        path = self.folder / block.word
        assert not path.exists(), f"{block.word} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, "utf-8")

    def _change(self, block: Block) -> None:
        """Put the lines with `+` beside those without, which stand in the file once; `@@` begins another place."""
        path = self.folder / block.word
        for hunk in re.split(r"^@@.*\n", block.text, flags=re.MULTILINE):
            marked = [(line[:1], line[1:]) for line in hunk.splitlines() if line]
            before = [text for mark, text in marked if mark != "+"]
            lines = path.read_text("utf-8").splitlines()
            places = [
                n
                for n in range(len(lines))
                if list(map(_squeezed, lines[n : n + len(before)])) == list(map(_squeezed, before))
            ]
            assert len(places) == 1, (block.word, before, places)
            # A line that stays keeps the spaces that it has in the file, as tables are aligned there.
            kept = iter(lines[places[0] : places[0] + len(before)])
            after = []
            for mark, text in marked:
                if mark == "+":
                    after.append(text)
                    continue
                line = next(kept)
                if mark == " ":
                    after.append(line)
            lines[places[0] : places[0] + len(before)] = after
            path.write_text("\n".join(lines) + "\n", "utf-8")


def _squeezed(line: str) -> str:
    return _SPACES.sub(" ", line.rstrip())
