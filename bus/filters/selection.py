"""What a filter asks for, as a struct, and whether a bulletin is it.

A field without values asks for nothing. Of the values of one field one must fit, of texts all; all fields must fit. A store
answers the same question by its tables (`bus.filters.asking`), and both come to the same bulletins.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec

from bus.filters.sayings import documents, observed, said, words_in
from schemas.bulletin import Bulletin

FIELDS = (
    "domain",
    "kind",
    "dimension",
    "country",
    "area",
    "region",
    "election",
    "audience",
    "priority",
    "issuer",
    "incident",
    "text",
    "observable",
    "since",
)
"""The fields of the grammar, in the order in which they are written."""
FACTS = (
    "domain",
    "kind",
    "dimension",
    "country",
    "area",
    "region",
    "election",
    "audience",
    "priority",
    "issuer",
)
"""The fields whose values are compared as they are."""


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked for; empty means any.

    Attributes:
        domain: whose business it is: `cyber`.
        kind: kinds of bulletin: `data-breach`.
        dimension: sides of the threat: `disinformation`.
        country: countries that it is about, or that its issuer is of: `XA`.
        area: countries that it is about; `MULTI` and `INTL` where it is about several, or none in particular.
        region: codes of places: `xa12`; of NUTS codes a shorter one covers the longer.
        election: ids of elections.
        audience: whom it is for.
        priority: `p1` to `p4`.
        issuer: ids of authorities.
        incident: ids of incidents, or beginnings of them.
        text: words that stand in it next to each other, each as `words_in` spells it; an `*` at the end takes any ending.
        observable: values, as `bus.filters.sayings.norm` spells them.
        since_s: issued no longer ago, in seconds; None for whenever.
    """

    domain: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    dimension: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    area: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    election: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    issuer: tuple[str, ...] = ()
    incident: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    observable: tuple[str, ...] = ()
    since_s: int | None = None

    @property
    def is_any(self) -> bool:
        """Whether it asks for nothing in particular."""
        return self == Selection()

    def joined(self, other: Selection) -> Selection:
        """Both as one, as if all had been written in one line: values of a field are alternatives, all texts must stand there."""
        fields = {
            name: any_of((*getattr(self, name), *getattr(other, name))) for name in FIELDS if name != "since"
        }
        since = other.since_s if other.since_s is not None else self.since_s
        return Selection(**fields, since_s=since)

    def matches(self, b: Bulletin, now: dt.datetime) -> bool:
        """Whether a bulletin is asked for.

        Args:
            b: the bulletin, as it is kept.
            now: the present, aware.
        """
        if self.since_s is not None and b.issued.timestamp() < now.timestamp() - self.since_s:
            return False
        wanted = [(name, values) for name in FACTS if (values := getattr(self, name))]
        if wanted or self.incident:
            found = said(b)
            if any(not any((name, value) in found for value in values) for name, values in wanted):
                return False
            if self.incident and not (b.incident_id or "").startswith(self.incident):
                return False
        if self.observable and not any(value in self.observable for value, _, _ in observed(b)):
            return False
        if self.text:
            held = [document.split() for document in documents(b)]
            return all(any(_stands_in(phrase, words) for words in held) for phrase in self.text)
        return True

    def __str__(self) -> str:
        """The filter as it is written; `of_text` reads it back."""
        parts = [
            f"{name}:{','.join(map(_quoted, values))}"
            for name in FIELDS
            if name not in ("text", "since") and (values := getattr(self, name))
        ]
        parts += [f"text:{_quoted(phrase)}" for phrase in self.text]
        if self.since_s is not None:
            parts.append(f"since:{self.since_s}s")
        return " ".join(parts)


def _stands_in(phrase: str, words: Sequence[str]) -> bool:
    """Whether the words of a phrase stand next to each other; the last may be a beginning."""
    is_open = phrase.endswith("*")
    wanted = words_in(phrase)
    if not wanted:
        return False
    *first, last = wanted
    size = len(first)
    return any(
        (words[n + size].startswith(last) if is_open else words[n + size] == last)
        and words[n : n + size] == first
        for n in range(len(words) - size)
    )


def _quoted(value: str) -> str:
    plain = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"' if not value or any(each in value for each in ' ,:"\\') else value


def any_of(values: Iterable[str]) -> tuple[str, ...]:
    """Values without those that come twice, in their order."""
    return tuple(dict.fromkeys(values))
