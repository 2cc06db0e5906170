"""Envelopes: detached JWS in one header, or the same signatures in a file. Shapes and bytes, no keys.

RFC 7515, appendix F: the signing input is `protected "." BASE64URL(payload)`, and the payload travels unchanged. A
bulletin may also be signed in a batch: then the signature covers the root of a tree (`schemas.merkle`), and the entry
has the path to it. Every encoding is canonical, and the header's members are a closed set, so each value has one
spelling.

The protected header of a signature names its purpose (`typ`) and its federation (`domain`). A verifier states both as
a `Context`; there is no default.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from schemas import merkle
from schemas.bulletin import Bulletin
from schemas.codec import MAX_PAYLOAD_BYTES, URL_SAFE, decode_as, encode_time
from schemas.errors import EnvelopeError, SchemaError
from schemas.registry import DomainName
from schemas.scalars import MAX_INTEGER, Part

SIG_HEADER = "Tocsin-Sig"
MESSAGE_ID = "Nats-Msg-Id"
"""The header with which a stream removes duplicates; its value is the digest of the payload."""
TYP_BULLETIN = "vnd.tocsin.bulletin"
TYP_BATCH = "vnd.tocsin.batch"
TYP_SEALED_BULLETIN = "vnd.tocsin.sealed-bulletin"
TYP_REGISTRY = "vnd.tocsin.registry"
TYP_BEACON = "vnd.tocsin.beacon"
TYP_REVOKE = "vnd.tocsin.revoke"
TYPES = frozenset({TYP_BULLETIN, TYP_BATCH, TYP_SEALED_BULLETIN, TYP_REGISTRY, TYP_BEACON, TYP_REVOKE})
"""Every purpose of a signature; each is a `typ` of its own."""

MAX_SIGNATURES = 8
MAX_HEADER_BYTES = 48 * 1024
MAX_PROTECTED_BYTES = 8192
MAX_FILE_SIGNATURES = 64  # many roots may sign a registry

_SIZE_BYTES = 2
_HEAD_CHARS = 46  # size and root in base64url
_ALPHABET = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_ENTRY = re.compile(
    r"([A-Za-z0-9_-]{2,8192})\."
    r"(?:\.([A-Za-z0-9_-]{2,6144})"
    r"|([A-Za-z0-9_-]{46})\.([A-Za-z0-9_-]{2,6144})~(0|[1-9][0-9]?)\.([A-Za-z0-9_-]{43,256}))",
    re.ASCII,
)

Thumbprint = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)")]


class Context(NamedTuple):
    """The purpose (`typ`) and federation (`domain`) of a signature. A verifier always states both."""

    typ: str
    domain: str


class Header(Part, frozen=True, kw_only=True):
    """The protected header: a closed set of members, without `crit`, `b64`, `jwk` and the like."""

    alg: Annotated[str, Meta(max_length=16)]
    kid: Thumbprint
    typ: Annotated[str, Meta(max_length=40, description="the purpose of the signature")]
    domain: DomainName
    iat: Annotated[int, Meta(ge=0, le=MAX_INTEGER)] | None = None
    x5t: Annotated[Thumbprint | None, Meta(description="JAdES certificate reference; it never decides")] = (
        msgspec.field(name="x5t#S256", default=None)
    )
    x5c: Annotated[tuple[Annotated[str, Meta(max_length=8192)], ...], Meta(max_length=4)] | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The place of a payload in a signed tree.

    Attributes:
        head: size and root, encoded; signed together with the protected header.
        size: number of leaves of the tree, 2 to 64.
        root: of the tree, 32 bytes.
        index: number of the payload's leaf, from 0.
        path: the hashes from the leaf to the root.
    """

    head: str
    size: int
    root: bytes
    index: int
    path: tuple[bytes, ...]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One signature with its protected header, encoded and parsed; `batch` if it covers a tree."""

    protected: str
    signature: bytes
    header: Header
    batch: Batch | None = None


class SignedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A payload with its signatures."""

    payload: bytes
    entries: tuple[Entry, ...]


def b64u(data: bytes) -> str:
    """Unpadded base64url (RFC 7515, section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(URL_SAFE).rstrip(b"=").decode("ascii")


def unb64u(text: str) -> bytes:
    """Decode canonical unpadded base64url.

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


def protected_for(
    alg: str, kid: str, context: Context, *, iat: int | None = None, x5t: str | None = None
) -> str:
    """The encoded protected header of a new signature."""
    typ, domain = context
    return b64u(msgspec.json.encode(Header(alg=alg, kid=kid, typ=typ, domain=domain, iat=iat, x5t=x5t)))


def signing_input(protected: str, payload: bytes) -> bytes:
    """The signed bytes: `protected "." BASE64URL(payload)`."""
    text = binascii.b2a_base64(payload, newline=False).rstrip(b"=")
    if (
        b"+" in text or b"/" in text
    ):  # JSON rarely encodes to these characters, and a search takes a fifth of the time of a translation
        text = text.translate(URL_SAFE)
    return b"%b.%b" % (protected.encode("ascii"), text)


def head_of(root: bytes, size: int) -> bytes:
    """The signed payload of a batch: the size in two bytes, big-endian, then the root.

    The size is signed, so that each place in a tree has one spelling.
    """
    return size.to_bytes(_SIZE_BYTES) + root


def batch_of(payloads: Sequence[bytes]) -> tuple[bytes, tuple[Batch, ...]]:
    """The batch of some payloads: (signed payload as of `head_of`, place of each payload in their order).

    Raises:
        ValueError: the number is not 2 to 64.
    """
    root, paths = merkle.tree([merkle.leaf(payload) for payload in payloads])
    size = len(payloads)
    head = head_of(root, size)
    encoded = b64u(head)
    places = (
        Batch(head=encoded, size=size, root=root, index=index, path=path) for index, path in enumerate(paths)
    )
    return head, tuple(places)


def signed_bytes(entry: Entry, payload: bytes) -> bytes | None:
    """The bytes that an entry's signature covers; None if its path does not lead from the payload to its root."""
    batch = entry.batch
    if batch is None:
        return signing_input(entry.protected, payload)
    if merkle.climb(merkle.leaf(payload), batch.index, batch.size, batch.path) != batch.root:
        return None
    return f"{entry.protected}.{batch.head}".encode("ascii")


def misplaced(entry: Entry, context: Context) -> str:
    """The reason code if a signature was not made for a context: `unknown-type`, `wrong-domain`; else empty.

    Only bulletins are signed in batches. A batch has a type of its own, which no single signature has.
    """
    return _misplaced(entry.header, context, batched=entry.batch is not None)


def _misplaced(header: Header, context: Context, *, batched: bool) -> str:
    fits = (
        (header.typ, context.typ) == (TYP_BATCH, TYP_BULLETIN)
        if batched
        else header.typ == context.typ != TYP_BATCH
    )
    if not fits:
        return "unknown-type"
    return "" if header.domain == context.domain else "wrong-domain"


def check_context(entries: Iterable[Entry], context: Context) -> None:
    """Refuse signatures for another purpose, or of another federation.

    Raises:
        EnvelopeError: `unknown-type` or `wrong-domain`.
    """
    for entry in entries:
        _check_context(entry.header, context, batched=entry.batch is not None)


def _check_context(header: Header, context: Context, *, batched: bool) -> None:
    reason = _misplaced(header, context, batched=batched)
    if reason == "unknown-type":
        form = "of a batch" if batched else "alone"
        raise EnvelopeError(
            f"a signature {form} with typ {header.typ!r}, not one for {context.typ!r}", reason=reason
        )
    if reason:
        raise EnvelopeError(f"signed in domain {header.domain!r}, not {context.domain!r}", reason=reason)


def parse_header(value: str, context: Context) -> tuple[Entry, ...]:
    """The signatures in a `Tocsin-Sig` header value.

    Raises:
        EnvelopeError: `too-large`, `malformed-envelope`, `unknown-type` or `wrong-domain`.
    """
    return _judged(_raw_entries(value), context)


def _raw_entries(value: str) -> list[_RawEntry]:
    if len(value) > MAX_HEADER_BYTES:
        raise EnvelopeError("the signature header is too large", reason="too-large")
    if not value.isascii():
        raise EnvelopeError("the signature header is not ASCII")
    parts = value.split(",")
    if len(parts) > MAX_SIGNATURES:
        raise EnvelopeError(
            f"{len(parts)} signatures; at most {MAX_SIGNATURES} are allowed", reason="too-large"
        )
    return [_raw_entry(part) for part in parts]


def _raw_entry(part: str) -> _RawEntry:
    match = _ENTRY.fullmatch(part)
    if match is None:
        raise EnvelopeError("a signature is neither a compact JWS with detached payload nor one of a batch")
    protected, single, head, signature, index, path = match.groups()
    if single is not None:
        return _RawEntry(protected, single, None)
    return _RawEntry(protected, signature, _FileBatch(batch=head, index=int(index), path=path))


class _RawEntry(NamedTuple):
    """The unparsed parts of an entry in a header or a file."""

    protected: str
    signature: str
    batch: _FileBatch | None


def _judged(raw: Iterable[_RawEntry], context: Context | None) -> tuple[Entry, ...]:
    """Parse entries; the context of each is checked before its other parts."""
    entries = []
    for each in raw:
        header = _read_protected(each.protected)
        if context is not None:
            _check_context(header, context, batched=each.batch is not None)
        entries.append(
            Entry(
                protected=each.protected,
                signature=unb64u(each.signature),
                header=header,
                batch=_read_batch(each.batch, header) if each.batch is not None else None,
            )
        )
    if len({entry.header.kid for entry in entries}) != len(entries):
        raise EnvelopeError("one key has signed twice")
    if len({entry.batch for entry in entries if entry.batch is not None}) > 1:
        raise EnvelopeError("the signatures have different places in trees")
    return tuple(entries)


def format_header(entries: Iterable[Entry]) -> str:
    """The header value with the signatures."""
    return ",".join(map(_format_entry, entries))


def merge_headers(kept: str, more: str, issuer: Collection[str], voices: Collection[str]) -> str:
    """The header value with the signatures of two copies of one bulletin. All signatures must be valid.

    If the issuer signs alone in one copy and in a batch in the other, the form of `kept` stays. If there are too many
    signatures for a header, the least important are dropped: first those only in `more`, then those only in `kept`,
    last the voices.

    Args:
        kept: the value of the stored copy.
        more: the value of the other copy.
        issuer: the keys of the bulletin's issuer.
        voices: those keys in `more` that belong to co-issuers named in the bulletin.

    Raises:
        EnvelopeError: one of the two is malformed.
    """
    had, new = (
        {entry.header.kid: entry for entry in _judged(_raw_entries(value), None)} for value in (kept, more)
    )
    way = next((entry.batch for kid, entry in had.items() if kid in issuer), None)
    fits = {kid: entry for kid, entry in new.items() if entry.batch == (way if kid in issuer else None)}
    rank = {
        **dict.fromkeys(fits, 3),
        **dict.fromkeys(had, 2),
        **dict.fromkeys(voices, 1),
        **dict.fromkeys(issuer, 0),
    }
    merged = sorted({**had, **fits}.items(), key=lambda each: rank[each[0]])[:MAX_SIGNATURES]
    texts = [_format_entry(entry) for _, entry in merged]
    while len(texts) > 1 and sum(map(len, texts)) + len(texts) > MAX_HEADER_BYTES:
        texts.pop()
    return ",".join(texts)


def _format_entry(entry: Entry) -> str:
    signature, batch = b64u(entry.signature), entry.batch
    if batch is None:
        return f"{entry.protected}..{signature}"
    return f"{entry.protected}.{batch.head}.{signature}~{batch.index}.{b64u(b''.join(batch.path))}"


@lru_cache(maxsize=256)  # a signer uses the same header for all bulletins
def _read_protected(protected: str) -> Header:
    try:
        return decode_as(Header, unb64u(protected), max_bytes=MAX_PROTECTED_BYTES)
    except SchemaError as exc:
        raise EnvelopeError(f"protected header: {exc}") from None


@lru_cache(maxsize=64)
def comes_again(protected: str) -> bool:
    """Whether all signatures of a key may share this protected header: it has no time and no certificate."""
    try:
        header = _read_protected(protected)
    except EnvelopeError:
        return False
    return (header.iat, header.x5t, header.x5c) == (None, None, None)


def _read_batch(raw: _FileBatch, header: Header) -> Batch:
    if (header.iat, header.x5t, header.x5c) != (None, None, None):
        raise EnvelopeError("a signature of a batch has no time and no certificate")
    head, joined = unb64u(raw.batch), unb64u(raw.path)
    size = int.from_bytes(head[:_SIZE_BYTES])
    if not merkle.MIN_SIZE <= size <= merkle.MAX_SIZE:
        raise EnvelopeError(f"a batch of {size}; it has {merkle.MIN_SIZE} to {merkle.MAX_SIZE}")
    if raw.index >= size:
        raise EnvelopeError(f"place {raw.index} in a batch of {size}")
    if len(joined) != merkle.path_length(raw.index, size) * merkle.HASH_BYTES:
        raise EnvelopeError("the path does not fit the place and the size")
    steps = range(0, len(joined), merkle.HASH_BYTES)
    return Batch(
        head=raw.batch,
        size=size,
        root=head[_SIZE_BYTES:],
        index=raw.index,
        path=tuple(joined[at : at + merkle.HASH_BYTES] for at in steps),
    )


# -- the file form ----------------------------------------------------------------------------------------------


class _FileBatch(Part, frozen=True, kw_only=True):
    """The unprotected header of a batched signature: the tree, the place in it and the path."""

    batch: Annotated[str, Meta(min_length=_HEAD_CHARS, max_length=_HEAD_CHARS)]
    index: Annotated[int, Meta(ge=0, lt=merkle.MAX_SIZE)]
    path: Annotated[str, Meta(min_length=43, max_length=256)]


class _FileSignature(Part, frozen=True, kw_only=True):
    protected: Annotated[str, Meta(min_length=2, max_length=MAX_PROTECTED_BYTES)]
    signature: Annotated[str, Meta(min_length=2, max_length=6144)]
    header: _FileBatch | UnsetType = UNSET  # null is refused, because it would be a second spelling of none


class _File(Part, frozen=True, kw_only=True):
    payload: str
    signatures: tuple[_FileSignature, ...]


def read_signed(
    raw: bytes, context: Context, *, max_bytes: int = MAX_PAYLOAD_BYTES, unsigned: bool = False
) -> SignedFile:
    """The payload and signatures of a `*.tocsin.json` file (JWS JSON general serialisation).

    Args:
        raw: the file.
        context: the purpose and federation that the signatures must name.
        max_bytes: bound of the payload, in bytes.
        unsigned: allow a file without signatures; only a ceremony needs that.

    Raises:
        EnvelopeError: `too-large`, `empty`, `malformed-envelope`, `unknown-type` or `wrong-domain`.
    """
    most = MAX_SIGNATURES if context.typ in (TYP_BULLETIN, TYP_SEALED_BULLETIN) else MAX_FILE_SIGNATURES
    return _read_file(raw, context, most, max_bytes, unsigned=unsigned)


def read_claims(raw: bytes, *, max_bytes: int, unsigned: bool = False) -> SignedFile:
    """A signed file of unknown purpose: its grammar is checked, its context is not.

    A caller must check the context (`check_context`) before it trusts the content.

    Raises:
        EnvelopeError: `too-large`, `empty` or `malformed-envelope`.
    """
    return _read_file(raw, None, MAX_FILE_SIGNATURES, max_bytes, unsigned=unsigned)


def _read_file(
    raw: bytes, context: Context | None, most: int, max_bytes: int, *, unsigned: bool
) -> SignedFile:
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
    if len(file.signatures) > most:
        raise EnvelopeError(f"{len(file.signatures)} signatures; at most {most}", reason="too-large")
    raw_entries = [
        _RawEntry(each.protected, each.signature, None if each.header is UNSET else each.header)
        for each in file.signatures
    ]
    return SignedFile(payload=payload, entries=_judged(raw_entries, context))


def write_signed(payload: bytes, entries: Iterable[Entry]) -> bytes:
    """The file form of a payload with its signatures."""
    signatures = tuple(
        _FileSignature(
            protected=each.protected,
            signature=b64u(each.signature),
            header=_write_batch(each.batch) if each.batch is not None else UNSET,
        )
        for each in entries
    )
    return msgspec.json.encode(_File(payload=b64u(payload), signatures=signatures)) + b"\n"


def _write_batch(batch: Batch) -> _FileBatch:
    return _FileBatch(batch=batch.head, index=batch.index, path=b64u(b"".join(batch.path)))


def file_form(payload: bytes, value: str) -> bytes:
    """The file form of a message, with the signatures of its header. Nothing is verified.

    Raises:
        EnvelopeError: `too-large` or `malformed-envelope`.
    """
    return write_signed(payload, _judged(_raw_entries(value), None))


class _Contradiction(Part, frozen=True):
    contradiction: Annotated[tuple[_File, ...], Meta(min_length=2, max_length=2)]


def is_contradiction(raw: bytes) -> bool:
    """Whether a file begins like the output of `write_contradiction`."""
    return raw.lstrip().startswith(b'{"contradiction"')


def write_contradiction(one: bytes, other: bytes) -> bytes:
    """Join two signed files that contradict each other in one file."""
    return b'{"contradiction":[' + one.strip() + b"," + other.strip() + b"]}\n"


def read_contradiction(raw: bytes) -> tuple[bytes, bytes]:
    """The two signed files in a file. Their contradiction is not checked here.

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


def hints(digest: str) -> dict[str, str]:
    """The unsigned headers that a publisher sends beside the signature: the digest of the payload, for the removal of duplicates.

    A publisher may send all of `hints_allowed`. But a broker searches all headers for each of its own, some fifty
    times for a message and again for its copy, so each line costs more than it gives.
    """
    return {MESSAGE_ID: digest}


def hint_lines(digest: str) -> str:
    """The same as text for a header block; each line begins with the line end of the one before."""
    return f"\r\n{MESSAGE_ID}: {digest}"


def hints_allowed(bulletin: Bulletin, digest: str) -> dict[str, str]:
    """Every unsigned header with a meaning (CloudEvents NATS binding, binary mode).

    They help tools that do not read the payload. A reader refuses a header that differs from the signed content.
    """
    return {
        **hints(digest),
        "ce-specversion": "1.0",
        "ce-id": bulletin.id,
        "ce-source": f"urn:tocsin:{bulletin.issuer.id}",
        "ce-type": CE_TYPE,
        "ce-time": encode_time(bulletin.issued),
        "ce-datacontenttype": "application/json",
    }
