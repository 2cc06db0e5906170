"""Batches in the admission vectors: the places of a tree, one spelling for each, and what a batch may not be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from bus.keys.signatures import FileSigner
from schemas.bulletin import Bulletin
from schemas.codec import encode
from schemas.envelope import (
    SIG_HEADER,
    TYP_BATCH,
    TYP_BULLETIN,
    TYP_SEALED_BULLETIN,
    TYPES,
    Entry,
    b64u,
    format_header,
    head_of,
    unb64u,
    write_signed,
)
from schemas.subject import subject_for
from tests.vectors.scene import (
    DOMAIN,
    FIRST,
    ISSUED,
    KEY,
    OTHER,
    SECOND,
    STRANGER,
    batched,
    example,
    signed,
)

Pairs = list[list[str]]
Case = tuple[str, str, Pairs, bytes, str]

PAYLOAD = encode(example())


def among(payload: bytes, size: int, index: int) -> list[bytes]:
    """A batch of so many payloads in which one stands at a place; the others are of nobody's interest."""
    others = [f"payload {n}".encode() for n in range(size)]
    return [*others[:index], payload, *others[index + 1 :]]


def at(
    size: int, index: int, payload: bytes = PAYLOAD, by: Sequence[FileSigner] = (KEY,), **how: Any
) -> tuple[Entry, ...]:
    """The entries of a payload at a place of a batch."""
    return batched(among(payload, size, index), *by, **how)[index]


def pairs(*entries: Entry) -> Pairs:
    """The signature header."""
    return [[SIG_HEADER, format_header(entries)]]


def moved(entry: Entry, **changes: Any) -> Entry:
    """The entry with parts of its batch replaced."""
    assert entry.batch is not None
    return msgspec.structs.replace(entry, batch=msgspec.structs.replace(entry.batch, **changes))


def _text(value: str) -> Pairs:
    return [[SIG_HEADER, value]]


def _spellings() -> Iterator[tuple[str, str, str]]:
    """Comment, header value and reason of a good entry in other words: number 1 of 5, whose path has three hashes."""
    (entry,) = at(5, 1)
    value = format_header((entry,))
    protected, head, rest = value.split(".", 2)
    signature, place = rest.split("~")
    index, path = place.split(".")
    assert index == "1"

    def spelt(head: str = head, signature: str = signature, index: str = index, path: str = path) -> str:
        return f"{protected}.{head}.{signature}~{index}.{path}"

    raw = unb64u(path)
    for text in ("+1", "01", " 1", "1 ", "1_", "-1", "1.0", "", "\u0661", "001"):
        yield f"the index {text!r}", spelt(index=text), "malformed-envelope"
    for text in ("5", "64", "65", "99", "100"):
        yield f"the index {text}, of 5", spelt(index=text), "malformed-envelope"
    for size in (0, 1, 65, 256, 65_535):
        signed_size = at(5, 1, sign_size=size)[0].batch if size >= 2 else None
        other = signed_size.head if signed_size else b64u(head_of(unb64u(head)[2:], size))
        yield f"a size of {size}", spelt(head=other), "malformed-envelope"
    yield "a path with a hash more", spelt(path=b64u(raw + bytes(32))), "malformed-envelope"
    yield "a path with a hash less", spelt(path=b64u(raw[:-32])), "malformed-envelope"
    yield "a path with a byte more", spelt(path=b64u(raw + b"\0")), "malformed-envelope"
    yield "a path with a byte less", spelt(path=b64u(raw[:-1])), "malformed-envelope"
    yield "no path", spelt(path=""), "malformed-envelope"
    yield "a path of seven hashes", spelt(path=b64u(bytes(7 * 32))), "malformed-envelope"
    yield "padding behind the path", f"{value}=", "malformed-envelope"
    yield "padding behind the head", spelt(head=head[:-1] + "="), "malformed-envelope"
    yield "stray bits in the head", spelt(head=head[:-1] + _stray(head)), "malformed-envelope"
    (second,) = at(3, 2)  # its path is one hash, whose encoding has two bits to spare
    short = format_header((second,))
    yield "stray bits in the path", short[:-1] + _stray(short), "malformed-envelope"
    yield "a head with a byte less", spelt(head=b64u(unb64u(head)[:-1])), "malformed-envelope"
    yield "a head with a byte more", spelt(head=b64u(unb64u(head) + b"\0")), "malformed-envelope"
    yield "no head", spelt(head=""), "malformed-envelope"
    yield "no place", f"{protected}.{head}.{signature}", "malformed-envelope"
    yield "no index", f"{protected}.{head}.{signature}~{path}", "malformed-envelope"
    yield "a place and no head", f"{protected}..{signature}~{place}", "malformed-envelope"
    yield "two places", f"{value}~{place}", "malformed-envelope"
    yield "a line end behind the path", f"{value}\n", "malformed-envelope"
    yield "a space before the place", value.replace("~", "~ "), "malformed-envelope"
    yield (
        "one key twice, in a batch and alone",
        f"{value},{format_header(signed(PAYLOAD, KEY))}",
        "malformed-envelope",
    )


def _stray(text: str) -> str:
    """The last character with a bit set that says nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(text[-1]) | 1]


def _misfits() -> Iterator[tuple[str, Pairs, str]]:
    """What has the right form and leads to another root, or is signed otherwise."""
    (entry,) = at(5, 1)
    batch = entry.batch
    assert batch is not None
    for index in (0, 2, 3):
        yield f"number 1 of 5 as number {index}", pairs(moved(entry, index=index)), "bad-signature"
    (last,) = at(63, 3)
    larger = b64u(head_of(last.batch.root, 64)) if last.batch else ""
    yield "number 3 of 63 as of 64", pairs(moved(last, head=larger, size=64)), "bad-signature"
    flipped = bytes([batch.root[0] ^ 1]) + batch.root[1:]
    yield (
        "one bit of the root",
        pairs(moved(entry, head=b64u(head_of(flipped, 5)), root=flipped)),
        "bad-signature",
    )
    for place in range(3):
        path = list(batch.path)
        path[place] = bytes([path[place][0] ^ 1]) + path[place][1:]
        yield f"one bit of hash {place} of the path", pairs(moved(entry, path=tuple(path))), "bad-signature"
    backwards = tuple(reversed(batch.path))
    yield "the path the other way round", pairs(moved(entry, path=backwards)), "bad-signature"
    spoilt = bytes([entry.signature[0] ^ 1]) + entry.signature[1:]
    yield "one bit of the signature", pairs(msgspec.structs.replace(entry, signature=spoilt)), "bad-signature"
    yield "the place of another payload", pairs(at(5, 1, b"{}")[0]), "bad-signature"
    other = msgspec.structs.replace(
        at(5, 1, by=(STRANGER,))[0], protected=entry.protected, header=entry.header
    )
    yield "a batch signed by another key under this id", pairs(other), "bad-signature"
    single = msgspec.structs.replace(entry, signature=signed(PAYLOAD, KEY)[0].signature)
    yield "the signature of the bulletin alone over the batch", pairs(single), "bad-signature"
    # A root that is the hash of the payload itself: a leaf and a node have prefixes of their own.
    bare = hashlib.sha256(hashlib.sha256(PAYLOAD).digest() + bytes(32)).digest()
    forged = msgspec.structs.replace(
        batch, head=b64u(head_of(bare, 2)), size=2, root=bare, index=0, path=(bytes(32),)
    )
    yield "a tree without prefixes", pairs(_signed_head(forged, bare)), "bad-signature"


def _signed_head(batch: Any, root: bytes) -> Entry:
    """A batch entry that is validly signed over whatever root."""
    (made,) = signed(head_of(root, batch.size), KEY, typ=TYP_BATCH)
    return msgspec.structs.replace(made, batch=batch)


def _types() -> Iterator[tuple[str, str, Pairs, bytes, str]]:
    """Comment, flag, headers, payload, reason: purposes and domains."""
    for typ in (*sorted(TYPES - {TYP_BATCH}), "vnd.tocsin.Batch"):
        yield f"a batch signed as {typ}", "Type", pairs(*at(5, 1, typ=typ)), PAYLOAD, "unknown-type"
    yield "a batch of another domain", "Domain", pairs(*at(5, 1, domain="elsewhere")), PAYLOAD, "wrong-domain"
    (entry,) = at(5, 1)
    assert entry.batch is not None
    head = unb64u(entry.batch.head)
    alone = msgspec.structs.replace(entry, batch=None)
    yield "the head of a batch as a payload", "Type", pairs(alone), head, "unknown-type"
    yield (
        "a signature over a payload that looks like a head, as a batch",
        "Type",
        pairs(msgspec.structs.replace(signed(head, KEY)[0], batch=entry.batch)),
        PAYLOAD,
        "unknown-type",
    )
    for name, value in {"iat": int(ISSUED.timestamp()), "x5t#S256": "A" * 43, "x5c": [], "crit": []}.items():
        header = {"alg": "Ed25519", "kid": KEY.kid, "typ": TYP_BATCH, "domain": DOMAIN, name: value}
        protected = b64u(json.dumps(header, separators=(",", ":")).encode())
        text = f"{protected}.{entry.batch.head}"
        rest = format_header((entry,)).partition("~")[2]
        value_ = f"{text}.{b64u(KEY.sign(text.encode()))}~{rest}"
        yield f"a batch with {name}", "Header", _text(value_), PAYLOAD, "malformed-envelope"


def cases() -> Iterator[Case]:
    """Comment, flag, headers, payload, reason, of the example; empty when it is admitted."""
    for size in (2, 3, 5, 63, 64):
        yield f"number 0 of a batch of {size}", "Good", pairs(*at(size, 0)), PAYLOAD, ""
        yield f"the last of a batch of {size}", "Good", pairs(*at(size, size - 1)), PAYLOAD, ""
    for index in range(5):
        yield f"number {index} of a batch of 5", "Good", pairs(*at(5, index)), PAYLOAD, ""
    (entry,) = at(5, 1)
    yield "in a batch, endorsed alone", "Good", pairs(entry, *signed(PAYLOAD, OTHER)), PAYLOAD, ""
    yield (
        "endorsed in its batch, which does not count",
        "Good",
        pairs(entry, *at(5, 1, by=(OTHER,))),
        PAYLOAD,
        "",
    )
    yield (
        "alone, endorsed in a batch, which does not count",
        "Good",
        pairs(*signed(PAYLOAD, KEY), *at(5, 1, by=(OTHER,))),
        PAYLOAD,
        "",
    )
    yield "in a batch beside an unknown key", "Good", pairs(entry, *at(5, 1, by=(STRANGER,))), PAYLOAD, ""
    yield "in a batch of unknown keys alone", "Key", pairs(*at(5, 1, by=(STRANGER,))), PAYLOAD, "unknown-key"
    yield (
        "in a batch of another authority alone",
        "Speaker",
        pairs(*at(5, 1, by=(OTHER,))),
        PAYLOAD,
        "wrong-issuer",
    )
    elsewhere = at(5, 2, by=(OTHER,))
    yield "at two places of two trees", "Batch", pairs(entry, *elsewhere), PAYLOAD, "malformed-envelope"
    for comment, value, reason in _spellings():
        yield f"batch: {comment}", "Batch", _text(value), PAYLOAD, reason
    for comment, made, reason in _misfits():
        yield f"batch: {comment}", "Batch", made, PAYLOAD, reason
    for comment, flag, made, payload, reason in _types():
        yield comment, flag, made, payload, reason


def of_two(made: Bulletin) -> Iterator[tuple[str, str, str, Pairs, bytes, str]]:
    """A bulletin of an authority that must sign with two keys, both in a batch, or not."""
    payload, subject = encode(made), subject_for(made)
    both = at(5, 1, payload, (FIRST, SECOND))
    alone = signed(payload, FIRST, SECOND)
    here, there = at(5, 1, payload, (FIRST,)), at(5, 3, payload, (SECOND,))
    tree = at(3, 1, payload, (SECOND,))
    spoilt = msgspec.structs.replace(both[1], signature=bytes(len(both[1].signature)))
    for comment, entries, reason in (
        ("both in a batch", both, ""),
        ("both in a batch, the other way round", both[::-1], ""),
        ("the first in a batch alone", both[:1], "signature-policy"),
        ("the second in a batch alone", both[1:], "signature-policy"),
        ("both in a batch, the second spoilt", (both[0], spoilt), "bad-signature"),
        ("the first in a batch, the second not", (both[0], alone[1]), "malformed-envelope"),
        ("the second in a batch, the first not", (alone[0], both[1]), "malformed-envelope"),
        ("both in batches, at two places", (*here, *there), "malformed-envelope"),
        ("both in batches of two sizes", (*here, *tree), "malformed-envelope"),
    ):
        flag = {"": "Good", "signature-policy": "KeyPolicy"}.get(reason, "Batch")
        yield f"two signatures required: {comment}", flag, subject, pairs(*entries), payload, reason


def of_ended(
    made: Bulletin, by: FileSigner, comment: str, reason: str
) -> tuple[str, str, str, Pairs, bytes, str]:
    """A bulletin in a batch of a key that has ended."""
    payload = encode(made)
    return (
        f"{comment}, in a batch",
        "KeyPolicy",
        subject_for(made),
        pairs(*at(5, 1, payload, (by,))),
        payload,
        reason,
    )


def files() -> Iterator[tuple[str, bytes, tuple[str, str], str]]:
    """Comment, signed file, expected type and domain, reason: the file form of batches, and of every pair of purposes."""
    ours = (TYP_BULLETIN, DOMAIN)
    entry = at(5, 1)
    good = write_signed(PAYLOAD, entry)
    yield "a bulletin of a batch", good, ours, ""
    yield "the first of 64", write_signed(PAYLOAD, at(64, 0)), ours, ""
    for typ in sorted(TYPES):
        alone = write_signed(PAYLOAD, signed(PAYLOAD, KEY, typ=typ))
        tree = write_signed(PAYLOAD, at(5, 1, typ=typ))
        for wanted in sorted(TYPES):
            fits = typ == wanted != TYP_BATCH
            yield f"{typ} for {wanted}", alone, (wanted, DOMAIN), "" if fits else "unknown-type"
            fits = (typ, wanted) == (TYP_BATCH, TYP_BULLETIN)
            yield f"{typ}, in a batch, for {wanted}", tree, (wanted, DOMAIN), "" if fits else "unknown-type"
    for typ in sorted(TYPES - {TYP_BATCH}):
        abroad = write_signed(PAYLOAD, signed(PAYLOAD, KEY, typ=typ, domain="elsewhere"))
        yield f"{typ} of another domain", abroad, (typ, DOMAIN), "wrong-domain"
        yield f"{typ} of another domain, there", abroad, (typ, "elsewhere"), ""
    (signature,) = json.loads(good)["signatures"]
    header = signature["header"]
    for comment, changed in {
        "the index as a text": {**header, "index": "1"},
        "the index as a fraction": {**header, "index": 1.0},
        "a negative index": {**header, "index": -1},
        "an index of 64": {**header, "index": 64},
        "no index": {name: header[name] for name in ("batch", "path")},
        "no path": {name: header[name] for name in ("batch", "index")},
        "no head": {name: header[name] for name in ("index", "path")},
        "an unknown member": {**header, "alg": "Ed25519"},
        "an empty header": {},
        "a path with padding": {**header, "path": header["path"] + "="},
    }.items():
        raw = json.dumps(
            {"payload": b64u(PAYLOAD), "signatures": [{**signature, "header": changed}]}
        ).encode()
        yield comment, raw, ours, "malformed-envelope"
    wrong = {"payload": b64u(PAYLOAD), "signatures": [{**signature, "header": {**header, "index": 2}}]}
    yield "another index", json.dumps(wrong).encode(), ours, "bad-signature"
    bare = {
        "payload": b64u(PAYLOAD),
        "signatures": [{name: signature[name] for name in ("protected", "signature")}],
    }
    yield "a batch without its header", json.dumps(bare).encode(), ours, "unknown-type"
    inside = write_signed(PAYLOAD, signed(PAYLOAD, KEY, typ=TYP_SEALED_BULLETIN))
    yield "the inside of a seal, where it belongs", inside, (TYP_SEALED_BULLETIN, DOMAIN), ""


NOTES = {
    "Good": "the signature holds for what it is asked for",
    "Refused": "made for something else, in another federation, or in other words",
}


def group() -> dict[str, Any]:
    """The one group: a key, and files with what each is asked for."""
    return {
        "type": "Context",
        "key": KEY.jwk,
        "tests": [
            {
                "tcId": n,
                "comment": comment,
                "flags": ["Refused" if reason else "Good"],
                "result": "invalid" if reason else "valid",
                "reason": reason,
                "input": raw.decode(),
                "typ": typ,
                "domain": domain,
            }
            for n, (comment, raw, (typ, domain), reason) in enumerate(files(), 1)
        ],
    }
