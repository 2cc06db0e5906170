"""The codec vectors: bytes that are, or are not, a bulletin, and texts that are, or are not, a wire time."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

from schemas.codec import MAX_DEPTH, MAX_PAYLOAD_BYTES, digest, encode
from schemas.envelope import b64u
from tests.vectors.scene import example

GOOD = encode(example())
Case = tuple[str, str, bytes, str]


def edited(old: str, new: str) -> bytes:
    """The example with one part replaced."""
    assert old in GOOD.decode()
    return GOOD.decode().replace(old, new, 1).encode()


def issued(text: str) -> bytes:
    """The example, issued at another text."""
    return edited('"issued":"2027-05-23T19:41:00Z"', f'"issued":{text}')


def many(name: str, item: str, count: int) -> bytes:
    """The example with a list of `count` items as one more member."""
    return edited('"seq":1', f'"seq":1,"{name}":[{",".join([item] * count)}]')


def _good() -> Iterator[Case]:
    yield "the example", "Good", GOOD, ""
    yield "space inside", "Good", edited('"seq":1', ' \t\n"seq" : 1 '), ""
    members = json.loads(GOOD)
    turned = json.dumps(dict(reversed(members.items())), separators=(",", ":")).encode()
    yield "members in another order", "Good", turned, ""
    yield "a name with an escape, once", "Good", edited('"seq":1', '"\\u0073eq":1'), ""
    yield "a default spelt out", "Good", edited('"handling":{}', '"handling":{"attribution":"may"}'), ""
    yield "a pair of surrogate escapes", "Good", edited("HTTP/2", "\\ud83d\\ude00"), ""
    yield "letters beyond the basic plane", "Good", edited("HTTP/2", "\U0001f600 \u03b1\u0434"), ""
    yield "the largest integer", "Good", GOOD.replace(b'"seq":1,"prev":null', _far(2**53 - 1)), ""
    yield "a word nobody knows in an open vocabulary", "Good", edited("results-portal", "quantum-booth"), ""
    yield "one digit of a second", "Good", issued('"2027-05-23T19:41:00.5Z"'), ""
    tie = '"things":[{"kind":"outlet","name":"A"}],"links":[{"from":"body","rel":"uses","to":"things/0"}]'
    yield "a tie", "Good", edited('"seq":1', f'"seq":1,{tie}'), ""
    yield "six digits of a second", "Good", issued('"2027-05-23T19:41:00.123456Z"'), ""


def _far(seq: int) -> bytes:
    return f'"seq":{seq},"prev":"{"A" * 43}"'.encode()


def _gate() -> Iterator[Case]:
    yield "nothing", "Bounds", b"", "empty"
    for name, raw in {
        "an array": b"[" + GOOD + b"]",
        "a byte-order mark": b"\xef\xbb\xbf" + GOOD,
        "UTF-16": GOOD.decode().encode("utf-16-le"),
        "a space before": b" " + GOOD,
        "a newline after": GOOD + b"\n",
        "two objects": GOOD + GOOD,
        "cut short": GOOD[: len(GOOD) // 2] + b"}",
        "a comma too many": edited('"seq":1', '"seq":1,'),
        "a comment": edited('"seq":1', '/* one */"seq":1'),
        "a name without quotes": edited('"seq":1', "seq:1"),
        "a raw newline in a text": edited("HTTP/2", "HTTP\n2"),
        "an unknown escape": edited("HTTP/2", "HTTP\\x32"),
    }.items():
        yield name, "Json", raw, "malformed-payload"
    for name, odd in {
        "an overlong encoding": b"\xc0\xaf",
        "surrogates in UTF-8": b"\xed\xa0\xbd\xed\xb8\x80",
        "beyond Unicode": b"\xf4\x90\x80\x80",
        "half a surrogate pair": b"\\ud800",
        "the other half": b"\\udc00",
        "a pair the wrong way round": b"\\ude00\\ud83d",
    }.items():
        yield name, "Text", GOOD.replace(b"HTTP/2", odd, 1), "malformed-payload"
    for name, number in {
        "a fraction": "1.0",
        "an exponent": "1e0",
        "NaN": "NaN",
        "Infinity": "Infinity",
        "minus Infinity": "-Infinity",
        "a leading zero": "01",
        "a plus": "+1",
        "hexadecimal": "0x1",
        "2^53": "9007199254740992",
        "minus 2^53": "-9007199254740992",
        "thirty digits": "1" * 30,
    }.items():
        yield name, "Number", edited('"seq":1', f'"seq":{number}'), "malformed-payload"
    for name, deep, reason in (
        ("as deep as allowed, and unknown", MAX_DEPTH - 1, "schema"),
        ("one deeper", MAX_DEPTH, "malformed-payload"),
    ):
        yield name, "Bounds", edited('"seq":1', f'"seq":1,"x":{"[" * deep}{"]" * deep}'), reason
    for name, old, new in (
        ("a member twice", '"seq":1', '"seq":1,"seq":1'),
        ("a member twice, escaped", '"seq":1', '"seq":1,"\\u0073eq":2'),
        ("a member twice, within", '"scope":"country"', '"scope":"country","scope":"eu"'),
        ("an unknown member twice", '"seq":1', '"seq":1,"x":1,"x":1'),
    ):
        yield name, "Duplicate", edited(old, new), "duplicate-member"


def _typed() -> Iterator[Case]:
    tie = '"links":[{"from":"body","rel":"uses","to":"%s"}]'
    for name, old, new in (
        ("an unknown member", '"seq":1', '"seq":1,"x":1'),
        ("an unknown member within", '"scope":"country"', '"scope":"country","x":1'),
        ("a missing member", '"seq":1,', ""),
        ("null for a number", '"seq":1', '"seq":null'),
        ("an end of a link with a leading zero", '"seq":1', f'"seq":1,{tie % "targets/01"}'),
        ("an end of a link in a list that is none", '"seq":1', f'"seq":1,{tie % "labels/0"}'),
        ("a number as text", '"seq":1', '"seq":"1"'),
        ("a truth for a number", '"seq":1', '"seq":true'),
        ("number zero", '"seq":1', '"seq":0'),
        ("another version", '"tocsin/1"', '"tocsin/2"'),
        ("an unknown status", '"actual"', '"draft"'),
        ("the old word for clear", '"tlp":"green"', '"tlp":"white"'),
        ("a kind that is none", '"cyber-incident"', '"gossip"'),
        ("a body without kind", '"kind":"cyber-incident",', ""),
        ("an id of version 4", "-7000-8000-", "-4000-8000-"),
        ("an id in capitals", "0196fe2f", "0196FE2F"),
        ("a wildcard as issuer", '"xa-csirt"', '"xa-*"'),
        ("a letter of another script", '"xa-csirt"', '"xa-\u0441sirt"'),
        ("a newline after an id", '"xa-csirt"', '"xa-csirt\\n"'),
        ("a point in an audience", '"community"', '"comm.unity"'),
        ("a newline after an audience", '"community"', '"community\\n"'),
        ("a country in small letters", '"country":"XA","name"', '"country":"xa","name"'),
        ("an empty text", '"name":"CSIRT of XA"', '"name":""'),
        ("a headline too long", '"headline":"', f'"headline":"{"x" * 160}'),
        ("no dimensions", '["cybercrime"]', "[]"),
    ):
        yield name, "Type", edited(old, new), "schema"
    yield "as many dimensions as fit", "Bounds", edited('["cybercrime"]', f"[{_words(9)}]"), ""
    yield "one dimension more", "Bounds", edited('["cybercrime"]', f"[{_words(10)}]"), "schema"
    yield (
        "5000 digits",
        "Number",
        edited('"seq":1', f'"seq":{"1" * 5000}'),
        "malformed-payload",
    )
    yield "5000 deep", "Bounds", b'{"a":' * 5000 + b"1" + b"}" * 5000, "malformed-payload"
    for name, ref, reason in (
        ("the Charter as a legal text", "celex:12012P", ""),
        ("a treaty as published", "celex:12016E/TXT", ""),
        ("an article's point", "celex:32022L2555#23.4.a", ""),
        ("a legal text of no register", "law:XA:1", "schema"),
        ("a legal text with a newline after", "celex:12012P\\n", "schema"),
    ):
        yield name, "Type", edited('"seq":1', f'"seq":1,"legal":[{{"ref":"{ref}","role":"power"}}]'), reason
    yield "as many labels as fit", "Bounds", many("labels", '"a:b"', 32), ""
    yield "labels beyond their bound", "Bounds", many("labels", '"a:b"', 33), "schema"


def _words(count: int) -> str:
    return ",".join(['"hybrid"'] * count)


BAD_TIMES = {
    "no zone": "2027-05-23T19:41:00",
    "an offset": "2027-05-23T21:41:00+02:00",
    "an offset of nothing": "2027-05-23T19:41:00+00:00",
    "a small t": "2027-05-23t19:41:00Z",
    "a small z": "2027-05-23T19:41:00z",
    "a space for T": "2027-05-23 19:41:00Z",
    "a space and an offset": "2027-05-23 21:41:00+02:00",
    "no seconds": "2027-05-23T19:41Z",
    "second 60": "2027-05-23T23:59:60Z",
    "beyond the last year by its offset": "9999-12-31T23:59:59-14:00",
    "hour 24": "2027-05-23T24:00:00Z",
    "30 February": "2027-02-30T19:41:00Z",
    "29 February of a common year": "2027-02-29T19:41:00Z",
    "month 13": "2027-13-01T19:41:00Z",
    "year nought": "0000-01-01T00:00:00Z",
    "five digits of a year": "12027-05-23T19:41:00Z",
    "nine digits of a second": "2027-05-23T19:41:00.123456789Z",
    "a point and nothing": "2027-05-23T19:41:00.Z",
    "a comma": "2027-05-23T19:41:00,5Z",
    "without hyphens": "20270523T194100Z",
    "only a date": "2027-05-23",
    "a newline after": "2027-05-23T19:41:00Z\n",
    "digits of another script": "\u0662027-05-23T19:41:00Z",
    "nothing": "",
}
GOOD_TIMES = {
    "whole seconds": "2027-05-23T19:41:00Z",
    "one digit": "2027-05-23T19:41:00.5Z",
    "six digits": "2027-05-23T19:41:00.123456Z",
    "29 February of a leap year": "2028-02-29T00:00:00Z",
    "the first": "0001-01-01T00:00:00Z",
    "the last": "9999-12-31T23:59:59.999999Z",
}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _decode() -> Iterator[dict[str, Any]]:
    for comment, flag, raw, reason in (*_good(), *_gate(), *_typed()):
        yield {
            "comment": comment,
            "flags": [flag],
            "input": b64u(raw),
            "reason": reason,
            "digest": digest(raw),
        }
    for comment, size, reason in (
        ("as large as allowed", MAX_PAYLOAD_BYTES, ""),
        ("a byte more", MAX_PAYLOAD_BYTES + 1, "too-large"),
    ):
        yield {
            "comment": comment,
            "flags": ["Bounds"],
            "input": b64u(GOOD),
            "spaces": size - len(GOOD),
            "reason": reason,
        }
    for comment, text in BAD_TIMES.items():
        raw = issued(json.dumps(text, ensure_ascii=False))
        yield {"comment": f"issued: {comment}", "flags": ["Time"], "input": b64u(raw), "reason": "schema"}


def _times() -> Iterator[dict[str, Any]]:
    for comment, text in GOOD_TIMES.items():
        moment = dt.datetime.fromisoformat(text)
        yield {
            "comment": comment,
            "flags": ["Good"],
            "input": text,
            "reason": "",
            "microseconds": (moment - _EPOCH) // dt.timedelta(microseconds=1),
        }
    for comment, text in BAD_TIMES.items():
        yield {"comment": comment, "flags": ["Time"], "input": text, "reason": "schema"}


def groups() -> list[dict[str, Any]]:
    """Payloads, then times. `spaces` is how many spaces to put after the first byte of an input."""
    decode, times = list(_decode()), list(_times())
    for n, test in enumerate([*decode, *times], 1):
        test.update({"tcId": n, "result": "invalid" if test["reason"] else "valid"})
    return [{"type": "Decode", "tests": decode}, {"type": "Time", "tests": times}]
