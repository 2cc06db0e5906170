"""What stands before every page: headers that forbid what no page needs, the host that is asked for, bounds of size and time.

The policy has no exception, so a page has no inline script, no inline style and no address of another host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

import msgspec

from bus.console import public
from bus.console.errors import PageError, SlowError, TooLargeError, WrongHostError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Told = Callable[[PageError, Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
ONLY_TLS = {"strict-transport-security": "max-age=31536000"}
NO_STORE, OF_A_RELEASE = "no-store", "private, max-age=3600"
MOST_BODY = 64 * 1024
LONG = {"/publish/": 256 * 1024}
"""A draft in a form is longer, and its letters may take several characters each."""
MOST_PATH = 8 * 1024
MOST_S = 20.0
"""A request that is not answered by then is ended; a stream of events is not counted."""
ENDLESS = frozenset({"/events"})


class Shield(msgspec.Struct, frozen=True, kw_only=True):
    """An application behind the shield; itself one of ASGI.

    Attributes:
        inner: what answers.
        hosts: the names that this console has, with their ports.
        is_behind: whether a proxy with TLS on this machine asks for visitors; then every request counts as one over TLS.
        rng: random bytes, for the ids of requests.
        told: answers with a page that says what went wrong.
        most_s: seconds that a request may take.
    """

    inner: App
    hosts: Collection[str]
    rng: Callable[[int], bytes]
    told: Told
    is_behind: bool = False
    most_s: float = MOST_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.inner(scope, receive, send)
            return
        scope["tocsin.request"] = self.rng(4).hex()
        if self.is_behind:
            scope["scheme"] = "https"
        begun = False

        async def headed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message = {**message, "headers": _headers(scope, message.get("headers", ()))}
            await send(message)

        bounded = _Bounded(receive, _most(scope))
        try:
            self._check(scope)
            if scope["path"] in ENDLESS:
                await self.inner(scope, bounded, headed)
            else:
                async with asyncio.timeout(self.most_s):
                    await self.inner(scope, bounded, headed)
        except TimeoutError:
            if not begun:
                await self.told(SlowError("the answer took too long"), scope, receive, headed)
        except PageError as problem:
            if not begun:
                await self.told(problem, scope, receive, headed)

    def _check(self, scope: Scope) -> None:
        """Refuse what no page of this console is asked for.

        Raises:
            WrongHostError: another host is meant: a page of another site that has its name lead here.
            BadRequestError: a proxy does not say clearly who asks, or that it was asked over TLS.
            TooLargeError: the address or the announced body is longer than any of this console.
        """
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if headers.get(b"host", "").lower() not in self.hosts:
            raise WrongHostError("this console has another name")
        if self.is_behind:
            peer = scope["client"][0] if scope.get("client") else ""
            named = ((name.lower(), value) for name, value in scope["headers"])
            scope["client"] = (public.visitor(named, peer), 0)
        if len(scope["path"]) + len(scope.get("query_string", b"")) > MOST_PATH:
            raise TooLargeError("the address is too long")
        size = headers.get(b"content-length", "0")
        if not size.isdecimal() or len(size) > 12 or int(size) > _most(scope):
            raise TooLargeError("the request is too long")


class _Bounded:
    """What a request brings, up to a number of bytes."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most, self._size = receive, most, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            if self._size > self._most:
                raise TooLargeError("the request is too long")
        return message


def _most(scope: Scope) -> int:
    """How many bytes a request to this path may bring."""
    return next((most for path, most in LONG.items() if scope["path"].startswith(path)), MOST_BODY)


def _headers(scope: Scope, given: Collection[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of a response, with those that every response has."""
    always = {**HEADERS, "x-request-id": scope["tocsin.request"]}
    if scope.get("scheme") == "https":
        always |= ONLY_TLS
    named = {name.lower() for name, _ in given}
    if b"cache-control" not in named:
        always["cache-control"] = NO_STORE
    mine = [(name.encode(), value.encode()) for name, value in always.items()]
    taken = {name for name, _ in mine} | {b"server"}
    return [*((name, value) for name, value in given if name.lower() not in taken), *mine]
