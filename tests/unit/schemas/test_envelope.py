"""Envelopes: one spelling for everything, on the wire and in a file."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import MAX_PAYLOAD_BYTES, digest, encode
from schemas.envelope import (
    MAX_HEADER_BYTES,
    TYP_BULLETIN,
    TYP_REGISTRY,
    Batch,
    b64u,
    format_header,
    head_of,
    hint_lines,
    hints,
    hints_allowed,
    merge_headers,
    parse_header,
    protected_for,
    read_signed,
    signing_input,
    unb64u,
    write_signed,
)
from schemas.errors import EnvelopeError
from tests.vectors.scene import DOMAIN, KEY, OTHER, example, signed, within

PAYLOAD = encode(example())
ENTRIES = signed(PAYLOAD, KEY, OTHER)
ONE = format_header(ENTRIES[:1])
PROTECTED, _, SIGNATURE = ONE.partition("..")
FILE = json.loads(write_signed(PAYLOAD, ENTRIES))
HEADER = {"alg": "Ed25519", "kid": KEY.kid, "typ": TYP_BULLETIN, "domain": DOMAIN}


def with_header(raw: bytes | dict[str, Any]) -> str:
    """The good signature under another protected header."""
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return f"{b64u(data)}..{SIGNATURE}"


BAD: dict[str, tuple[str, str]] = {
    "nothing": ("", "malformed-envelope"),
    "only separators": ("..", "malformed-envelope"),
    "an attached payload": (ONE.replace("..", ".e30."), "malformed-envelope"),
    "a JSON serialisation": (json.dumps(FILE), "malformed-envelope"),
    "a comma before": (f",{ONE}", "malformed-envelope"),
    "a comma after": (f"{ONE},", "malformed-envelope"),
    "a space after the comma": (f"{ONE}, {format_header(ENTRIES[1:])}", "malformed-envelope"),
    "a newline after": (f"{ONE}\n", "malformed-envelope"),
    "a carriage return": (f"{ONE}\r\n", "malformed-envelope"),
    "a NUL": (f"{ONE}\x00", "malformed-envelope"),
    "Latin-1": (f"{ONE[:-1]}\xe9", "malformed-envelope"),
    "points of another script": (ONE.replace("..", "\u2024\u2024"), "malformed-envelope"),
    "padding": (f"{ONE}==", "malformed-envelope"),
    "the other alphabet": (f"{PROTECTED}..+/{SIGNATURE[2:]}", "malformed-envelope"),
    "stray bits": (f"{PROTECTED}..{SIGNATURE[:-1]}B", "malformed-envelope"),
    "a length that cannot be": (f"{PROTECTED}..{SIGNATURE[:-1]}", "malformed-envelope"),
    "an empty signature": (f"{PROTECTED}..", "malformed-envelope"),
    "an empty header": (f"..{SIGNATURE}", "malformed-envelope"),
    "one key twice": (f"{ONE},{ONE}", "malformed-envelope"),
    "nine signatures": (",".join([ONE] * 9), "too-large"),
    "64 KiB": (ONE + "A" * 65_536, "too-large"),
    "a header that is an array": (with_header(b"[]"), "malformed-envelope"),
    "a header that is no UTF-8": (with_header(b'{"alg":"\xff"}'), "malformed-envelope"),
    "a header 2500 deep": (with_header(b'{"a":' * 2500 + b"1" + b"}" * 2500), "malformed-envelope"),
    "a header cut short": (with_header(b'{"alg":"Ed25519"'), "malformed-envelope"),
    "alg twice": (
        with_header(json.dumps(HEADER).replace('"alg"', '"alg": "none", "alg"').encode()),
        "malformed-envelope",
    ),
    **{
        f"no {name}": (with_header({k: v for k, v in HEADER.items() if k != name}), "malformed-envelope")
        for name in HEADER
    },
    "a kid that is a path": (with_header({**HEADER, "kid": "../../dev/null"}), "malformed-envelope"),
    "a kid that is a query": (with_header({**HEADER, "kid": "' or 1=1 --"}), "malformed-envelope"),
    "a kid of five thousand": (with_header({**HEADER, "kid": "A" * 5000}), "malformed-envelope"),
    "a kid with a newline": (with_header({**HEADER, "kid": f"{KEY.kid}\n"}), "malformed-envelope"),
    "iat as a fraction": (with_header({**HEADER, "iat": 1.5}), "malformed-envelope"),
    "iat before 1970": (with_header({**HEADER, "iat": -1}), "malformed-envelope"),
    "another type": (with_header({**HEADER, "typ": TYP_REGISTRY}), "unknown-type"),
    "a type in capitals": (with_header({**HEADER, "typ": TYP_BULLETIN.upper()}), "unknown-type"),
    **{
        f"member {name}": (with_header({**HEADER, name: value}), "malformed-envelope")
        for name, value in {
            "crit": [],
            "b64": False,
            "jwk": KEY.jwk,
            "jku": "https://keys.example",
            "x5u": "https://keys.example",
            "zip": "DEF",
            "cty": "json",
        }.items()
    },
}


@pytest.mark.parametrize(("value", "reason"), BAD.values(), ids=BAD)
def test_bad_headers_are_refused_for_their_reason(value: str, reason: str) -> None:
    """Each has its reason, and none is a traceback."""
    with pytest.raises(EnvelopeError) as refused:
        parse_header(value, within())
    assert refused.value.reason == reason


def changed(**changes: Any) -> bytes:
    """The good file with members replaced."""
    return json.dumps({**FILE, **changes}).encode()


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "blank": (b" \n", "empty"),
    "no JSON": (b"tocsin", "malformed-envelope"),
    "an array": (b"[]", "malformed-envelope"),
    "no signatures": (changed(signatures=[]), "malformed-envelope"),
    "nine signatures": (changed(signatures=[FILE["signatures"][0]] * 9), "too-large"),
    "sixty-five signatures": (changed(signatures=[FILE["signatures"][0]] * 65), "too-large"),
    "one signature twice": (changed(signatures=[FILE["signatures"][0]] * 2), "malformed-envelope"),
    "an empty payload": (changed(payload=""), "empty"),
    "a payload with padding": (changed(payload=f"{FILE['payload']}="), "malformed-envelope"),
    "a payload that is an object": (changed(payload={}), "malformed-envelope"),
    "a payload too large": (changed(payload=b64u(b"a" * (MAX_PAYLOAD_BYTES + 1))), "too-large"),
    "a file too large": (b"{" + b" " * 2_000_000 + b"}", "too-large"),
    "an unprotected header": (
        changed(signatures=[{**FILE["signatures"][0], "header": {}}]),
        "malformed-envelope",
    ),
    "an unknown member": (changed(x=1), "malformed-envelope"),
    "payload twice": (json.dumps(FILE).replace("{", '{"payload":"e30",', 1).encode(), "malformed-envelope"),
}


@pytest.mark.parametrize(("raw", "reason"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files_are_refused_for_their_reason(raw: bytes, reason: str) -> None:
    """The file form is as strict as the header."""
    with pytest.raises(EnvelopeError) as refused:
        read_signed(raw, within())
    assert refused.value.reason == reason


def test_a_single_signature_has_no_header_that_is_null() -> None:
    """A file has one spelling for each envelope."""
    spelt = {**FILE, "signatures": [{**each, "header": None} for each in FILE["signatures"]]}
    with pytest.raises(EnvelopeError) as refused:
        read_signed(json.dumps(spelt).encode(), within())
    assert refused.value.reason == "malformed-envelope"


def test_a_file_says_what_it_is() -> None:
    """A bulletin does not read as a registry."""
    with pytest.raises(EnvelopeError) as refused:
        read_signed(write_signed(PAYLOAD, ENTRIES), within(TYP_REGISTRY))
    assert refused.value.reason == "unknown-type"


def test_wire_and_file_carry_the_same() -> None:
    """Conversion is lossless both ways."""
    assert parse_header(format_header(ENTRIES), within()) == ENTRIES
    read = read_signed(write_signed(PAYLOAD, ENTRIES), within())
    assert (read.payload, read.entries) == (PAYLOAD, ENTRIES)
    assert len(format_header(ENTRIES)) < MAX_HEADER_BYTES


def test_the_signing_input_is_that_of_a_compact_jws() -> None:
    """RFC 7515, appendix F: what a stock library signs once the payload is put back."""
    assert signing_input(PROTECTED, PAYLOAD) == f"{PROTECTED}.{b64u(PAYLOAD)}".encode()


def test_a_signing_time_is_kept() -> None:
    """`iat` stands in the protected header and nowhere else."""
    header = json.loads(unb64u(protected_for("Ed25519", KEY.kid, within(), iat=5)))
    assert header == {**HEADER, "iat": 5}


def test_hints_repeat_the_signed_content() -> None:
    """CloudEvents and message id, all of them texts."""
    found = hints_allowed(example(), digest(PAYLOAD))
    assert found["Nats-Msg-Id"] == digest(PAYLOAD)
    assert found["ce-id"] == example().id
    assert found["ce-source"] == "urn:tocsin:xa-csirt"
    assert all(value.isascii() and value.isprintable() for value in found.values())


def test_the_lines_of_the_hints_are_those_of_a_block() -> None:
    """As the client writes them behind the line of the signature."""
    name = digest(PAYLOAD)
    assert hint_lines(name) == "".join(f"\r\n{name}: {value}" for name, value in hints(name).items())


def test_what_is_sent_is_of_what_is_allowed() -> None:
    """So each line that a publisher writes is held to the content by its readers."""
    made, name = example(), digest(PAYLOAD)
    assert hints(name).items() <= hints_allowed(made, name).items()


@given(st.binary(max_size=100))
def test_base64url_has_one_spelling(data: bytes) -> None:
    """What is written is read back."""
    assert unb64u(b64u(data)) == data


@given(st.text("ABCDwxyz0189-_=+/ \n", max_size=12))
def test_no_text_is_another_spelling(text: str) -> None:
    """What is read is written back as the same text, or was refused."""
    try:
        data = unb64u(text)
    except EnvelopeError as refused:
        assert refused.reason == "malformed-envelope"
    else:
        assert b64u(data) == text


@given(st.text(max_size=200) | st.text("eyJ.,AB", max_size=60))
def test_any_text_is_a_header_or_refused(text: str) -> None:
    """Only EnvelopeError escapes."""
    try:
        parse_header(text, within())
    except EnvelopeError as refused:
        assert refused.reason


@given(st.binary(max_size=200))
def test_any_bytes_are_a_file_or_refused(raw: bytes) -> None:
    """Only EnvelopeError escapes."""
    try:
        read_signed(raw, within())
    except EnvelopeError as refused:
        assert refused.reason


# -- two copies of one bulletin ---------------------------------------------------------------------------------------


def test_the_signatures_of_two_copies_are_joined() -> None:
    """The issuer's first, then those of who is named, then what was there, then what is new."""
    mine, his = (each.header.kid for each in ENTRIES)
    one, other = (format_header((each,)) for each in ENTRIES)
    assert merge_headers(one, other, (), ()) == f"{one},{other}"
    assert merge_headers(one, other, (), (his,)) == f"{other},{one}"
    assert merge_headers(one, other, (mine,), (mine, his)) == f"{one},{other}"
    assert merge_headers(f"{one},{other}", one, (mine,), ()) == f"{one},{other}"


def test_an_issuer_keeps_the_way_in_which_it_signed() -> None:
    """Alone and in a batch together would be refused."""
    single, again = signed(PAYLOAD, KEY, OTHER)
    placed = Batch(head=b64u(head_of(b"r" * 32, 2)), size=2, root=b"r" * 32, index=0, path=(b"s" * 32,))
    batched = msgspec.structs.replace(again, batch=placed)
    issuer = (single.header.kid, again.header.kid)
    assert merge_headers(format_header((single,)), format_header((batched,)), issuer, ()) == format_header(
        (single,)
    )


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b">>>???~~~", b"\xfb\xef\xbe", b"\xff" * 7, bytes(range(256))]
)
def test_what_is_signed_has_the_alphabet_of_addresses(payload: bytes) -> None:
    """Unpadded base64url (RFC 7515, section 2), also where base64 would have `+` or `/`."""
    assert signing_input("e30", payload) == f"e30.{b64u(payload)}".encode()
