"""Envelopes: detached JWS in one header, or the same signatures in a file. Shapes and bytes, no keys.

RFC 7515, appendix F: the signing input is `protected "." BASE64URL(payload)`, and the payload travels as it is.
Every encoding is canonical, and the header's members are a closed set, so that nothing has two spellings.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.bulletin import Bulletin
from schemas.codec import MAX_PAYLOAD_BYTES, decode_as, encode_time
from schemas.errors import EnvelopeError, SchemaError
from schemas.scalars import MAX_INTEGER, Part

SIG_HEADER = "Tocsin-Sig"
TYP_BULLETIN = "vnd.tocsin.bulletin"
TYP_REGISTRY = "vnd.tocsin.registry"
TYP_BEACON = "vnd.tocsin.beacon"
TYP_REVOKE = "vnd.tocsin.revoke"
TYPES = frozenset({TYP_BULLETIN, TYP_REGISTRY, TYP_BEACON, TYP_REVOKE})

MAX_SIGNATURES = 8
MAX_HEADER_BYTES = 48 * 1024
MAX_PROTECTED_BYTES = 8192
MAX_FILE_SIGNATURES = 64  # a registry may be signed by many roots

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_ENTRY = re.compile(r"([A-Za-z0-9_-]{2,8192})\.\.([A-Za-z0-9_-]{2,6144})", re.ASCII)

Thumbprint = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)")]


class Header(Part, frozen=True, kw_only=True):
    """The protected header: a closed set of members. `crit`, `b64`, `jwk` and their like have no place here."""

    alg: Annotated[str, Meta(max_length=16)]
    kid: Thumbprint
    typ: Annotated[str, Meta(max_length=40)]
    iat: Annotated[int, Meta(ge=0, le=MAX_INTEGER)] | None = None
    x5t: Annotated[Thumbprint | None, Meta(description="JAdES certificate reference; never decides")] = (
        msgspec.field(name="x5t#S256", default=None)
    )
    x5c: Annotated[tuple[Annotated[str, Meta(max_length=8192)], ...], Meta(max_length=4)] | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One signature with its protected header, as encoded and as read."""

    protected: str
    signature: bytes
    header: Header


class SignedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A payload with its signatures."""

    payload: bytes
    entries: tuple[Entry, ...]


def b64u(data: bytes) -> str:
    """Unpadded base64url (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64u(text: str) -> bytes:
    """The bytes that canonical unpadded base64url names.

    Raises:
        EnvelopeError: `malformed-envelope`: another alphabet, padding, or stray bits.
    """
    if not _ALPHABET.fullmatch(text) or len(text) % 4 == 1:
        raise EnvelopeError("not unpadded base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise EnvelopeError("not base64url") from None
    if b64u(data) != text:
        raise EnvelopeError("base64url with stray bits")
    return data


def protected_for(alg: str, kid: str, typ: str, *, iat: int | None = None, x5t: str | None = None) -> str:
    """The encoded protected header of a new signature."""
    return b64u(msgspec.json.encode(Header(alg=alg, kid=kid, typ=typ, iat=iat, x5t=x5t)))


def signing_input(protected: str, payload: bytes) -> bytes:
    """What is signed: `protected "." BASE64URL(payload)`."""
    return protected.encode("ascii") + b"." + base64.urlsafe_b64encode(payload).rstrip(b"=")


def parse_header(value: str, *, typ: str = TYP_BULLETIN) -> tuple[Entry, ...]:
    """The signatures in a `Tocsin-Sig` header value.

    Raises:
        EnvelopeError: `too-large`, `malformed-envelope` or `unknown-type`.
    """
    if len(value) > MAX_HEADER_BYTES:
        raise EnvelopeError("the signature header is too large", reason="too-large")
    if not value.isascii():
        raise EnvelopeError("the signature header is not ASCII")
    parts = value.split(",")
    if len(parts) > MAX_SIGNATURES:
        raise EnvelopeError(
            f"{len(parts)} signatures; at most {MAX_SIGNATURES} are allowed", reason="too-large"
        )
    entries = []
    for part in parts:
        match = _ENTRY.fullmatch(part)
        if match is None:
            raise EnvelopeError("a signature is not a compact JWS with detached payload")
        entries.append(_entry(match[1], match[2], typ))
    _refuse_repeated_kid(entries)
    return tuple(entries)


def format_header(entries: tuple[Entry, ...]) -> str:
    """The header value that carries the signatures."""
    return ",".join(f"{entry.protected}..{b64u(entry.signature)}" for entry in entries)


def _entry(protected: str, signature: str, typ: str) -> Entry:
    header = _read_protected(protected)
    if header.typ != typ:
        raise EnvelopeError(f"typ is {header.typ!r}, expected {typ!r}", reason="unknown-type")
    return Entry(protected=protected, signature=unb64u(signature), header=header)


@lru_cache(maxsize=256)  # a signer's header is the same on all that it signs
def _read_protected(protected: str) -> Header:
    try:
        return decode_as(Header, unb64u(protected), max_bytes=MAX_PROTECTED_BYTES)
    except SchemaError as exc:
        raise EnvelopeError(f"protected header: {exc}") from None


def _refuse_repeated_kid(entries: list[Entry]) -> None:
    if len({entry.header.kid for entry in entries}) != len(entries):
        raise EnvelopeError("one key signed twice")


# -- the file form ----------------------------------------------------------------------------------------------


class _FileSignature(Part, frozen=True, kw_only=True):
    protected: Annotated[str, Meta(min_length=2, max_length=MAX_PROTECTED_BYTES)]
    signature: Annotated[str, Meta(min_length=2, max_length=6144)]


class _File(Part, frozen=True, kw_only=True):
    payload: str
    signatures: tuple[_FileSignature, ...]


def read_signed(
    raw: bytes, *, typ: str = TYP_BULLETIN, max_bytes: int = MAX_PAYLOAD_BYTES, unsigned: bool = False
) -> SignedFile:
    """The payload and signatures of a `*.tocsin.json` file (JWS JSON general serialisation).

    Args:
        raw: the file.
        typ: what the signatures must say they are.
        max_bytes: bound of the payload.
        unsigned: allow a file that nobody has signed yet; only a ceremony wants that.

    Raises:
        EnvelopeError: `too-large`, `empty`, `malformed-envelope` or `unknown-type`.
    """
    if len(raw) > max_bytes * 4 // 3 + MAX_FILE_SIGNATURES * 16_384:
        raise EnvelopeError("the file is too large", reason="too-large")
    try:
        file = decode_as(_File, raw.strip(), max_bytes=len(raw) + 1)
    except SchemaError as exc:
        raise EnvelopeError(
            f"not a signed file: {exc}", reason="empty" if exc.reason == "empty" else None
        ) from None
    payload = unb64u(file.payload)
    if not payload:
        raise EnvelopeError("the payload is empty", reason="empty")
    if len(payload) > max_bytes:
        raise EnvelopeError(f"the payload has {len(payload)} bytes; at most {max_bytes}", reason="too-large")
    if not file.signatures and not unsigned:
        raise EnvelopeError("the file has no signature")
    most = MAX_SIGNATURES if typ == TYP_BULLETIN else MAX_FILE_SIGNATURES
    if len(file.signatures) > most:
        raise EnvelopeError(f"{len(file.signatures)} signatures; at most {most}", reason="too-large")
    entries = [_entry(each.protected, each.signature, typ) for each in file.signatures]
    _refuse_repeated_kid(entries)
    return SignedFile(payload=payload, entries=tuple(entries))


def write_signed(payload: bytes, entries: tuple[Entry, ...]) -> bytes:
    """The file form of a payload with its signatures."""
    signatures = tuple(
        _FileSignature(protected=each.protected, signature=b64u(each.signature)) for each in entries
    )
    return msgspec.json.encode(_File(payload=b64u(payload), signatures=signatures)) + b"\n"


class _Contradiction(Part, frozen=True):
    contradiction: Annotated[tuple[_File, ...], Meta(min_length=2, max_length=2)]


def is_contradiction(raw: bytes) -> bool:
    """Whether a file begins as `write_contradiction` writes one."""
    return raw.lstrip().startswith(b'{"contradiction"')


def write_contradiction(one: bytes, other: bytes) -> bytes:
    """Two signed files in one: what an authority has said that cannot both stand."""
    return b'{"contradiction":[' + one.strip() + b"," + other.strip() + b"]}\n"


def read_contradiction(raw: bytes) -> tuple[bytes, bytes]:
    """The two signed files; whether they contradict each other is not decided here.

    Raises:
        EnvelopeError: `malformed-envelope`.
    """
    try:
        found = decode_as(_Contradiction, raw.strip(), max_bytes=len(raw) + 1)
    except SchemaError as exc:
        raise EnvelopeError(f"not a file of two signed bulletins: {exc}") from None
    one, other = (msgspec.json.encode(each) for each in found.contradiction)
    return one, other


# -- unsigned hints ---------------------------------------------------------------------------------------------

CE_TYPE: Literal["eu.tocsin.bulletin.v1"] = "eu.tocsin.bulletin.v1"


def hints(bulletin: Bulletin, digest: str) -> dict[str, str]:
    """The unsigned headers beside the signature (CloudEvents NATS binding, binary mode).

    They help tools that look at no payload; a reader refuses one that is unequal to the signed content.
    """
    return {
        "Nats-Msg-Id": digest,
        "ce-specversion": "1.0",
        "ce-id": bulletin.id,
        "ce-source": f"urn:tocsin:{bulletin.issuer.id}",
        "ce-type": CE_TYPE,
        "ce-time": encode_time(bulletin.issued),
        "ce-datacontenttype": "application/json",
    }
