"""Asking a broker's monitoring port."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import IO, Any

from bus.server.binary import ServerError

TIMEOUT_S = 3.0
MAX_BYTES = 16 * 1024 * 1024

# The port is on this machine's loopback: a proxy from the environment has no business in between.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def read_monitor(address: str, path: str) -> dict[str, Any]:
    """A monitoring document, such as `varz`.

    Args:
        address: `http://127.0.0.1:port`.
        path: the document's name, with its query.

    Raises:
        ServerError: `no-monitor`, when there is no such answer.
    """
    try:
        with _answer(f"{address}/{path}") as answer:
            document: object = json.loads(answer.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError, urllib.error.URLError) as exc:
        raise ServerError(
            f"the monitoring address {address} does not answer ({_why(exc)}); is the server running?",
            reason="no-monitor",
        ) from None
    if not isinstance(document, dict):
        raise ServerError(
            f"the monitoring address {address} answers with something else", reason="no-monitor"
        )
    return document


def _answer(url: str) -> IO[bytes]:
    """What a server that is not healthy says is an answer too; it comes with status 503."""
    try:
        opened: IO[bytes] = _direct.open(url, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as exc:
        return exc
    return opened


def _why(exc: Exception) -> str:
    reason = getattr(exc, "reason", exc)
    return str(getattr(reason, "strerror", None) or reason)
