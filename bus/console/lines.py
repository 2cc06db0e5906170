"""The lines of browsers: when there are too many, the one that has kept the console waiting longest is cut off.

Whoever opens lines and says nothing, or half of a request, would otherwise use up the files of the process, and nobody else were
answered. A line on which the console works or tells of events is not cut off.
"""

from __future__ import annotations

import resource
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_LINES = 4_000
BACKLOG = 512
FILES = 200
"""So many files of the process are for something else than lines."""
_THEIR_TURN = (h11.IDLE, h11.SEND_BODY)


def room() -> int:
    """How many lines there may be; as many files as the system gives are asked for first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_LINES + FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_LINES + FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return MOST_LINES if soft == resource.RLIM_INFINITY else max(1, min(MOST_LINES, soft - FILES))


def listening(host: str, port: int, *, else_any: bool = False) -> socket.socket:
    """A socket at an address; at any free port where that one is taken and any will do.

    Raises:
        OSError: nothing can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (port, 0) if else_any else (port,):
        # Only where the protocol is named does asyncio send each part at once; else a page waits 40 ms for the browser's answer to its head.
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((host, wanted))
            found.listen(BACKLOG)
        except OSError:
            found.close()
            if wanted == 0 or not else_any:
                raise
        else:
            return found
    raise OSError("nothing can listen there")


def protocol_of(most: int) -> type[H11Protocol]:
    """What answers on a line, of which there are so many at most."""

    class Line(H11Protocol):
        """One line; `since` is from when on it is its client's turn."""

        since = 0.0

        def connection_made(self, transport: object) -> None:
            """Take it in, and cut another off where there are too many."""
            self.since = self.loop.time()
            super().connection_made(transport)  # type: ignore[arg-type]
            lines = [
                each
                for each in self.connections
                if isinstance(each, Line) and not each.transport.is_closing()
            ]
            if len(lines) > most:
                slow = [each for each in lines if each.conn.their_state in _THEIR_TURN]
                min(slow, key=lambda each: each.since).transport.abort()

        def on_response_complete(self) -> None:
            """From now on it is its client's turn."""
            self.since = self.loop.time()
            super().on_response_complete()

    return Line
