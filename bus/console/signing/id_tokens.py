"""The token by which a single sign-on says who a person is: its signature and its claims. Pure.

Source: OpenID Connect Core 1.0, section 3.1.3.7; RFC 7515 and 7519. joserfc verifies the signature.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import msgspec

from bus.console.people import SignInError

ALGORITHMS = ("RS256", "ES256")
SKEW_S = 60.0
"""So far may the clocks of the sign-on and of this machine differ."""
MOST_TOKEN, MOST_KEYS, MOST_MODULUS = 32_768, 50, 1_400
MOST_SUBJECT = 255


class Jwk(msgspec.Struct, frozen=True, omit_defaults=True):
    """A public key of a sign-on; other members are left out."""

    kty: str
    kid: str = ""
    use: str = ""
    alg: str = ""
    n: str = ""
    e: str = ""
    crv: str = ""
    x: str = ""
    y: str = ""

    def is_good(self) -> bool:
        """Whether it is a key for signatures, of a kind and length that is used."""
        if self.use not in ("", "sig") or self.alg not in ("", *ALGORITHMS):
            return False
        if self.kty == "RSA":
            return 340 <= len(self.n) <= MOST_MODULUS and 0 < len(self.e) <= 8
        return self.kty == "EC" and self.crv == "P-256" and len(self.x) == len(self.y) == 43


class Jwks(msgspec.Struct, frozen=True):
    """The public keys of a sign-on."""

    keys: list[object]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a token must fit.

    Attributes:
        issuer: who says it.
        client: to whom.
        nonce: of the request that it answers.
        now: seconds since the epoch.
        asked_at: since when the person must have shown who it is, where that was asked for; else None.
    """

    issuer: str
    client: str
    nonce: str
    now: float
    asked_at: float | None = None


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a sign-on means, and when the person has shown who it is; 0 where it does not say."""

    subject: str
    shown_at: float


class _Payload(msgspec.Struct, frozen=True):
    """The claims that are read."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    iat: float
    nonce: str = ""
    azp: str | None = None
    nbf: float | None = None
    auth_time: float | None = None


def public_keys(raw: bytes) -> list[Jwk]:
    """The keys of a document, those that are of no use left out.

    Raises:
        SignInError: `oidc-token`.
    """
    try:
        listed = msgspec.json.decode(raw, type=Jwks).keys
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _refused("its keys cannot be read") from None
    if len(listed) > MOST_KEYS:
        raise _refused(f"it has more than {MOST_KEYS} keys")
    found = []
    for each in listed:
        try:
            key = msgspec.convert(each, Jwk)
        except msgspec.ValidationError:
            continue
        if key.is_good():
            found.append(key)
    return found


def verified(text: str, keys: Sequence[Jwk], expected: Expected) -> Claims:
    """Whom a token means, once its signature and each claim were checked.

    Raises:
        SignInError: `oidc-key`, it is signed with a key that is not among these; `oidc-token`, anything else.
    """
    from joserfc import jwk, jws, jwt  # an extra
    from joserfc.errors import InvalidKeyIdError, JoseError

    if len(text) > MOST_TOKEN or not keys:
        raise _refused("it is too long" if keys else "there is no key to check it with")
    try:
        registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        known = jwk.KeySet.import_key_set({"keys": [msgspec.to_builtins(each) for each in keys]})
        claims = jwt.decode(text, known, algorithms=list(ALGORITHMS), registry=registry).claims
        payload = msgspec.convert(claims, _Payload)
    except InvalidKeyIdError:
        raise SignInError(
            "the sign-on has signed with a key that it does not list", reason="oidc-key"
        ) from None
    except msgspec.ValidationError as exc:
        raise _refused(f"a claim is missing or malformed: {exc}") from None
    except (JoseError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        raise _refused("its signature or its form is wrong") from None
    _check(payload, expected)
    return Claims(subject=payload.sub, shown_at=min(payload.auth_time or 0.0, expected.now))


def _check(told: _Payload, expected: Expected) -> None:
    """Refuse a token that is for another place, client, request or time."""
    audience = [told.aud] if isinstance(told.aud, str) else told.aud
    if told.iss != expected.issuer:
        raise _refused("it is of another issuer")
    if expected.client not in audience or (told.azp or expected.client) != expected.client:
        raise _refused("it is for another client")
    if len(audience) > 1 and told.azp is None:
        raise _refused("it is for several clients, and does not say for which")
    if not hmac.compare_digest(told.nonce.encode("utf-8", "replace"), expected.nonce.encode()):
        raise _refused("it answers another request")
    if not told.exp > expected.now - SKEW_S:
        raise _refused("it is over")
    if not max(told.iat, told.nbf or 0.0) <= expected.now + SKEW_S:
        raise _refused("it is of the future; compare the clocks of the sign-on and of this machine")
    if not (0 < len(told.sub) <= MOST_SUBJECT and told.sub.isascii() and told.sub.isprintable()):
        raise _refused("it names nobody")
    if expected.asked_at is not None and not (told.auth_time or 0.0) >= expected.asked_at - SKEW_S:
        raise _refused("the sign-on has not asked who you are again")


def _refused(why: str) -> SignInError:
    return SignInError(f"what the sign-on says of you is not accepted: {why}", reason="oidc-token")
