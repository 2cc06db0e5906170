"""A single sign-on as it answers: where its parts are, its keys, and a token for a code. Each request is one to an address looked at.

Requests block, so they are made in threads, two at a time at most: a sign-on that hangs holds up no password.
Source: OpenID Connect Discovery 1.0; RFC 6749, sections 2.3.1 and 4.1.3; RFC 7636.
"""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import quote, urlencode

import msgspec

from bus import notify
from bus.console.people import SignInError
from bus.console.signing import id_tokens
from bus.console.signing.id_tokens import Claims, Expected, Jwk
from bus.console.signing.oidc_settings import OidcSettings, is_safe
from bus.errors import ConfigError

MOST_ANSWER = 262_144
STEP_S, WHOLE_S = 4.0, 8.0
KEPT_S = 3600.0
"""So long the addresses and keys of a sign-on count."""
AGAIN_S = 60.0
"""Keys are fetched again for a key that is not among them, this often at most."""
AT_ONCE = 2
WELL_KNOWN = ".well-known/openid-configuration"


class Parts(msgspec.Struct, frozen=True):
    """What a sign-on says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Answer(msgspec.Struct, frozen=True):
    id_token: str


class Provider:
    """One sign-on."""

    def __init__(self, settings: OidcSettings) -> None:
        """Take the settings; nothing is asked yet."""
        self.settings = settings
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._learning = asyncio.Lock()
        self._parts: tuple[Parts, float] | None = None
        self._keys: tuple[list[Jwk], float] | None = None

    async def parts(self, now: float) -> Parts:
        """Where its parts are.

        Raises:
            SignInError: `oidc-unreachable`, `oidc-issuer`.
        """
        async with self._learning:
            if self._parts is not None and 0 <= now - self._parts[1] < KEPT_S:
                return self._parts[0]
            url = f"{self.settings.issuer.rstrip('/')}/{WELL_KNOWN}"
            try:
                parts = msgspec.json.decode(await self._asked("GET", url), type=Parts)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise self._unlike("it does not say what a sign-on must") from None
            if parts.issuer != self.settings.issuer:
                raise self._unlike(f"it calls itself {parts.issuer[:200]!r}")
            if not all(map(is_safe, (parts.authorization_endpoint, parts.token_endpoint, parts.jwks_uri))):
                raise self._unlike("it names an address without TLS")
            self._parts = parts, now
            return parts

    async def claims(self, code: str, verifier: str, redirect: str, expected: Expected) -> Claims:
        """Whom the sign-on means by a code.

        Args:
            code: as the browser has brought it.
            verifier: whose digest the request had (PKCE).
            redirect: where the code was brought, as in the request.
            expected: what the token must fit.

        Raises:
            SignInError: `oidc-unreachable`, `oidc-issuer`, `oidc-refused`, `oidc-key`, `oidc-token`.
        """
        parts = await self.parts(expected.now)
        text = await self._token(parts, code, verifier, redirect)
        keys = await self._known(parts, expected.now, again_after=KEPT_S)
        try:
            return id_tokens.verified(text, keys, expected)
        except SignInError as problem:
            if problem.reason != "oidc-key":
                raise
        # It may have begun to sign with another key since.
        keys = await self._known(parts, expected.now, again_after=AGAIN_S)
        return id_tokens.verified(text, keys, expected)

    async def _token(self, parts: Parts, code: str, verifier: str, redirect: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            secret = self.settings.secret()
        except ConfigError as exc:
            raise SignInError(str(exc), reason=exc.reason) from None
        methods = parts.token_endpoint_auth_methods_supported
        if "client_secret_basic" not in methods and "client_secret_post" in methods:
            form |= {"client_id": self.settings.client, "client_secret": secret}
        else:
            pair = f"{quote(self.settings.client, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        raw = await self._asked("POST", parts.token_endpoint, urlencode(form).encode(), headers)
        try:
            return msgspec.json.decode(raw, type=_Answer).id_token
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise SignInError(
                "the sign-on gives no token that says who you are", reason="oidc-refused"
            ) from None

    async def _known(self, parts: Parts, now: float, *, again_after: float) -> list[Jwk]:
        async with self._learning:
            if self._keys is None or not 0 <= now - self._keys[1] < again_after:
                self._keys = id_tokens.public_keys(await self._asked("GET", parts.jwks_uri)), now
            return self._keys[0]

    async def _asked(
        self, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> bytes:
        """What it answers.

        Raises:
            SignInError: `oidc-unreachable`, `oidc-refused`.
        """
        settings = self.settings

        def asked() -> bytes:
            context = notify.tls(settings.ca_file) if url.startswith("https:") else None
            reply = notify.call(
                method, url, body, headers or {"Accept": "application/json"}, settings.networks,
                context=context, step_s=STEP_S, whole_s=WHOLE_S, most=MOST_ANSWER,
            )  # fmt: skip
            return reply.body

        try:
            async with self._at_once:
                return await asyncio.to_thread(asked)
        except notify.SendError as exc:
            reason = "oidc-refused" if exc.reason == "notify-refused" else "oidc-unreachable"
            raise SignInError(f"{settings.name} does not let you in: {exc}", reason=reason) from None
        except OSError as exc:
            raise SignInError(
                f"the certificates in {settings.ca_file} cannot be read: {exc.strerror}",
                reason="oidc-settings",
            ) from None

    def _unlike(self, why: str) -> SignInError:
        return SignInError(
            f"{self.settings.issuer} is not the issuer of oidc.toml: {why}", reason="oidc-issuer"
        )
