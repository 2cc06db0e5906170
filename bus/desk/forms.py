"""Tokens of forms: a form is answered only by the session it was made for. Pure.

The token is HMAC-SHA-256 over what the form is for, with the session's id as the key. The file has only a digest of that id, so
nobody who reads the file can make one. Before a sign-in the web part gives the form a random id of its own in a cookie, and that
is the key.
"""

from __future__ import annotations

import hmac

from bus.desk.refusals import DeskError

_LABEL = b"tocsin form 1\n"


def form_token(secret: str, purpose: str = "") -> str:
    """The token that a form carries.

    Args:
        secret: the session's id, as the cookie has it.
        purpose: what the form does, such as `approve 12`; a token for one purpose is none for another.
    """
    return hmac.digest(secret.encode("utf-8", "replace"), _LABEL + purpose.encode(), "sha256").hex()


def check_form(secret: str, token: str, purpose: str = "") -> None:
    """Refuse a form that was not made for this session and purpose; compares in constant time.

    Raises:
        DeskError: `form-token`.
    """
    given = token.encode("utf-8", "replace")
    if not secret or not hmac.compare_digest(given, form_token(secret, purpose).encode()):
        raise DeskError(
            "this page is too old to be sent; load it again and repeat your action", reason="form-token"
        )
