"""Receivers of notifications on loopback: a server of HTTP that answers as it is told, and one of mail with or without TLS.

As a program (`python -m tests.support.receivers FILE`) the first writes each request as a line of JSON into a file.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

HOST = "127.0.0.1"


class Request(msgspec.Struct, frozen=True):
    """What came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class Receiver:
    """A server of HTTP in a thread; `answer` says what is answered to a request, by its number from 0."""

    def __init__(
        self, answer: Callable[[int], tuple[int, Mapping[str, str], bytes]] = lambda _: (200, {}, b"{}")
    ) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(size).decode()
                number = len(receiver.requests)
                receiver.requests.append(
                    Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                )
                receiver.came()
                status, headers, said = receiver.answer(number)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(said)

            do_POST = do_PUT = do_GET = _take  # noqa: N815 (names of the standard library)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.port = self.server.server_address[1]

    def came(self) -> None:
        """A request has come."""

    @contextlib.contextmanager
    def serving(self, context: ssl.SSLContext | None = None) -> Iterator[str]:
        """Serve; yields the address."""
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"{'http' if context is None else 'https'}://{HOST}:{self.port}"
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()


class Mailbox:
    """A server of mail: takes one conversation after the other, and keeps what was said.

    Attributes:
        lines: what the client said, before and after TLS; lines after it begin with `TLS `.
        mails: what came after DATA.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None = None,
        *,
        replies: Mapping[str, str] | None = None,
        wrapped: bool = False,
    ) -> None:
        self.context, self.replies, self.wrapped = context, dict(replies or {}), wrapped
        self.lines: list[str] = []
        self.mails: list[str] = []
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]

    @contextlib.contextmanager
    def serving(self) -> Iterator[int]:
        """Serve; yields the port."""
        thread = threading.Thread(target=self._serve, daemon=True)
        thread.start()
        try:
            yield self.port
        finally:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            thread.join()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), contextlib.ExitStack() as open_:
                self._talk(sock, open_)

    def _talk(self, sock: socket.socket, open_: contextlib.ExitStack) -> None:
        open_.callback(sock.close)
        is_safe = self.wrapped
        if self.wrapped and self.context is not None:
            sock = open_.enter_context(self.context.wrap_socket(sock, server_side=True))
        file = open_.enter_context(sock.makefile("rwb", buffering=0))
        file.write(self.replies.get("banner", "220 mail.example").encode() + b"\r\n")
        while line := file.readline():
            text = line.decode().strip()
            self.lines.append(f"TLS {text}" if is_safe else text)
            word = text.partition(" ")[0].upper()
            if word in self.replies:
                file.write(self.replies[word].encode() + b"\r\n")
            elif word == "EHLO":
                offers = ["mail.example", "AUTH PLAIN"] + (
                    ["STARTTLS"] if self.context and not is_safe else []
                )
                file.write(
                    "".join(
                        f"250{'-' if n + 1 < len(offers) else ' '}{each}\r\n" for n, each in enumerate(offers)
                    ).encode()
                )
            elif word == "STARTTLS" and self.context is not None:
                file.write(b"220 go\r\n")
                sock = open_.enter_context(self.context.wrap_socket(sock, server_side=True))
                file, is_safe = open_.enter_context(sock.makefile("rwb", buffering=0)), True
            elif word == "AUTH":
                file.write(b"235 in\r\n")
            elif word == "DATA":
                file.write(b"354 go\r\n")
                mail = b""
                while (part := file.readline()) not in (b".\r\n", b""):
                    mail += part
                self.mails.append(mail.decode())
                file.write(b"250 taken\r\n")
            elif word == "QUIT":
                file.write(b"221 bye\r\n")
                return
            else:
                file.write(b"250 ok\r\n")


def text_of(mail: str) -> str:
    """The words of a mail whose body is in base64."""
    return base64.b64decode(mail.partition("\r\n\r\n")[2]).decode()


def main() -> None:
    """Serve until killed; the first line of the output is the port."""
    receiver = Receiver()
    file = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115 (until the end of the process)

    def write() -> None:
        file.write(json.dumps(msgspec.to_builtins(receiver.requests[-1])) + "\n")

    receiver.came = write  # type: ignore[method-assign]
    with receiver.serving() as address:
        sys.stdout.write(address + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
