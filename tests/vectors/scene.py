"""What the vectors are made of: public keys with known seeds, fixed times, one registry, one bulletin.

The keys are public on purpose: seeds 00 01 .. 1f and their like protect nothing.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from bus import ceremony
from bus.signing import FileSigner, sign_entry
from schemas.bodies.cyber import CyberIncident
from schemas.bulletin import Bulletin, Defaults, Draft, stamp
from schemas.envelope import TYP_BULLETIN, Entry
from schemas.parts import Authority, Confidence, Info, Observable
from schemas.registry import Audience, AuthorityRecord, KeyRecord, PublishGrant
from schemas.vocab import (
    Certainty,
    Domain,
    Nis2Stage,
    Pap,
    PersonalFlag,
    Scope,
    Severity,
    Status,
    Tlp,
    Urgency,
)

NOW = dt.datetime(2027, 5, 23, 19, 45, tzinfo=dt.UTC)
ISSUED = dt.datetime(2027, 5, 23, 19, 41, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)

KEY = FileSigner.from_seed(bytes(range(32)))
OTHER = FileSigner.from_seed(bytes(range(1, 33)))
REVOKED = FileSigner.from_seed(bytes(range(2, 34)))
STRANGER = FileSigner.from_seed(bytes(range(3, 35)))
ROOTS = tuple(FileSigner.from_seed(bytes([n]) * 32) for n in (101, 102, 103))
BEACON = FileSigner.from_seed(bytes([104]) * 32)


def record(signer: FileSigner, **changes: Any) -> KeyRecord:
    """A key's record in the vectors' registry."""
    fields: dict[str, Any] = {
        "alg": signer.alg,
        "jwk": signer.jwk,
        "not_before": ISSUED - 30 * DAY,
        "not_after": ISSUED + 300 * DAY,
    }
    return KeyRecord(**{**fields, **changes})


def registry() -> bytes:
    """Two authorities; the second has a revoked key beside its good one."""
    document = ceremony.new_registry(
        domain="vectors",
        root_keys=[record(each) for each in ROOTS],
        root_threshold=2,
        beacon_keys=[record(BEACON)],
        beacon_threshold=1,
        audiences={
            "community": Audience(scope=Scope.UNION, members=("xa-csirt", "xb-csirt")),
            "public": Audience(scope=Scope.PUBLIC),
        },
        now=ISSUED - DAY,
        lifetime=90 * DAY,
    )
    grant = PublishGrant(
        statuses=(Status.ACTUAL, Status.EXERCISE),
        tlps=(Tlp.GREEN,),
        audiences=("community",),
        kinds=("cyber-incident", "cyber-threat"),
        areas=("XA", "XB"),
    )
    for name, country, keys in (
        ("xa-csirt", "XA", {KEY.kid: record(KEY)}),
        ("xb-csirt", "XB", {OTHER.kid: record(OTHER), REVOKED.kid: record(REVOKED, revoked_since=ISSUED)}),
    ):
        document = ceremony.add_authority(
            document,
            name,
            AuthorityRecord(
                name=f"CSIRT of {country}",
                kind="csirt",
                domain=Domain.CYBER,
                country=country,
                keys=keys,
                publish=(grant,),
            ),
        )
    raw = ceremony.unsigned(document)
    for root in ROOTS[:2]:
        raw = ceremony.sign_registry(raw, root)
    return raw


def example() -> Bulletin:
    """The one complete example."""
    draft = Draft(
        info=(
            Info(
                lang="en",
                headline="DDoS on the results portal 90 minutes before polls close",
                summary="HTTP/2 flood on results.example since 18:05Z; counting and transmission are unaffected.",
            ),
        ),
        body=CyberIncident(
            stage=Nis2Stage.EARLY_WARNING,
            classification="availability:ddos",
            detected=ISSUED - dt.timedelta(minutes=94),
            significant=True,
            assets=("results-portal",),
        ),
        urgency=Urgency.IMMEDIATE,
        severity=Severity.SEVERE,
        certainty=Certainty.OBSERVED,
        confidence=Confidence(score=75, source="A", credibility=2),
        observables=(
            Observable(type="domain-name", personal=PersonalFlag.NONE, value="c2.stresser.example"),
        ),
    )
    return stamp(
        draft,
        id="0196fe2f-9be0-7000-8000-000000000001",
        seq=1,
        prev=None,
        issuer=Authority(id="xa-csirt", kind="csirt", domain=Domain.CYBER, country="XA", name="CSIRT of XA"),
        issued=ISSUED,
        defaults=Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community"),
    )


def signed(payload: bytes, *signers: FileSigner, typ: str = TYP_BULLETIN) -> tuple[Entry, ...]:
    """Signatures over a payload."""
    return tuple(sign_entry(signer, payload, typ=typ) for signer in signers)
