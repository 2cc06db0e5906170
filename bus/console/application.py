"""The console as an application of ASGI: its routes, who is let in, and what is shown when something goes wrong."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hmac
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bus.console import limits, shield
from bus.console.asked import MOST_PARAMETERS, MOST_VALUE, Asked
from bus.console.asking import NOBODY, HubError
from bus.console.doing import Doing, Hub
from bus.console.errors import AgainError, BadRequestError, NotHereError, PageError, TooManyError
from bus.console.incidents import Incidents, Kept
from bus.console.live import Live
from bus.console.page import Bytes, Content, Deed, Page
from bus.console.pages import DEEDS, PAGES, end_worsened, sign_receipts
from bus.console.people import DeedError, People, Session, SignInError
from bus.console.reading import Reading
from bus.console.rendering import Frame, Renderer, asset, frame_of
from bus.errors import BusError, StoreError
from bus.logs import logger
from bus.tasks import in_background
from schemas.errors import TocsinError

COOKIE, FORM_COOKIE = "tocsin", "tocsin-form"
HOST_PREFIX = "__Host-"
HOME = "/"
UPKEEP_S = 10.0
SESSION_S = 12 * 3600
"""A cookie lasts as long as a session does at most (`bus.desk.sessions`)."""
_SAFE: Mapping[str, str] = {
    "store-missing": "Nothing is lost: the bus keeps what was said, and the hub reads it when it starts.",
    "store-failed": "Nothing is lost: the bus keeps what was said.",
    "hub-silent": "Nothing is lost. If it was done, it is not done again.",
    "store-slow": "Nothing is lost. Ask for less, or try again in a moment.",
    "page-missing": "Nothing was changed.",
    "too-many-requests": "Nothing is lost. What is open in other tabs stays as it is.",
}

_REFUSED: Mapping[str, int] = {
    "desk-role": 403,
    "desk-wall": 403,
    "session-ended": 403,
    "not-there": 404,
    "decided-already": 409,
    "not-last": 409,
    "desk-full": 409,
}
"""The status of what a desk refuses; of everything else it is 400."""

log = logger()


def app(
    reading: Reading,
    people: People,
    clock: Callable[[], dt.datetime],
    rng: Callable[[int], bytes] = secrets.token_bytes,
    *,
    hub: Hub = NOBODY,
    hosts: Collection[str] = ("localhost", "127.0.0.1"),
) -> shield.Shield:
    """The console.

    Args:
        reading: the hub's store.
        people: who may look.
        clock: the present, aware.
        rng: random bytes, for ids and tokens.
        hub: what signs.
        hosts: the names that this console has, with their ports; `*` alone behind a proxy that checks them.
    """
    console = Console(reading, people, clock, rng, hub)
    routes = [
        Route("/sign-in", console.sign_in_page, methods=["GET"]),
        Route("/sign-in", console.sign_in, methods=["POST"]),
        Route("/sign-out", console.sign_out, methods=["POST"]),
        Route("/set-password", console.password_page, methods=["GET"]),
        Route("/set-password", console.set_password, methods=["POST"]),
        Route("/assets/{name:path}", console.asset, methods=["GET"]),
        Route("/healthz", console.health, methods=["GET"]),
    ]
    for page in PAGES:
        routes.append(Route(page.twin, partial(console.show, page, as_json=True), methods=["GET"]))
        routes.append(Route(page.path, partial(console.show, page, as_json=False), methods=["GET"]))
    routes += [Route(deed.path, partial(console.do, deed), methods=["POST"]) for deed in DEEDS]
    failed: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
        HTTPException: console.failed,
        TocsinError: console.failed,
        Exception: console.failed,
    }
    inner = Starlette(routes=routes, exception_handlers=failed, lifespan=console.lifespan)
    return shield.Shield(
        inner=console.with_events(inner), hosts=frozenset(hosts), rng=rng, told=console.refused
    )


class Console:
    """What answers; made by `app`."""

    def __init__(
        self,
        reading: Reading,
        people: People,
        clock: Callable[[], dt.datetime],
        rng: Callable[[int], bytes],
        hub: Hub,
    ) -> None:
        self._reading, self._people, self._clock, self._rng, self._hub = reading, people, clock, rng, hub
        self._renderer = Renderer()
        self.live = Live(reading, clock)
        self.incidents = Incidents(reading, people.decisions)
        self._readers = limits.Meter(limits.PAGES)
        self._addresses = limits.Meter(limits.ADDRESS)
        self._attempts = limits.Meter(limits.SIGN_IN)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Tell of what comes for as long as the application runs."""
        async with (
            in_background(self.live.run(), "live events"),
            in_background(self._upkeep(), "upkeep"),
        ):
            yield
        await self.incidents.close()

    async def _upkeep(self) -> None:
        """Have receipts signed that could not be before, and bring back what was put aside and has become graver."""
        while True:
            await asyncio.sleep(UPKEEP_S)
            try:
                await end_worsened(self._people, self._reading, self._clock())
                await sign_receipts(self._people, self._hub)
            except BusError as problem:
                log.warning("upkeep_failed", reason=problem.reason)

    # -- pages --------------------------------------------------------------------------------------------------------

    async def show(self, page: Page, request: Request, *, as_json: bool) -> Response:
        """A page, or its twin; who is not signed in is sent to sign in."""
        session, token = await self._session(request)
        if session is None:
            return self._sent_away(request, as_json=as_json)
        self._metered(self._readers, token)
        now, registry = self._clock(), self._reading.shelf.registry()
        given = _parameters(request)
        kept, told = await self._beside(page, session, token, request, now)

        def question(db: sqlite3.Connection) -> tuple[Content, Frame]:
            asked = Asked(
                db=db, now=now, shelf=self._reading.shelf, registry=registry, session=session,
                path=request.url.path, place=dict(request.path_params), given=given,
                incidents=kept, desk=told,
            )  # fmt: skip
            return page.look(asked), frame_of(asked)

        content, frame = await self._reading.ask(question)
        if (beside := page.beside(content)) is not None:
            content = await self._people.told(token, now, _address(request), beside) or content
        if (looked := page.looked(content)) is not None:
            await self._people.looked(token, now, _address(request), looked)
        if as_json:
            return Response(msgspec.json.encode(content), media_type="application/json")
        if isinstance(content, Bytes):
            return _attached(content)
        html = self._renderer.page(
            page.template, now, frame.zone, page=content, frame=frame, viewer=session.viewer, path=page.path,
            here=request.url.path, twin=_twin(page, request), form=_form_token(token), is_signed_in=True,
            key=self._rng(16).hex(),
        )  # fmt: skip
        return HTMLResponse(html)

    async def _beside(
        self, page: Page, session: Session, token: str, request: Request, now: dt.datetime
    ) -> tuple[Kept | None, object]:
        """The incidents that are kept for this reader, and what the desk tells; they are begun on every page, for the next."""
        try:
            kept = await self.incidents.of(session.viewer.clearance, now)
        except StoreError:
            return None, None  # the page says so by itself
        if not page.has_incidents:
            return None, None
        question = page.desk(kept, str(request.path_params.get("id", "")))
        if question is None:
            return kept, None
        return kept, await self._people.told(token, now, _address(request), question)

    async def do(self, deed: Deed, request: Request) -> Response:
        """Do what a form asks for, then lead back to its page."""
        session, token = await self._session(request)
        if session is None:
            return self._sent_away(request, as_json=False)
        self._metered(self._readers, token)
        doing = Doing(
            now=self._clock(), session=session, token=token, address=_address(request), path=request.url.path,
            place=dict(request.path_params), fields=await self._form(request, token),
            reading=self._reading, people=self._people, incidents=self.incidents, hub=self._hub,
        )  # fmt: skip
        return RedirectResponse(await deed.work(doing), status_code=303)

    async def asset(self, request: Request) -> Response:
        """A file of the console itself; the same for everybody, so no session is needed."""
        packed = "gzip" in request.headers.get("accept-encoding", "")
        found = asset(request.path_params["name"], packed=packed)
        if found is None:
            raise NotHereError("there is no such file")
        headers = {
            "content-type": found.kind,
            "cache-control": shield.OF_A_RELEASE,
            "vary": "accept-encoding",
        }
        # Pages are never packed: they hold the token of their forms beside words of others.
        if found.is_packed:
            headers["content-encoding"] = "gzip"
        return Response(found.body, headers=headers)

    async def health(self, _: Request) -> Response:
        """Whether it answers; says nothing of the store."""
        return Response(b"ok\n", media_type="text/plain")

    def with_events(self, inner: shield.App) -> shield.App:
        """The application with the stream of events, which is answered without a wrapper around each write."""

        async def outer(scope: shield.Scope, receive: shield.Receive, send: shield.Send) -> None:
            if scope["type"] != "http" or scope["path"] != "/events" or scope["method"] != "GET":
                await inner(scope, receive, send)
                return
            request = Request(scope, receive)
            session, token = await self._session(request)
            if session is None:
                await Response(b"", status_code=204)(
                    scope, receive, send
                )  # 204: a browser does not come back
                return
            self._metered(self._readers, token)
            after = request.headers.get("last-event-id") or request.query_params.get("after", "")
            number = int(after) if after.isdecimal() and len(after) < 16 else None
            clearance = session.viewer.clearance

            async def still() -> bool:
                standing = await self._people.standing(token, self._clock(), _address(request))
                return standing is not None and standing.viewer.clearance == clearance

            await self.live.stream(clearance, number, scope, receive, send, still)

        return outer

    # -- signing in ---------------------------------------------------------------------------------------------------

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
            form=_form_token(secret),
            viewer=None,
            problem=problem,
            hub=self._hub_name(),
            **values,
        )
        response = HTMLResponse(html, status_code=200 if problem is None else 403)
        self._set(response, request, FORM_COOKIE, secret)
        return response

    async def sign_in(self, request: Request) -> Response:
        """Begin a session, with a new token."""
        self._metered(self._attempts, f"sign-in {_address(request)}")
        form = await self._form(request, request.cookies.get(FORM_COOKIE, ""))
        after = _next(form.get("next", ""))
        try:
            token = await self._people.sign_in(
                form.get("name", ""), form.get("password", ""), self._clock(), _address(request)
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
        self._metered(self._attempts, f"sign-in {_address(request)}")
        form = await self._form(request, request.cookies.get(FORM_COOKIE, ""))
        setup, password = form.get("token", ""), form.get("password", "")
        try:
            if password != form.get("again", ""):
                raise SignInError("the two passwords differ")
            await self._people.set_password(setup, password, self._clock(), _address(request))
        except SignInError as problem:
            return self._password_page(request, setup, problem)
        return RedirectResponse("/sign-in", status_code=303)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        _, token = await self._session(request)
        await self._form(request, token)
        await self._people.sign_out(token, self._clock(), _address(request))
        response = RedirectResponse("/sign-in", status_code=303)
        response.delete_cookie(
            _cookie(request), path="/", secure=_is_tls(request), httponly=True, samesite="strict"
        )
        return response

    async def _session(self, request: Request) -> tuple[Session | None, str]:
        """Who asks, and the token of that session.

        Raises:
            TooManyError: the address asks faster than an office of people does.
        """
        self._metered(self._addresses, _address(request))
        token = request.cookies.get(_cookie(request), "")
        if not 0 < len(token) <= 256:
            return None, ""
        return await self._people.session(token, self._clock(), _address(request)), token

    async def _form(self, request: Request, secret: str) -> Mapping[str, str]:
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
        async with request.form(max_files=0, max_fields=MOST_PARAMETERS) as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
        if not secret or not hmac.compare_digest(
            fields.get("form", "").encode(), _form_token(secret).encode()
        ):
            raise BadRequestError("this page is too old to be sent; load it anew", reason="form-token")
        return fields

    @staticmethod
    def _set(response: Response, request: Request, name: str, value: str, lasts_s: int | None = None) -> None:
        response.set_cookie(
            name, value, max_age=lasts_s, path="/", secure=_is_tls(request), httponly=True, samesite="strict"
        )

    def _sent_away(self, request: Request, *, as_json: bool) -> Response:
        if as_json:
            body = msgspec.json.encode({"reason": "sign-in-needed", "detail": "sign in first, at /sign-in"})
            return Response(body, status_code=401, media_type="application/json")
        where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.method != "GET":
            where = HOME
        return RedirectResponse(f"/sign-in?next={quote(where, safe='')}", status_code=303)

    @staticmethod
    def _metered(meter: limits.Meter, key: str) -> None:
        """Take one from a bucket.

        Raises:
            TooManyError: it is empty.
        """
        wait = meter.wait(key, time.monotonic())
        if wait:
            raise TooManyError(f"that is more than a person asks; wait {wait:.0f} s, then try again")

    # -- when something goes wrong ------------------------------------------------------------------------------------

    async def failed(self, request: Request, exc: Exception) -> Response:
        """What went wrong, as a page or as JSON."""
        if isinstance(exc, AgainError):
            return self._again(request, exc)
        if isinstance(exc, HTTPException):
            status, reason = (
                exc.status_code,
                "page-missing" if exc.status_code == 404 else "request-malformed",
            )
            words = "there is no such page" if status == 404 else HTTPStatus(status).phrase.lower()
        elif isinstance(exc, PageError):
            status, reason, words = exc.status, exc.reason, str(exc)
        elif isinstance(exc, StoreError | HubError):
            status, reason, words = 503, exc.reason, str(exc)
        elif isinstance(exc, DeedError):
            status, reason, words = _REFUSED.get(exc.reason, 400), exc.reason, str(exc)
        elif isinstance(exc, TocsinError):
            status, reason, words = 400, exc.reason, str(exc)
        else:
            log.error("page_failed", path=request.url.path, error=repr(exc))
            status, reason, words = 500, "page-failed", "the page could not be made"
        return self._said(request, status, reason, words)

    def _again(self, request: Request, problem: AgainError) -> Response:
        """What is to be looked at once more, with a form that sends the same again with a reason."""
        token = request.cookies.get(_cookie(request), "")
        html = self._renderer.page(
            "again.html", self._clock(), problem=problem, form=_form_token(token), hub=self._hub_name()
        )
        return HTMLResponse(html, status_code=problem.status)

    async def refused(
        self, problem: PageError, scope: shield.Scope, receive: shield.Receive, send: shield.Send
    ) -> None:
        """Answer a request that the shield does not let through."""
        response = self._said(Request(scope, receive), problem.status, problem.reason, str(problem))
        await response(scope, receive, send)

    def _said(self, request: Request, status: int, reason: str, words: str) -> Response:
        number = str(request.scope.get("tocsin.request", ""))
        if request.url.path.endswith(".json"):
            body = msgspec.json.encode({"reason": reason, "detail": words, "request": number})
            return Response(body, status_code=status, media_type="application/json")
        html = self._renderer.page(
            "error.html", self._clock(), words=words[:1].upper() + words[1:], reason=reason, request=number,
            safe=_SAFE.get(reason, "Nothing was changed, and nothing is lost."), hub=self._hub_name(),
            again=request.url.path if request.method == "GET" and status != 404 else HOME,
        )  # fmt: skip
        return HTMLResponse(html, status_code=status)

    def _hub_name(self) -> str:
        shelf = self._reading.shelf
        record = shelf.registry().document.authorities.get(shelf.authority)
        return record.name if record is not None else shelf.authority


def _parameters(request: Request) -> dict[str, tuple[str, ...]]:
    """The parameters of the query, each with its values.

    Raises:
        BadRequestError: there are more, or longer ones, than any page has.
    """
    pairs = request.query_params.multi_items()
    if len(pairs) > MOST_PARAMETERS or any(len(value) > MOST_VALUE or "\0" in value for _, value in pairs):
        raise BadRequestError("the address has more than this page takes")
    given: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        given[name] = (*given.get(name, ()), value)
    return given


def _attached(content: Bytes) -> Response:
    """Bytes as a file to keep: no browser shows them as a page."""
    payload = base64.urlsafe_b64decode(content.payload + "=" * (-len(content.payload) % 4))
    named = "".join(each if each.isalnum() or each in "-." else "-" for each in content.file)
    headers = {"content-disposition": f'attachment; filename="{named}"'}
    return Response(payload, media_type="application/octet-stream", headers=headers)


def _twin(page: Page, request: Request) -> str:
    """The address of the twin of this page, with the same parameters."""
    path = page.twin
    for name, value in request.path_params.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    return path + (f"?{request.url.query}" if request.url.query else "")


def _next(wanted: str) -> str:
    """Where to go after signing in: a place on this console, whatever was asked for."""
    is_here = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_here and not wanted.startswith("/sign-") and len(wanted) < 2000 else HOME


def _cookie(request: Request) -> str:
    """The name of the cookie of a session: over TLS no other host, and no page without TLS, can set it.

    A browser sends the cookies of a host to each of its ports. So without TLS the port is in the name, and two consoles on one
    machine do not sign each other out.
    """
    return f"{HOST_PREFIX}{COOKIE}" if _is_tls(request) else f"{COOKIE}-{request.url.port or 80}"


def _is_tls(request: Request) -> bool:
    return request.url.scheme == "https"


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "-"


def _form_token(secret: str) -> str:
    """The token of a form, which only a page of the same session can have."""
    return hmac.digest(secret.encode(), b"tocsin form", "sha256").hex()
