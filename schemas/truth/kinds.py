"""Contradictions inside one kind of body. For remarks alone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from schemas.bodies.coordination import Feedback, SituationReport
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import PlatformMeasure, PoliticalAd
from schemas.bodies.electoral import ElectionIncident
from schemas.bodies.foreign import Fimi
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.truth.reasons import is_of_nothing
from schemas.vocab import (
    AttributionLevel,
    BreachRisk,
    ElectionType,
    FeedbackKind,
    MsgType,
    Phase,
    Posture,
    Status,
    Urgency,
)

ANYBODYS = re.compile(r"Q[M-Z]|X[A-Z]")
"""Country codes for free use."""
NATIONWIDE = frozenset(
    {ElectionType.PARLIAMENTARY, ElectionType.PRESIDENTIAL, ElectionType.EUROPEAN_PARLIAMENT}
)
"""Elections in which a whole country votes."""
_AFTER = frozenset({Phase.COUNTING, Phase.CERTIFICATION, Phase.DISPUTE, Phase.REVIEW})
_BEFORE = frozenset({Phase.ANNOUNCED, Phase.REGISTRATION, Phase.CAMPAIGN, Phase.SILENCE})
_VOTING, _LATE = frozenset({Phase.ADVANCE_VOTING, Phase.POLLING}), _AFTER - {Phase.COUNTING}
_OF_RESULTS = frozenset({"count-discrepancy", "protocol-falsification"})
_MANY_MAJOR = 3
_WIDE_REACH = 5_000_000
_SOON = dt.timedelta(days=30)
_NO_STATE = frozenset(
    {"platform", "trusted-flagger", "observer", "media", "fact-checker", "election-vendor", "registrar"}
)
_HALF = 500_000


def of_a_kind(b: Bulletin) -> Iterator[Violation]:
    """Contradictions inside one kind of body."""
    if b.urgency is Urgency.IMMEDIATE and b.effective is not None and b.effective - b.issued > _SOON:
        yield Violation("urgency", "$.urgency", f"says immediate, but takes effect on {b.effective.date()}")
    country = b.audience.partition("-")[0].upper()
    if b.handling.releasable_to and ANYBODYS.fullmatch(country) and country not in b.handling.releasable_to:
        yield Violation(
            "releasable", "$.handling.releasable_to", f"leaves out {country}, but goes to its audience"
        )
    if (
        b.attribution is not None
        and b.attribution.level is AttributionLevel.PUBLIC
        and b.attribution.state_responsibility is not None
        and b.issuer.kind in _NO_STATE
    ):
        yield Violation(
            "attribution",
            "$.attribution.level",
            f"a state is held responsible in public by a {b.issuer.kind}",
        )
    looks_at = _BY_BODY.get(type(b.body))
    if looks_at is not None:
        yield from looks_at(b, b.body)


def _election_incident(b: Bulletin, body: ElectionIncident) -> Iterator[Violation]:
    is_nationwide = b.election is not None and b.election.type in NATIONWIDE
    if is_nationwide and body.units_affected == 1 and (body.electorate_share_ppm or 0) >= _HALF:
        yield Violation(
            "share", "$.body.electorate_share_ppm", "half of the voters of a country, at one place"
        )
    phase = b.election.phase if b.election is not None else None
    is_ahead = (phase in _BEFORE and body.stage in _AFTER) or (
        phase in _VOTING and body.stage in _LATE and body.category not in _OF_RESULTS
    )
    if is_ahead or (body.category in _OF_RESULTS and body.stage in _BEFORE):
        yield Violation("stage", "$.body.stage", f"{body.stage} does not fit the phase, or {body.category}")


def _breach(_b: Bulletin, body: DataBreach) -> Iterator[Violation]:
    if body.risk is BreachRisk.UNLIKELY and body.republished in ("for-sale", "leaked", "used-in-operation"):
        yield Violation("risk", "$.body.risk", f"says unlikely, but the data are {body.republished}")
    if body.subjects_approx == 0 and body.risk is BreachRisk.HIGH_RISK:
        yield Violation("count", "$.body.subjects_approx", "0 persons are concerned, but the risk is high")
    if body.cross_border is False and body.lead_authority is not None:
        yield Violation(
            "lead",
            "$.body.lead_authority",
            "a lead authority exists only for cross-border processing (GDPR, Article 56)",
        )


def _situation(_b: Bulletin, body: SituationReport) -> Iterator[Violation]:
    major = max(each.major for each in body.dimensions)
    if body.posture is Posture.BASELINE and major >= _MANY_MAJOR:
        yield Violation("posture", "$.body.posture", f"says baseline, but has {major} major incidents")
    if body.posture is Posture.CRISIS and not any(each.incidents for each in body.dimensions):
        yield Violation("posture", "$.body.posture", "says crisis, but has no incident")


def _advertisement(_b: Bulletin, body: PoliticalAd) -> Iterator[Violation]:
    if not body.infringements and body.special_category_profiling:
        yield Violation(
            "infringement",
            "$.body.infringements",
            "says none, but has special-category profiling (Regulation (EU) 2024/900, Article 18(1)(c))",
        )


def _measure(b: Bulletin, body: PlatformMeasure) -> Iterator[Violation]:
    if body.count == 0 and b.msg_type is not MsgType.CANCEL:
        if body.visibility or body.monetary or body.provision or body.account:
            yield Violation(
                "count", "$.body.count", "the count is 0, but a measure is named; correct one of the two"
            )
        elif body.period_start is None:
            yield Violation("count", "$.body.count", "the count is 0 without a period; add the period")
    if body.facts is not None and is_of_nothing(body.facts):
        yield Violation(
            "facts",
            "$.body.facts",
            "says nothing (Regulation (EU) 2022/2065, Article 17(3)(b)); tell the facts, or leave it out",
        )


def _fimi(_b: Bulletin, body: Fimi) -> Iterator[Violation]:
    if body.breakout == 1 and (body.reach or 0) > _WIDE_REACH:
        yield Violation(
            "breakout", "$.body.breakout", f"category 1 stays in one community, but the reach is {body.reach}"
        )


def _feedback(_b: Bulletin, body: Feedback) -> Iterator[Violation]:
    if body.handover_to is not None and body.verdict is not FeedbackKind.HANDOVER:
        yield Violation("verdict", "$.body.verdict", f"{body.verdict}, but handed over to {body.handover_to}")
    if body.action is None and body.verdict is FeedbackKind.ACTION_TAKEN:
        yield Violation("verdict", "$.body.action", "an action was taken; add its kind")
    if body.action is not None and body.verdict is not FeedbackKind.ACTION_TAKEN:
        yield Violation("verdict", "$.body.verdict", f"{body.verdict}, but {body.action} was done")


def _across(b: Bulletin, body: CyberIncident) -> Iterator[Violation]:
    if body.classification.startswith("test:") and b.status is Status.ACTUAL:
        yield Violation(
            "test",
            "$.body.classification",
            "test is not for real incidents (RSIT); choose a class, or set status test",
        )
    if body.cross_border and set(body.countries) == {b.issuer.country}:
        yield Violation(
            "cross-border", "$.body.cross_border", f"only {b.issuer.country} is named; name the others"
        )


_BY_BODY: Mapping[type, Callable[[Bulletin, Any], Iterator[Violation]]] = MappingProxyType(
    {
        ElectionIncident: _election_incident,
        DataBreach: _breach,
        SituationReport: _situation,
        PoliticalAd: _advertisement,
        PlatformMeasure: _measure,
        Fimi: _fimi,
        Feedback: _feedback,
        CyberIncident: _across,
    }
)
"""Kind of body -> the functions that check it."""
