"""The entrance: who sends a request, in which session; the page to sign in, and forms that only this console has made."""

from __future__ import annotations

import datetime as dt
import hmac
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bus.console import limits
from bus.console.asked import MOST_PARAMETERS
from bus.console.errors import BadRequestError, TooManyError
from bus.console.people import People, Session, SignInError
from bus.console.rendering import Renderer
from bus.console.voices import COOKIE as COOKIE_OF_VOICE
from bus.console.voices import KEPT_S, Voice, Voices
from schemas.errors import TocsinError

COOKIE, FORM_COOKIE = "tocsin", "tocsin-form"
HOST_PREFIX = "__Host-"
HOME = "/"
SESSION_S = 12 * 3600
"""A cookie lasts as long as a session does at most (`bus.desk.sessions`)."""


class Entrance:
    """Sign-in and sign-out, and the session of each request."""

    def __init__(
        self,
        people: People,
        renderer: Renderer,
        clock: Callable[[], dt.datetime],
        rng: Callable[[int], bytes],
        hub_name: Callable[[], str],
    ) -> None:
        """Take who may look, what shows pages, the present, random bytes, and what gives the name of the hub."""
        self._people, self._renderer, self._clock, self._rng = people, renderer, clock, rng
        self._hub_name = hub_name
        self._addresses = limits.Meter(limits.ADDRESS)
        self._attempts = limits.Meter(limits.SIGN_IN)

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route("/sign-in", self.sign_in_page, methods=["GET"]),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/set-password", self.password_page, methods=["GET"]),
            Route("/set-password", self.set_password, methods=["POST"]),
            Route("/language", self.choose_language, methods=["POST"]),
        ]

    async def sign_in_page(self, request: Request) -> Response:
        """Where somebody signs in."""
        return self._sign_in_page(request, _next(request.query_params.get("next", "")))

    def _sign_in_page(self, request: Request, after: str, problem: TocsinError | None = None) -> Response:
        return self._form_page(
            request, "sign-in.html", problem, after=after, needs_password=self._people.needs_password
        )

    def _form_page(
        self, request: Request, template: str, problem: TocsinError | None, **values: object
    ) -> Response:
        """A page with a form for somebody who is not signed in; the form is bound to a cookie of its own."""
        secret = request.cookies.get(FORM_COOKIE, "")
        if len(secret) != 64:
            secret = self._rng(32).hex()
        html = self._renderer.page(
            template,
            self._clock(),
            dt.UTC,
            voice_of(request, self._renderer.voices),
            viewer=None,
            here=address_asked(request),
            form=form_token(secret),
            problem=problem,
            hub=self._hub_name(),
            **values,
        )
        response = HTMLResponse(html, status_code=200 if problem is None else 403)
        self._set(response, request, FORM_COOKIE, secret)
        return response

    async def sign_in(self, request: Request) -> Response:
        """Begin a session, with a new token."""
        metered(self._attempts, f"sign-in {address_of(request)}")
        form = await self.form(request, request.cookies.get(FORM_COOKIE, ""))
        after = _next(form.get("next", ""))
        try:
            token = await self._people.sign_in(
                form.get("name", ""), form.get("password", ""), self._clock(), address_of(request)
            )
        except SignInError as problem:
            return self._sign_in_page(request, after, problem)
        response = RedirectResponse(after, status_code=303)
        self._set(response, request, _cookie(request), token, lasts_s=SESSION_S)
        response.delete_cookie(FORM_COOKIE, path="/")
        return response

    async def password_page(self, request: Request) -> Response:
        """Where somebody sets a first password, with a token that was handed over."""
        return self._password_page(request, request.query_params.get("token", ""))

    def _password_page(self, request: Request, setup: str, problem: TocsinError | None = None) -> Response:
        return self._form_page(request, "set-password.html", problem, setup=setup[:200])

    async def set_password(self, request: Request) -> Response:
        """Set a first password; the person then signs in with it."""
        metered(self._attempts, f"sign-in {address_of(request)}")
        form = await self.form(request, request.cookies.get(FORM_COOKIE, ""))
        setup, password = form.get("token", ""), form.get("password", "")
        try:
            if password != form.get("again", ""):
                raise SignInError("the two passwords differ")
            await self._people.set_password(setup, password, self._clock(), address_of(request))
        except SignInError as problem:
            return self._password_page(request, setup, problem)
        return RedirectResponse("/sign-in", status_code=303)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        _, token = await self.session(request)
        await self.form(request, token)
        await self._people.sign_out(token, self._clock(), address_of(request))
        response = RedirectResponse("/sign-in", status_code=303)
        response.delete_cookie(
            _cookie(request), path="/", secure=_is_tls(request), httponly=True, samesite="strict"
        )
        return response

    async def choose_language(self, request: Request) -> Response:
        """Keep the language that somebody has chosen, signed in or not, and lead back to the page.

        Raises:
            BadRequestError: it is not offered; or as `form`.
        """
        session, token = await self.session(request)
        form = await self.form(request, token if session else request.cookies.get(FORM_COOKIE, ""))
        tag, back = form.get("language", ""), form.get("back", "")
        if tag not in self._renderer.voices:
            raise BadRequestError("this console does not speak that language")
        response = RedirectResponse(back if _is_here(back) else HOME, status_code=303)
        self._set(response, request, COOKIE_OF_VOICE, tag, lasts_s=KEPT_S)
        return response

    async def session(self, request: Request) -> tuple[Session | None, str]:
        """Who asks, and the token of that session.

        Raises:
            TooManyError: the address asks faster than an office of people does.
        """
        token, found = self.token(request), None
        if 0 < len(token) <= 256:
            found = await self._people.session(token, self._clock(), address_of(request))
        if found is None:  # whoever is signed in has a rate of its own, which no stranger at the same address uses up
            self.counted(request)
        return found, token

    def counted(self, request: Request) -> None:
        """Count a request of its address.

        Raises:
            TooManyError: the address asks faster than an office of people does.
        """
        metered(self._addresses, address_of(request))

    @staticmethod
    def token(request: Request) -> str:
        """The token of the session that a request names; whether it stands is not looked at."""
        return request.cookies.get(_cookie(request), "")

    async def form(self, request: Request, secret: str) -> Mapping[str, str]:
        """The fields of a form that this console has shown to its sender.

        Raises:
            BadRequestError: it comes from another site, or without the token of its page.
        """
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        own = f"{request.url.scheme}://{request.headers.get('host', '')}"
        # Under `no-referrer` a browser says "null" for the origin of its own forms, and says by itself that they are.
        told = (None, own, "null") if site == "same-origin" else (None, own)
        if site not in (None, "same-origin", "none") or origin not in told:
            raise BadRequestError("the form comes from another site", reason="form-foreign")
        # In the other shape of a form its sender names how its letters are read, and some ways take very long.
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise BadRequestError("this page is too old to be sent; load it anew", reason="form-token")
        async with request.form(max_files=0, max_fields=MOST_PARAMETERS) as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
        if not secret or not hmac.compare_digest(
            fields.get("form", "").encode(), form_token(secret).encode()
        ):
            raise BadRequestError("this page is too old to be sent; load it anew", reason="form-token")
        return fields

    @staticmethod
    def _set(response: Response, request: Request, name: str, value: str, lasts_s: int | None = None) -> None:
        response.set_cookie(
            name, value, max_age=lasts_s, path="/", secure=_is_tls(request), httponly=True, samesite="strict"
        )


def _next(wanted: str) -> str:
    """Where to go after signing in: a place on this console, whatever was asked for."""
    return wanted if _is_here(wanted) and not wanted.startswith("/sign-") else HOME


def _is_here(wanted: str) -> bool:
    """Whether it is a place on this console."""
    is_path = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return is_path and wanted.isprintable() and len(wanted) < 2000


def address_asked(request: Request) -> str:
    """The address that was asked for, without that of the console."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def voice_of(request: Request, voices: Voices) -> Voice:
    """The language of who asks: what was chosen here, else what the browser asks for."""
    return voices.of(request.cookies.get(COOKIE_OF_VOICE, ""), request.headers.get("accept-language", ""))


def _cookie(request: Request) -> str:
    """The name of the cookie of a session: over TLS no other host, and no page without TLS, can set it.

    A browser sends the cookies of a host to each of its ports. So without TLS the port is in the name, and two consoles on one
    machine do not sign each other out.
    """
    return f"{HOST_PREFIX}{COOKIE}" if _is_tls(request) else f"{COOKIE}-{request.url.port or 80}"


def _is_tls(request: Request) -> bool:
    return request.url.scheme == "https"


def address_of(request: Request) -> str:
    """The address of who asks, for rates and the record."""
    return request.client.host if request.client is not None else "-"


def form_token(secret: str) -> str:
    """The token of a form, which only a page of the same session can have."""
    return hmac.digest(secret.encode(), b"tocsin form", "sha256").hex()


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
