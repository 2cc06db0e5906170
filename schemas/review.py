"""What a person must have looked at before a bulletin is published: what spelling suggests, and cannot prove. Never a refusal at readers.

`publish`, its rehearsal and `bulletin check` stop at a doubt until somebody says why it is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas import personal
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.truth.values import own_places
from schemas.truth.wording import PUBLIC, field_of, words
from schemas.vocab import PERSONAL_RANK, PersonalFlag, Tlp

_TEMPLATE = re.compile(
    r"</?(?:script|b|i|a|p|br|div|img|span|h[1-6]|li|ul|strong|em|iframe|style)\b[^<>]{0,200}>|"
    r"\{\{[^{}]{0,80}\}\}|\$\{[^{}]{1,80}\}|<%[^%]{0,80}%>|\{%[^%]{0,80}%\}|%\([a-z_]{1,40}\)s|"
    r"(?<!\w)__[A-Za-z_]{2,40}__(?!\w)"
    r"|<(?:[A-Z][A-Z _-]{2,40}|[a-z]+[ _-][a-z _-]{2,40}|insert[^<>]{0,40}|your [^<>]{1,40})>"
    r"|\[(?:[A-Z][A-Z _]{3,40}|(?:insert|enter|add|your|name of|date of|time of|to be|tbd|tbc|"
    r"todo|xx)\b[^\[\]]{0,60})\]"
    r"|\b(?:TODO|FIXME|TBD|TBC|XXX+|LOREM IPSUM|[Ll]orem ipsum|to be confirmed later|"
    r"PLACEHOLDER|[Pp]laceholder text)\b|\bXX[.:/-]XX\b|_{4,}|\bfoo bar\b|\basdf\w*\b",
)
_PROPER = re.compile(r"\[(?:EXERCISE|TEST|UPDATE|CORRECTION|URGENT)\]")
_INTERNAL = re.compile(
    r"\b(?:(?:for )?(?:internal|official) use only|internal only|not for (?:publication|"
    r"public release|distribution|onward (?:sharing|distribution)|circulation)"
    r"|do not (?:pass (?:this )?on|share|forward|distribute|publish|quote|circulate|disclose)|"
    r"not to be (?:shared|published|forwarded|disclosed|passed on)"
    r"|strictly confidential|(?:is|are|keep (?:this|it)) (?:strictly )?confidential|eyes only|"
    r"restricted distribution|limited distribution|need[- ]to[- ]know"
    r"|nur für den (?:internen|Dienst)\w*(?: gebrauch)?|nicht (?:zur Veröffentlichung|"
    r"weitergeben|weiterleiten)|vertraulich(?:e Information)?"
    r"|usage interne|ne pas (?:diffuser|transmettre|publier)|uso interno|no difundir|"
    r"uso interno|non divulgare|tylko do użytku (?:wewnętrznego|służbowego))\b",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\W{0,3}(?:confidential|vertraulich|confidentiel|confidencial|riservato|poufne)\b(?=\W)", re.IGNORECASE
)
_HOSTS = re.compile(r"(?<![\w.@-])(?:[\w-]{1,63}\.){1,6}[a-z]{2,24}\b", re.IGNORECASE)
_SWAPPED = re.compile(
    r"[a-z][015][a-z]{3}|[a-z]{2}[015][a-z]{2}|[a-z]{3}[015](?=[.-])|\brn[a-z]*|(?:^|[.-])[01][a-z]{3}",
    re.IGNORECASE,
)
_SPECIAL = frozenset(
    {"words about somebody's health", "words about somebody's belief", "words about somebody's origin"}
)


def doubts(b: Bulletin) -> tuple[Violation, ...]:
    """What must be looked at, each with a stable word as its `rule`: `personal`, `placeholder`, `internal`, `look-alike`."""
    return (*_personal(b), *_unfinished(b), *_internal(b), *_look_alike(b))


def _personal(b: Bulletin) -> Iterator[Violation]:
    declared = PERSONAL_RANK[b.personal_data.flag] if b.personal_data else 0
    least = PERSONAL_RANK[PersonalFlag.PERSONAL]
    for path, text in words(b):
        if field_of(path) in ("name", "whole") and path.startswith(("$.attribution", "$.body.listed")):
            continue
        for found in personal.likely(text):
            if declared >= (
                PERSONAL_RANK[PersonalFlag.SPECIAL_CATEGORY] if found.what in _SPECIAL else least
            ):
                continue
            yield Violation(
                "personal", path, f"{found.what} ({found.text}): leave it out, or declare personal_data"
            )
            break
    for n, each in enumerate(b.observables):
        if each.value is None or each.type not in ("text", "user-account", "media-content"):
            continue
        for found in personal.likely(each.value):
            needed = PERSONAL_RANK[PersonalFlag.SPECIAL_CATEGORY] if found.what in _SPECIAL else least
            if PERSONAL_RANK[each.personal] < needed:
                flag = "special-category, as value_hmac" if found.what in _SPECIAL else "personal"
                yield Violation(
                    "personal",
                    f"$.observables[{n}].value",
                    f"{found.what} ({found.text}) is marked {each.personal}; give it as {flag}",
                )
                break


def _unfinished(b: Bulletin) -> Iterator[Violation]:
    for path, text in words(b):
        if field_of(path) in ("description", "mitigation") and b.kind in ("cyber-threat", "cyber-incident"):
            continue  # what an attacker wrote is quoted there
        found = _TEMPLATE.search(text)
        if found is not None and not _PROPER.fullmatch(found[0]):
            yield Violation("placeholder", path, f"{found[0]} was not filled in; write what is meant")


def _internal(b: Bulletin) -> Iterator[Violation]:
    if b.tlp is not Tlp.CLEAR:
        return
    for path, text in words(b):
        found = _INTERNAL.search(text) or _FIRST.match(text)
        if found is not None:
            yield Violation(
                "internal",
                path,
                f"TLP:CLEAR is for everybody, and this says {found[0]!r}; drop one of the two",
            )


def _look_alike(b: Bulletin) -> Iterator[Violation]:
    known = {each.value.lower() for each in b.observables if each.value}
    lines = [(path, text) for path, text in words(b) if field_of(path) in PUBLIC]
    for path, text in dict([*lines, *own_places(b)]).items():
        for found in _HOSTS.finditer(text):
            host = found[0].lower()
            if host in known:
                continue
            if (
                "xn--" in host
                or not host.isascii()
                or any(_SWAPPED.search(label) for label in host.split(".")[:-1])
            ):
                yield Violation(
                    "look-alike",
                    path,
                    f"{host} looks like another name; make sure that it is the genuine site",
                )
                break
