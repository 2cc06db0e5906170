"""A run of the program: a process with pipes, or with a terminal of 80 columns as its standard output."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.record.entries import Outcome

CAP_S = 90.0
GRACE_S = 10.0
ROWS, COLUMNS = 24, 80


class RunError(Exception):
    """A process did not say or do in time what was expected."""


class Running:
    """A process whose output is read as it comes."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        on_terminal: bool = False,
        stdin: str | None = None,
    ) -> None:
        self._command = command
        self._said: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        if on_terminal:
            ours, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        else:
            ours, theirs = os.pipe()
        err, their_err = os.pipe()
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=theirs,
            stderr=their_err,
        )
        os.close(theirs)
        os.close(their_err)
        self._readers = [
            threading.Thread(target=self._read, args=(file, name), daemon=True)
            for file, name in ((ours, "stdout"), (err, "stderr"))
        ]
        for reader in self._readers:
            reader.start()
        if stdin is not None and self._process.stdin is not None:
            self._process.stdin.write(stdin.encode())
            self._process.stdin.close()

    def _read(self, file: int, name: str) -> None:
        while True:
            try:
                part = os.read(file, 65536)
            except OSError:  # a terminal whose other end is closed
                part = b""
            if not part:
                os.close(file)
                return
            self._said[name] += part

    def _text(self, name: str) -> str:
        return bytes(self._said[name]).decode("utf-8", "backslashreplace").replace("\r\n", "\n")

    def until_said(self, text: str, times: int = 1) -> None:
        """Wait until the process has printed a text so many times.

        Raises:
            RunError: it ended first, or time is up.
        """
        deadline = time.monotonic() + CAP_S
        while sum(self._text(name).count(text) for name in self._said) < times:
            if self._process.poll() is not None or time.monotonic() > deadline:
                if self._process.poll() is not None:
                    for reader in self._readers:
                        reader.join(1)
                    if sum(self._text(name).count(text) for name in self._said) >= times:
                        return
                self.kill()
                raise RunError(
                    f"{self._command} did not say {text!r}: {self._text('stdout')}{self._text('stderr')}"
                )
            time.sleep(0.02)

    def end(self) -> Outcome:
        """Tell the process to end, and wait for it."""
        self._process.send_signal(signal.SIGTERM)
        return self.outcome()

    def kill(self) -> None:
        """End the process in any case; politely first, because a broker's own server ends with it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def outcome(self) -> Outcome:
        """Wait for the end of the process.

        Raises:
            RunError: time is up.
        """
        try:
            code = self._process.wait(CAP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RunError(f"{self._command} did not end") from None
        for reader in self._readers:
            reader.join(5)
        return Outcome(code=code, stdout=self._text("stdout"), stderr=self._text("stderr"))
