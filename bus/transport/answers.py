"""The answers that a connection waits for. Each request has its own reply subject, which ends in a token."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

import msgspec
from nats.aio.msg import Msg

from bus.errors import BusError
from bus.transport.client import headers_of
from bus.transport.interface import NO_ANSWER, NO_RESPONDERS


class Answers:
    """The open requests of one connection, by token."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[str, asyncio.Future[dict[str, Any]]]] = {}

    @contextlib.contextmanager
    def expect(self, subject: str) -> Iterator[tuple[str, asyncio.Future[dict[str, Any]]]]:
        """Wait for the answer to one request, within the context. Yields the token that ends its reply subject."""
        token = secrets.token_hex(8)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[token] = (subject.lower(), answer)
        try:
            yield token, answer
        finally:
            del self._waiting[token]

    async def on_message(self, message: Msg) -> None:
        """Hand the server's JSON to the request that waits for it."""
        _, answer = self._waiting.get(message.subject.rpartition(".")[2], ("", None))
        if answer is None or answer.done():
            return
        if headers_of(message).status == str(NO_RESPONDERS):
            answer.set_result(NO_ANSWER)
            return
        try:
            answer.set_result(msgspec.json.decode(message.data, type=dict[str, Any]))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            answer.set_result({"error": {"description": "not an answer of JetStream"}})

    def fail(self, error: BusError, subject: str | None = None) -> None:
        """Fail all open requests, or those published on one lower-cased subject."""
        for waiting, answer in self._waiting.values():
            if subject in (None, waiting) and not answer.done():
                answer.set_exception(error)
