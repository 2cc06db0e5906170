"""The public address of a console behind a proxy with TLS on this machine, and the visitor whom that proxy names. Pure.

A proxy adds the address that it hears to the right of what a client has sent, so the right-most address alone is believed. A proxy
writes one of two headers and may pass on the other as a client has sent it: where the two differ, the request is refused.
Sources: RFC 7239 (`Forwarded`); `X-Forwarded-For` and `X-Forwarded-Proto` as nginx and Caddy write them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator

import msgspec

from bus.console.errors import BadRequestError
from bus.errors import ConfigError

MOST_URL = 270
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_URL = re.compile(rf"https://({_LABEL}(?:\.{_LABEL})*)(?::([1-9][0-9]{{0,4}}))?/?")
_PAIR = re.compile(r'\s*([a-z-]{1,20})=("[^"\\]{0,200}"|[^\s"\\=]{1,200})\s*')
_NODE = re.compile(
    r"\[([0-9a-f:.]{2,45})\](?::\d{1,5})?|(\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?|([0-9a-f:.]{2,45})"
)


class Public(msgspec.Struct, frozen=True, kw_only=True):
    """Where visitors find the console.

    Attributes:
        host: the name, with the port unless that is 443.
    """

    host: str

    @property
    def address(self) -> str:
        """As it is typed into a browser."""
        return f"https://{self.host}/"

    @property
    def hosts(self) -> frozenset[str]:
        """The names that a request may be for."""
        return frozenset({self.host} if ":" in self.host else {self.host, f"{self.host}:443"})


def public_of(url: str) -> Public:
    """The public address, from an option.

    Raises:
        ConfigError: `console-url`; it is no address of a site with TLS.
    """
    found = _URL.fullmatch(url.lower()) if len(url) <= MOST_URL else None
    if found is None or int(found[2] or 443) > 65_535:
        raise ConfigError(
            f"{url!r} is no public address of a console",
            remedy="say https://NAME/, or https://NAME:PORT/, as visitors type it, without a path",
            reason="console-url",
        )
    return Public(host=found[1] if int(found[2] or 443) == 443 else f"{found[1]}:{found[2]}")


def visitor(headers: Iterable[tuple[bytes, bytes]], peer: str) -> str:
    """The address of who asks, of a request that has come through a proxy on this machine; the peer where it has not.

    Args:
        headers: of the request, names in small letters.
        peer: who has opened the connection; only a peer on this machine is believed.

    Raises:
        BadRequestError: `forwarded-unclear`, two addresses or none that can be read; `tls-needed`.
    """
    if not _is_here(peer):
        return peer
    found, schemes = [], []
    for name, value in _last(headers):
        if name == "x-forwarded-for":
            found.append(_address(value))
        elif name == "x-forwarded-proto":
            schemes.append(value.strip().lower())
        else:
            pairs = _pairs(value)
            found.append(_address(pairs.get("for", "")))
            schemes += [pairs["proto"].lower()] if "proto" in pairs else []
    if any(scheme != "https" for scheme in schemes):
        raise BadRequestError("this console is read over TLS alone; open it by https", reason="tls-needed")
    if len(set(found)) > 1:
        raise _unclear("names two visitors for one request")
    return found[0] if found else peer


def _last(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[str, str]]:
    """The right-most element of each header that a proxy may write, of the last line of it."""
    lines = {name: value for name, value in headers if name in _WRITTEN}
    for name, value in lines.items():
        yield name.decode("ascii"), value.decode("latin-1").rpartition(",")[2]


_WRITTEN = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"})


def _pairs(element: str) -> dict[str, str]:
    """The parameters of an element of `Forwarded`.

    Raises:
        BadRequestError: `forwarded-unclear`.
    """
    pairs: dict[str, str] = {}
    for each in element.split(";"):
        pair = _PAIR.fullmatch(each.lower())
        if pair is None or pair[1] in pairs:
            raise _unclear("writes a header Forwarded that cannot be read")
        pairs[pair[1]] = pair[2].strip('"')
    return pairs


def _address(node: str) -> str:
    """The address in a node, without its port.

    Raises:
        BadRequestError: `forwarded-unclear`.
    """
    found = _NODE.fullmatch(node.strip().lower())
    try:
        return str(ipaddress.ip_address(next(filter(None, found.groups())) if found else ""))
    except ValueError:
        raise _unclear("does not say at which address the visitor is") from None


def _is_here(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


def _unclear(what: str) -> BadRequestError:
    return BadRequestError(
        f"the proxy before this console {what}; tell its operator", reason="forwarded-unclear"
    )
