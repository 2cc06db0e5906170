"""Code for cyber threats in all formats: ids of vulnerabilities and techniques, machine tags, detection rules."""

import re
from typing import Final

from adapters.translation.prose import carried
from adapters.translation.reading import Losses

__all__ = ["TECHNIQUE", "is_machine_tag", "rule_of", "vulnerability_of"]

_MAX_RULE_CHARS: Final = 8_000
TECHNIQUE: Final = re.compile(r"[A-Z]{0,3}[0-9][0-9A-Z.]{0,15}")
_VULNERABILITY: Final = re.compile(r"(?:CVE|EUVD)-[0-9]{4}-[0-9]{4,12}")
_MACHINE_TAG: Final = re.compile(r'[a-z0-9-]{1,40}:[A-Za-z0-9_.+-]{1,60}(?:="[^"]{1,120}")?')


def vulnerability_of(text: str) -> str | None:
    """The CVE or EUVD id that a text consists of, or None."""
    identifier = text.strip().upper()
    return identifier if _VULNERABILITY.fullmatch(identifier) else None


def is_machine_tag(label: str) -> bool:
    """Whether a label is ``namespace:predicate`` or ``namespace:predicate="value"``, and visible."""
    return label.isprintable() and _MACHINE_TAG.fullmatch(label) is not None


def rule_of(language: str, text: str, *, path: str, losses: Losses) -> str | None:
    """A detection rule with the prefix of its language; None if it is empty, or too long (with a loss)."""
    limit = _MAX_RULE_CHARS - len(language) - 1
    rule = carried(text, limit=limit, path=path, losses=losses, verbatim=True)
    return rule and f"{language}:{rule}"
