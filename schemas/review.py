"""Doubts: points that a person must check before publishing, because spelling suggests but cannot prove a fault. Readers never refuse for them.

`publish`, its rehearsal and `bulletin check` stop at a doubt until a person says why the draft is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas import personal
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.remarks import remarks
from schemas.truth.apart import all_words, apart
from schemas.truth.reasons import is_of_nothing
from schemas.truth.spoken import spoken
from schemas.truth.values import own_places
from schemas.truth.wording import PUBLIC, field_of
from schemas.vocab import (
    PERSONAL_RANK,
    PersonalFlag,
    Status,
    Tlp,
)

_TEMPLATE = re.compile(
    r"</?(?:script|b|i|a|p|br|div|img|span|h[1-6]|li|ul|strong|em|iframe|style)\b[^<>]{0,200}>|"
    r"\{\{(?![0-9*+ ]+\}\})[^{}]{0,80}\}\}|\$\{[^{}:]{1,80}\}|<%[^%]{0,80}%>|\{%[^%]{0,80}%\}|%\([a-z_]{1,40}\)s|"
    r"(?<!\w)__[A-Za-z_]{2,40}__(?!\w)"
    r"|<(?:[A-Z][A-Z _-]{2,40}|[a-z]+[ _-][a-z _-]{2,40}|insert[^<>]{0,40}|your [^<>]{1,40})>"
    r"|\[(?:[A-Z][A-Z _]{3,40}|(?:insert|enter|add|your|name of|date of|time of|to be|tbd|tbc|"
    r"todo|xx)\b[^\[\]]{0,60})\]"
    r"|\b(?:TODO|FIXME|TBD|TBC|XXX+|LOREM IPSUM|[Ll]orem ipsum|to be confirmed later|"
    r"PLACEHOLDER|[Pp]laceholder text)\b|\bXX[.:/-]XX\b|_{4,}|\bfoo bar\b|\basdf\w*\b|\bqwerty\w*\b"
    r"|\b[Ii]nsert (?:(?:your|the|a) )?(?:headline|title|text|summary|name|date|time|place|description|link)\b(?: here)?"
    r"|\b(?:[Yy]our|[Hh]eadline|[Tt]itle|[Tt]ext|[Ss]ummary|[Dd]escription) (?:text |goes )here\b|\b(?:[Dd]ummy|[Ss]ample|[Ff]iller) text\b"
    r"|(?<![\w%])%[sd]\b|\bN\.N\.|\bas an AI language model\b|\bblah blah\b",
)
_SAYING = frozenset(
    {
        "headline",
        "summary",
        "public_line",
        "instruction",
        "purpose",
        "correct_information",
        "observation",
        "recommendation",
    }
)
"""Fields whose texts are read on their own."""
_PROPER = re.compile(r"\[(?:EXERCISE|TEST|UPDATE|CORRECTION|URGENT)\]")
_INTERNAL = re.compile(
    r"\b(?:(?:for )?(?:internal|official) use only|internal only|not for (?:publication|"
    r"public release|distribution|onward (?:sharing|distribution)|circulation)"
    r"|do not (?:pass (?:this )?on|share|forward|distribute|publish|quote|circulate|disclose)|"
    r"not to be (?:shared|published|forwarded|disclosed|passed on)"
    r"|strictly confidential|(?:is|are|keep (?:this|it)) (?:strictly )?confidential|eyes only|"
    r"restricted distribution|limited distribution|need[- ]to[- ]know|(?:destroy|burn|delete) (?:this )?after reading"
    r"|nur für den (?:internen|Dienst)\w*(?: gebrauch)?|nicht (?:zur Veröffentlichung|"
    r"weitergeben|weiterleiten)|vertraulich(?:e Information)?"
    r"|usage interne|ne pas (?:diffuser|transmettre|publier)|uso interno|no difundir|"
    r"uso interno|non divulgare|tylko do użytku (?:wewnętrznego|służbowego))\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"“[^”]{0,200}”|\"[^\"]{0,200}\"|«[^»]{0,200}»|„[^“”]{0,200}[“”]|‘[^’]{0,200}’"
    r"|\b(?:marked|stamped|labelled|headed|entitled|stamp|watermark)(?: as| with)? [^.;]{0,60}",
    re.IGNORECASE,
)
"""Quoted words of others."""
_TEST = re.compile(
    r"\b(?:this is (?:only |just )?a test\b[^.!]{0,20}[.!,;–-]+ ?(?:please )?(?:ignore|disregard)"
    r"|no action (?:is )?needed,? (?:this is )?a test"
    r"|test (?:message|bulletin|alert),? (?:please )?(?:ignore|disregard)|test[ ,-]{1,3}test[ ,-]{1,3}test"
    r"|ceci est un test\b[^.!]{0,20}[.!,;–-]+ ?(?:merci d['’])?(?:ignore\w*)|das ist (?:nur )?ein Test\b[^.!]{0,20}[.!,;–-]+ ?(?:bitte )?(?:ignorieren))",
    re.IGNORECASE,
)
_MARK = (
    r"(?:EXERCISE|DRILL|SIMULATION|ΑΣΚΗΣΗ|HARJOITUS|ØVELSE|ÖVNING|ØVING|CVIČENÍ|CVIČENIE|GYAKORLAT|EXERCIȚIU|EXERCIŢIU|УЧЕНИЕ|УЧЕБНА|НАВЧАННЯ|"
    r"ВЕЖБА|VEŽBA|VJEŽBA|VAJA|PRATYBOS|MĀCĪBAS|ÕPPUS|EXERCÍCIO|TATBIKAT|ÜBUNG|EXERCICE|EJERCICIO|ESERCITAZIONE|ĆWICZENIE|OEFENING)"
)
_PLAYED = re.compile(
    rf"\b{_MARK}[\s,.!*:–-]{{1,8}}{_MARK}\b|^\s{{0,8}}{_MARK}\s{{0,3}}[:–—|/-]|[\[(]\s{{0,3}}{_MARK}[^\])]{{0,40}}[\])]"
    rf"|\b(?:{_MARK} ONLY|ONLY (?:AN? )?{_MARK})\b|\b(?i:this is (?:only |just )?an? (?:drill|simulation)\b)"
)
"""A marking as an exercise, in any language of the Union."""
_FIRST = re.compile(
    r"\W{0,3}(?:confidential|vertraulich|confidentiel|confidencial|riservato|poufne)\b(?=\W)|\W{0,3}(?-i:LIMITE)\b(?=\s*(?:[–—:\]|-]|$))",
    re.IGNORECASE,
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
    """The doubts, each with a stable word as its `rule`.

    `personal`, `placeholder`, `internal`, `look-alike`; `test` and `exercise`; `phase`, `attribution`, `synthetic`, `measure`,
    `clock` and `victim` for two fields that do not fit; `time`, `evidence`, `everything` and `twice` for values without content;
    `marking` for a label that is narrower; `secret` for a password; `words` for a text that contradicts the fields.
    """
    return (
        *_personal(b),
        *_unfinished(b),
        *_internal(b),
        *_look_alike(b),
        *_in_earnest(b),
        *apart(b),
        *spoken(b),
    )


def labels(b: Bulletin) -> tuple[str, ...]:
    """The labels of an admitted bulletin for a reader: `doubt:WORD` for each doubt, `odd:WORD` for each remark.

    The author has checked each doubt; the reason is in the author's audit record. Computed when a bulletin is shown:
    it takes most of a millisecond, and depends only on the bulletin.
    """
    return (
        *sorted({f"doubt:{found.rule}" for found in doubts(b)}),
        *sorted({f"odd:{found.rule}" for found in remarks(b)}),
    )


def _personal(b: Bulletin) -> Iterator[Violation]:
    declared = PERSONAL_RANK[b.personal_data.flag] if b.personal_data else 0
    least = PERSONAL_RANK[PersonalFlag.PERSONAL]
    for path, text in all_words(b):
        if path.startswith("$.body.listed") or (
            field_of(path) == "name" and path.startswith("$.attribution")
        ):
            continue  # a listing names persons in the form of the published law
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
        if (
            each.type == "user-account"
            and each.personal is PersonalFlag.NONE
            and personal.is_named_account(each.value)
        ):
            yield Violation(
                "personal",
                f"$.observables[{n}].personal",
                "an account named after a person; say how personal it is, or give value_hmac",
            )
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
    for path, text in all_words(b):
        if field_of(path) in ("description", "mitigation") and b.kind in ("cyber-threat", "cyber-incident"):
            continue  # the text of an attacker is quoted there
        found = _TEMPLATE.search(text)
        if found is not None and not _PROPER.fullmatch(found[0]):
            yield Violation("placeholder", path, f"{found[0]} is a placeholder; fill it in")
        elif b.status is Status.ACTUAL and field_of(path) in _SAYING and is_of_nothing(text):
            yield Violation("placeholder", path, f"{text[:40]!r} has no content; write a full text")


def _internal(b: Bulletin) -> Iterator[Violation]:
    if b.tlp is not Tlp.CLEAR:
        return
    for path, text in all_words(b):
        found = _INTERNAL.search(_QUOTED.sub("", text)) or _FIRST.match(text)
        if found is not None:
            yield Violation(
                "internal",
                path,
                f"TLP:CLEAR is for everybody, but this says {found[0]!r}; drop one of the two",
            )


def _look_alike(b: Bulletin) -> Iterator[Violation]:
    known = {each.value.lower() for each in b.observables if each.value}
    lines = [(path, text) for path, text in all_words(b) if field_of(path) in PUBLIC]
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


def _in_earnest(b: Bulletin) -> Iterator[Violation]:
    if b.status is not Status.ACTUAL:
        return
    for path, text in all_words(b):
        found = _TEST.search(_QUOTED.sub("", text))
        if found is not None:
            yield Violation("test", path, f"says {found[0]!r}, but has status actual; set status test")
        played = _PLAYED.search(_QUOTED.sub("", text))
        if played is not None:
            yield Violation(
                "exercise",
                path,
                f"says {played[0]!r}, but has status actual; set status exercise and an exercise_id",
            )
