"""The outside of a sealed bulletin: deliberately coarse, with no more than its subject shows. Pure.

A reader without a key must still keep it, chain it, hand it on, and follow its retractions. So the outside has its
place in the chain, TLP, lifetime, embargo, retention, priority, countries and retractions. It has no texts, exact
severity, places or observables. Under TLP:RED it has no countries and no election either, as the subject.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType

from bus.sealing.opening import is_retraction
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin
from schemas.parts import MOST_RETENTION_DAYS, Area, Confidence, Handling, Info, Ref
from schemas.passing_on import last_day
from schemas.subject import priority
from schemas.vocab import Certainty, Dimension, MsgType, Severity, Tlp, Urgency

_COARSE: Mapping[str, tuple[Severity, Urgency, Certainty]] = MappingProxyType(
    {
        "p1": (Severity.EXTREME, Urgency.EXPECTED, Certainty.LIKELY),
        "p2": (Severity.SEVERE, Urgency.EXPECTED, Certainty.UNKNOWN),
        "p3": (Severity.MODERATE, Urgency.UNKNOWN, Certainty.UNKNOWN),
        "p4": (Severity.UNKNOWN, Urgency.UNKNOWN, Certainty.UNKNOWN),
    }
)
"""One severity for each priority: the true one is inside."""


def cover(inner: Bulletin, body: Sealed) -> Bulletin:
    """The outer bulletin of a sealed one."""
    severity, urgency, certainty = _COARSE[priority(inner)]
    hidden = inner.tlp is Tlp.RED
    return Bulletin(
        spec=inner.spec,
        id=inner.id,
        seq=inner.seq,
        prev=inner.prev,
        issuer=inner.issuer,
        issued=inner.issued,
        status=inner.status,
        msg_type=inner.msg_type if inner.msg_type in (MsgType.UPDATE, MsgType.CANCEL) else MsgType.ALERT,
        tlp=inner.tlp,
        pap=inner.pap,
        audience=inner.audience,
        handling=_handling(inner),
        dimensions=(Dimension.ELECTORAL_PROCESS,),
        areas=_areas(inner, hidden=hidden),
        urgency=urgency,
        severity=severity,
        certainty=certainty,
        confidence=Confidence(credibility=6),
        expires=inner.expires,
        info=(
            Info(
                lang="en",
                headline="Sealed bulletin",
                summary=f"Encrypted to {len(body.recipients)} recipients. To read it: tocsin bulletin open {inner.id}",
            ),
        ),
        body=body,
        exercise_id=inner.exercise_id,
        references=tuple(Ref(id=ref.id, rel=ref.rel) for ref in inner.references if is_retraction(ref)),
        election=None if hidden else inner.election,
    )


def _handling(inner: Bulletin) -> Handling:
    """The embargo and the retention: a reader without a key acts on both.

    The last day includes personal data inside.
    """
    day = last_day(inner)
    days = None if day is None else (day - inner.issued.astimezone(dt.UTC).date()).days
    return Handling(
        embargo_until=inner.handling.embargo_until,
        retention_days=None if days is None else max(1, min(days, MOST_RETENTION_DAYS)),
    )


def _areas(inner: Bulletin, *, hidden: bool) -> tuple[Area, ...]:
    """The issuer's country if all others are hidden, else the countries without places.

    A subject shows the countries as one token, and grants depend on them.
    """
    if hidden:
        return (Area(scope="country", country=inner.issuer.country),)
    wide = ("eu", "international")
    countries = [
        Area(scope=area.scope if area.scope in wide else "country", country=area.country)
        for area in inner.areas
    ]
    return tuple(dict.fromkeys(countries))
