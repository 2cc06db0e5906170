"""A connection to an address that was looked at, with an end: nobody on the other side can hold a message for longer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from bus.notify.addresses import Address, SendError

STEP_S = 10.0
"""So long one step of a conversation may take."""
WHOLE_S = 30.0
"""So long a whole one may take."""


def connected(addresses: Sequence[Address], port: int, timeout: float = STEP_S) -> socket.socket:
    """A connection to the first of some addresses that answers.

    Raises:
        SendError: `notify-unreachable`.
    """
    problem = "nothing answers"
    for address in addresses:
        try:
            return socket.create_connection((str(address), port), timeout)
        except OSError as exc:
            problem = exc.strerror or "it does not answer in time"
    raise SendError(f"cannot reach port {port}: {problem}", reason="notify-unreachable")


def tls(authorities: Path | None = None) -> ssl.SSLContext:
    """TLS as it is asked for: certificates and names verified, version 1.2 or later.

    Args:
        authorities: a file with the certificates of those whom to trust; None for those of this machine.

    Raises:
        OSError: the file cannot be read, or has no certificate (`ssl.SSLError` is one).
    """
    context = ssl.create_default_context(cafile=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Deadline:
    """Ends a connection when its time is over, whatever the other side does."""

    def __init__(self, whole_s: float = WHOLE_S) -> None:
        self.whole_s = whole_s
        self.is_over = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def watch(self, sock: socket.socket) -> socket.socket:
        """End this connection when the time is over; of several the last, which holds the others."""
        with self._lock:
            self._socket = sock
            if self.is_over:
                _shut(sock)
        return sock

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            if self._socket is not None:
                _shut(self._socket)

    @contextlib.contextmanager
    def running(self) -> Iterator[Deadline]:
        """Let the time run for as long as the body does."""
        timer = threading.Timer(self.whole_s, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield self
        finally:
            timer.cancel()


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
