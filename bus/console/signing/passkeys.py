"""Signing in by a passkey, and the page of one's own passkeys.

Each challenge is good once, for five minutes, and only with the cookie of the page that asked for it. Without scripts nothing of it works, and
the pages say so; a sign-in by a passkey counts as fresh, for its device has asked who it is.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bus import desk
from bus.console.asked import place_here
from bus.console.people import DeedError, Session, SignInError
from bus.console.signing import cookies, webauthn
from bus.console.signing.entrance import Entrance
from bus.console.signing.requests import address_of, sent_away
from bus.console.signing.webauthn import Place
from bus.languages import marked

T = TypeVar("T")
Work = Callable[[sqlite3.Connection, desk.Act], T]
At = Callable[[str, float, str, Work[T]], Awaitable[T]]
Answer = Callable[[Entrance, Request], Awaitable[Response]]
SIGN_IN, PAGE = "/sign-in/passkey", "/passkeys"
LASTS_S = 300.0
MOST_CHALLENGES = 1_000


class Challenges:
    """Challenges that were sent out, by the secret of the cookie that asked for them; one each, good once."""

    def __init__(self, rng: Callable[[int], bytes]) -> None:
        self._rng = rng
        self._held: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def begin(self, secret: str, now: float) -> bytes:
        """A new one; that of before is void."""
        challenge = self._rng(32)
        self._held.pop(secret, None)
        self._held[secret] = challenge, now
        while len(self._held) > MOST_CHALLENGES:
            self._held.popitem(last=False)
        return challenge

    def end(self, secret: str, now: float) -> bytes:
        """Take one out.

        Raises:
            SignInError: `passkey-late`, it is over, was used, or is of another page.
        """
        challenge, at = self._held.pop(secret, (b"", 0.0))
        if not challenge or not 0 <= now - at < LASTS_S:
            raise SignInError("this took too long, or was sent already; try again", reason="passkey-late")
        return challenge


class Passkeys:
    """The way to sign in by a passkey."""

    name = marked("a passkey")
    path = SIGN_IN
    own = (marked("Your passkeys"), PAGE)
    is_installed = staticmethod(webauthn.is_installed)

    def __init__(
        self, held: desk.Desk, clock: Callable[[], dt.datetime], rng: Callable[[int], bytes]
    ) -> None:
        """Take the people, the present and random bytes."""
        self._desk, self._clock, self._rng = held, clock, rng
        self._challenges = Challenges(rng)

    def routes(self, entrance: Entrance) -> list[Route]:
        """What is answered here."""
        answers: tuple[tuple[str, str, Answer], ...] = (
            (SIGN_IN, "GET", self._sign_in_page),
            (f"{SIGN_IN}/ask", "POST", self._asked_to_use),
            (f"{SIGN_IN}/use", "POST", self._sign_in),
            (PAGE, "GET", self._page),
            (f"{PAGE}/ask", "POST", self._asked_to_make),
            (f"{PAGE}/add", "POST", self._add),
            (f"{PAGE}/remove", "POST", self._remove),
        )
        return [Route(path, _bound(work, entrance), methods=[method]) for path, method, work in answers]

    # -- signing in ---------------------------------------------------------------------------------------------------

    async def _sign_in_page(self, entrance: Entrance, request: Request) -> Response:
        return self._told(entrance, request, place_here(request.query_params.get("next", "")))

    @staticmethod
    def _told(
        entrance: Entrance, request: Request, after: str, problem: SignInError | None = None
    ) -> Response:
        return entrance.page(
            request,
            "passkey.html",
            problem,
            after=after,
            here=f"{SIGN_IN}?next={quote(after, safe='')}",
            **_possible(request),
        )

    async def _asked_to_use(self, entrance: Entrance, request: Request) -> Response:
        """What the browser is to do, for the page to sign in."""
        entrance.metered_attempt(request)
        secret = cookies.read(request, cookies.FORM)
        await entrance.form(request, secret)
        challenge = self._challenges.begin(secret, self._clock().timestamp())
        return _json(webauthn.to_use(_place(request), challenge))

    async def _sign_in(self, entrance: Entrance, request: Request) -> Response:
        """Begin a session."""
        entrance.metered_attempt(request)
        secret = cookies.read(request, cookies.FORM)
        form = await entrance.form(request, secret)
        after, answer = place_here(form.get("next", "")), form.get("answer", "")
        now = self._clock().timestamp()
        try:
            challenge = self._challenges.end(secret, now)
            id_ = webauthn.named(answer)
            key = await self._desk.read(lambda db: desk.passkeys.find(db, id_))
            if key is None:
                raise desk.passkeys.unknown()
            count = webauthn.used(_place(request), answer, challenge, key.credential)
            signed_in = await self._desk.write(
                lambda db: desk.passkeys.sign_in(
                    db, key, count, at=now, address=address_of(request), random=self._rng
                )
            )
        except desk.DeskError as exc:
            return self._told(entrance, request, after, SignInError(str(exc), reason=exc.reason))
        except SignInError as problem:
            return self._told(entrance, request, after, problem)
        return entrance.entered(request, signed_in.token, after)

    # -- one's own ----------------------------------------------------------------------------------------------------

    async def _page(self, entrance: Entrance, request: Request) -> Response:
        session, token = await entrance.session(request)
        if session is None:
            return sent_away(request, as_json=False)
        return await self._shown(entrance, request, session, token)

    async def _shown(
        self,
        entrance: Entrance,
        request: Request,
        session: Session,
        token: str,
        problem: SignInError | None = None,
    ) -> Response:
        """The page of one's own passkeys."""

        def question(db: sqlite3.Connection, act: desk.Act) -> tuple[list[desk.passkeys.Passkey], bool]:
            return desk.passkeys.listed(db, act), desk.sessions.is_fresh(act)

        keys, is_fresh = await self._at(self._desk.look, token, request, question)
        moments = [
            (
                key.id.hex(),
                key.name,
                _moment(key.at),
                _moment(key.used_at) if key.used_at is not None else "",
            )
            for key in keys
        ]
        return entrance.own_page(
            request, "passkeys.html", token, session.viewer, problem, keys=moments, is_fresh=is_fresh,
            here=PAGE, **_possible(request),
        )  # fmt: skip

    async def _asked_to_make(self, entrance: Entrance, request: Request) -> Response:
        """What the browser is to do, for the page of one's own."""
        entrance.metered_attempt(request)
        _, token = await entrance.session(request)
        await entrance.form(request, token)

        def question(db: sqlite3.Connection, act: desk.Act) -> tuple[str, str, list[bytes]]:
            known = [key.credential for key in desk.passkeys.listed(db, act)]
            return act.who, desk.people.get(db, act.who).name, known

        who, name, known = await self._at(self._desk.look, token, request, question)
        challenge = self._challenges.begin(token, self._clock().timestamp())
        return _json(webauthn.to_make(_place(request), entrance.hub_name(), who, name, known, challenge))

    async def _add(self, entrance: Entrance, request: Request) -> Response:
        """Add one that a device has made."""
        session, token = await entrance.session(request)
        form = await entrance.form(request, token)
        if session is None:
            return sent_away(request, as_json=False)
        try:
            challenge = self._challenges.end(token, self._clock().timestamp())
            found = webauthn.made(_place(request), form.get("answer", ""), challenge)
            await self._at(
                self._desk.act, token, request,
                lambda db, act: desk.passkeys.add(db, act, found.id, form.get("name", ""), found.credential, found.uses),
            )  # fmt: skip
        except SignInError as problem:
            return await self._shown(entrance, request, session, token, problem)
        except DeedError as exc:
            return await self._shown(
                entrance, request, session, token, SignInError(str(exc), reason=exc.reason)
            )
        return RedirectResponse(PAGE, status_code=303)

    async def _remove(self, entrance: Entrance, request: Request) -> Response:
        """Remove one of one's own."""
        _, token = await entrance.session(request)
        form = await entrance.form(request, token)
        try:
            id_ = bytes.fromhex(form.get("id", ""))
        except ValueError:
            id_ = b""
        await self._at(self._desk.act, token, request, lambda db, act: desk.passkeys.remove(db, act, id_))
        return RedirectResponse(PAGE, status_code=303)

    async def _at(self, how: At[T], token: str, request: Request, work: Work[T]) -> T:
        """Look at the desk, or act there.

        Raises:
            DeedError: with the code of the desk.
        """
        try:
            return await how(token, self._clock().timestamp(), address_of(request), work)
        except desk.DeskError as exc:
            raise DeedError(str(exc), reason=exc.reason) from None


def _bound(work: Answer, entrance: Entrance) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await work(entrance, request)

    return answer


def _place(request: Request) -> Place:
    return Place(request.url.scheme, request.url.netloc)


def _possible(request: Request) -> dict[str, object]:
    """Whether a browser takes passkeys here, and where it would."""
    place = _place(request)
    port = f":{request.url.port}" if request.url.port else ""
    path = SIGN_IN if request.url.path.startswith(SIGN_IN) else PAGE
    return {"is_possible": place.takes_passkeys, "elsewhere": f"http://localhost{port}{path}"}


def _moment(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M} UTC"


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
