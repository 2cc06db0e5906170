"""Cookies of the console: over TLS no other host, and no page without TLS, can set them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

SESSION, FORM, WAY = "tocsin", "tocsin-form", "tocsin-way"
"""Of a session; of forms for somebody who is not signed in; of the way to a single sign-on."""
HOST_PREFIX = "__Host-"


def read(request: Request, name: str) -> str:
    """A cookie; empty without one."""
    return request.cookies.get(_named(request, name), "")


def put(
    response: Response,
    request: Request,
    name: str,
    value: str,
    *,
    lasts_s: int | None = None,
    is_lax: bool = False,
) -> None:
    """Set a cookie that only this console gets; with `is_lax` also when a page of another site leads here."""
    response.set_cookie(
        _named(request, name), value, max_age=lasts_s, path="/", secure=is_tls(request), httponly=True,
        samesite="lax" if is_lax else "strict",
    )  # fmt: skip


def drop(response: Response, request: Request, name: str) -> None:
    """Take a cookie away."""
    response.delete_cookie(
        _named(request, name), path="/", secure=is_tls(request), httponly=True, samesite="strict"
    )


def is_tls(request: Request) -> bool:
    """Whether a browser has asked over TLS."""
    return request.url.scheme == "https"


def _named(request: Request, name: str) -> str:
    """The name of a cookie.

    A browser sends the cookies of a host to each of its ports. So without TLS the port is in the name of those of a session, and
    two consoles on one machine do not sign each other out.
    """
    if is_tls(request):
        return f"{HOST_PREFIX}{name}"
    return f"{name}-{request.url.port or 80}" if name in (SESSION, FORM, WAY) else name
