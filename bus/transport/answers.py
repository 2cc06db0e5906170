"""The answers that a connection waits for: each request has a reply subject of its own, known by a token."""

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
    """What is waited for on one connection."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[str, asyncio.Future[dict[str, Any]]]] = {}

    @contextlib.contextmanager
    def expect(self, subject: str) -> Iterator[tuple[str, asyncio.Future[dict[str, Any]]]]:
        """Wait for the answer to one request, within the context. Gives the token that ends its reply subject."""
        token = secrets.token_hex(8)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[token] = (subject.lower(), answer)
        try:
            yield token, answer
        finally:
            del self._waiting[token]

    async def on_message(self, message: Msg) -> None:
        """Hand over the server's JSON to who waits for it."""
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
        """Tell all who wait, or those who published on a lower-cased subject, that no answer will come."""
        for waiting, answer in self._waiting.values():
            if subject in (None, waiting) and not answer.done():
                answer.set_exception(error)
