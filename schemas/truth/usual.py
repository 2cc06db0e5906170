"""Recognises usual observables: certainly of their type, of one host or file, and not personal. Rules check only the others."""

from __future__ import annotations

import re

from schemas.bulletin import Bulletin
from schemas.parts import Observable
from schemas.vocab import word_set

EMPTY_FILE = frozenset(
    {
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
)
"""The digests of no bytes: MD5 (RFC 1321), SHA-1, SHA-224, SHA-256 (FIPS 180-4)."""
SUFFIXES = word_set(
    "co.uk org.uk gov.uk ac.uk com.au com.br com.tr co.jp co.in co.za com.ua com.pl gov.pl gouv.fr gv.at "
    "co.at europa.eu github.io gitlab.io pages.dev workers.dev web.app firebaseapp.com blogspot.com "
    "wordpress.com herokuapp.com netlify.app vercel.app azurewebsites.net cloudfront.net amazonaws.com "
    "s3.amazonaws.com googleusercontent.com cloudapp.net"
)
"""Domains below which unrelated owners register names (a part of the Public Suffix List)."""
HUBS = word_set(
    "google.com www.google.com youtube.com www.youtube.com facebook.com www.facebook.com x.com twitter.com "
    "instagram.com tiktok.com www.tiktok.com t.me telegram.org whatsapp.com wikipedia.org microsoft.com "
    "apple.com amazon.com cloudflare.com github.com bit.ly linkedin.com reddit.com europa.eu office.com "
    "outlook.com live.com gmail.com drive.google.com docs.google.com"
)
"""Hosts that everybody uses."""
RESOLVERS = frozenset(
    {"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "208.67.222.222", "208.67.220.220"}
)
"""Public DNS resolvers."""
_ADDRESS = (
    r"(?:[1-9]|[1-9][0-9]|1[013-9][0-9]|12[0-689]|2[01][0-9]|22[0-3])"
    r"(?:\.(?:[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])){3}"
)
_ADDRESS_6 = (
    r"2[0-9a-f]{3}(?:(?::[0-9a-f]{1,4}){7}|(?::[0-9a-f]{1,4}){1,2}::[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,3})"
)
_HOST = r"[a-z0-9_.-]+\.(?!local)[a-z][a-z0-9-]+"
_SURELY = {
    "ipv4-addr": re.compile(_ADDRESS).fullmatch,
    "ipv6-addr": re.compile(_ADDRESS_6).fullmatch,
    "domain-name": re.compile(_HOST).fullmatch,
    "url": re.compile(rf"https?://{_HOST}/[A-Za-z0-9_-][A-Za-z0-9/._~%&=+-]*").fullmatch,
    "file": re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}").fullmatch,
}
"""By type: the values that certainly satisfy R62, R63, R65 and R66; with the exceptions in `_NEVER`."""
_NEVER = SUFFIXES | HUBS | RESOLVERS | EMPTY_FILE
_SHORT = 64
"""The length of a digest; in a name no longer than this, no part is too long."""


def is_usual(seen: Observable) -> bool:
    """Whether an observable certainly satisfies R62, R63, R65 and R66. False means: the rules must check it."""
    value, is_surely = seen.value, _SURELY.get(seen.type)
    return (
        value is not None
        and is_surely is not None
        and len(value) <= _SHORT
        and is_surely(value) is not None
        and value not in _NEVER
    )


_last: tuple[Bulletin | None, tuple[tuple[int, Observable], ...]] = (None, ())


def unusual(b: Bulletin) -> tuple[tuple[int, Observable], ...]:
    """(index, observable) of those that R62, R63, R65 and R66 must check. The result is cached, since the rules run in turn."""
    global _last  # noqa: PLW0603 (one assignment, of the whole; a thread that finds another bulletin computes again)
    known, found = _last
    if known is not b:
        found = tuple((n, each) for n, each in enumerate(b.observables) if not is_usual(each))
        _last = (b, found)
    return found
