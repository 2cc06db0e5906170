"""Observables that nothing can open by accident: no program makes a link of them, and a person still reads and restores them."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^\s/?#]*)")
_HTTP = re.compile(r"(?<=^h)tt(?=ps?$)", re.IGNORECASE)
_NAMES = frozenset({"domain-name", "email-addr", "email-message", "ipv4-addr", "ipv6-addr"})


def defanged(type_: str, value: str) -> str:
    """The value of an observable as it is shown: `hxxps://evil[.]example/a.b`, `192[.]0[.]2[.]1`, `a[at]evil[.]example`."""
    if "://" in value or type_ == "url":
        return defanged_url(value)
    if type_ in _NAMES:
        plain = _no_host(value)
        return plain.replace(":", "[:]") if type_ == "ipv6-addr" else plain
    return value


def defanged_url(value: str) -> str:
    """A text in which no program finds an address to open: scheme and host of each are changed, its path is not."""
    return _ADDRESS.sub(_changed, value) if "://" in value else _no_host(value)


def _changed(found: re.Match[str]) -> str:
    scheme, host = found.groups()
    changed = _HTTP.sub("xx", scheme)
    colon = "[:]" if changed == scheme else ":"
    return f"{changed}{colon}//{_no_host(host)}"


def _no_host(value: str) -> str:
    return value.replace(".", "[.]").replace("@", "[at]")
