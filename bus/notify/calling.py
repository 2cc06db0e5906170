"""One request over HTTP: to an address that was looked at, without redirects or proxies, with a bounded answer."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from bus.notify.addresses import Resolve, SendError, checked, is_loopback, resolved
from bus.notify.connecting import STEP_S, WHOLE_S, Deadline, connected, tls
from bus.notify.shape import Network

MOST_ANSWER = 16_384
"""So many bytes of an answer are read, unless more are asked for."""
_LATER = frozenset({401, 403, 404, 408, 409, 425, 429})
"""What the other side may say otherwise later, though it is a refusal."""
_MOST_AFTER_S = 3600.0


class Reply(NamedTuple):
    """What came back: the code, and the beginning of what was said."""

    status: int
    body: bytes


def call(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    networks: Sequence[Network] = (),
    *,
    resolve: Resolve = resolved,
    context: ssl.SSLContext | None = None,
    step_s: float = STEP_S,
    whole_s: float = WHOLE_S,
    most: int = MOST_ANSWER,
) -> Reply:
    """Send a request and read what comes back. Blocks; for a thread.

    Args:
        method: `GET`, `POST` or `PUT`.
        url: where; `http` only where every address is this machine's own.
        body: what is sent.
        headers: besides those of the connection.
        networks: own networks that are allowed.
        resolve: finds addresses.
        context: of TLS; None for one that verifies by the certificates of this machine.
        step_s: how long one step may take.
        whole_s: how long all may take.
        most: so many bytes of the answer are read.

    Raises:
        SendError: with its reason; what it says is this program's own words, never the other side's.
    """
    parts = urlsplit(url)
    host, is_safe = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_safe else 80)
    addresses = checked(host, port, networks, resolve)
    if not is_safe and not all(map(is_loopback, addresses)):
        raise SendError("only https leaves this machine", reason="notify-address-refused")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with Deadline(whole_s).running() as deadline:
        connection = http.client.HTTPConnection(host, port, timeout=step_s)
        connection.auto_open = 0  # it would resolve the name again
        answer: http.client.HTTPResponse | None = None
        try:
            sock = deadline.watch(connected(addresses, port, min(step_s, whole_s)))
            connection.sock = sock
            if is_safe:
                connection.sock = deadline.watch((context or tls()).wrap_socket(sock, server_hostname=host))
            connection.request(
                method,
                target,
                body,
                {"Host": parts.netloc, "Connection": "close", "User-Agent": "tocsin", **headers},
            )
            answer = connection.getresponse()
            after, said = answer.getheader("Retry-After", ""), b""
            with contextlib.suppress(OSError, http.client.HTTPException):
                said = answer.read(most)  # the code says whether it was taken
        except ssl.SSLCertVerificationError as exc:
            raise SendError(
                f"its certificate does not stand: {exc.verify_message}", reason="notify-tls"
            ) from None
        except ssl.SSLError as exc:
            raise SendError(f"TLS fails: {exc.reason or 'it was cut off'}", reason="notify-tls") from None
        except (OSError, http.client.HTTPException, ValueError) as exc:
            late = deadline.is_over or isinstance(exc, TimeoutError)
            what = (
                "it does not answer in time"
                if late
                else "the connection breaks, or what comes back is no HTTP"
            )
            raise SendError(what, reason="notify-unreachable") from None
        finally:
            if answer is not None:
                answer.close()
            connection.close()
    return _judged(Reply(answer.status, said), after)


def _judged(reply: Reply, after: str) -> Reply:
    """The reply, where the message was taken.

    Raises:
        SendError: `notify-redirected`, `notify-refused`.
    """
    status = reply.status
    if 200 <= status < 300:
        return reply
    if 300 <= status < 400:
        raise SendError(
            f"it answers {status}, which leads elsewhere; nothing is sent there: write the address that it means",
            reason="notify-redirected",
        )
    wait = (
        min(float(after), _MOST_AFTER_S) if after.isascii() and after.isdigit() and len(after) < 7 else None
    )
    final = 400 <= status < 500 and status not in _LATER
    raise SendError(f"it answers {status}", reason="notify-refused", is_final=final, after_s=wait)
