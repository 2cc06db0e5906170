"""Which of the languages that are offered suits a reader: BCP 47 tags, looked up as in RFC 4647. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

DEFAULT = "en"
MOST_RANGES = 30
"""So many languages of a header are looked at."""
_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8})\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*"
)


def looked_up(wanted: Iterable[str], offered: Sequence[str]) -> str | None:
    """The tag among those offered that suits a reader best; None where none does.

    Each range is tried whole and then shortened from its end (RFC 4647, section 3.4); where that finds nothing, a tag that
    begins with the language of the range does too: a reader of `de` gets `de-AT`.
    """
    plain = {tag.lower(): tag for tag in reversed(offered)}
    for range_ in wanted:
        parts = range_.lower().split("-")
        while parts:
            if (found := plain.get("-".join(parts))) is not None:
                return found
            parts.pop()
            if parts and len(parts[-1]) == 1:  # a singleton goes with what follows it
                parts.pop()
        language = range_.lower().partition("-")[0]
        akin = next((tag for tag in offered if tag.lower().partition("-")[0] == language), None)
        if akin is not None:
            return akin
    return None


def preferred(header: str) -> tuple[str, ...]:
    """The languages of an `Accept-Language` header, the most wanted first; what cannot be read is left out (RFC 9110, section 12.5.4)."""
    found = (_RANGE.fullmatch(part) for part in header.split(",", MOST_RANGES)[:MOST_RANGES])
    weighed = [(float(each[2] or 1), each[1]) for each in found if each is not None]
    return tuple(tag for weight, tag in sorted(weighed, key=lambda pair: -pair[0]) if 0 < weight <= 1)
