"""What a request says: from where, for which place of this console, in which language; and who is let on."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bus.console import limits
from bus.console.errors import TooManyError
from bus.console.signing import cookies
from bus.console.voices import COOKIE as COOKIE_OF_VOICE
from bus.console.voices import Voice, Voices

HOME = "/"
_WAYS_IN = ("/sign-in", "/set-password", "/passkeys")
LONG, MOST_WORDS = 60, 40
"""A text without a space is shown again where it is so long; so many are."""


def address_asked(request: Request) -> str:
    """The address that was asked for, without that of the console."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def voice_of(request: Request, voices: Voices) -> Voice:
    """The language of who asks: what was chosen here, else what the browser asks for."""
    return voices.of(cookies.read(request, COOKIE_OF_VOICE), request.headers.get("accept-language", ""))


def address_of(request: Request) -> str:
    """The address of who asks, for rates and the record."""
    return request.client.host if request.client is not None else "-"


def form_token(secret: str) -> str:
    """The token of a form, which only a page of the same session can have."""
    return hmac.digest(secret.encode(), b"tocsin form", "sha256").hex()


def typed_of(request: Request) -> Mapping[str, str]:
    """The fields of a form that a browser says it has sent from this console, without its token; none before it is read.

    None of a form with a password, and none of a way to sign in: they hold secrets, and nothing that anybody has composed.
    """
    fields: Mapping[str, str] = getattr(request.state, "typed", {})
    if request.url.path.startswith(_WAYS_IN) or any(name.startswith("password") for name in fields):
        return {}
    return {name: value for name, value in fields.items() if name != "form" and value}


def words_of(fields: Mapping[str, str]) -> list[str]:
    """What a person has written in a form, as far as it would be a loss: texts, no choices and numbers."""
    return [value for value in fields.values() if len(value) >= LONG or " " in value.strip()][:MOST_WORDS]


def metered(meter: limits.Meter, key: str) -> None:
    """Take one from a bucket.

    Raises:
        TooManyError: it is empty.
    """
    wait = meter.wait(key, time.monotonic())
    if wait:
        raise TooManyError(
            "that is more than a person asks; wait %(wait)s s, then try again", wait=f"{wait:.0f}"
        )


def sent_away(request: Request, *, as_json: bool) -> Response:
    """Where somebody is led who is not signed in."""
    if as_json:
        body = msgspec.json.encode({"reason": "sign-in-needed", "detail": "sign in first, at /sign-in"})
        return Response(body, status_code=401, media_type="application/json")
    where = address_asked(request) if request.method == "GET" else HOME
    return RedirectResponse(f"/sign-in?next={quote(where, safe='')}", status_code=303)
