"""The outside of a sealed bulletin: coarse on purpose, and no more than its subject shows. Pure.

A reader without a key still has to keep it, chain it, hand it on, and follow what it retracts. So place in the chain,
marking, lifetime, priority, countries and retractions stay; words, severity in full, places and observables do not.
Under TLP:RED the countries and the election go too, as they do from the subject.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bus.sealing.opening import is_retraction
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin
from schemas.parts import Area, Confidence, Handling, Info, Ref
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
"""One mark for each priority: what it really is, is said inside."""


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
        handling=Handling(),
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


def _areas(inner: Bulletin, *, hidden: bool) -> tuple[Area, ...]:
    """The issuer's country where all others are hidden, else the countries without places.

    A subject shows the countries as one token, and grants are judged by them.
    """
    if hidden:
        return (Area(scope="country", country=inner.issuer.country),)
    wide = ("eu", "international")
    countries = [
        Area(scope=area.scope if area.scope in wide else "country", country=area.country)
        for area in inner.areas
    ]
    return tuple(dict.fromkeys(countries))
