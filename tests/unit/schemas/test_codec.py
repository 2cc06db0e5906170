"""The codec: what is written is read back, and nothing else is read."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.errors import SchemaError
from tests.support.places import ROOT
from tests.support.world import bulletin, shared_world

GOOD = codec.encode(bulletin(shared_world()))


def edited(old: bytes, new: bytes) -> bytes:
    """The good payload with one part replaced."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "array": (b"[]", "malformed-payload"),
    "byte-order mark": (b"\xef\xbb\xbf" + GOOD, "malformed-payload"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "malformed-payload"),
    "space before": (b" " + GOOD, "malformed-payload"),
    "trailing data": (GOOD + b"{}", "malformed-payload"),
    "newline after": (GOOD + b"\n", "malformed-payload"),
    "overlong UTF-8": (edited(b"192.0.2", b"\xc0\xaf92"), "malformed-payload"),
    "CESU-8": (edited(b"192.0.2", b"\xed\xa0\x80\xed\xb0\x80"), "malformed-payload"),
    "lone surrogate": (edited(b"192.0.2", b"\\udc00"), "malformed-payload"),
    "NaN": (edited(b'"seq":1', b'"seq":NaN'), "malformed-payload"),
    "Infinity": (edited(b'"seq":1', b'"seq":-Infinity'), "malformed-payload"),
    "fraction": (edited(b'"seq":1', b'"seq":1.0'), "malformed-payload"),
    "exponent": (edited(b'"seq":1', b'"seq":1e0'), "malformed-payload"),
    "30 digits": (edited(b'"seq":1', b'"seq":' + b"1" * 30), "malformed-payload"),
    "200 000 digits": (edited(b'"seq":1', b'"seq":' + b"1" * 200_000), "malformed-payload"),
    "2^53": (edited(b'"seq":1', b'"seq":9007199254740992'), "malformed-payload"),
    "100 000 deep": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed-payload"),
    "33 deep": (b'{"a":' + b"[" * 33 + b"]" * 33 + b"}", "malformed-payload"),
    "too large": (b'{"a":"' + b"x" * 262_144 + b'"}', "too-large"),
    "member twice": (edited(b'"seq":1', b'"seq":1,"seq":1'), "duplicate-member"),
    "member twice, escaped": (edited(b'"seq":1', b'"seq":1,"\\u0073eq":1'), "duplicate-member"),
    "number as text": (edited(b'"seq":1', b'"seq":"1"'), "schema"),
    "truth as number": (edited(b'"seq":1', b'"seq":true'), "schema"),
    "number zero": (edited(b'"seq":1', b'"seq":0'), "schema"),
    "unknown member": (edited(b'"seq":1', b'"seq":1,"x":1'), "schema"),
    "missing member": (edited(b'"seq":1,', b""), "schema"),
    "unknown closed word": (edited(b'"actual"', b'"draft"'), "schema"),
    "naive time": (edited(b"18:00:00Z", b"18:00:00"), "schema"),
    "time with offset": (edited(b"18:00:00Z", b"20:00:00+02:00"), "schema"),
    "small t": (edited(b"T18:00:00Z", b"t18:00:00Z"), "schema"),
    "second 60": (edited(b"18:00:00Z", b"18:00:60Z"), "schema"),
    "nine digits": (edited(b"18:00:00Z", b"18:00:00.123456789Z"), "schema"),
    "30 February": (edited(b"2027-05-23T18", b"2027-02-30T18"), "schema"),
    "id of version 4": (GOOD.replace(b"-7", b"-4", 1), "schema"),
    "issuer with a wildcard": (edited(b'"xa-csirt"', b'"xa-*"'), "schema"),
    "issuer with a homoglyph": (edited(b'"xa-csirt"', '"xa-сsirt"'.encode()), "schema"),
    "audience with a newline": (edited(b'"community"', b'"community\\n"'), "schema"),
    "headline too long": (edited(b'"headline":"', b'"headline":"' + b"x" * 200), "schema"),
}


@pytest.mark.parametrize(("raw", "reason"), BAD.values(), ids=BAD)
def test_bad_payloads_are_refused_for_their_reason(raw: bytes, reason: str) -> None:
    """Each bad payload has its reason, and none is a traceback."""
    with pytest.raises(SchemaError) as refused:
        codec.decode(raw)
    assert refused.value.reason == reason


def test_what_is_written_is_read_back() -> None:
    """Encode and decode are inverse."""
    assert codec.encode(codec.decode(GOOD)) == GOOD


def test_a_whole_surrogate_pair_is_a_character() -> None:
    """Escapes beyond the basic plane are fine."""
    codec.gate(b'{"a":"\\ud83d\\ude00"}')


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Nothing but SchemaError ever escapes."""
    try:
        codec.decode(raw)
    except SchemaError as refused:
        assert refused.reason


@given(st.data())
def test_a_spoilt_payload_is_read_or_refused(data: st.DataObject) -> None:
    """One byte changed anywhere gives a bulletin or a reason."""
    place = data.draw(st.integers(0, len(GOOD) - 1))
    spoilt = GOOD[:place] + bytes([data.draw(st.integers(0, 255))]) + GOOD[place + 1 :]
    try:
        codec.decode(spoilt)
    except SchemaError as refused:
        assert refused.reason


def test_no_pattern_of_an_identifier_lets_a_final_newline_pass() -> None:
    """Every `$` in a pattern of the wire is guarded, by the exported schemas as well."""
    for type_ in codec.wire_types():
        schema = json.dumps(msgspec.json.schema(type_))
        for pattern in json.loads(f"[{','.join(p for p in _patterns(schema))}]"):
            assert not pattern.endswith("$"), (type_, pattern)


def _patterns(schema: str) -> list[str]:
    import re

    return re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', schema)


def test_member_names_of_times_are_used_for_nothing_else() -> None:
    """The gate checks times by member name, so such a name must be a time or a date everywhere."""
    import datetime as dt

    names = codec.time_names()
    for type_ in codec.wire_types():
        hints = get_type_hints(type_)
        for field in msgspec.structs.fields(type_):
            if field.encode_name in names:
                found = {
                    each
                    for each in (hints[field.name], *get_args(hints[field.name]))
                    if isinstance(each, type)
                }
                assert found & {dt.datetime, dt.date}, (type_, field.name)


def test_threads_may_read_for_the_first_time_together() -> None:
    """Decoders are built by one thread at a time: msgspec ends the process of two that build shared parts at once."""
    program = Path(__file__).with_name("race.py")
    for _ in range(3):
        ended = subprocess.run([sys.executable, str(program)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        assert ended.returncode == 0


@given(st.datetimes(), st.integers(-1439, 1439))
def test_a_moment_is_written_alike_whatever_zone_it_is_in(naive: dt.datetime, minutes: int) -> None:
    """Also one in UTC, which is written the short way."""
    elsewhere = dt.timezone(dt.timedelta(minutes=minutes), "elsewhere")
    moment = naive.replace(tzinfo=dt.UTC)
    try:
        there = moment.astimezone(elsewhere)
    except OverflowError:
        there = moment.astimezone(dt.timezone(dt.timedelta(0), "nearby"))
    assert codec.encode_time(moment) == codec.encode_time(there) == f"{naive.isoformat()}Z"
