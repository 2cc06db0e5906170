"""Secrets that are drawn at random and handed out: session ids, tokens to set a password. The file keeps their digests."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

Random = Callable[[int], bytes]
"""So many random bytes."""

SECRET_BYTES = 32
MAX_TOKEN = 100
"""Characters of what may be one; longer ones are not looked at."""


def new_secret(random: Random) -> str:
    """256 random bits in base64url."""
    return base64.urlsafe_b64encode(random(SECRET_BYTES)).rstrip(b"=").decode()


def hashed(secret: str) -> str:
    """The stored form of a random secret: its SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
