"""The admission vectors: whole messages, each with the reason it is refused for."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from bus.signing import FileSigner
from bus.trust import VerifiedRegistry
from schemas.codec import digest, encode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, b64u, format_header, hints
from schemas.parts import Authority
from schemas.subject import subject_for
from schemas.vocab import Domain, Tlp
from tests.vectors.scene import DAY, ISSUED, KEY, NOW, OTHER, REVOKED, STRANGER, example, registry, signed

Case = tuple[str, str, str | None, list[list[str]], bytes, str, str]


def cases() -> Iterator[Case]:
    """Comment, flag, subject, headers, payload, result, reason."""
    good = example()
    payload = encode(good)
    subject = subject_for(good)

    def headers(raw: bytes, *signers: FileSigner) -> list[list[str]]:
        return [[SIG_HEADER, format_header(signed(raw, *(signers or (KEY,))))]]

    def changed(**changes: Any) -> bytes:
        return encode(msgspec.structs.replace(good, **changes))

    def spoilt(edit: Callable[[bytes], bytes]) -> bytes:
        return edit(payload)

    value = headers(payload)[0][1]
    protected, _, signature = value.partition("..")
    flipped = payload.replace(b"results.example", b"resultz.example")
    everything = [[name, text] for name, text in {SIG_HEADER: value, **hints(good, digest(payload))}.items()]
    yield ("a bulletin as it should be", "Good", subject, everything, payload, "valid", "")
    yield ("without hints", "Good", subject, headers(payload), payload, "valid", "")
    yield ("header name in another case", "Good", subject, [["tocsin-sig", value]], payload, "valid", "")
    yield (
        "endorsed by another authority",
        "Good",
        subject,
        headers(payload, KEY, OTHER),
        payload,
        "valid",
        "",
    )
    yield (
        "beside a signature of an unknown key",
        "Good",
        subject,
        headers(payload, KEY, STRANGER),
        payload,
        "valid",
        "",
    )
    yield ("no payload", "Bounds", subject, headers(payload), b"", "invalid", "empty")
    yield ("no signature header", "Header", subject, [], payload, "invalid", "malformed-envelope")
    yield (
        "two signature headers",
        "Header",
        subject,
        [[SIG_HEADER, value], ["tocsin-sig", value]],
        payload,
        "invalid",
        "malformed-envelope",
    )
    yield (
        "three-part JWS",
        "Header",
        subject,
        [[SIG_HEADER, value.replace("..", ".e30.")]],
        payload,
        "invalid",
        "malformed-envelope",
    )
    yield (
        "padding",
        "Header",
        subject,
        [[SIG_HEADER, value + "="]],
        payload,
        "invalid",
        "malformed-envelope",
    )
    yield (
        "a space inside",
        "Header",
        subject,
        [[SIG_HEADER, value[:20] + " " + value[20:]]],
        payload,
        "invalid",
        "malformed-envelope",
    )
    yield (
        "one key twice",
        "Header",
        subject,
        [[SIG_HEADER, f"{value},{value}"]],
        payload,
        "invalid",
        "malformed-envelope",
    )
    yield (
        "nine signatures",
        "Header",
        subject,
        [[SIG_HEADER, ",".join([value] * 9)]],
        payload,
        "invalid",
        "too-large",
    )
    for name, header in (
        ("crit", {"alg": "Ed25519", "kid": KEY.kid, "typ": TYP_BULLETIN, "crit": ["b64"], "b64": False}),
        ("embedded key", {"alg": "Ed25519", "kid": KEY.kid, "typ": TYP_BULLETIN, "jwk": KEY.jwk}),
        ("no kid", {"alg": "Ed25519", "typ": TYP_BULLETIN}),
    ):
        odd = b64u(json.dumps(header, separators=(",", ":")).encode())
        yield (
            name,
            "Header",
            subject,
            [[SIG_HEADER, f"{odd}..{signature}"]],
            payload,
            "invalid",
            "malformed-envelope",
        )
    entry = signed(payload, KEY, typ="vnd.tocsin.registry")
    yield (
        "signed as a registry",
        "Type",
        subject,
        [[SIG_HEADER, format_header(entry)]],
        payload,
        "invalid",
        "unknown-type",
    )
    for alg in ("none", "EdDSA", "ES256", "HS256", "ed25519"):
        odd = b64u(
            json.dumps({"alg": alg, "kid": KEY.kid, "typ": TYP_BULLETIN}, separators=(",", ":")).encode()
        )
        yield (
            f"algorithm {alg}",
            "Algorithm",
            subject,
            [[SIG_HEADER, f"{odd}..{signature}"]],
            payload,
            "invalid",
            "wrong-algorithm",
        )
    yield (
        "only an unknown key",
        "Key",
        subject,
        headers(payload, STRANGER),
        payload,
        "invalid",
        "unknown-key",
    )
    yield (
        "payload changed",
        "Signature",
        subject,
        [[SIG_HEADER, value]],
        flipped,
        "invalid",
        "bad-signature",
    )
    yield (
        "a newline after the payload",
        "Signature",
        subject,
        [[SIG_HEADER, value]],
        payload + b"\n",
        "invalid",
        "bad-signature",
    )
    zeros = b64u(bytes(64))
    yield (
        "signature of zeros",
        "Signature",
        subject,
        [[SIG_HEADER, f"{protected}..{zeros}"]],
        payload,
        "invalid",
        "bad-signature",
    )
    for comment, raw, reason in (
        ("not an object", b"[1]", "malformed-payload"),
        ("byte-order mark", b"\xef\xbb\xbf" + payload, "malformed-payload"),
        ("fraction", spoilt(lambda p: p.replace(b'"seq":1', b'"seq":1.0')), "malformed-payload"),
        (
            "integer beyond 2^53-1",
            spoilt(lambda p: p.replace(b'"seq":1', b'"seq":9007199254740992')),
            "malformed-payload",
        ),
        ("lone surrogate", spoilt(lambda p: p.replace(b"HTTP/2", b"\\ud800")), "malformed-payload"),
        ("deep", b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "malformed-payload"),
        ("member twice", spoilt(lambda p: p.replace(b'"seq":1', b'"seq":1,"seq":1')), "duplicate-member"),
        (
            "member twice, escaped",
            spoilt(lambda p: p.replace(b'"seq":1', b'"seq":1,"\\u0073eq":2')),
            "duplicate-member",
        ),
        ("unknown member", spoilt(lambda p: p.replace(b'"seq":1', b'"seq":1,"extra":1')), "schema"),
        ("number zero", changed(seq=0), "schema"),
        ("prev at number one", changed(prev="A" * 43), "schema"),
        (
            "time with an offset",
            spoilt(
                lambda p: p.replace(
                    b'"issued":"2027-05-23T19:41:00Z"', b'"issued":"2027-05-23T21:41:00+02:00"'
                )
            ),
            "schema",
        ),
        (
            "30 February",
            spoilt(lambda p: p.replace(b'"issued":"2027-05-23', b'"issued":"2027-02-30')),
            "schema",
        ),
        ("expires before it is issued", changed(expires=ISSUED - DAY), "rule:R5"),
        ("CLEAR to the community", changed(tlp=Tlp.CLEAR), "rule:R24"),
    ):
        yield (comment, "Payload", subject, headers(raw), raw, "invalid", reason)
    yield (
        "signed by another authority alone",
        "Speaker",
        subject,
        headers(payload, OTHER),
        payload,
        "invalid",
        "wrong-issuer",
    )
    raw = changed(issuer=msgspec.structs.replace(good.issuer, name="Another name"))
    yield ("issuer described otherwise", "Speaker", subject, headers(raw), raw, "invalid", "wrong-issuer")
    yield (
        "ce-id of another bulletin",
        "Hints",
        subject,
        [[SIG_HEADER, value], ["ce-id", "x"]],
        payload,
        "invalid",
        "hint-mismatch",
    )
    yield (
        "another message id",
        "Hints",
        subject,
        [[SIG_HEADER, value], ["Nats-Msg-Id", "A" * 43]],
        payload,
        "invalid",
        "hint-mismatch",
    )
    raw = changed(issued=ISSUED - 60 * DAY, expires=ISSUED)
    yield (
        "issued before the key's window",
        "KeyPolicy",
        subject,
        headers(raw),
        raw,
        "invalid",
        "key-not-valid",
    )
    raw = changed(
        issuer=Authority(id="xb-csirt", kind="csirt", domain=Domain.CYBER, country="XB", name="CSIRT of XB")
    )
    yield (
        "revoked key, back-dated or not",
        "KeyPolicy",
        subject,
        headers(raw, REVOKED),
        raw,
        "invalid",
        "key-revoked",
    )
    raw = changed(tlp=Tlp.AMBER)
    yield ("marking without grant", "Grant", subject, headers(raw), raw, "invalid", "not-permitted")
    yield (
        "another subject",
        "Address",
        subject.replace(".p2", ".p1"),
        headers(payload),
        payload,
        "invalid",
        "misaddressed",
    )
    yield (
        "a wildcard as subject",
        "Address",
        "tocsin.v1.>",
        headers(payload),
        payload,
        "invalid",
        "misaddressed",
    )
    raw = changed(issued=NOW + dt.timedelta(minutes=6), expires=NOW + DAY)
    yield ("from the future", "Time", subject, headers(raw), raw, "invalid", "from-the-future")


NOTES = {
    "Good": "admitted",
    "Bounds": "sizes are bounded before anything else",
    "Header": "the signature header has one spelling only",
    "Type": "a signature says what it was made for",
    "Algorithm": "the algorithm is the registry's, never the message's",
    "Key": "only keys of the registry count",
    "Signature": "the signature fits the very bytes",
    "Payload": "I-JSON, types, and cross-field rules",
    "Speaker": "the issuer itself signed",
    "Hints": "unsigned headers agree with the signed content",
    "KeyPolicy": "windows and revocation",
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
            "headers": headers,
            "payload": b64u(raw),
            "result": result,
            "reason": reason,
        }
        for n, (comment, flag, subject, headers, raw, result, reason) in enumerate(cases(), 1)
    ]
    raw = registry()
    return {
        "type": "Admission",
        "now": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "registry": json.loads(raw),
        "pin": VerifiedRegistry.open(raw).digest,
        "tests": tests,
    }
