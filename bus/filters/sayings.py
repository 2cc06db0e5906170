"""The parts of a bulletin that filters match: facts, observables and words, each in one spelling.

Streams compare these, and the tables of a store are filled from them, so both give the same result. Sealed content is
never included: a sealed bulletin gives only its cover.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from urllib.parse import urlsplit

import msgspec

from schemas.bodies.digital import ContentItem
from schemas.bulletin import Bulletin
from schemas.subject import area_token, priority

BETWEEN = "\ue000"
"""Separates two texts: it is not part of a word, and no phrase matches across it."""
MOST_WORDS = 20_000
"""At most this many words of a bulletin are indexed; its headlines come first."""
_LONGEST = 64
_WORD = re.compile(r"[^\W_]+")
"""Letters and digits of any script, as in `str.isalnum`."""
_SHORTEST_NUTS = 3
_WORDS_OF = ("headline", "instruction", "public_line", "summary")
_PROSE = frozenset(
    {
        "actor", "addressee", "advisory", "aliases", "answer", "assessment", "basis", "behaviour", "cause", "commitments",
        "consequences", "content", "correct_information", "decided_by", "degree", "delay_reason", "description", "do_not_repeat",
        "effect", "expected_narratives", "explanation", "exploited", "facts", "function", "gaps", "ids", "impersonated",
        "information_requested", "lines", "malware", "measures", "mitigation", "name", "note", "observation", "outlook", "payer",
        "products", "provider", "publisher", "question", "reason", "reasons", "recommendation", "redress", "remediation", "sentence",
        "services", "sponsor", "sponsor_controller", "statement", "summary", "text", "threat_type", "title", "unknowns", "what",
        "whole",
    }
)  # fmt: skip
"""Fields whose words are indexed, at any depth."""
_BESIDE = ("attribution", "targets", "things", "actions", "evidence", "areas")


def said(b: Bulletin) -> frozenset[tuple[str, str]]:
    """The facts of a bulletin: (field of the grammar, value) pairs."""
    facts = {
        ("domain", str(b.issuer.domain)),
        ("kind", b.kind),
        ("audience", b.audience),
        ("priority", priority(b)),
        ("issuer", b.issuer.id),
        ("country", b.issuer.country),
        ("tlp", str(b.tlp)),
    }
    facts.update(("dimension", str(each)) for each in b.dimensions)
    for area in b.areas:
        country = area.country or ("EU" if area.scope == "eu" else None)
        if country is not None:
            facts.update((("country", country), ("area", country)))
        if area.code is not None:
            facts.update(("region", code) for code in _codes(area.code, area.system))
    if (token := area_token(b)) in ("multi", "intl"):
        facts.add(("area", token.upper()))
    if b.election is not None:
        facts.add(("election", b.election.id))
    if b.incident_id is not None:
        facts.add(("incident", b.incident_id))
    return frozenset(facts)


def _codes(code: str, system: str | None) -> Iterator[str]:
    """The code of a place, and those of the larger places around it, if the system of codes shows them."""
    plain = code.lower()
    yield plain
    if system == "nuts-2024" and plain.isalnum():
        yield from (plain[:size] for size in range(_SHORTEST_NUTS, len(plain)))


def observed(b: Bulletin) -> frozenset[tuple[str, str, str]]:
    """The observables: (value as spelled by `norm`, type, role); for a URL or mailbox also its host."""
    found: set[tuple[str, str, str]] = set()
    for each in b.observables:
        if each.value is not None:
            found.update((value, each.type, each.role) for value in norms(each.value))
        if each.value_hmac is not None:
            found.add((each.value_hmac, each.type, each.role))
    for item in getattr(b.body, "items", ()):
        if isinstance(item, ContentItem):
            if item.url is not None:
                found.update((value, "url", "content") for value in norms(item.url))
            if item.sha256 is not None:
                found.add((item.sha256, "file", "content"))
    found.update((each.sha256, "file", "evidence") for each in b.evidence)
    return frozenset(found)


def norms(value: str) -> Iterator[str]:
    """The spellings by which a value is found: its own, and the host of an address."""
    plain = norm(value)
    yield plain
    host = ""
    if "://" in plain:
        try:
            host = urlsplit(plain).hostname or ""
        except ValueError:  # not an address after all
            host = ""
    elif "@" in plain:
        host = plain.rpartition("@")[2]
    if host and host != plain:
        yield host


def norm(value: str) -> str:
    """The one spelling of a value: no defanging, no blanks around it, small letters, no dot or slash at the end."""
    plain = unicodedata.normalize("NFKC", value).strip().casefold()
    for shown, meant in (("[.]", "."), ("(.)", "."), ("[:]", ":"), ("[at]", "@"), ("[@]", "@")):
        plain = plain.replace(shown, meant)
    if plain.startswith("hxxp"):
        plain = f"http{plain[4:]}"
    return plain.rstrip("/.") or plain


def documents(b: Bulletin) -> Iterator[str]:
    """The indexed texts of a bulletin, each as its words separated by blanks."""
    left = MOST_WORDS
    for text in _texts(b):
        words = words_in(text)[:left]
        left -= len(words)
        if words:
            yield " ".join(words)
        if left <= 0:
            return


def words_in(text: str) -> list[str]:
    """The words of a text, in small letters without accents; only the beginning of a very long text."""
    plain = text.casefold()
    if not plain.isascii():
        parts = unicodedata.normalize("NFKD", plain)
        plain = "".join(each for each in parts if not unicodedata.combining(each)).casefold()
    return [word[:_LONGEST] for word in _WORD.findall(plain)]


def prose(b: Bulletin) -> Iterator[str]:
    """What a bulletin says in words: its headlines and summaries, the prose of its body and of what stands beside it."""
    for name in _WORDS_OF:
        yield from (text for info in b.info if (text := getattr(info, name)))
    yield from _prose(b.body)
    for name in _BESIDE:
        yield from _prose(getattr(b, name))


def _texts(b: Bulletin) -> Iterator[str]:
    yield from prose(b)
    for each in b.observables:
        yield from (text for text in (each.value, each.note) if text)


def _prose(value: object) -> Iterator[str]:
    if isinstance(value, tuple):
        for each in value:
            yield from _prose(each)
    elif isinstance(value, msgspec.Struct):
        for name, is_prose in _fields(type(value)):
            held = getattr(value, name)
            if not isinstance(held, str):
                if isinstance(held, tuple | msgspec.Struct):
                    yield from _strings(held) if is_prose else _prose(held)
            elif is_prose:
                yield held


def _strings(value: object) -> Iterator[str]:
    """The texts in a field with several values, also those inside structs."""
    for each in value if isinstance(value, tuple) else (value,):
        if isinstance(each, str):
            yield each
        else:
            yield from _prose(each)


@cache
def _fields(type_: type[msgspec.Struct]) -> tuple[tuple[str, bool], ...]:
    return tuple((name, name in _PROSE) for name in type_.__struct_fields__)


def indexed(b: Bulletin) -> str:
    """All words of a bulletin as one text, with `BETWEEN` between its documents."""
    return f" {BETWEEN} ".join(documents(b))
