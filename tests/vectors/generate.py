"""Makes the vectors of `schemas/vectors`: fixed keys, fixed times, nothing random. `--check` compares instead.

The keys are public on purpose: seeds 00 01 .. 1f and their like protect nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from bus import ceremony
from bus.signing import FileSigner, sign_entry
from bus.trust import VerifiedRegistry
from schemas.bodies.cyber import CyberIncident
from schemas.bulletin import Bulletin, Defaults, Draft, stamp
from schemas.codec import digest, encode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, Entry, b64u, format_header, hints, write_signed
from schemas.parts import Authority, Confidence, Info, Observable
from schemas.registry import Audience, AuthorityRecord, KeyRecord, PublishGrant
from schemas.subject import subject_for
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

FOLDER = Path(__file__).resolve().parent.parent.parent / "schemas" / "vectors"
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


def documents() -> dict[str, bytes]:
    """Every file by its name."""
    payload = encode(example())
    tests = []
    for n, (comment, flag, subject, headers, raw, result, reason) in enumerate(cases(), 1):
        tests.append(
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
        )
    vectors = {
        "algorithm": "admission",
        "schema": "vectors.schema.json",
        "numberOfTests": len(tests),
        "notes": {
            flag: {"bugType": "REFUSAL" if flag != "Good" else "NONE", "description": text}
            for flag, text in NOTES.items()
        },
        "testGroups": [
            {
                "type": "Admission",
                "now": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "registry": json.loads(registry()),
                "pin": VerifiedRegistry.open(registry()).digest,
                "tests": tests,
            }
        ],
    }
    return {
        "example.tocsin.json": write_signed(payload, signed(payload, KEY)),
        "example.jwk.json": json.dumps(KEY.jwk).encode() + b"\n",
        "admission_vectors.json": json.dumps(vectors, indent=1).encode() + b"\n",
    }


def main(arguments: list[str]) -> int:
    """Write the files, or compare them with what stands; 1 when one has drifted."""
    drifted = 0
    for name, content in documents().items():
        path = FOLDER / name
        if "--check" not in arguments:
            path.write_bytes(content)
        elif not path.is_file() or path.read_bytes() != content:
            sys.stderr.write(f"schemas/vectors/{name} has drifted; run: python -m tests.vectors.generate\n")
            drifted = 1
    return drifted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
