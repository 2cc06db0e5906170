"""A filter as a struct, and the test whether a bulletin matches it.

A field without values matches all. One value of a field must match, and every text; all fields must match. A store
answers the same query by its tables (`bus.filters.asking`), with the same result.
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
"""The fields whose values are compared unchanged."""


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A filter; an empty field means any.

    Attributes:
        domain: domains, such as `cyber`.
        kind: kinds of bulletin, such as `data-breach`.
        dimension: dimensions of the threat, such as `disinformation`.
        country: countries of the bulletin or of its issuer, such as `XA`.
        area: countries of the bulletin; `MULTI` for several, `INTL` for none in particular.
        region: codes of places, such as `xa12`; a shorter NUTS code includes the longer ones.
        election: ids of elections.
        audience: names of audiences.
        priority: `p1` to `p4`.
        issuer: ids of authorities.
        incident: ids of incidents, or their beginnings.
        text: phrases of words as spelled by `words_in`; an `*` at the end allows any ending.
        observable: values, as spelled by `bus.filters.sayings.norm`.
        since_s: largest age by time of issue, in seconds; None for any.
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
        """Whether it matches every bulletin."""
        return self == Selection()

    def joined(self, other: Selection) -> Selection:
        """Both filters as if written in one line: values of a field are alternatives, all texts must match."""
        fields = {
            name: any_of((*getattr(self, name), *getattr(other, name))) for name in FIELDS if name != "since"
        }
        since = other.since_s if other.since_s is not None else self.since_s
        return Selection(**fields, since_s=since)

    def matches(self, b: Bulletin, now: dt.datetime) -> bool:
        """Whether a bulletin matches.

        Args:
            b: the bulletin as stored.
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
        """The filter as one line; `of_text` parses it back."""
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
    """Whether a phrase occurs in the words; its last word may be only a beginning."""
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
    """The values without duplicates, in their order."""
    return tuple(dict.fromkeys(values))
