"""Places: a link leads to a page, and others can reach its host."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from schemas.bodies.coordination import PostElectionReport, StratCom
from schemas.bodies.cyber import Vulnerability
from schemas.bodies.digital import ContentNotice, ContentOrder
from schemas.bodies.electoral import ElectionCalendar
from schemas.bodies.enforcement import Enforcement
from schemas.bodies.foreign import Fimi, SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.vocab import Status, Tlp, word_set

_CODE = word_set("javascript vbscript livescript mocha data blob about view-source filesystem")
"""Schemes that run code or hold their own content: they name no place."""
_OWN = word_set("file chrome resource jar res ms-settings ms-msdt search-ms intent content")
"""Schemes that mean something else on each machine."""
_PAGES = word_set("https http")
_TEXTS = _PAGES | word_set("eli doi urn info ftp")
"""Schemes of pages, and of permanent names of texts."""
_NOBODYS = ("localhost", "invalid", "localdomain")
"""Reserved top-level names (RFC 6761)."""
_INNER = ("local", "internal", "lan", "intranet", "corp", "home", "private", "home.arpa")
"""Top-level names of local networks (RFC 6762, RFC 8375; ICANN resolution of 2024-07-29)."""
_ALONE = re.compile(r"[^.:]+")


_PLAIN = re.compile(
    rf"https?://(?:[a-z0-9_-]+\.)+(?!(?:{'|'.join((*_NOBODYS, *_INNER, 'test'))}|arpa)(?:[/?#]|$))[a-z][a-z-]+(?:[/?#]|$)"
)
"""A quick pattern for a reachable page: a name of several parts, without port and user."""


class Link(NamedTuple):
    """A link of a bulletin: its path, and its use: a page for people, a text, content, or a file."""

    path: str
    uri: str
    kind: str


_OF_BODY: dict[type, tuple[tuple[str, str], ...]] = {
    ElectionCalendar: (("official_url", "page"),),
    Vulnerability: (("advisory", "text"),),
    SanctionsListing: (("publication_url", "text"),),
    PostElectionReport: (("report_url", "text"),),
    Enforcement: (("decision_url", "text"),),
}


def links(b: Bulletin) -> Iterator[Link]:
    """Every link of a bulletin except observables, which record what was seen."""
    for n, info in enumerate(b.info):
        if info.web:
            yield Link(f"$.info[{n}].web", info.web, "page")
    for n, kept in enumerate(b.evidence):
        if kept.uri:
            yield Link(f"$.evidence[{n}].uri", kept.uri, "file")
    body = b.body
    for name, kind in _OF_BODY.get(type(body), ()):
        if uri := getattr(body, name):
            yield Link(f"$.body.{name}", uri, kind)
    if isinstance(body, StratCom):
        for n, uri in enumerate(body.facts):
            yield Link(f"$.body.facts[{n}]", uri, "text")
    elif isinstance(body, ContentNotice | ContentOrder):
        for n, item in enumerate(body.items):
            if item.url:
                yield Link(f"$.body.items[{n}].url", item.url, "content")
    elif isinstance(body, Fimi):
        for n, narrative in enumerate(body.narratives):
            if narrative.claim_review:
                yield Link(f"$.body.narratives[{n}].claim_review", narrative.claim_review, "text")


def r89(b: Bulletin) -> Broken:
    """A link leads to a page that its readers can reach (RFC 3986, section 3.1; RFC 6761, RFC 6762, RFC 6890; Regulation (EU) 2022/2065, Article 16(2)(b))."""
    for path, uri, kind in links(b):
        if _PLAIN.match(uri) is not None:
            continue
        scheme = uri.partition(":")[0]
        may_be = {"page": _PAGES, "text": _TEXTS}.get(kind)
        if scheme in _CODE:
            yield path, f"{scheme}: is not a place, and may run as a program; give the address of the page"
        elif scheme in _OWN and kind != "file":
            yield path, f"{scheme}: means something else on each machine; give the address of the page"
        elif may_be is not None and scheme not in may_be:
            yield path, f"{scheme}: is not a page that everybody can open; give its https address"
        elif kind != "file" and scheme in _PAGES and (why := _astray(b, uri, kind)):
            yield path, f"{why}; give an address that readers can open"


def _astray(b: Bulletin, uri: str, kind: str) -> str | None:
    """The reason why a link to a page leads nowhere; None if it is right."""
    try:
        parts = urlsplit(uri)
        host, _ = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError:
        return "is not the address of a page"
    return _unreached(host, b.tlp is Tlp.CLEAR or kind == "content", b.status is Status.ACTUAL)


def _unreached(host: str, is_for_all: bool, is_actual: bool) -> str | None:
    """The reason why nobody, or nobody outside a local network, can reach a host; None if it can be reached."""
    if not host:
        return "names no host"
    if _ends(host, _NOBODYS):
        return f"{host} is the local machine, or none"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if is_for_all and (_ALONE.fullmatch(host) or _ends(host, _INNER)):
            return f"{host} is a name of a local network"
        return f"{host} is for tests only" if is_for_all and is_actual and _ends(host, ("test",)) else None
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        return f"{host} is the local machine, or none"
    is_shown = any(address in net for net in _SHOWN if net.version == address.version)
    return (
        f"{host} is an address of a local network"
        if is_for_all and address.is_private and not is_shown
        else None
    )


_SHOWN = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    )
)
"""Addresses of examples (RFC 5737, RFC 3849, RFC 9637)."""


def _ends(host: str, names: tuple[str, ...]) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in names)


RULES = ((89, r89),)
