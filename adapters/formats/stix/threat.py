"""The `cyber-threat` body of a STIX report: malware, exploited vulnerabilities, detection rules."""

from collections.abc import Collection
from typing import Final

from adapters.formats.stix.objects import listed, text_of
from adapters.formats.stix.scope import Scope
from adapters.translation.gathering import at_most
from adapters.translation.prose import one_line
from adapters.translation.reading import Losses
from adapters.translation.threats import vulnerability_of
from schemas.bodies.cyber import CyberThreat

__all__ = ["threat_of"]

MAX_MALWARE: Final = 20
MAX_EXPLOITED: Final = 100
MAX_DETECTION: Final = 20


def threat_of(
    scope: Scope, title: str, prose: str | None, detection: Collection[str], losses: Losses
) -> CyberThreat:
    """Builds the body.

    Args:
        scope: The report and its objects.
        title: Its title, fit to travel.
        prose: Its description, fit to travel.
        detection: Detection rules, each with the prefix of its language.
        losses: Where what does not fit is recorded.
    """
    names = [
        one_line(text_of(item, "name"), limit=80, path="malware.name", losses=losses)
        for item in scope.of("malware", "tool")
    ]
    exploited: dict[str, None] = {}
    for item in scope.of("vulnerability"):
        references = (text_of(each, "external_id") for each in listed(item, "external_references"))
        ids = list(filter(None, map(vulnerability_of, (text_of(item, "name"), *references))))
        if not ids:
            losses.add("vulnerability", "without a CVE or EUVD id")
        exploited |= dict.fromkeys(ids)
    return CyberThreat(
        title=title,
        malware=at_most(dict.fromkeys(filter(None, names)), MAX_MALWARE, "malware", losses),
        exploited=at_most(exploited, MAX_EXPLOITED, "vulnerability", losses),
        description=prose,
        detection=at_most(detection, MAX_DETECTION, "indicator.pattern", losses),
    )
