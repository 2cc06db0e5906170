"""A stock JOSE library beside our own verifier, over every vector of admission.

Both see the same headers, keys and bytes. A table lists the differences with their reasons; ours is never less strict.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from hashlib import sha256
from typing import Any

import pytest
from joserfc import jwk, jws
from joserfc.errors import JoseError

from bus.admission.steps import admit
from bus.errors import AdmissionError
from bus.trust.registry import VerifiedRegistry
from schemas.codec import MAX_PAYLOAD_BYTES, parse_time
from schemas.envelope import MAX_PROTECTED_BYTES, unb64u
from tests.vectors.admission import LAYER
from tests.vectors.scene import FOLDER, SECOND

GROUP = json.loads((FOLDER / "admission_vectors.json").read_text("utf-8"))["testGroups"][0]
REGISTRY = VerifiedRegistry.open(json.dumps(GROUP["registry"]).encode(), pin=GROUP["pin"])
NOW = parse_time(GROUP["now"])
RECORDS = {
    kid: record
    for authority in REGISTRY.document.authorities.values()
    for kid, record in authority.keys.items()
    if kid != SECOND.kid  # joserfc has no ML-DSA-65: it sees an unknown key
}

ONE_SPELLING = "an entry, a list of entries and a header have one spelling"
CLOSED = "the header is a closed set of members, each of its type"
STRICTER = {
    "two signature headers": "exactly one header; a reader that takes the first disagrees with one that takes the last",
    "the header in two cases": "the same, for a reader that compares names without case",
    "a comma after": ONE_SPELLING,
    "a space after the comma": ONE_SPELLING,
    "one key twice": "a key counts once",
    "one key twice, the second in other words": "a key counts once",
    "nine signatures": "the work for one message is bounded",
    **{
        case["comment"]: "what was signed for one purpose, or in one federation, is not another's"
        for case in GROUP["tests"]
        if case["reason"] in ("unknown-type", "wrong-domain")
        and case["comment"] != "signed in another domain by an unknown key"
    },
    **dict.fromkeys(
        (
            "no domain",
            "an empty domain",
            "the domain in another case",
            "a domain with a newline",
            "a domain of a thousand",
            "a domain that is a list",
            "a domain that is a number",
            "a domain that is null",
            "a batch with iat",
            "a batch with x5t#S256",
            "a batch with x5c",
            "a batch with crit",
        ),
        CLOSED,
    ),
    **dict.fromkeys(
        (
            *(f"batch: the index {text!r}" for text in ("+1", "01", " 1", "1 ", "\u0661", "001")),
            "batch: padding behind the path",
            "batch: stray bits in the path",
            "batch: a line end behind the path",
            "batch: a space before the place",
        ),
        ONE_SPELLING,
    ),
    "batch: one key twice, in a batch and alone": "a key counts once",
    **dict.fromkeys(
        (
            "at two places of two trees",
            "two signatures required: the first in a batch, the second not",
            "two signatures required: the second in a batch, the first not",
            "two signatures required: both in batches, at two places",
            "two signatures required: both in batches of two sizes",
        ),
        "all signatures of an issuer stand at one place of one tree, or none is of a batch",
    ),
    "two signatures required: both in a batch, the second spoilt": "a bad signature of the issuer refuses the whole",
    "crit": "`b64` changes what is signed; the library reads the payload as if it were not there",
    "crit of nothing": CLOSED,
    "an embedded key": CLOSED,
    "the address of keys": CLOSED,
    "the address of a certificate": CLOSED,
    "compression": CLOSED,
    "no typ": CLOSED,
    "five certificates": "the work for one header is bounded",
    "a header with alg twice": "a member stands once; the library keeps the last one",
    "a domain twice": "a member stands once; the library keeps the last one",
    "a header with alg twice, escaped": "a member stands once; the library keeps the last one",
    "no payload, signed so": "no bytes say nothing",
    "a bad signature of the issuer beside a good one": "the issuer's own signature decides, whoever endorses",
    "two signatures required: the second spoilt": "a bad signature of the issuer refuses the whole",
}
BEYOND = {
    "two signatures required: the second alone": "joserfc knows no ML-DSA-65",
    "two signatures required: the second in a batch alone": "joserfc knows no ML-DSA-65",
}


class Profile(jws.JWSRegistry):
    """The library with our bounds and the members an application may add (`iat`), which by default it refuses."""

    max_header_length = MAX_PROTECTED_BYTES
    max_payload_length = 2 * MAX_PAYLOAD_BYTES


def climb(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root above a leaf, down from the top: another way than `schemas.merkle` goes."""
    if size == 1:
        if path:
            raise ValueError("a path too long")
        return leaf
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        return sha256(b"\1" + climb(leaf, index, split, path[:-1]) + path[-1]).digest()
    return sha256(b"\1" + path[-1] + climb(leaf, index - split, size - split, path[:-1])).digest()


def parts(entry: str, payload: str) -> tuple[str, str, str]:
    """Protected header, payload and signature of the compact JWS that an application would verify for an entry."""
    jose, tilde, place = entry.partition("~")
    protected, head, signature = jose.split(".")
    if not tilde:
        if head:
            raise ValueError("the payload is attached")
        return protected, payload, signature
    index, _, path = place.partition(".")
    raw, steps = b64decode(head), b64decode(path)
    hashes = [steps[at : at + 32] for at in range(0, len(steps), 32)]
    leaf = sha256(b"\0" + sha256(b64decode(payload)).digest()).digest()
    if climb(leaf, int(index), int.from_bytes(raw[:2]), hashes) != raw[2:]:
        raise ValueError("the path misses the root")
    return protected, head, signature


def b64decode(text: str) -> bytes:
    """Decode base64url as every library does."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def stock(case: dict[str, Any]) -> bool:
    """The verdict of an application with the library: some entry verifies under the registry's key and algorithm."""
    value = next((text for name, text in case["headers"] if name.lower() == "tocsin-sig"), "")
    found = False
    for entry in value.split(","):
        try:
            protected, payload, signature = parts(entry, case["payload"])
            header = jws.extract_compact(f"{protected}..{signature}".encode(), registry=Profile()).headers()
            record = RECORDS.get(str(header.get("kid")))
            if record is None:
                continue
            jws.deserialize_compact(
                f"{protected}.{payload}.{signature}".encode(),
                jwk.import_key(dict(record.jwk)),
                registry=Profile(algorithms=[record.alg], strict_check_header=False),
            )
        except (JoseError, ValueError, IndexError, RecursionError):
            continue  # a library is called by an application that must survive whatever it raises
        found = True
    return found


def ours(case: dict[str, Any]) -> bool:
    """Whether our signature layer lets the bytes be read."""
    try:
        admit(case["subject"], case["headers"], unb64u(case["payload"]), registry=REGISTRY, now=NOW)
    except AdmissionError as refused:
        return refused.reason not in LAYER or case["flags"] == ["Speaker"]
    return True


@pytest.mark.parametrize("case", GROUP["tests"], ids=lambda case: f"{case['tcId']} {case['comment']}")
def test_both_say_the_same_or_the_table_says_why(case: dict[str, Any]) -> None:
    """The two verdicts differ exactly where a table says so, and then ours is the refusal."""
    expected = (
        (False, True) if case["comment"] in STRICTER else (True, False) if case["comment"] in BEYOND else None
    )
    verdicts = (ours(case), stock(case))
    assert verdicts == expected if expected else verdicts[0] == verdicts[1]


def test_the_comparison_compares() -> None:
    """Both verdicts occur, and the tables name vectors that exist."""
    comments = {case["comment"] for case in GROUP["tests"]}
    assert set(STRICTER) | set(BEYOND) <= comments
    assert sum(map(stock, GROUP["tests"])) > 40
    assert sum(not stock(case) for case in GROUP["tests"]) > 40
