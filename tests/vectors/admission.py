"""The admission vectors: whole messages, each with the reason it is refused for."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from bus.keys.signatures import FileSigner
from bus.trust.registry import VerifiedRegistry
from schemas.bulletin import Bulletin
from schemas.codec import digest, encode
from schemas.envelope import SIG_HEADER, b64u, format_header, hints_allowed
from schemas.parts import Area, Authority
from schemas.subject import subject_for
from schemas.vocab import Domain, Status, Tlp
from tests.vectors import batch_cases, envelope_cases
from tests.vectors.scene import (
    DAY,
    ENDED,
    ISSUED,
    KEY,
    NOW,
    OTHER,
    REVOKED,
    SEAL,
    STRANGER,
    example,
    registry,
    signed,
)

Case = tuple[str, str, str, list[list[str]], bytes, str]

GOOD = example()
PAYLOAD = encode(GOOD)
SUBJECT = subject_for(GOOD)
XB = Authority(id="xb-csirt", kind="csirt", domain=Domain.CYBER, country="XB", name="CSIRT of XB")
BOTH = Authority(
    id="xa-emb", kind="emb", domain=Domain.ELECTORAL, country="XA", name="Electoral Commission of XA"
)
SEALED = Authority(
    id="xb-emb", kind="emb", domain=Domain.ELECTORAL, country="XB", name="Electoral Commission of XB"
)
SIX_MINUTES = dt.timedelta(minutes=6)


def headers(raw: bytes, *signers: FileSigner, iat: dt.datetime | None = None) -> list[list[str]]:
    """The signature header of a payload and nothing else."""
    seconds = None if iat is None else int(iat.timestamp())
    return [[SIG_HEADER, format_header(signed(raw, *(signers or (KEY,)), iat=seconds))]]


def changed(**changes: Any) -> Bulletin:
    """The example with members replaced."""
    return msgspec.structs.replace(GOOD, **changes)


def edited(old: bytes, new: bytes) -> bytes:
    """The example with one part of its bytes replaced."""
    assert old in PAYLOAD
    return PAYLOAD.replace(old, new, 1)


def _payloads() -> Iterator[tuple[str, bytes, str]]:
    """Validly signed, and refused for what they say."""
    issued = b'"issued":"2027-05-23T19:41:00Z"'
    yield "not an object", b"[1]", "malformed-payload"
    yield "byte-order mark", b"\xef\xbb\xbf" + PAYLOAD, "malformed-payload"
    yield "fraction", edited(b'"seq":1', b'"seq":1.0'), "malformed-payload"
    yield "integer beyond 2^53-1", edited(b'"seq":1', b'"seq":9007199254740992'), "malformed-payload"
    yield "5000 digits", edited(b'"seq":1', b'"seq":' + b"1" * 5000), "malformed-payload"
    yield "lone surrogate", edited(b"HTTP/2", b"\\ud800"), "malformed-payload"
    yield "CESU-8", edited(b"HTTP/2", b"\xed\xa0\xbd\xed\xb8\x80"), "malformed-payload"
    yield "deep", b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "malformed-payload"
    yield "5000 deep", b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "malformed-payload"
    yield "member twice", edited(b'"seq":1', b'"seq":1,"seq":1'), "duplicate-member"
    yield "member twice, escaped", edited(b'"seq":1', b'"seq":1,"\\u0073eq":2'), "duplicate-member"
    yield "unknown member", edited(b'"seq":1', b'"seq":1,"extra":1'), "schema"
    yield "number zero", encode(changed(seq=0)), "schema"
    yield "prev at number one", encode(changed(prev="A" * 43)), "schema"
    yield "no prev at number two", encode(changed(seq=2)), "schema"
    for comment, text in {
        "time with an offset": "2027-05-23T21:41:00+02:00",
        "time beyond the last year": "9999-12-31T23:59:59-14:00",
        "second 60": "2027-05-23T19:41:60Z",
        "30 February": "2027-02-30T19:41:00Z",
    }.items():
        yield comment, edited(issued, f'"issued":"{text}"'.encode()), "schema"
    yield "expires before it is issued", encode(changed(expires=ISSUED - DAY)), "rule:R5"
    yield "a life of ten years", encode(changed(expires=ISSUED + 3652 * DAY)), "rule:R5"
    yield "CLEAR to the community", encode(changed(tlp=Tlp.CLEAR)), "rule:R24"


def _decisions() -> Iterator[Case]:
    """Speaker, hints, key policy, grant, address, time: comment, flag, subject, headers, payload, reason."""
    value = headers(PAYLOAD)[0]
    yield (
        "signed by another authority alone",
        "Speaker",
        SUBJECT,
        headers(PAYLOAD, OTHER),
        PAYLOAD,
        "wrong-issuer",
    )
    yield (
        "signed by another authority and an unknown key",
        "Speaker",
        SUBJECT,
        headers(PAYLOAD, OTHER, STRANGER),
        PAYLOAD,
        "unknown-key",
    )
    told: dict[str, dict[str, Any]] = {
        "issuer under another name": {"name": "Another name"},
        "issuer of another domain": {"domain": Domain.ELECTORAL},
        "issuer of another kind": {"kind": "dpa"},
    }
    for comment, change in told.items():
        raw = encode(changed(issuer=msgspec.structs.replace(GOOD.issuer, **change)))
        yield comment, "Speaker", SUBJECT, headers(raw), raw, "wrong-issuer"
    for name, text in {
        "ce-id": "x",
        "ce-source": "urn:tocsin:xb-csirt",
        "CE-Type": "eu.tocsin.bulletin.v2",
        "ce-time": "2027-05-23T19:41:01Z",
        "ce-specversion": "0.3",
        "ce-datacontenttype": "text/html",
        "Nats-Msg-Id": "A" * 43,
    }.items():
        yield f"another {name}", "Hints", SUBJECT, [value, [name, text]], PAYLOAD, "hint-mismatch"
    twice = [value, ["ce-id", GOOD.id], ["ce-id", "x"]]
    yield "a hint twice, once wrong", "Hints", SUBJECT, twice, PAYLOAD, "hint-mismatch"

    early = changed(issued=ISSUED - 60 * DAY, expires=ISSUED)
    for comment, made, signer, reason in (
        ("issued before the key's window", early, KEY, "key-not-valid"),
        ("issued after the key's window", GOOD, ENDED, "key-not-valid"),
        ("a key past its window, back-dated", changed(issued=ISSUED - 2 * DAY), ENDED, "key-ended"),
        ("a revoked key", changed(issuer=XB), REVOKED, "key-revoked"),
        ("a revoked key, back-dated", changed(issuer=XB, issued=ISSUED - 5 * DAY), REVOKED, "key-revoked"),
    ):
        raw = encode(made)
        yield comment, "KeyPolicy", subject_for(made), headers(raw, signer), raw, reason
    yield batch_cases.of_ended(changed(issuer=XB), REVOKED, "a revoked key", "key-revoked")
    ended = changed(issued=ISSUED - 2 * DAY)
    yield batch_cases.of_ended(ended, ENDED, "a key past its window, back-dated", "key-ended")
    yield from batch_cases.of_two(changed(issuer=BOTH))
    late = headers(PAYLOAD, iat=ISSUED + SIX_MINUTES)
    yield "signed at another time than issued", "KeyPolicy", SUBJECT, late, PAYLOAD, "key-not-valid"
    near = headers(PAYLOAD, iat=ISSUED + dt.timedelta(minutes=5))
    yield "signed within five minutes", "Good", SUBJECT, near, PAYLOAD, ""
    sealed = changed(issuer=SEALED)
    raw = encode(sealed)
    yield "signed with ES256", "Good", subject_for(sealed), headers(raw, SEAL), raw, ""
    two = changed(issuer=BOTH)
    raw = encode(two)
    for comment, pairs in envelope_cases.of_two(raw).items():
        reason = {"the first alone": "signature-policy", "the second alone": "signature-policy"}.get(
            comment, ""
        )
        reason = "bad-signature" if "spoilt" in comment else reason
        flag = "KeyPolicy" if reason else "Good"
        yield f"two signatures required: {comment}", flag, subject_for(two), pairs, raw, reason

    for comment, made in {
        "a marking without grant": changed(tlp=Tlp.AMBER),
        "an audience without grant": changed(audience="eu-csirts"),
        "a status without grant": changed(status=Status.TEST),
        "an area without grant": changed(areas=(Area(scope="country", country="XZ"),)),
        "the Union without grant": changed(areas=(*GOOD.areas, Area(scope="eu"))),
        "one area of two without grant": changed(areas=(*GOOD.areas, Area(scope="region", country="XZ"))),
    }.items():
        raw = encode(made)
        yield comment, "Grant", subject_for(made), headers(raw), raw, "not-permitted"
    for comment, subject in {
        "another priority": SUBJECT.replace(".p2", ".p1"),
        "another audience": SUBJECT.replace("community", "public"),
        "another issuer": SUBJECT.replace(".xa.csirt.", ".xb.csirt."),
        "the status of a drill": SUBJECT.replace("actual", "exercise"),
        "a wildcard as subject": "tocsin.v1.>",
        "a subject with a newline": f"{SUBJECT}\n",
        "no subject": "",
    }.items():
        yield comment, "Address", subject, headers(PAYLOAD), PAYLOAD, "misaddressed"
    ahead = changed(issued=NOW + SIX_MINUTES, expires=NOW + DAY)
    raw = encode(ahead)
    yield "from the future", "Time", SUBJECT, headers(raw), raw, "from-the-future"
    ahead = changed(issued=NOW + dt.timedelta(minutes=5), expires=NOW + DAY)
    raw = encode(ahead)
    yield "five minutes ahead of the clock", "Good", SUBJECT, headers(raw), raw, ""
    before = msgspec.structs.replace(GOOD.body, detected=ISSUED - 21 * DAY)
    old = changed(issued=ISSUED - 20 * DAY, expires=ISSUED - 10 * DAY, body=before)
    raw = encode(old)
    yield "long expired", "Good", SUBJECT, headers(raw), raw, ""


def cases() -> Iterator[Case]:
    """Comment, flag, subject, headers, payload, and the reason of the refusal."""
    value = headers(PAYLOAD)[0]
    everything = [value, *([name, text] for name, text in hints_allowed(GOOD, digest(PAYLOAD)).items())]
    yield "a bulletin as it should be", "Good", SUBJECT, everything, PAYLOAD, ""
    yield "without hints", "Good", SUBJECT, [value], PAYLOAD, ""
    yield (
        "with headers that mean nothing here",
        "Good",
        SUBJECT,
        [value, ["traceparent", "00-00"]],
        PAYLOAD,
        "",
    )
    for comment, flag, pairs, payload, reason in envelope_cases.cases():
        yield comment, flag, SUBJECT, pairs, payload, reason
    for comment, flag, pairs, payload, reason in batch_cases.cases():
        yield comment, flag, SUBJECT, pairs, payload, reason
    for comment, raw, reason in _payloads():
        yield comment, "Payload", SUBJECT, headers(raw), raw, reason
    yield from _decisions()


NOTES = {
    "Good": "admitted",
    "Bounds": "sizes are bounded before anything else",
    "Header": "the signature header has one spelling only",
    "Type": "a signature says what it was made for",
    "Domain": "a signature says in which federation it was made",
    "Batch": "one place in one tree, in one spelling, for all keys of the issuer",
    "Algorithm": "the algorithm is the registry's, never the message's",
    "Key": "only keys of the registry count",
    "Signature": "the signature fits the very bytes",
    "Payload": "I-JSON, types, and cross-field rules",
    "Speaker": "the issuer itself signed",
    "Hints": "unsigned headers agree with the signed content",
    "KeyPolicy": "windows, revocation and required algorithms",
    "Grant": "the registry's grants",
    "Address": "the subject is derived, never chosen",
    "Time": "what is ahead of the clock waits",
}


def group() -> dict[str, Any]:
    """The one group: a registry, a moment, and messages."""
    tests = [
        {
            "tcId": n,
            "comment": comment,
            "flags": [flag],
            "subject": subject,
            "headers": pairs,
            "payload": b64u(raw),
            "result": "invalid" if reason else "valid",
            "reason": reason,
        }
        for n, (comment, flag, subject, pairs, raw, reason) in enumerate(cases(), 1)
    ]
    raw = registry()
    return {
        "type": "Admission",
        "now": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "registry": json.loads(raw),
        "pin": VerifiedRegistry.open(raw).digest,
        "tests": tests,
    }


LAYER = {
    "empty",
    "too-large",
    "malformed-envelope",
    "unknown-type",
    "wrong-domain",
    "unknown-key",
    "wrong-algorithm",
    "bad-signature",
}
"""Reasons that the signature layer gives; after them the bytes are read, which no JOSE library does."""


def by_layer(case: dict[str, Any]) -> bool:
    """Whether a case is refused by the signature layer; whose the signatures are is decided after it."""
    return case["reason"] in LAYER and case["flags"] != ["Speaker"]
