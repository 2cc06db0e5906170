"""The signature layer of the admission vectors: headers, algorithms, keys and signatures over one good payload."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bus.keys.signatures import FileSigner
from schemas.codec import encode
from schemas.envelope import (
    MAX_HEADER_BYTES,
    SIG_HEADER,
    TYP_BULLETIN,
    TYP_REVOKE,
    TYPES,
    b64u,
    format_header,
    signing_input,
    unb64u,
)
from tests.vectors.scene import DOMAIN, FIRST, ISSUED, KEY, OTHER, SECOND, STRANGER, example, signed

Pairs = list[list[str]]
Case = tuple[str, str, Pairs, bytes, str]

PAYLOAD = encode(example())
VALUE = format_header(signed(PAYLOAD, KEY))
PROTECTED, _, SIGNATURE = VALUE.partition("..")
HEADER: dict[str, Any] = {"alg": "Ed25519", "kid": KEY.kid, "typ": TYP_BULLETIN, "domain": DOMAIN}
_ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group of edwards25519, RFC 8032


def entry(header: bytes | dict[str, Any], signer: FileSigner | None = KEY, payload: bytes = PAYLOAD) -> str:
    """One entry under any protected header, signed by any key; without a key, with nothing behind the points."""
    raw = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    protected = b64u(raw)
    return f"{protected}..{b64u(signer.sign(signing_input(protected, payload))) if signer else ''}"


def _one(*entries: str) -> Pairs:
    return [[SIG_HEADER, ",".join(entries)]]


def _with(signature: bytes, protected: str = PROTECTED) -> Pairs:
    return _one(f"{protected}..{b64u(signature)}")


def certificate(holder: FileSigner) -> str:
    """A certificate that a key made out to itself in the name of xa-csirt, as `x5c` writes it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "xa-csirt")])
    made = (
        x509.CertificateBuilder(name, name, holder.private.public_key(), 1)
        .not_valid_before(ISSUED - dt.timedelta(days=1))
        .not_valid_after(ISSUED + dt.timedelta(days=1))
        .sign(holder.private, None)
    )
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


def _header() -> Iterator[tuple[str, Pairs, str]]:
    yield "no signature header", [], "malformed-envelope"
    yield "two signature headers", [[SIG_HEADER, VALUE], [SIG_HEADER, VALUE]], "malformed-envelope"
    yield "the header in two cases", [[SIG_HEADER, VALUE], ["tocsin-sig", VALUE]], "malformed-envelope"
    for comment, value in {
        "a blank header": "",
        "three-part JWS": VALUE.replace("..", ".e30."),
        "a JWS with its payload attached": VALUE.replace("..", f".{b64u(PAYLOAD)}."),
        "a JWS in JSON": json.dumps(
            {"payload": b64u(PAYLOAD), "protected": PROTECTED, "signature": SIGNATURE}
        ),
        "padding": f"{VALUE}==",
        "the other alphabet of base64": f"{PROTECTED}..+/{SIGNATURE[2:]}",
        "stray bits": f"{PROTECTED}..{SIGNATURE[:-1]}B",
        "a space inside": f"{VALUE[:20]} {VALUE[20:]}",
        "a newline inside": f"{VALUE[:20]}\n{VALUE[20:]}",
        "a line end after": f"{VALUE}\r\n",
        "a NUL": f"{VALUE}\x00",
        "points of another script": VALUE.replace("..", "\u2024\u2024"),
        "an empty signature": f"{PROTECTED}..",
        "a comma after": f"{VALUE},",
        "a space after the comma": f"{VALUE}, {format_header(signed(PAYLOAD, OTHER))}",
        "one key twice": f"{VALUE},{VALUE}",
        "one key twice, the second in other words": f"{VALUE},{entry({**HEADER, 'iat': int(ISSUED.timestamp())})}",
    }.items():
        yield comment, _one(value), "malformed-envelope"
    yield "nine signatures", _one(*[VALUE] * 9), "too-large"
    yield "a header of 64 KiB", _one(VALUE + "A" * (65_536 - len(VALUE))), "too-large"
    yield "a header a byte too large", _one(VALUE + "A" * (MAX_HEADER_BYTES + 1 - len(VALUE))), "too-large"
    odd: dict[str, bytes | dict[str, Any]] = {
        "crit": {**HEADER, "crit": ["b64"], "b64": False},
        "crit of something unknown": {**HEADER, "crit": ["exp"], "exp": 1},
        "crit of nothing": {**HEADER, "crit": []},
        "b64 without crit": {**HEADER, "b64": False},
        "an embedded key": {**HEADER, "jwk": KEY.jwk},
        "the address of keys": {**HEADER, "jku": "https://keys.example"},
        "the address of a certificate": {**HEADER, "x5u": "https://keys.example"},
        "compression": {**HEADER, "zip": "DEF"},
        **{f"no {name}": {each: HEADER[each] for each in HEADER if each != name} for name in HEADER},
        "an empty domain": {**HEADER, "domain": ""},
        "the domain in another case": {**HEADER, "domain": DOMAIN.upper()},
        "a domain with a newline": {**HEADER, "domain": f"{DOMAIN}\n"},
        "a domain of a thousand": {**HEADER, "domain": "a" * 1000},
        "a domain that is a list": {**HEADER, "domain": [DOMAIN]},
        "a domain that is a number": {**HEADER, "domain": 1},
        "a domain that is null": {**HEADER, "domain": None},
        "a domain twice": json.dumps(HEADER).encode().replace(b"{", b'{"domain":"elsewhere",', 1),
        "a kid that is a path": {**HEADER, "kid": "../../dev/null"},
        "a kid that is a query": {**HEADER, "kid": "' or 1=1 --"},
        "a kid of five thousand": {**HEADER, "kid": "A" * 5000},
        "a kid with a newline": {**HEADER, "kid": f"{KEY.kid}\n"},
        "five certificates": {**HEADER, "x5c": ["AAAA"] * 5},
        "a header that is an array": json.dumps([HEADER]).encode(),
        "a header that is no UTF-8": json.dumps(HEADER).encode().replace(b"Ed25519", b"Ed2551\xff"),
        "a header 2500 deep": b'{"a":' * 2500 + b"1" + b"}" * 2500,
        "a header with alg twice": json.dumps(HEADER).encode().replace(b"{", b'{"alg":"none",', 1),
        "a header with alg twice, escaped": json.dumps(HEADER)
        .encode()
        .replace(b"{", b'{"\\u0061lg":"none",', 1),
    }
    for comment, header in odd.items():
        yield comment, _one(entry(header)), "malformed-envelope"


def _keys() -> Iterator[tuple[str, str, Pairs, str]]:
    for typ in (*sorted(TYPES - {TYP_BULLETIN}), "vnd.tocsin.Bulletin", "JWT", ""):
        yield f"signed as {typ or 'nothing'}", "Type", _one(entry({**HEADER, "typ": typ})), "unknown-type"
    for domain in ("elsewhere", f"{DOMAIN}.example", DOMAIN[:-1]):
        yield (
            f"signed in the domain {domain}",
            "Domain",
            _one(entry({**HEADER, "domain": domain})),
            "wrong-domain",
        )
    both = {**HEADER, "domain": "elsewhere", "typ": TYP_REVOKE}
    yield "signed as something else in another domain", "Type", _one(entry(both)), "unknown-type"
    yield (
        "signed in another domain by an unknown key",
        "Domain",
        _one(entry({**HEADER, "domain": "elsewhere", "kid": STRANGER.kid}, STRANGER)),
        "wrong-domain",
    )
    yield (
        "a co-signature of another domain beside",
        "Domain",
        _one(VALUE, format_header(signed(PAYLOAD, OTHER, domain="elsewhere"))),
        "wrong-domain",
    )
    for alg in ("none", "EdDSA", "ES256", "HS256", "ed25519", "ML-DSA-65"):
        yield f"algorithm {alg}", "Algorithm", _one(entry({**HEADER, "alg": alg})), "wrong-algorithm"
    none = entry({**HEADER, "alg": "none"}, None)
    yield "algorithm none, and no signature", "Algorithm", _one(none), "malformed-envelope"
    protected = b64u(json.dumps({**HEADER, "alg": "HS256"}, separators=(",", ":")).encode())
    mac = hmac.digest(unb64u(KEY.jwk["x"]), signing_input(protected, PAYLOAD), hashlib.sha256)
    yield "HS256 with the public key as its secret", "Algorithm", _with(mac, protected), "wrong-algorithm"
    yield "only an unknown key", "Key", _one(format_header(signed(PAYLOAD, STRANGER))), "unknown-key"
    rogue = certificate(STRANGER)
    yield (
        "an unknown key with a certificate",
        "Key",
        _one(entry({**HEADER, "kid": STRANGER.kid, "x5c": [rogue]}, STRANGER)),
        "unknown-key",
    )
    yield (
        "a certificate of another key",
        "Signature",
        _one(entry({**HEADER, "x5c": [rogue]}, STRANGER)),
        "bad-signature",
    )
    yield "another key under this id", "Signature", _one(entry(HEADER, STRANGER)), "bad-signature"


def _signatures() -> Iterator[tuple[str, Pairs, bytes, str]]:
    raw = unb64u(SIGNATURE)
    yield (
        "payload changed",
        _one(VALUE),
        PAYLOAD.replace(b"results.example", b"resultz.example"),
        "bad-signature",
    )
    yield (
        "one bit of the payload",
        _one(VALUE),
        PAYLOAD[:-2] + bytes([PAYLOAD[-2] ^ 1]) + PAYLOAD[-1:],
        "bad-signature",
    )
    yield "a newline after the payload", _one(VALUE), PAYLOAD + b"\n", "bad-signature"
    yield "a space in the payload", _one(VALUE), PAYLOAD.replace(b":", b": ", 1), "bad-signature"
    s = int.from_bytes(raw[32:], "little") + _ORDER
    for comment, signature in {
        "signature of zeros": bytes(64),
        "one bit of the signature": bytes([raw[0] ^ 1]) + raw[1:],
        "a signature cut short": raw[:-1],
        "a signature with a byte more": raw + b"\x00",
        "a signature with S plus the order of the group": raw[:32] + s.to_bytes(32, "little"),
    }.items():
        yield comment, _with(signature), PAYLOAD, "bad-signature"
    spaced = b64u(json.dumps(HEADER).encode())
    yield "the signature under the header in other words", _with(raw, spaced), PAYLOAD, "bad-signature"
    other = signed(PAYLOAD, OTHER)
    junk = msgspec.structs.replace(signed(PAYLOAD, KEY)[0], signature=bytes(64))
    yield (
        "a bad signature of the issuer beside a good one",
        _one(format_header((junk, *other))),
        PAYLOAD,
        "bad-signature",
    )
    yield (
        "both bad",
        _one(format_header((junk, msgspec.structs.replace(other[0], signature=bytes(64))))),
        PAYLOAD,
        "bad-signature",
    )


def cases() -> Iterator[Case]:
    """Comment, flag, headers, payload, reason; empty when it is admitted."""
    bad = msgspec.structs.replace(signed(PAYLOAD, OTHER)[0], signature=bytes(64))
    seen = {"x5t#S256": "A" * 43, "x5c": [certificate(STRANGER)], "iat": int(ISSUED.timestamp())}
    yield "header name in another case", "Good", [["tocsin-sig", VALUE]], PAYLOAD, ""
    yield (
        "endorsed by another authority",
        "Good",
        _one(format_header(signed(PAYLOAD, KEY, OTHER))),
        PAYLOAD,
        "",
    )
    yield (
        "beside a signature of an unknown key",
        "Good",
        _one(format_header(signed(PAYLOAD, KEY, STRANGER))),
        PAYLOAD,
        "",
    )
    yield "beside a bad endorsement", "Good", _one(format_header((*signed(PAYLOAD, KEY), bad))), PAYLOAD, ""
    yield "with a seal's members, which decide nothing", "Good", _one(entry({**HEADER, **seen})), PAYLOAD, ""
    yield "the header with spaces in it", "Good", _one(entry(json.dumps(HEADER).encode())), PAYLOAD, ""
    yield "no payload", "Bounds", _one(VALUE), b"", "empty"
    yield "no payload, signed so", "Bounds", _one(entry(HEADER, payload=b"")), b"", "empty"
    for comment, pairs, reason in _header():
        yield comment, "Header", pairs, PAYLOAD, reason
    for comment, flag, pairs, reason in _keys():
        yield comment, flag, pairs, PAYLOAD, reason
    for comment, pairs, payload, reason in _signatures():
        yield comment, "Signature", pairs, payload, reason


def of_two(payload: bytes) -> dict[str, Pairs]:
    """What may stand under the payload of an authority that must sign with both of its keys."""
    both = signed(payload, FIRST, SECOND)
    spoilt = msgspec.structs.replace(both[1], signature=bytes(len(both[1].signature)))
    return {
        "both": _one(format_header(both)),
        "the other way round": _one(format_header(both[::-1])),
        "the first alone": _one(format_header(both[:1])),
        "the second alone": _one(format_header(both[1:])),
        "the second spoilt": _one(format_header((both[0], spoilt))),
    }
