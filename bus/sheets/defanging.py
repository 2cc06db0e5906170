"""Observables that nothing can open by accident: no program makes a link of them, and a person still reads and restores them."""

from __future__ import annotations

import re

_SCHEME = "".join(map(chr, range(0x21, 0x7F))).translate(str.maketrans("", "", "()[]{}<>\"'`,;:/?#@"))
"""Characters of a scheme, and others that a terminal might take for one."""
_AFTER_HOST = re.compile(r"[\s/?#]|$")
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
    before, *rest = value.split("://")
    if not rest:
        return _no_host(value)
    said = [before]
    for part in rest:
        before = said.pop()
        bare = before.rstrip(_SCHEME)
        scheme = before[len(bare) :]
        changed = _HTTP.sub("xx", scheme)
        end = _AFTER_HOST.search(part)
        cut = len(part) if end is None else end.start()
        said += [
            f"{bare}{changed}{'[:]' if changed == scheme else ':'}//",
            _no_host(part[:cut]) + part[cut:],
        ]
    return "".join(said)


def _no_host(value: str) -> str:
    return value.replace(".", "[.]").replace("@", "[at]")
