"""The `cyber-threat` body of a STIX report: malware, exploited vulnerabilities, detection rules."""

import re
from typing import Final

from adapters.formats.stix.bundle import Scope
from adapters.formats.stix.objects import listed, text_of
from adapters.translation.gathering import at_most
from adapters.translation.prose import carried
from adapters.translation.reading import Losses
from schemas.bodies.cyber import CyberThreat

__all__ = ["threat_of"]

MAX_MALWARE: Final = 20
MAX_EXPLOITED: Final = 100
MAX_DETECTION: Final = 20

_CVE: Final = re.compile(r"(?:CVE|EUVD)-[0-9]{4}-[0-9]{4,12}")


def threat_of(
    scope: Scope, title: str, prose: str | None, detection: tuple[str, ...], losses: Losses
) -> CyberThreat:
    """Builds the body.

    Args:
        scope: The report and its objects.
        title: Its title, fit to travel.
        prose: Its description, fit to travel.
        detection: Detection rules, each with the prefix of its language.
        losses: Where what does not fit is recorded.
    """
    names: dict[str, None] = {}
    for item in scope.of("malware", "tool"):
        name = carried(" ".join(text_of(item, "name").split()), limit=80, path="malware.name", losses=losses)
        if name:
            names.setdefault(name)
    exploited: dict[str, None] = {}
    for item in scope.of("vulnerability"):
        texts = [
            text_of(item, "name"),
            *(text_of(each, "external_id") for each in listed(item, "external_references")),
        ]
        ids = [text.strip().upper() for text in texts if _CVE.fullmatch(text.strip().upper())]
        if not ids:
            losses.add("vulnerability", "without a CVE or EUVD id")
        exploited |= dict.fromkeys(ids)
    return CyberThreat(
        title=title,
        malware=at_most(tuple(names), MAX_MALWARE, "malware", losses),
        exploited=at_most(tuple(exploited), MAX_EXPLOITED, "vulnerability", losses),
        description=prose,
        detection=at_most(detection, MAX_DETECTION, "indicator.pattern", losses),
    )
