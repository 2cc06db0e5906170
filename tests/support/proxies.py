"""A proxy with TLS before a console, as an operator has one: it ends TLS, and says at which address it was asked."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

MOST_HEAD = 65_536


def free_port() -> int:
    """A port of this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def tls_proxy(port: int, certificate: Path, key: Path) -> Iterator[int]:
    """Run a proxy to a port of this machine. Gives the port at which it listens.

    Like nginx with `$proxy_add_x_forwarded_for`, it adds the address of the client to the right of what the client has sent. A thread
    serves one request a connection: it hands the whole request on, then copies the answer until that ends.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Visit(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                contextlib.suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as outer,
                socket.create_connection(("127.0.0.1", port)) as inner,
            ):
                head, body = _request(outer)
                inner.sendall(_with_visitor(head, self.client_address[0].encode()) + body)
                while data := inner.recv(65_536):
                    outer.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Visit) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _request(line: socket.socket) -> tuple[bytes, bytes]:
    """(the head of a request, its body).

    Raises:
        ConnectionError: it ends in the middle, or its head is too long.
    """
    held = b""
    while b"\r\n\r\n" not in held:
        if len(held) > MOST_HEAD or not (data := line.recv(65_536)):
            raise ConnectionError("no whole head")
        held += data
    head, _, body = held.partition(b"\r\n\r\n")
    said = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while said is not None and len(body) < int(said[1]):
        if not (data := line.recv(65_536)):
            raise ConnectionError("no whole body")
        body += data
    return head, body


def _with_visitor(head: bytes, peer: bytes) -> bytes:
    """The head of a request with the visitor's address to the right, for one request a connection."""
    first, *lines = head.rstrip(b"\r\n").split(b"\r\n")
    kept, said = [], []
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"x-forwarded-for":
            said.append(value.strip())
        elif name.lower() != b"connection":
            kept.append(line)
    visitor = b"X-Forwarded-For: " + b", ".join([*said, peer])
    return b"\r\n".join([first, *kept, visitor, b"X-Forwarded-Proto: https", b"Connection: close", b"", b""])
