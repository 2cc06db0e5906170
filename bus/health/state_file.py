"""The state file of a long-running program: its facts, for other programs to read.

It is in `health` below the state folder of its identity. Every `EVERY_S` seconds it is written under another name and
then renamed, without waiting for the disk: a reader finds a whole file, and a file lost in a power cut is written
again. If the disk has no room for another file, the blocks of the old one are overwritten. The file has its own digest:
if the program was killed and the file is altered, it does not count, and that is reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from bus.health.facts import Facts, ProgramSeen, ProgramState
from bus.health.report import encoded
from bus.storage import lease

EVERY_S = 2.0
FOLDER = "health"
BLOCK = 4096
MOST_BYTES = 262_144
MOST_FILES = 64
_NUMBER = re.compile(r"-[2-9]$")
SAME_NAME = 9
"""Most programs of one name for one identity: two hubs of which one waits, or adapters."""


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state as written, with the SHA-256 of its bytes."""

    sha256: str
    state: msgspec.Raw


class StateFile:
    """The state file of this process for one program of an identity.

    Attributes:
        path: its last path; if another process of the same program exists, that one has the plain name.
    """

    def __init__(
        self,
        folder: Path,
        program: str,
        *,
        clock: Callable[[], dt.datetime],
        lasting: bool = True,
        owner: str | None = None,
    ) -> None:
        """Name the file without writing it.

        Args:
            folder: the state folder of the identity.
            program: the program's name.
            clock: the present, aware.
            lasting: whether the program must always run.
            owner: this process, as named by `lease.owner_name`.
        """
        self._folder = folder / FOLDER
        self._program = program
        self._clock = clock
        self._lasting = lasting
        self._owner = owner or lease.owner_name()
        self._started_at = clock()
        self.path = self._folder / f"{program}.json"

    def write(self, facts: Facts, *, ended: bool = False, problem: str = "") -> None:
        """Write the present state.

        Args:
            facts: the program's facts.
            ended: whether this is its last state.
            problem: the error that ends it.

        Raises:
            OSError: the file cannot be written, even over the old one.
        """
        now = self._clock()
        state = ProgramState(
            program=self._program,
            owner=self._owner,
            started_at=self._started_at,
            as_of=now,
            facts=facts,
            lasting=self._lasting,
            ended_at=now if ended else None,
            problem=problem,
        )
        told = encoded(state)
        raw = msgspec.json.encode(_Written(sha256=_digest(told), state=msgspec.Raw(told)))
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = self._own_path()
        _write(self.path, raw + b" " * (-len(raw) % BLOCK))

    def end(self, facts: Facts, problem: str = "") -> None:
        """Write that the program has ended; delete the file of a program that need not always run.

        Raises:
            OSError: see `write`.
        """
        if self._lasting:
            self.write(facts, ended=True, problem=problem)
        elif (seen := read_state(self.path)) is not None and seen.state.owner == self._owner:
            self.path.unlink(missing_ok=True)

    def _own_path(self) -> Path:
        """Our path, or else the first one that no other living process of this program has."""
        mine = read_state(self.path)
        if mine is not None and mine.state.owner == self._owner:
            return self.path
        for number in range(1, SAME_NAME + 1):
            path = self._folder / (
                f"{self._program}.json" if number == 1 else f"{self._program}-{number}.json"
            )
            seen = read_state(path)
            if seen is None or not seen.alive or seen.state.ended_at is not None:
                return path
        raise OSError(f"{SAME_NAME} programs {self._program} write their state into {self._folder} already")


def read_state(path: Path) -> ProgramSeen | None:
    """The state that a program has written, and whether its process is alive; None if none can be read."""
    try:
        with path.open("rb") as file:
            written = msgspec.json.decode(file.read(MOST_BYTES), type=_Written)
        if _digest(bytes(written.state)) != written.sha256:
            return None
        state = msgspec.json.decode(written.state, type=ProgramState)
        return ProgramSeen(state=state, alive=lease.is_alive(state.owner))
    except (OSError, msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        return None


class States(NamedTuple):
    """The states written by the programs of an identity.

    Attributes:
        seen: all readable states, by program name.
        unread: the programs whose state exists but cannot be read.
    """

    seen: tuple[ProgramSeen, ...]
    unread: tuple[str, ...]


def read_states(folder: Path) -> States:
    """The states of all programs of an identity.

    Args:
        folder: the identity's state folder.
    """
    found = {path: _read_again(path) for path in _files(folder)}
    return States(
        tuple(seen for seen in found.values() if seen is not None),
        tuple(sorted({_program_of(path) for path, seen in found.items() if seen is None and path.exists()})),
    )


def _read_again(path: Path) -> ProgramSeen | None:
    """Read a state twice if needed, because on a full disk a program overwrites its file."""
    return read_state(path) or read_state(path)


def _files(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob("*.json"))[:MOST_FILES]


def _program_of(path: Path) -> str:
    return _NUMBER.sub("", path.stem)


def forget(folder: Path, program: str) -> bool:
    """Delete the states of a program that does not run and need not run any more. Returns whether there was one.

    An unreadable state is deleted too: a running program writes another at once.
    """
    gone = False
    for path in _files(folder):
        seen = _read_again(path)
        if seen is None:
            is_over = _program_of(path) == program
        else:
            is_over = seen.state.program == program and bool(seen.state.ended_at or not seen.alive)
        if is_over:
            path.unlink(missing_ok=True)
            gone = True
    return gone


async def keep_state(
    file: StateFile,
    facts: Callable[[], Awaitable[Facts]],
    *,
    alive: Callable[[], None] = lambda: None,
    every_s: float = EVERY_S,
) -> None:
    """Write a program's state until cancelled; a failed write is tried again.

    Args:
        file: the state file.
        facts: gives the program's present facts.
        alive: called after each round, for the watchdog of the supervisor.
        every_s: seconds between two rounds.
    """
    while True:
        known = await facts()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(file.write, known)
        alive()
        await asyncio.sleep(every_s)


def _digest(told: bytes) -> str:
    return hashlib.sha256(told).hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Write a file under another name and rename it; without room for that, overwrite the old one."""
    new = path.with_suffix(f".{os.getpid()}.new")
    try:
        new.write_bytes(data)
        new.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        if not path.exists():
            raise
        with path.open("r+b") as file:
            file.write(data)
            file.truncate()
