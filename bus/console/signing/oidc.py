"""Signing in by a single sign-on: the way there, and back with a code.

A browser comes back from another site, so it does not send cookies that are Strict. The way has a cookie of its own, which is Lax, and
is good once, for ten minutes. The page that ends the way leads on by itself, because a redirect would still count as of that site.
Source: RFC 6749, section 4.1; RFC 7636 (PKCE); RFC 9207 (`iss`); OpenID Connect Core 1.0, section 3.1.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bus import desk
from bus.console.asked import place_here
from bus.console.errors import BadRequestError
from bus.console.people import SignInError
from bus.console.signing import cookies
from bus.console.signing.entrance import Entrance
from bus.console.signing.id_tokens import Expected
from bus.console.signing.provider import Provider
from bus.console.signing.requests import address_of
from schemas.envelope import b64u

PATH = "/sign-in/oidc"
BACK = "/sign-in/oidc/back"
LASTS_S = 600.0
MOST_WAYS = 1_000
MOST_CODE, MOST_STATE = 2_048, 64
_ERRORS = {
    "access_denied": "it was not allowed there",
    "login_required": "you are not signed in there",
    "interaction_required": "it wants to ask you something; try again",
    "temporarily_unavailable": "it is not available; try again in a moment",
    "server_error": "it has failed; try again in a moment",
}


class OnTheWay(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was sent to the sign-on.

    Attributes:
        secret: of the cookie of this way.
        nonce: which the token must have.
        verifier: of the code (PKCE).
        redirect: where the browser comes back.
        after: where the person wants to go then.
        session: the session in which the person shows again who it is; empty for a new one.
        is_again: whether the sign-on must ask who it is, even if it knows the browser.
        at: when it began, in seconds since the epoch.
    """

    secret: str
    nonce: str
    verifier: str
    redirect: str
    after: str
    session: str
    is_again: bool
    at: float


class Ways:
    """Those who are on the way, by their state: each may come back once, and only in the browser that left."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, OnTheWay] = OrderedDict()

    def begin(self, state: str, way: OnTheWay) -> None:
        """Keep one; the oldest of too many goes."""
        self._held[state] = way
        while len(self._held) > MOST_WAYS:
            self._held.popitem(last=False)

    def end(self, state: str, secret: str, now: float) -> OnTheWay:
        """Take one out.

        Raises:
            SignInError: `oidc-state`, it is over, was used, or began in another browser.
        """
        way = self._held.pop(state, None)
        if (
            way is None
            or not 0 <= now - way.at < LASTS_S
            or not hmac.compare_digest(way.secret.encode(), secret.encode("utf-8", "replace"))
        ):
            raise SignInError(
                "this sign-in is over, or was used already; begin it again", reason="oidc-state"
            )
        return way


class Oidc:
    """The way to sign in by a single sign-on."""

    path = PATH
    own = None

    def __init__(
        self,
        provider: Provider,
        held: desk.Desk,
        clock: Callable[[], dt.datetime],
        rng: Callable[[int], bytes],
    ) -> None:
        """Take the sign-on, the people, the present and random bytes."""
        self._provider, self._desk, self._clock, self._rng = provider, held, clock, rng
        self._ways = Ways()

    @property
    def name(self) -> str:
        """As the sign-in page calls it."""
        return self._provider.settings.name

    def routes(self, entrance: Entrance) -> list[Route]:
        """What is answered here."""

        async def go(request: Request) -> Response:
            return await self._go(entrance, request)

        async def back(request: Request) -> Response:
            return await self._back(entrance, request)

        return [Route(PATH, go, methods=["GET"]), Route(BACK, back, methods=["GET"])]

    async def _go(self, entrance: Entrance, request: Request) -> Response:
        """Send a browser to the sign-on; with `again=1` to be asked there once more, for the session that it has, if any."""
        entrance.metered_attempt(request)
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise BadRequestError("begin on the page of this console", reason="form-foreign")
        after, session = place_here(request.query_params.get("next", "")), ""
        is_again = request.query_params.get("again") == "1"
        if is_again:
            signed_in, token = await entrance.session(request)
            session = token if signed_in is not None else ""
        now = self._clock().timestamp()
        try:
            parts = await self._provider.parts(now)
        except SignInError as problem:
            return entrance.told(request, after, problem)
        state, secret, nonce, verifier = (self._word() for _ in range(4))
        redirect = f"{request.url.scheme}://{request.url.netloc}{BACK}"
        self._ways.begin(
            state,
            OnTheWay(
                secret=secret,
                nonce=nonce,
                verifier=verifier,
                redirect=redirect,
                after=after,
                session=session,
                is_again=is_again,
                at=now,
            ),
        )
        asked = {
            "response_type": "code",
            "client_id": self._provider.settings.client,
            "redirect_uri": redirect,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": b64u(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        if is_again:
            asked |= {"prompt": "login", "max_age": "0"}
        joint = "&" if "?" in parts.authorization_endpoint else "?"
        response = RedirectResponse(
            f"{parts.authorization_endpoint}{joint}{urlencode(asked)}", status_code=303
        )
        cookies.put(response, request, cookies.WAY, secret, lasts_s=int(LASTS_S), is_lax=True)
        return response

    async def _back(self, entrance: Entrance, request: Request) -> Response:
        """Take in somebody whom the sign-on sends back."""
        entrance.metered_attempt(request)
        after = "/"
        try:
            told = _parameters(request)
            now = self._clock().timestamp()
            way = self._ways.end(told["state"], cookies.read(request, cookies.WAY), now)
            after = way.after
            self._check(told)
            expected = Expected(
                issuer=self._provider.settings.issuer,
                client=self._provider.settings.client,
                nonce=way.nonce,
                now=now,
                asked_at=way.at if way.is_again else None,
            )
            claims = await self._provider.claims(told["code"], way.verifier, way.redirect, expected)
            token = await self._signed_in(way, claims.subject, claims.shown_at, address_of(request))
        except SignInError as problem:
            response = entrance.told(request, after, problem)
        else:
            response = entrance.begun(request, token, after)
        cookies.drop(response, request, cookies.WAY)
        return response

    def _check(self, told: dict[str, str]) -> None:
        """Refuse what is no code of this sign-on.

        Raises:
            SignInError: `oidc-refused`, `oidc-issuer`.
        """
        if told.get("iss", self._provider.settings.issuer) != self._provider.settings.issuer:
            raise SignInError("another sign-on has answered", reason="oidc-issuer")
        if "error" in told:
            why = _ERRORS.get(told["error"], "it says that the request is wrong; tell an administrator")
            raise SignInError(f"{self.name} does not let you in: {why}", reason="oidc-refused")
        if not 0 < len(told.get("code", "")) <= MOST_CODE:
            raise SignInError(f"{self.name} sends no code", reason="oidc-refused")

    async def _signed_in(self, way: OnTheWay, subject: str, shown_at: float, address: str) -> str:
        """The token of the session.

        Raises:
            SignInError: with the code of the desk.
        """
        at, issuer = self._clock().timestamp(), self._provider.settings.issuer
        try:
            if way.session:
                return await self._desk.confirm_linked(
                    way.session, issuer, subject, fresh_at=shown_at, at=at, address=address
                )
            signed_in = await self._desk.sign_in_linked(
                issuer, subject, fresh_at=shown_at, at=at, address=address
            )
        except desk.DeskError as exc:
            words = str(exc)
            if exc.reason == "link-missing":
                words += f" (tocsin people link ID --oidc {desk.shown(subject)})"
            raise SignInError(words, reason=exc.reason) from None
        return signed_in.token

    def _word(self) -> str:
        return b64u(self._rng(32))


def _parameters(request: Request) -> dict[str, str]:
    """The parameters with which somebody comes back, each once.

    Raises:
        SignInError: `oidc-state`.
    """
    pairs = request.query_params.multi_items()
    told = dict(pairs)
    if len(told) != len(pairs) or not 0 < len(told.get("state", "")) <= MOST_STATE:
        raise SignInError("this is no way back from a sign-on; begin it again", reason="oidc-state")
    return told
