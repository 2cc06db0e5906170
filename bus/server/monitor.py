"""Reads documents from a broker's monitoring port."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import IO, Any

from bus.server.binary import ServerError

TIMEOUT_S = 3.0
MAX_BYTES = 16 * 1024 * 1024

# The port is on this machine's loopback, so a proxy from the environment must not be used.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def read_monitor(address: str, path: str) -> dict[str, Any]:
    """A monitoring document, such as `varz`.

    Args:
        address: `http://127.0.0.1:port`.
        path: the document's name, with its query.

    Raises:
        ServerError: `no-monitor`, if it does not answer with the document.
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
    """The body of an answer; an unhealthy server answers with status 503, which is an answer too."""
    try:
        opened: IO[bytes] = _direct.open(url, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as exc:
        return exc
    return opened


def _why(exc: Exception) -> str:
    reason = getattr(exc, "reason", exc)
    return str(getattr(reason, "strerror", None) or reason)
