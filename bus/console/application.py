"""The console as an application of ASGI: its routes, who is let in, and what is shown when something goes wrong."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bus import desk
from bus.console import limits, shield
from bus.console.asked import Asked, parameters, parameters_of, whole_of
from bus.console.asking import NOBODY, HubError
from bus.console.doing import Doing, Hub
from bus.console.errors import AgainError, BadRequestError, NotHereError, PageError
from bus.console.forms import File, Form, file_as, link_of
from bus.console.incidents import Incidents, Kept
from bus.console.live import Live
from bus.console.navigation import home_of, navigation_of
from bus.console.page import Bytes, Content, Deed, Done, Failed, Once, Page, Present
from bus.console.pages import DEEDS, LISTS, PAGES, end_worsened, sign_receipts
from bus.console.people import DeedError, Looked, People, Session, SignInError
from bus.console.personal import Personal
from bus.console.reading import Reading
from bus.console.rendering import Frame, Renderer, asset, frame_of
from bus.console.signing import (
    HOME,
    Entrance,
    Walls,
    Way,
    address_of,
    form_token,
    metered,
    sent_away,
    voice_of,
)
from bus.console.voices import Voice, Voices
from bus.desk import Action, four_eyes
from bus.errors import BusError, StoreError
from bus.hub.acting import Outcome
from bus.hub.acting import Request as Wanted
from bus.languages import Language, marked
from bus.logs import logger
from bus.tasks import in_background
from schemas.errors import TocsinError

UPKEEP_S = 10.0
NO_PAGE, FAILED = marked("there is no such page"), marked("the page could not be made")
SAFE = marked("Nothing was changed, and nothing is lost.")
_SAFE: Mapping[str, str] = {
    "store-missing": marked(
        "Nothing is lost: the bus keeps what was said, and the hub reads it when it starts."
    ),
    "store-failed": marked("Nothing is lost: the bus keeps what was said."),
    "hub-silent": marked("Nothing is lost. If it was done, it is not done again."),
    "store-slow": marked("Nothing is lost. Ask for less, or try again in a moment."),
    "page-missing": marked("Nothing was changed."),
    "too-many-requests": marked("Nothing is lost. What is open in other tabs stays as it is."),
}

_REFUSED: Mapping[str, int] = {
    "desk-role": 403,
    "desk-wall": 403,
    "session-ended": 403,
    "not-there": 404,
    "not-fresh": 403,
    "own-work": 403,
    "above-ceiling": 403,
    "approval-needed": 409,
    "approval-over": 409,
    "approval-there": 409,
    "approval-void": 409,
    "feed-ended": 404,
    "decided-already": 409,
    "digest-differs": 409,
    "draft-handed-on": 409,
    "not-last": 409,
    "last-administrator": 409,
    "person-exists": 409,
    "person-disabled": 409,
    "sign-in-refused": 403,
    "sign-in-wait": 403,
    "sign-in-locked": 403,
    "desk-full": 409,
}
"""The status of what a desk refuses; of everything else it is 400."""

NOT_FRESH = "not-fresh"
"""The desk wants a password that was just given: who sent the form is led to the page for that, and back."""
_NOT_OFFERED = frozenset(("desk-role", "desk-wall", "session-ended"))
"""What is refused to somebody to whom its page shows no such form."""
_PAGE_AT: Mapping[str, Page] = {page.path: page for page in PAGES}

log = logger()


def app(
    reading: Reading,
    people: People,
    clock: Callable[[], dt.datetime],
    rng: Callable[[int], bytes] = secrets.token_bytes,
    *,
    hub: Hub = NOBODY,
    hosts: Collection[str] = ("localhost", "127.0.0.1"),
    is_behind: bool = False,
    ways: Sequence[Way] = (),
    voices: Voices | None = None,
) -> shield.Shield:
    """The console.

    Args:
        reading: the hub's store.
        people: who may look.
        clock: the present, aware.
        rng: random bytes, for ids and tokens.
        hub: what signs.
        hosts: the names that this console has, with their ports.
        is_behind: whether a proxy with TLS on this machine asks for visitors.
        ways: ways to sign in beside the password.
        voices: the languages that are offered; without, those that have a catalogue.
    """
    console = Console(reading, people, clock, rng, hub, ways, voices)
    routes = [
        *console.entrance.routes(),
        *Walls(people, console.entrance, clock).routes(),
        Route("/assets/{name:path}", console.asset, methods=["GET"]),
        Route("/healthz", console.health, methods=["GET"]),
        Route("/feed/{file}", console.feed, methods=["GET"]),
    ]
    for page in PAGES:
        routes.append(Route(page.twin, partial(console.show, page, as_json=True), methods=["GET"]))
        routes += [
            Route(link_of(form, page), partial(console.give, page, form), methods=["GET"])
            for form in page.forms
        ]
        routes.append(Route(page.path, partial(console.show, page, as_json=False), methods=["GET"]))
    routes += [Route(deed.path, partial(console.do, deed), methods=["POST"]) for deed in DEEDS]
    failed: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
        HTTPException: console.failed,
        TocsinError: console.failed,
        Exception: console.failed,
    }
    inner = Starlette(routes=routes, exception_handlers=failed, lifespan=console.lifespan)
    return shield.Shield(
        inner=console.with_events(inner),
        hosts=frozenset(hosts),
        rng=rng,
        told=console.refused,
        is_behind=is_behind,
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
        ways: Sequence[Way] = (),
        voices: Voices | None = None,
    ) -> None:
        self._reading, self._people, self._clock, self._rng, self._hub = reading, people, clock, rng, hub
        self._renderer = Renderer(voices)
        self.entrance = Entrance(people, self._renderer, clock, rng, self._hub_name, ways)
        self.live, self._personal = Live(reading, clock), Personal(reading, people, clock)
        self.incidents = Incidents(reading, people.decisions)
        self._readers = limits.Meter(limits.PAGES)
        self._checks = limits.Meter(limits.CHECKS)
        self._files = limits.Meter(limits.FILES)
        self._feeds = limits.Meter(limits.FEED)

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
        tried = 0
        while True:
            await asyncio.sleep(UPKEEP_S)
            try:
                await end_worsened(self._people, self._reading, self._clock())
                tried = await sign_receipts(self._people, self._hub, tried)
            except BusError as problem:
                log.warning("upkeep_failed", reason=problem.reason)

    # -- pages --------------------------------------------------------------------------------------------------------

    async def show(self, page: Page, request: Request, *, as_json: bool) -> Response:
        """A page, or its twin; who is not signed in is sent to sign in."""
        session, token = await self.entrance.session(request)
        if session is None:
            return sent_away(request, as_json=as_json)
        metered(self._readers, token)
        if page.path == HOME and not as_json and (home := home_of(session.viewer)) != HOME:
            return RedirectResponse(home, status_code=303)
        content, frame = await self._content(
            page, request, session, token, parameters(request.query_params.multi_items())
        )
        if as_json:
            return Response(msgspec.json.encode(content), media_type="application/json")
        if isinstance(content, Bytes):
            return _attached(content)
        return self._html(page, request, session, token, content, frame)

    async def _content(
        self,
        page: Page,
        request: Request,
        session: Session,
        token: str,
        given: Mapping[str, tuple[str, ...]],
    ) -> tuple[Content, Frame]:
        """What a page says to who asks, and its frame; that it is looked at is on record then.

        Raises:
            DeedError: `desk-role`, `desk-wall`: it is no page for this person.
        """
        session.viewer.check_may(page.action)
        now, registry = self._clock(), self._reading.shelf.registry()
        voice = self._voice(request)
        kept, told, waiting = await self._beside(page, session, token, request, now)

        def question(db: sqlite3.Connection) -> tuple[Content, Frame]:
            asked = Asked(
                db=db, now=now, shelf=self._reading.shelf, registry=registry, session=session,
                path=_filled(page.path, request), place=dict(request.path_params), given=given,
                incidents=kept, desk=told, waiting=waiting, voice=voice,
            )  # fmt: skip
            return page.look(asked), frame_of(asked)

        content, frame = await self._reading.ask(question)
        if (beside := page.beside(content)) is not None:
            content = await self._people.told(token, now, address_of(request), beside) or content
        if (wanted := page.of_hub(content)) is not None:
            present = Present(clearance=session.viewer.clearance, voice=voice, registry=registry, now=now)
            content = page.heard(content, await self._heard(wanted), present)
        if (looked := page.looked(content)) is not None:
            await self._people.looked(token, now, address_of(request), looked)
        return content, frame

    def _html(
        self,
        page: Page,
        request: Request,
        session: Session,
        token: str,
        content: Content,
        frame: Frame,
        *,
        failed: Failed | None = None,
        once: object = None,
        status: int = 200,
    ) -> Response:
        """A page as HTML; with a form that was refused, or with what is shown once."""
        query = f"?{request.url.query}" if request.url.query and request.method == "GET" else ""
        return self._framed(
            page.template, content, frame, self._voice(request), session, token, path=page.path,
            here=_filled(page.path, request) + query, twin=_filled(page.twin, request) + query,
            files=_files(page, request), failed=failed, once=once, status=status,
        )  # fmt: skip

    def _framed(
        self, template: str, content: Content, frame: Frame, voice: Voice, session: Session, token: str,
        *, path: str, here: str, twin: str, files: object = (), failed: Failed | None = None, once: object = None, status: int = 200,
    ) -> Response:  # fmt: skip
        """A page in its frame, for somebody who is signed in."""
        html = self._renderer.page(
            template, frame.now, frame.zone, voice, page=content, frame=frame, viewer=session.viewer,
            path=path, here=here, twin=twin, files=files, form=form_token(token), is_signed_in=True, key=self._rng(16).hex(),
            failed=failed, once=once, needs_password=self._people.needs_password, account=self.entrance.account,
            has_ways=any(way.path for way in self.entrance.ways), **navigation_of(session.viewer),
        )  # fmt: skip
        return HTMLResponse(html, status_code=status)

    async def _beside(
        self, page: Page, session: Session, token: str, request: Request, now: dt.datetime
    ) -> tuple[Kept | None, object, tuple[four_eyes.Waiting, ...]]:
        """(the incidents that are kept for this reader, what the desk tells, what waits there); incidents are begun on every page."""
        if not session.viewer.may(Action.LOOK):
            return None, None, ()
        try:
            kept = await self.incidents.of(session.viewer.clearance, now)
        except StoreError:
            kept = None  # the page says so by itself
        question = page.of_desk(request.path_params)
        if page.has_incidents and kept is not None:
            question = page.desk(kept, str(request.path_params.get("id", "")))

        def all_of_it(db: sqlite3.Connection, act: desk.Act) -> tuple[object, tuple[four_eyes.Waiting, ...]]:
            return None if question is None else question(db, act), four_eyes.waiting(db, act)

        told, waiting = await self._people.told(token, now, address_of(request), all_of_it) or (None, ())
        return kept if page.has_incidents else None, told, waiting

    async def _heard(self, wanted: Wanted) -> Outcome:
        """What the hub answers; that it does not is an answer, too, for the page is shown all the same."""
        try:
            return await self._hub.ask(wanted)
        except HubError as problem:
            return Outcome(state="refused", reason=problem.reason, notes=(str(problem),))

    async def give(self, page: Page, form: Form, request: Request) -> Response:
        """A list in another form, as a file; that is put on record before it is given."""
        session, token = await self.entrance.session(request)
        if session is None:
            return sent_away(request, as_json=False)
        metered(self._files, token)
        session.viewer.check_may(page.action)
        now = self._clock()
        asked = parameters(request.query_params.multi_items())
        file = await self._listed(page, form, session, asked, now, _base(request))
        exported = Looked(how="exported", words=file.words)
        await self._people.looked(token, now, address_of(request), exported)
        return _attached_list(file)

    async def feed(self, request: Request) -> Response:
        """A list for a program that has a feed address; its use is put on record first."""
        secret, _, ending = request.path_params["file"].partition(".")
        now = self._clock()
        try:
            fed = await self._people.feed(secret, now, address_of(request))
        except BusError:
            self.entrance.counted(request)  # one that stands has a rate of its own
            raise
        if not fed.path.endswith(f".{ending}") or fed.path not in LISTS:
            raise NotHereError("there is no such feed address, or it has ended", reason="feed-ended")
        page, form = LISTS[fed.path]
        metered(self._feeds, str(fed.n))
        asked = parameters_of(fed.query)
        file = await self._listed(page, form, fed.session, asked, now, _base(request), is_secret=True)
        return _attached_list(file)

    async def _listed(
        self,
        page: Page,
        form: Form,
        session: Session,
        asked_for: Mapping[str, tuple[str, ...]],
        now: dt.datetime,
        base: str,
        *,
        is_secret: bool = False,
    ) -> File:
        kept = None
        if page.has_incidents:
            kept = await self.incidents.of(session.viewer.clearance, now)
            if kept.joined is None:  # a page says so and is loaded again; a file would lack everything
                kept = await self.incidents.of(session.viewer.clearance, now, wait=True)

        def question(db: sqlite3.Connection) -> File:
            asked = Asked(
                db=db, now=now, shelf=self._reading.shelf, registry=self._reading.shelf.registry(), session=session,
                path=link_of(form, page), place={}, given={**asked_for, **form.always}, most=form.most, incidents=kept,
            )  # fmt: skip
            return file_as(form, page, page.look(asked), asked, base, is_secret=is_secret)

        return await self._reading.ask(question)

    async def do(self, deed: Deed, request: Request) -> Response:
        """Do what a form asks for, then lead back to its page; a refusal is shown on that page, with what was typed."""
        session, token = await self.entrance.session(request)
        if session is None:
            return sent_away(request, as_json=False)
        metered(self._checks if deed.is_often else self._readers, token)
        doing = Doing(
            now=self._clock(), session=session, token=token, address=address_of(request), path=request.url.path,
            place=dict(request.path_params), fields=await self.entrance.form(request, token), voice=self._voice(request),
            reading=self._reading, people=self._people, incidents=self.incidents, hub=self._hub,
            rng=self._rng, origin=_base(request),
        )  # fmt: skip
        page = _PAGE_AT.get(deed.on)
        try:
            done = await deed.work(doing)
        except (DeedError, SignInError, BadRequestError) as problem:
            if problem.reason == NOT_FRESH:
                stood = page or _PAGE_AT.get(deed.path.rpartition("/")[0])
                back = HOME if stood is None else _filled(stood.path, request)
                return RedirectResponse(f"/fresh?next={quote(back, safe='')}", status_code=303)
            if page is None or problem.reason in _NOT_OFFERED:
                raise
            status, reason, words, key = _told(problem, doing.voice.say)
            fields = {
                name: value
                for name, value in doing.fields.items()
                if name != "form" and not name.startswith("password")
            }
            failed = Failed(
                form=deed.form, words=words[:1].upper() + words[1:], reason=reason, fields=fields,
                is_translated=doing.voice.say.knows(key),
            )  # fmt: skip
            content, frame = await self._content(page, request, session, token, {})
            return self._html(page, request, session, token, content, frame, failed=failed, status=status)
        if isinstance(done, Once):
            html = self._renderer.page(
                done.template, doing.now, voice=doing.voice, hub=self._hub_name(), base=_base(request), once=done.values
            )  # fmt: skip
            return HTMLResponse(html)
        if isinstance(done, str):
            done = Done(address=done)
        if isinstance(done, Content):
            if not deed.template:
                return Response(msgspec.json.encode(done), media_type="application/json")
            frame = await doing.look(frame_of)
            return self._framed(
                deed.template, done, frame, doing.voice, session, token, path=deed.at, here=deed.at, twin=f"{deed.at}.json"
            )  # fmt: skip
        if done.once is not None and page is not None:
            content, frame = await self._content(page, request, session, token, {})
            return self._html(page, request, session, token, content, frame, once=done.once)
        if done.token:
            return self.entrance.entered(request, done.token, done.address or HOME)
        return RedirectResponse(done.address or HOME, status_code=303)

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
            session, token = await self.entrance.session(request)
            if session is None or not session.viewer.may(Action.SEE_WALL):
                await Response(b"", status_code=204)(
                    scope, receive, send
                )  # 204: a browser does not come back
                return
            metered(self._readers, token)
            after = request.headers.get("last-event-id") or request.query_params.get("after", "")
            clearance = session.viewer.clearance

            async def still() -> bool:
                standing = await self._people.standing(token, self._clock(), address_of(request))
                return standing is not None and standing.viewer.clearance == clearance

            mine = partial(self._personal.alerts, session.viewer, token, address_of(request))
            await self.live.stream(clearance, whole_of(after), scope, receive, send, still, token, mine)

        return outer

    # -- when something goes wrong ------------------------------------------------------------------------------------

    async def failed(self, request: Request, exc: Exception) -> Response:
        """What went wrong, as a page or as JSON."""
        if isinstance(exc, AgainError):
            return self._again(request, exc)
        if not isinstance(exc, HTTPException | TocsinError):
            log.error("page_failed", path=_told_path(request), error=repr(exc))
        return self._said(request, *_told(exc, self._voice(request).say))

    def _again(self, request: Request, problem: AgainError) -> Response:
        """What is to be looked at once more, with a form that sends the same again with a reason."""
        html = self._renderer.page(
            "again.html", self._clock(), voice=self._voice(request), problem=problem,
            form=form_token(self.entrance.token(request)), hub=self._hub_name(),
        )  # fmt: skip
        return HTMLResponse(html, status_code=problem.status)

    async def refused(
        self, problem: PageError, scope: shield.Scope, receive: shield.Receive, send: shield.Send
    ) -> None:
        """Answer a request that the shield does not let through."""
        request = Request(scope, receive)
        response = self._said(request, *_told(problem, self._voice(request).say))
        await response(scope, receive, send)

    def _voice(self, request: Request) -> Voice:
        return voice_of(request, self._renderer.voices)

    def _said(self, request: Request, status: int, reason: str, words: str, key: str) -> Response:
        """What went wrong, in the language of who asks; `key` tells whether its catalogue has the sentence."""
        number, voice = str(request.scope.get("tocsin.request", "")), self._voice(request)
        if request.url.path.endswith(".json"):
            body = msgspec.json.encode({"reason": reason, "detail": words, "request": number})
            return Response(body, status_code=status, media_type="application/json")
        html = self._renderer.page(
            "error.html", self._clock(), voice=voice, words=words[:1].upper() + words[1:], is_translated=voice.say.knows(key),
            reason=reason, request=number, safe=voice.say.plain(_SAFE.get(reason, SAFE)), hub=self._hub_name(),
            again=request.url.path if request.method == "GET" and status not in (403, 404) else HOME,
        )  # fmt: skip
        return HTMLResponse(html, status_code=status)

    def _hub_name(self) -> str:
        shelf = self._reading.shelf
        record = shelf.registry().document.authorities.get(shelf.authority)
        return record.name if record is not None else shelf.authority


def _told(exc: Exception, say: Language) -> tuple[int, str, str, str]:
    """What went wrong: the status, the code, the words in a language, and the sentence by which its catalogue has them."""
    if isinstance(exc, PageError):
        words = say(exc.text, **exc.places) if exc.places else say.plain(exc.text)
        return exc.status, exc.reason, words, exc.text
    if isinstance(exc, HTTPException):
        status, reason = exc.status_code, "page-missing" if exc.status_code == 404 else "request-malformed"
        key = NO_PAGE if exc.status_code == 404 else HTTPStatus(exc.status_code).phrase.lower()
    elif isinstance(exc, StoreError | HubError):
        status, reason, key = 503, exc.reason, str(exc)
    elif isinstance(exc, TocsinError):
        status, reason, key = _REFUSED.get(exc.reason, 400), exc.reason, str(exc)
    else:
        status, reason, key = 500, "page-failed", FAILED
    return status, reason, say.plain(key), key


def _attached(content: Bytes) -> Response:
    """Bytes as a file to keep: no browser shows them as a page."""
    payload = base64.urlsafe_b64decode(content.payload + "=" * (-len(content.payload) % 4))
    named = "".join(each if each.isalnum() or each in "-." else "-" for each in content.file)
    headers = {"content-disposition": f'attachment; filename="{named}"'}
    return Response(payload, media_type="application/octet-stream", headers=headers)


def _attached_list(file: File) -> Response:
    """A list as a file to keep; the address of those that follow is in a header, too (RFC 8288)."""
    headers = {"content-disposition": f'attachment; filename="{file.name}"'}
    if file.next:
        headers["link"] = f'<{file.next}>; rel="next"'
    return Response(file.body, media_type=file.kind, headers=headers)


def _files(page: Page, request: Request) -> list[tuple[Form, str]]:
    """The other forms of this page, each with its address; from the first row on."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    query = f"?{urlencode(kept)}" if kept else ""
    return [(form, link_of(form, page) + query) for form in page.forms]


def _told_path(request: Request) -> str:
    """The path for the log: that of a feed address is a secret."""
    return "/feed/" if request.url.path.startswith("/feed/") else request.url.path


def _base(request: Request) -> str:
    """The address of this console, as it was asked: the shield has checked the host."""
    return f"{request.url.scheme}://{request.headers.get('host', '')}"


def _filled(path: str, request: Request) -> str:
    """A path with the names in it as the request has them."""
    for name, value in request.path_params.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    return path
