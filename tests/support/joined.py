"""The countries of the guide about joining them: founded as it says, up to where something is to be started."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from bus.demo.federation import free_port
from tests.support.guides import Block, Reader, blocks
from tests.support.office import Desk, Office
from tests.support.waiting import COMMAND_PAUSE_S, eventually_sync

PORT = re.compile(r"\b422[234]\b")


class Founded(NamedTuple):
    """A desk at which the guide was followed until something is to be started, and what it says from there on."""

    folder: Path
    shown: dict[str, str]
    rest: list[Block]


def found(folder: Path) -> Founded:
    """The registry, the contexts and the federation's file of the guide, with ports that are free here."""
    ports = {str(port): str(free_port()) for port in range(4222, 4225)}
    guide = [
        each._replace(text=PORT.sub(lambda at: ports[at[0]], each.text)) for each in blocks("federation.md")
    ]
    starting = [each.word for each in guide].index("running")
    with pytest.MonkeyPatch.context() as patch:
        reader = Reader(Desk(folder, patch))
        for block in guide[:starting]:
            follow(reader, block)
    return Founded(reader.desk.folder, reader.shown, guide[starting:])


def reader_at(founded: Founded, patch: pytest.MonkeyPatch) -> Reader:
    """Somebody at that desk."""
    reader = Reader(Desk(founded.folder, patch))
    reader.shown = dict(founded.shown)
    return reader


def follow(reader: Reader, block: Block) -> list[str]:
    """Write the file, or run each line, and say what each printed; a check is made again until everything is there."""
    if block.language == "toml":
        reader.write(block.word, block.text)
        return []
    lines = block.text.splitlines()
    for line in lines:
        if line.startswith("tocsin server check"):
            until(reader.desk, partial(is_sound, reader, line))
    return [reader.follow(line) for line in lines]


def until(office: Office, ready: Callable[[], bool]) -> None:
    """Wait for something that processes bring about."""
    eventually_sync(ready, describe=(office.folder / "server.log").read_text, pause_s=COMMAND_PAUSE_S)


def is_sound(reader: Reader, line: str) -> bool:
    """Whether a `server check` passes, and every carrier is attached."""
    done = reader.desk.look(*reader.words(line))
    return done.code == 0 and "not attached" not in done.out
