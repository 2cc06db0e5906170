"""A supervisor as systemd is one, as far as programs speak to it: a socket, and what was said there."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Self

_END = "END=1"


class Supervisor:
    """Listens at a path, or at an abstract name that begins with `@`; reads all the time, unless it is `deaf`."""

    def __init__(self, name: str, *, deaf: bool = False) -> None:
        self.environment = {"NOTIFY_SOCKET": name}
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self._way = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._way.bind(self._address)
        self._lines: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        if not deaf:
            self._reading.start()

    @classmethod
    def at(cls, path: Path, *, waits_s: float) -> Self:
        """One at a path, which waits so long for a beat of the watchdog."""
        made = cls(str(path))
        made.environment["WATCHDOG_USEC"] = str(int(waits_s * 1e6))
        return made

    def heard(self) -> list[str]:
        """What was said until now."""
        return list(self._lines)

    def close(self) -> list[str]:
        """Listen no more; everything that was said."""
        if self._reading.is_alive():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
                way.sendto(_END.encode(), self._address)
            self._reading.join()
        self._way.close()
        return self._lines

    def _read(self) -> None:
        while (line := self._way.recv(4096).decode()) != _END:
            self._lines.append(line)
