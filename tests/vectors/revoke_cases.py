"""The revocation vectors: statements as files, each with the reason it ends nothing for."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from bus.keys.signatures import FileSigner
from bus.trust.registry import VerifiedRegistry
from schemas.codec import encode, encode_time
from schemas.envelope import TYP_REVOKE, TYPES, b64u, write_signed
from schemas.registry import REVOKE_SPEC, Revocation
from tests.vectors.scene import (
    DAY,
    DOMAIN,
    ISSUED,
    KEY,
    NOW,
    OTHER,
    REVOKED,
    STRANGER,
    registry,
    signed,
)

Case = tuple[str, str, bytes, str]
SECOND = dt.timedelta(seconds=1)


def statement(
    by: tuple[FileSigner, ...] = (KEY,), typ: str = TYP_REVOKE, signed_in: str = DOMAIN, **changes: Any
) -> bytes:
    """A statement of xa-csirt about its one key, with fields replaced."""
    made = Revocation(
        spec=REVOKE_SPEC,
        domain=DOMAIN,
        authority="xa-csirt",
        kids=(KEY.kid,),
        since=ISSUED,
        reason="key-compromise",
        issued=ISSUED,
    )
    payload = encode(msgspec.structs.replace(made, **changes))
    return write_signed(payload, signed(payload, *by, typ=typ, domain=signed_in))


def cases() -> Iterator[Case]:
    """Comment, flag, file, reason."""
    theirs: dict[str, Any] = {"authority": "xb-csirt", "kids": (OTHER.kid,)}
    yield ("a key ends itself", "Good", statement(), "")
    yield ("since a month ago", "Good", statement(since=ISSUED - 30 * DAY), "")
    yield ("of 7 days ago", "Good", statement(since=NOW - 7 * DAY, issued=NOW - 7 * DAY), "")
    yield ("for a reason nobody knows", "Good", statement(reason="swallowed-by-a-whale"), "")
    yield ("beside an unknown signature", "Good", statement((KEY, STRANGER)), "")
    yield (
        "a revoked key is ended earlier",
        "Good",
        statement((OTHER,), **{**theirs, "kids": (REVOKED.kid,)}),
        "",
    )
    yield ("no signature", "Form", statement(()), "malformed-revoke")
    for typ in sorted(TYPES - {TYP_REVOKE}):
        yield (f"signed as {typ}", "Form", statement(typ=typ), "malformed-revoke")
    yield ("one key twice", "Form", statement((KEY, KEY)), "malformed-revoke")
    yield ("no key named", "Form", statement(kids=()), "malformed-revoke")
    yield ("another spec", "Form", statement(spec="tocsin-revoke/2"), "malformed-revoke")
    yield ("by a stranger", "Signer", statement((STRANGER,)), "unknown-key")
    yield (
        "altered after signing",
        "Signer",
        statement().replace(b'"signature":"', b'"signature":"AA'),
        "bad-signature",
    )
    yield ("by another authority", "Signer", statement((OTHER,)), "not-your-key")
    yield ("by a revoked key", "Signer", statement((REVOKED,), **theirs), "key-revoked")
    yield (
        "by a revoked key, dated before its end",
        "Signer",
        statement((REVOKED,), **theirs, issued=ISSUED - DAY, since=ISSUED - DAY),
        "key-revoked",
    )
    yield (
        "dated before its key's window",
        "Signer",
        statement(issued=ISSUED - 60 * DAY, since=ISSUED - 60 * DAY),
        "key-not-valid",
    )
    yield ("of another's key", "Subject", statement(kids=(OTHER.kid,)), "not-your-key")
    yield ("of another's key beside its own", "Subject", statement(kids=(KEY.kid, OTHER.kid)), "not-your-key")
    yield ("of a key nobody has", "Subject", statement(kids=(STRANGER.kid,)), "unknown-key")
    yield ("for another federation", "Subject", statement(domain="elsewhere"), "domain")
    yield ("signed in another federation", "Subject", statement(signed_in="elsewhere"), "domain")
    both: dict[str, Any] = {"domain": "elsewhere", "signed_in": "elsewhere"}
    yield ("for another federation, signed so", "Subject", statement(**both), "domain")
    yield ("from the future", "Time", statement(issued=NOW + DAY), "from-the-future")
    yield (
        "of more than 7 days ago",
        "Time",
        statement(since=NOW - 7 * DAY - SECOND, issued=NOW - 7 * DAY - SECOND),
        "too-old",
    )
    yield ("since a moment after its issue", "Time", statement(since=ISSUED + DAY), "from-the-future")


NOTES = {
    "Good": "ends the keys it names",
    "Form": "a signed file of its type and its schema",
    "Signer": "signed by a valid, unrevoked key of the authority it speaks for",
    "Subject": "about keys of that authority in this federation",
    "Time": "not from the future, not more than 7 days old, and since then or earlier",
}


def group() -> dict[str, Any]:
    """The one group of tests, with the registry and the clock they are judged by."""
    raw = registry()
    return {
        "type": "Revoke",
        "now": encode_time(NOW),
        "registry": json.loads(raw),
        "pin": VerifiedRegistry.open(raw).digest,
        "tests": [
            {
                "tcId": number,
                "comment": comment,
                "flags": [flag],
                "result": "invalid" if reason else "valid",
                "reason": reason,
                "input": b64u(file),
            }
            for number, (comment, flag, file, reason) in enumerate(cases(), 1)
        ],
    }
