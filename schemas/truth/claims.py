"""Claims, decisions and changed plans: who claims it, what is decided, why it is not held as planned."""

from __future__ import annotations

from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.foreign import LegalReferral
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.vocab import AttributionLevel, LegalStage

_LATER = frozenset({"prolonged", "delay", "suspension", "repeat-vote", "unknown"})
_DECIDED = frozenset({LegalStage.CONVICTION, LegalStage.ACQUITTAL, LegalStage.APPEAL, LegalStage.CLOSED})


def r85(b: Bulletin) -> Broken:
    """What is claimed is claimed by somebody (decision of tocsin: a claim of responsibility is no assessment of the issuer)."""
    if (
        b.attribution is not None
        and b.attribution.level is AttributionLevel.CLAIMED
        and not b.attribution.actors
    ):
        yield (
            "$.attribution.actors",
            "level claimed says that somebody claims it; name who, or take unattributed",
        )


def r86(b: Bulletin) -> Broken:
    """A time until which voting goes on belongs to voting that goes on longer, or later."""
    if isinstance(b.body, ElectionIncident) and b.body.until and b.body.process_effect not in _LATER:
        yield (
            "$.body.until",
            f"voting goes on until then, and process_effect is {b.body.process_effect}; set it to prolonged, or drop the time",
        )


def r87(b: Bulletin) -> Broken:
    """A vote that is not held as planned is not for a reason."""
    if isinstance(b.body, ElectionCalendar) and b.body.state != "scheduled" and b.body.cause is None:
        yield "$.body.cause", f"the vote is {b.body.state}; say why, and by which decision"


def r88(b: Bulletin) -> Broken:
    """Final, or open to appeal, is a decision of a court, and a matter under appeal is not final (Charter, Article 48)."""
    if not isinstance(b.body, LegalReferral) or b.body.final is None:
        return
    if b.body.stage not in _DECIDED:
        yield "$.body.final", f"stage {b.body.stage} has no decision yet that could be final; leave it out"
    elif b.body.final and b.body.stage is LegalStage.APPEAL:
        yield "$.body.final", "a matter under appeal is not final; set it to false"


RULES = ((85, r85), (86, r86), (87, r87), (88, r88))
