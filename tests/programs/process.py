"""One program as a process: the installed `tocsin` with its own log, its pid known, ended whatever happens."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

TOCSIN = Path(sys.executable).parent / "tocsin"
ROOT = Path(__file__).parents[2]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A program ended that nobody had ended."""

    name: str
    code: int
    said: str


class Program:
    """A command that goes on until it is told to end. It is started again over the same files."""

    def __init__(self, name: str, words: Iterable[str], logs: Path, env: Mapping[str, str]) -> None:
        self.name, self.words = name, tuple(words)
        self.log = logs / f"{name}.log"
        self.wanted = False
        """Whether it should run; whoever looks after it starts it again when it does not."""
        self.clock_s = 0.0
        """By how much its clock is off."""
        self.deaf = False
        """Whether nobody reads its output, which is a pipe that is full."""
        self.output = -1
        """Where its output goes, when not into its log; this is the next start's alone."""
        self.module = ""
        """A module of the tests that is run instead of the installed program."""
        self._env = dict(env)
        self._pipe = -1
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process; it must have been started."""
        assert self.process is not None
        return self.process.pid

    @property
    def runs(self) -> bool:
        """Whether its process is there, stopped or not."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it, unless it runs."""
        self.wanted = True
        if self.runs:
            return
        with self.log.open("ab") as log:
            into = self.output if self.output >= 0 else log.fileno()
            out = self._full_pipe() if self.deaf else os.dup(into)
            self.output = -1
            try:
                self.process = subprocess.Popen(
                    self.command(),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=log,
                    cwd=ROOT,
                    env=self._env,
                    start_new_session=True,
                )
            finally:
                os.close(out)

    def command(self) -> list[str]:
        """What is started: the installed program, or the same with a clock that is off."""
        if self.module:
            return [sys.executable, "-m", self.module, *self.words]
        if self.clock_s:
            return [sys.executable, "-m", "tests.programs.shifted", str(self.clock_s), *self.words]
        return [str(TOCSIN), *self.words]

    def _full_pipe(self) -> int:
        """The end for writing of a pipe into which nothing more goes; the other end stays open and unread."""
        self.close()
        self._pipe, there = os.pipe()
        fcntl.fcntl(there, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(there, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(there, b"\n")
        os.set_blocking(there, True)
        return there

    def signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        if self.runs:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, also while it is stopped; the wait is for the kernel alone."""
        self.wanted = False
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def end(self, seconds: float) -> int | None:
        """SIGTERM; its exit code, or None when it had to be killed after so many seconds."""
        self.wanted = False
        if self.process is None:
            return 0
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def close(self) -> None:
        """Let go of the pipe that nobody read."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def said(self, last: int = 600) -> str:
        """The end of its log."""
        return self.log.read_text("utf-8", "replace")[-last:] if self.log.exists() else ""

    def found(self) -> Ended | None:
        """Its end, when it should run and does not."""
        if not self.wanted or self.process is None or self.process.poll() is None:
            return None
        return Ended(name=self.name, code=self.process.returncode, said=self.said())
