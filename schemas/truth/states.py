"""States: a postponed vote has a cause, a final matter is not open, and a partial count is not above its whole."""

from __future__ import annotations

from schemas.bodies.coordination import Feedback, SituationReport, StratCom
from schemas.bodies.digital import ContentOrder, PoliticalAd, SystemicRisk
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.foreign import LegalReferral, SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.truth.reasons import is_of_nothing
from schemas.truth.references import made_at
from schemas.truth.times import SKEW
from schemas.vocab import LegalStage, SanctionEvent, Tlp
from schemas.zones import ZONES


def r83(b: Bulletin) -> Broken:
    """A changed calendar has a cause, and prolonged voting has an end (Code of Good Practice, CDL-AD(2002)23)."""
    body = b.body
    if isinstance(body, ElectionCalendar):
        if body.state == "scheduled" and (body.cause or body.votes_void):
            yield (
                "$.body.state",
                "scheduled, but with a cause or void votes; write postponed, repeated or called-off",
            )
        if body.replaces == b.id:
            yield "$.body.replaces", "a calendar cannot replace itself; name the one before"
        elif (
            body.replaces is not None and made_at(body.replaces) > b.issued.timestamp() + SKEW.total_seconds()
        ):
            yield "$.body.replaces", "names a calendar made after this one; copy the id again"
        for n, window in enumerate(body.windows):
            if window.tz is not None and window.tz not in ZONES:
                yield (
                    f"$.body.windows[{n}].tz",
                    "not a name of the IANA database; write a name such as Europe/Vienna",
                )
    if isinstance(body, ElectionIncident) and "none" in body.fallback and len(body.fallback) > 1:
        yield "$.body.fallback", "says none and something else; remove one of the two"


def _counts(b: Bulletin) -> Broken:
    body = b.body
    if isinstance(body, SystemicRisk):
        if is_of_nothing(body.assessment):
            yield (
                "$.body.assessment",
                f"{body.assessment[:40]!r} is not an assessment (Article 34); write one",
            )
        for n, each in enumerate(body.measured):
            if each.failures > each.samples:
                yield (
                    f"$.body.measured[{n}].failures",
                    f"{each.failures} of {each.samples}; correct one of the two",
                )
    if isinstance(body, SituationReport) and body.incidents_total is not None:
        numbers = [each.incidents for each in body.dimensions]
        if not max(numbers) <= body.incidents_total <= sum(numbers):
            yield (
                "$.body.incidents_total",
                f"each incident counts once: at least {max(numbers)}, at most {sum(numbers)}; correct it",
            )


def _justice(b: Bulletin) -> Broken:
    body = b.body
    if isinstance(body, LegalReferral):
        convicted = body.stage is LegalStage.CONVICTION
        if not body.presumption and not (convicted and body.final):
            yield (
                "$.body.presumption",
                "everybody is presumed innocent until a final conviction; leave it out, or say final",
            )
        if body.sentence is not None and body.stage not in (LegalStage.CONVICTION, LegalStage.APPEAL):
            yield "$.body.sentence", f"there is no sentence at stage {body.stage}; remove it"


def _said(b: Bulletin) -> Broken:
    body = b.body
    if isinstance(body, StratCom) and body.cleared is False:
        if b.tlp is Tlp.CLEAR:
            yield (
                "$.body.cleared",
                "lines that are not cleared must not go to everybody; wait, or choose a narrower marking",
            )
        for n, info in enumerate(b.info):
            if info.public_line:
                yield (
                    f"$.info[{n}].public_line",
                    "is cleared for the public, but the lines are not; remove it",
                )
    if isinstance(body, Feedback):
        if body.reason == "forwarded" and body.forwarded_to is None:
            yield "$.body.forwarded_to", "forwarded needs the receiver; add it"
        if body.forwarded_to == b.issuer.id:
            yield "$.body.forwarded_to", "this forwards to its own issuer; name another authority"


def r84(b: Bulletin) -> Broken:
    """Parts, findings and states agree (presumption of innocence: Directive (EU) 2016/343, Article 4)."""
    yield from _counts(b)
    body = b.body
    if isinstance(body, PoliticalAd) and body.finding == "none" and body.infringements:
        yield "$.body.finding", f"says none, but {body.infringements[0]} is listed; correct one of the two"
    if isinstance(body, PoliticalAd) and body.finding == "infringement" and not body.infringements:
        yield "$.body.infringements", "an infringement is found; name it"
    if isinstance(body, ContentOrder) and body.state == "set-aside" and body.effect == "given":
        yield "$.body.effect", "an order that is set aside has no effect; remove it"
    if (
        isinstance(body, SanctionsListing)
        and body.judgment is not None
        and body.event is SanctionEvent.LISTED
    ):
        yield "$.body.judgment", "a judgment annuls, ends or changes a listing; correct one of the two"
    yield from _justice(b)
    yield from _said(b)


RULES = ((83, r83), (84, r84))
