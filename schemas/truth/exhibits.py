"""Remarks: observables and files that probably have the wrong type."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.truth.values import network_of

_MOVING = re.compile(
    r"\.(mp4|mov|avi|mkv|webm|mp3|wav|ogg|png|jpe?g|gif|webp|pdf|html?|txt|csv|json|zip|docx?|xlsx?)\b",
    re.IGNORECASE,
)
_FAMILY: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("mp4", "mov", "avi", "mkv", "webm"), "video"),
        **dict.fromkeys(("mp3", "wav", "ogg"), "audio"),
        **dict.fromkeys(("png", "jpg", "jpeg", "gif", "webp"), "image"),
    }
)


def of_values(b: Bulletin) -> Iterator[Violation]:
    """Observables that probably have another type, and targets that are also actors."""
    for n, each in enumerate(b.observables):
        value = each.value
        path = f"$.observables[{n}]"
        if each.count == 0 and each.last_seen is not None:
            yield Violation(
                "count",
                f"{path}.count",
                f"seen on {each.last_seen.date()}, but counted 0 times; correct one of the two",
            )
        if value is None:
            continue
        if each.type == "domain-name" and network_of(value) is not None:
            yield Violation("type", f"{path}.type", f"{value} is an address, not a name; correct its type")
        elif each.type == "hashtag" and re.search(r"\S\s+\S", value):
            yield Violation("type", f"{path}.value", "a tag has no spaces; give each tag separately")
        elif each.type == "crypto-wallet" and "." not in value and len(value) < _LEAST_WALLET:
            yield Violation("type", f"{path}.value", "is too short for a wallet; copy it whole")
    acting = {actor.name.casefold() for actor in b.attribution.actors} if b.attribution is not None else set()
    for n, target in enumerate(b.targets):
        if target.name is not None and target.name.casefold() in acting:
            yield Violation(
                "target",
                f"$.targets[{n}].name",
                f"{target.name} is named as actor and as target; correct one of the two",
            )


_LEAST_WALLET = 14


def of_files(b: Bulletin) -> Iterator[Violation]:
    """Evidence whose title names another type of file."""
    for n, kept in enumerate(b.evidence):
        ending = _MOVING.search(kept.title)
        family = _FAMILY.get(ending[1].lower()) if ending is not None else None
        told = kept.media_type.partition("/")[0]
        if family is not None and told in ("image", "video", "audio", "text") and family != told:
            yield Violation(
                "media-type",
                f"$.evidence[{n}].media_type",
                f"{kept.media_type}, but the title ends in {ending[0] if ending else ''}",
            )
