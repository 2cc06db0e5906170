"""What the vectors are made of: public keys with known seeds, fixed times, one registry, one bulletin.

The keys are public on purpose: seeds 00 01 .. 1f and their like protect nothing. Signatures with ES256 and ML-DSA-65
hold random bits; one that stands in the file and still fits is kept, so that nothing changes from run to run.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

import schemas
from bus.errors import TrustError
from bus.keys.signatures import FileSigner, sign_entry
from bus.trust import ceremony, proposals
from schemas import merkle
from schemas.bodies.cyber import CyberIncident
from schemas.bulletin import Bulletin, Defaults, Draft, stamp
from schemas.envelope import (
    SIG_HEADER,
    TYP_BATCH,
    TYP_BULLETIN,
    Batch,
    Context,
    Entry,
    b64u,
    head_of,
    signed_bytes,
    unb64u,
)
from schemas.errors import EnvelopeError
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

DOMAIN = "vectors"
FOLDER = Path(str(schemas.__file__)).parent / "vectors"
NOW = dt.datetime(2027, 5, 23, 19, 45, tzinfo=dt.UTC)
ISSUED = dt.datetime(2027, 5, 23, 19, 41, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)

KEY = FileSigner.from_seed(bytes(range(32)))
OTHER = FileSigner.from_seed(bytes(range(1, 33)))
REVOKED = FileSigner.from_seed(bytes(range(2, 34)))
STRANGER = FileSigner.from_seed(bytes(range(3, 35)))
ENDED = FileSigner.from_seed(bytes(range(4, 36)))
FIRST = FileSigner.from_seed(bytes(range(5, 37)))  # the two keys of an authority that must sign with both
SECOND = FileSigner(MLDSA65PrivateKey.from_seed_bytes(bytes(range(6, 38))))
SEAL = FileSigner(ec.derive_private_key(int.from_bytes(bytes(range(7, 39))), ec.SECP256R1()))
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
    """Four authorities: one with an ended key, one with a revoked key, one that signs twice, one with a seal."""
    grant = PublishGrant(
        statuses=(Status.ACTUAL, Status.EXERCISE),
        tlps=(Tlp.GREEN,),
        audiences=("community",),
        kinds=("cyber-incident", "cyber-threat"),
        areas=("XA", "XB"),
    )
    ended, revoked = record(ENDED, not_after=ISSUED - DAY), record(REVOKED, revoked_since=ISSUED)
    authorities = {
        "xa-csirt": AuthorityRecord(
            name="CSIRT of XA",
            kind="csirt",
            domain=Domain.CYBER,
            country="XA",
            keys={KEY.kid: record(KEY), ENDED.kid: ended},
            publish=(grant,),
        ),
        "xb-csirt": AuthorityRecord(
            name="CSIRT of XB",
            kind="csirt",
            domain=Domain.CYBER,
            country="XB",
            keys={OTHER.kid: record(OTHER), REVOKED.kid: revoked},
            publish=(grant,),
        ),
        "xa-emb": AuthorityRecord(
            name="Electoral Commission of XA",
            kind="emb",
            domain=Domain.ELECTORAL,
            country="XA",
            keys={FIRST.kid: record(FIRST), SECOND.kid: record(SECOND)},
            require=("Ed25519", "ML-DSA-65"),
            publish=(grant,),
        ),
        "xb-emb": AuthorityRecord(
            name="Electoral Commission of XB",
            kind="emb",
            domain=Domain.ELECTORAL,
            country="XB",
            keys={SEAL.kid: record(SEAL)},
            require=("ES256",),
            publish=(grant,),
        ),
    }
    document = ceremony.new_registry(
        domain=DOMAIN,
        root_keys=[record(each) for each in ROOTS],
        root_threshold=2,
        beacon_keys=[record(BEACON)],
        beacon_threshold=1,
        audiences={
            "community": Audience(scope=Scope.UNION, members=tuple(authorities)),
            "public": Audience(scope=Scope.PUBLIC),
        },
        now=ISSUED - DAY,
        lifetime=90 * DAY,
    )
    for name, each in authorities.items():
        document = proposals.add_authority(document, name, each)
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


def within(typ: str = TYP_BULLETIN, domain: str = DOMAIN) -> Context:
    """The context of a signature; by default that of a bulletin in the vectors' federation."""
    return Context(typ, domain)


def signed(
    payload: bytes,
    *signers: FileSigner,
    typ: str = TYP_BULLETIN,
    domain: str = DOMAIN,
    iat: int | None = None,
) -> tuple[Entry, ...]:
    """Signatures over a payload."""
    context = within(typ, domain)
    return tuple(_kept(signer, sign_entry(signer, payload, context, iat=iat), payload) for signer in signers)


def batched(
    payloads: Sequence[bytes],
    *signers: FileSigner,
    typ: str = TYP_BATCH,
    domain: str = DOMAIN,
    sign_size: int | None = None,
) -> list[tuple[Entry, ...]]:
    """For each payload its entries of one batch, by each of the signers; `sign_size` is a size other than the true one."""
    made = merkle.tree([merkle.leaf(payload) for payload in payloads])
    size = sign_size or len(payloads)
    head = head_of(made.root, size)
    heads = [sign_entry(signer, head, within(typ, domain)) for signer in signers]
    return [
        tuple(
            _kept(
                signer,
                msgspec.structs.replace(
                    entry,
                    batch=Batch(
                        head=b64u(head), size=size, root=made.root, index=index, path=made.paths[index]
                    ),
                ),
                payload,
            )
            for signer, entry in zip(signers, heads, strict=True)
        )
        for index, payload in enumerate(payloads)
    ]


def _kept(signer: FileSigner, entry: Entry, payload: bytes) -> Entry:
    """The entry, or the one that stands in the file when its signature is as good."""
    if signer.alg == "Ed25519":
        return entry
    data = signed_bytes(entry, payload) or b""
    for signature in _standing().get(entry.protected, ()):
        with suppress(TrustError):
            signer.public.verify(signature, data)
            return msgspec.structs.replace(entry, signature=signature)
    return entry


@cache
def _standing() -> dict[str, list[bytes]]:
    path = FOLDER / "admission_vectors.json"
    groups = json.loads(path.read_bytes())["testGroups"] if path.is_file() else []
    found: dict[str, list[bytes]] = {}
    for name, value in [each for group in groups for test in group["tests"] for each in test["headers"]]:
        for entry in value.split(",") if name == SIG_HEADER else ():
            protected, _, rest = entry.partition(".")
            signature = rest.partition(".")[2].partition("~")[0]
            with suppress(EnvelopeError):
                found.setdefault(protected, []).append(unb64u(signature))
    return found
