"""The entrance: who sends a request, in which session; the page to sign in, and forms that only this console has made."""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bus import desk
from bus.console import limits
from bus.console.asked import MOST_FIELDS, fields_of, is_here, place_here
from bus.console.errors import BadRequestError
from bus.console.people import People, Session, SignInError, Viewer
from bus.console.rendering import Renderer
from bus.console.signing import cookies
from bus.console.signing.requests import (
    HOME,
    address_asked,
    address_of,
    form_token,
    metered,
    voice_of,
)
from bus.console.voices import COOKIE as COOKIE_OF_VOICE
from bus.console.voices import KEPT_S
from schemas.errors import TocsinError

AGAIN = "again=1"
"""In the address of the page to sign in: its reader is to be fresh then."""
SESSION_S = 12 * 3600
"""A cookie lasts as long as a session does at most (`bus.desk.sessions`)."""
MOST_TOKEN = 256


class Way(Protocol):
    """A way to sign in beside the password."""

    @property
    def name(self) -> str:
        """As the sign-in page calls it."""
        ...

    @property
    def path(self) -> str:
        """Where it begins; empty while it does not work."""
        ...

    @property
    def own(self) -> tuple[str, str] | None:
        """The page where people keep what they need for it, by name and path; None where they need nothing."""
        ...

    def routes(self, entrance: Entrance) -> list[Route]:
        """What is answered there."""
        ...


class Closed(msgspec.Struct, frozen=True):
    """A way that does not work now; the sign-in page says so."""

    name: str
    path: str = ""
    own: tuple[str, str] | None = None

    def routes(self, entrance: Entrance) -> list[Route]:
        """Nothing."""
        del entrance
        return []


class Entrance:
    """Sign-in and sign-out, and the session of each request."""

    def __init__(
        self,
        people: People,
        renderer: Renderer,
        clock: Callable[[], dt.datetime],
        rng: Callable[[int], bytes],
        hub_name: Callable[[], str],
        ways: Sequence[Way] = (),
    ) -> None:
        """Take who may look, what shows pages, the present, random bytes, what gives the name of the hub, and other ways to sign in."""
        self.ways = ways
        self._people, self._renderer, self._clock, self._rng = people, renderer, clock, rng
        self.hub_name = hub_name
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
            *(route for way in self.ways for route in way.routes(self)),
        ]

    @property
    def account(self) -> list[tuple[str, str]]:
        """Pages of one's own, by name and path."""
        return [way.own for way in self.ways if way.own is not None]

    async def sign_in_page(self, request: Request) -> Response:
        """Where somebody signs in."""
        return self.told(request, place_here(request.query_params.get("next", "")))

    def told(self, request: Request, after: str, problem: TocsinError | None = None) -> Response:
        """The page to sign in, with what went wrong; `after` is where its reader wants to go then.

        With `again=1` in its address it is for somebody who is signed in, and shows once more who it is, for an approval.
        """
        more = f"&{AGAIN}" if request.query_params.get("again") == "1" else ""
        then = f"next={quote(after, safe='')}{more}"
        return self.page(
            request,
            "sign-in.html",
            problem,
            after=after,
            needs_password=self._people.needs_password,
            again=bool(more),
            ways=[(way.name, f"{way.path}?{then}" if way.path else "") for way in self.ways],
            here=f"/sign-in?{then}",
        )

    def begun(self, request: Request, token: str, after: str) -> Response:
        """A page that leads on into a new session; a browser that comes from another site sends its cookie only then."""
        response = HTMLResponse(
            self._page(request, "signed-in.html", None, after=after, refresh=f"0;url={after}")
        )
        cookies.put(response, request, cookies.SESSION, token, lasts_s=SESSION_S)
        return response

    def own_page(
        self,
        request: Request,
        template: str,
        token: str,
        viewer: Viewer,
        problem: TocsinError | None,
        **values: Any,
    ) -> Response:
        """A page of one's own, for somebody who is signed in; its forms are bound to the session."""
        html = self._page(request, template, viewer, form=form_token(token), problem=problem, **values)
        return HTMLResponse(html, status_code=200 if problem is None else 403)

    def page(self, request: Request, template: str, problem: TocsinError | None, **values: Any) -> Response:
        """A page with a form for somebody who is not signed in; the form is bound to a cookie of its own."""
        secret = cookies.read(request, cookies.FORM)
        if len(secret) != 64:
            secret = self._rng(32).hex()
        html = self._page(request, template, None, form=form_token(secret), problem=problem, **values)
        response = HTMLResponse(html, status_code=200 if problem is None else 403)
        cookies.put(response, request, cookies.FORM, secret)
        return response

    def _page(
        self, request: Request, template: str, viewer: Viewer | None, *, here: str = "", **values: Any
    ) -> str:
        """A page; `here` is where it is had again, in another language, if not at the address of the request."""
        return self._renderer.page(
            template, self._clock(), dt.UTC, voice_of(request, self._renderer.voices), viewer=viewer,
            here=here or address_asked(request), hub=self.hub_name(), **values,
        )  # fmt: skip

    async def sign_in(self, request: Request) -> Response:
        """Begin a session, with a new token."""
        self.metered_attempt(request)
        form = await self.form(request, cookies.read(request, cookies.FORM))
        after = place_here(form.get("next", ""))
        try:
            token = await self._people.sign_in(
                form.get("name", ""), form.get("password", ""), self._clock(), address_of(request)
            )
        except SignInError as problem:
            return self.told(request, after, problem)
        return self.entered(request, token, after)

    @staticmethod
    def entered(request: Request, token: str, after: str) -> Response:
        """Lead on into a new session."""
        response = RedirectResponse(after, status_code=303)
        cookies.put(response, request, cookies.SESSION, token, lasts_s=SESSION_S)
        cookies.drop(response, request, cookies.FORM)
        return response

    def metered_attempt(self, request: Request) -> None:
        """Count an attempt to sign in.

        Raises:
            TooManyError: there were too many from this address.
        """
        metered(self._attempts, desk.household(address_of(request)))

    async def password_page(self, request: Request) -> Response:
        """Where somebody sets a first password, with a token that was handed over."""
        return self._password_page(request, request.query_params.get("token", ""))

    def _password_page(self, request: Request, setup: str, problem: TocsinError | None = None) -> Response:
        return self.page(request, "set-password.html", problem, setup=setup[:200])

    async def set_password(self, request: Request) -> Response:
        """Set a first password; the person then signs in with it."""
        self.metered_attempt(request)
        form = await self.form(request, cookies.read(request, cookies.FORM))
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
        cookies.drop(response, request, cookies.SESSION)
        return response

    async def choose_language(self, request: Request) -> Response:
        """Keep the language that somebody has chosen, signed in or not, and lead back to the page.

        Raises:
            BadRequestError: it is not offered; or as `form`.
        """
        session, token = await self.session(request)
        form = await self.form(request, token if session else cookies.read(request, cookies.FORM))
        tag, back = form.get("language", ""), form.get("back", "")
        if tag not in self._renderer.voices:
            raise BadRequestError("this console does not speak that language")
        response = RedirectResponse(back if is_here(back) else HOME, status_code=303)
        cookies.put(response, request, COOKIE_OF_VOICE, tag, lasts_s=KEPT_S)
        return response

    async def session(self, request: Request) -> tuple[Session | None, str]:
        """Who asks, and the token of that session.

        Raises:
            TooManyError: the address asks faster than an office of people does.
        """
        token, found = self.token(request), None
        if token:
            found = await self._people.session(token, self._clock(), address_of(request))
        if (
            found is None
        ):  # who is signed in has a rate of its own, which no stranger at the same address uses up
            self.counted(request)
        return found, token

    def counted(self, request: Request) -> None:
        """Count a request of its address.

        Raises:
            TooManyError: the address asks faster than an office of people does.
        """
        metered(self._addresses, desk.household(address_of(request)))

    @staticmethod
    def token(request: Request) -> str:
        """The token of the session that a request names, whether it stands is not looked at; empty for what cannot be one."""
        token = cookies.read(request, cookies.SESSION)
        return token if len(token) <= MOST_TOKEN else ""

    async def form(self, request: Request, secret: str) -> Mapping[str, str]:
        """The fields of a form that this console has shown to its sender; `typed_of` has them, too, when it is refused.

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
        async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
            fields = fields_of((name, value) for name, value in form.multi_items() if isinstance(value, str))
        request.state.typed = fields if site == "same-origin" else {}
        sent = fields.get("form", "").encode()
        if not secret or not hmac.compare_digest(sent, form_token(secret).encode()):
            raise BadRequestError("this page is too old to be sent; load it anew", reason="form-token")
        return fields
