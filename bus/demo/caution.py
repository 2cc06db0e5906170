"""Warnings by an authority of a story, in a kind of bulletin that it may publish."""

from __future__ import annotations

import datetime as dt

import msgspec

from bus.demo.stage import clock
from schemas.bodies import Body
from schemas.bodies.coordination import DimCount, SituationReport
from schemas.bodies.cyber import CyberThreat
from schemas.bodies.electoral import ElectionIncident
from schemas.bulletin import Draft
from schemas.parts import Info
from schemas.vocab import Certainty, Dimension, Phase, Posture, Severity, Urgency


def warning(headline: str, speaker: str = "xa-emb", **changes: object) -> Draft:
    """A draft of a warning: an electoral body or a CSIRT uses its own kind of bulletin, all others a situation report."""
    body: Body
    if speaker.endswith("-emb"):
        body = ElectionIncident(category="voter-suppression", stage=Phase.POLLING)
    elif speaker.endswith("-csirt"):
        body = CyberThreat(title=headline)
    else:
        now = clock()
        counted = (DimCount(dimension=Dimension.ELECTORAL_PROCESS, incidents=1),)
        body = SituationReport(
            period_start=now - dt.timedelta(hours=1), period_end=now, posture=Posture.HIGH, dimensions=counted
        )
    draft = Draft(
        info=(Info(lang="en", headline=headline, summary=f"{headline}. Fictitious."),),
        body=body,
        urgency=Urgency.IMMEDIATE,
        severity=Severity.SEVERE,
        certainty=Certainty.OBSERVED,
    )
    return msgspec.structs.replace(draft, **changes)
