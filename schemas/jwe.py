"""A seal: JWE in general JSON serialisation (RFC 7516), for sealed bulletins and sections. Shapes, no keys.

Experimental, version 2: key management is `HPKE-9-KE` of draft-ietf-jose-hpke-encrypt (X-Wing, SHAKE256, AES-256-GCM),
content encryption A256GCM. Every member is named, every encoding canonical, and there is one algorithm for all
recipients, so that none of them can be served with a weaker one.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from schemas.codec import MAX_SEALED_INNER_BYTES, decode_as
from schemas.envelope import MAX_PROTECTED_BYTES, Thumbprint, b64u, unb64u
from schemas.errors import EnvelopeError, SchemaError
from schemas.registry import DomainName
from schemas.scalars import Digest, Part

SEAL_TYP = "vnd.tocsin.sealed.2"
SECTION_TYP = "vnd.tocsin.section.2"
SEAL_ALG = "HPKE-9-KE"
SEAL_ENC = "A256GCM"
SEAL_CTY = "jose+json"
SECTION_CTY = "json"

MAX_JWE_CHARS = 200_000
MAX_RECIPIENTS = 64
ENCAPSULATED_BYTES = 1120  # ML-KEM-768 ciphertext and X25519 share
WRAPPED_BYTES = 48  # a 32-byte key with its GCM tag
IV_BYTES = 12
TAG_BYTES = 16
SMALLEST_PADDED_BYTES = 1024
PAD = b" "  # white space around JSON has no meaning, so any JOSE library can read the decrypted text

_LABEL = "tocsin-seal/2"
_SECTION_LABEL = "tocsin-section-seal/2"
_T = TypeVar("_T")


class SealHeader(Part, frozen=True, kw_only=True):
    """The protected header for all recipients: a closed set of members, without `zip`, `crit` and the like."""

    alg: Annotated[str, Meta(max_length=40)]
    enc: Annotated[str, Meta(max_length=40)]
    typ: Annotated[str, Meta(max_length=40)]
    cty: Annotated[str, Meta(max_length=40)]
    domain: DomainName
    cek_s256: Annotated[Digest, Meta(description="commitment to the content key")]


class _RecipientHeader(Part, frozen=True, kw_only=True):
    kid: Thumbprint
    ek: str


class _Recipient(Part, frozen=True, kw_only=True):
    header: _RecipientHeader
    encrypted_key: str


class _Jwe(Part, frozen=True, kw_only=True):
    protected: Annotated[str, Meta(min_length=2, max_length=MAX_PROTECTED_BYTES)]
    recipients: tuple[_Recipient, ...]
    iv: str
    ciphertext: str
    tag: str


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The content key, wrapped for one recipient."""

    kid: str
    ek: bytes
    encrypted_key: bytes


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed JWE; also its encoded protected header, because the authentication covers that form."""

    protected: str
    header: SealHeader
    recipients: tuple[WrappedKey, ...]
    iv: bytes
    ciphertext: bytes
    tag: bytes

    @property
    def kids(self) -> tuple[str, ...]:
        """Ids of the recipients' keys, in their order."""
        return tuple(each.kid for each in self.recipients)


class SealContext(msgspec.Struct, frozen=True, kw_only=True):
    """The place of a seal. Moved to another place or federation, it does not open.

    `domain` is the federation, `issuer`, `channel` and `id` are those of the outer bulletin. `index` (from 0) and
    `label` are those of a section; a bulletin sealed as a whole has neither.
    """

    domain: str
    issuer: str
    channel: str
    id: str
    index: int | None = None
    label: str = ""

    @property
    def sort(self) -> tuple[str, str]:
        """(typ, cty) of its protected header: a section and a bulletin cannot replace each other."""
        return (SEAL_TYP, SEAL_CTY) if self.index is None else (SECTION_TYP, SECTION_CTY)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that the seal is bound to, besides the recipients."""
        place = (self.domain, self.issuer, self.channel, self.id)
        return (
            (_LABEL, *place) if self.index is None else (_SECTION_LABEL, *place, str(self.index), self.label)
        )


def binding(context: SealContext, kids: tuple[str, ...]) -> bytes:
    """The value that each wrapped key is bound to (`recipient_extra_info`): a hash of the context and all recipients.

    SHA-256 over label, domain, issuer, channel and outer id, of a section its index and label, then the sorted key ids, each
    as UTF-8 after its length in four bytes, big-endian: no two lists have one encoding.
    """
    state = hashlib.sha256()
    for text in (*context.texts, *sorted(kids)):
        data = text.encode()
        state.update(len(data).to_bytes(4) + data)
    return state.digest()


def commitment(key: bytes) -> str:
    """The commitment to a content key: with AES-GCM alone, one ciphertext can open to two texts under two keys."""
    return b64u(hashlib.sha256(b"tocsin cek commitment" + key).digest())


def padded_size(size: int) -> int:
    """The smallest of 1, 2, 4, 8 ... 64 KiB that holds `size` bytes."""
    return max(SMALLEST_PADDED_BYTES, 1 << (size - 1).bit_length())


def pad(inner: bytes) -> bytes:
    """Add spaces to a signed file or a section's content, so that the length reveals little.

    Raises:
        EnvelopeError: `too-large`, or `malformed-seal` for bytes that are not a JSON text.
    """
    if len(inner) > MAX_SEALED_INNER_BYTES:
        raise EnvelopeError(
            f"{len(inner)} bytes; at most {MAX_SEALED_INNER_BYTES} can be sealed", reason="too-large"
        )
    if not inner or inner.endswith(PAD):
        raise EnvelopeError("only a JSON text can be sealed", reason="malformed-seal")
    return inner.ljust(padded_size(len(inner)), PAD)


def unpad(padded: bytes) -> bytes:
    """Remove the padding from decrypted bytes.

    Raises:
        EnvelopeError: `malformed-seal`: the padding differs from that of `pad`.
    """
    inner = padded.rstrip(PAD)
    if not inner or len(padded) != padded_size(len(inner)):
        raise EnvelopeError("the sealed content has the wrong padding", reason="malformed-seal")
    return inner


def seal_header(key: bytes, context: SealContext) -> SealHeader:
    """The protected header of a new seal under a content key."""
    typ, cty = context.sort
    return SealHeader(
        alg=SEAL_ALG, enc=SEAL_ENC, typ=typ, cty=cty, domain=context.domain, cek_s256=commitment(key)
    )


def write_jwe(seal: Seal) -> str:
    """The JSON text of a seal."""
    recipients = tuple(
        _Recipient(
            header=_RecipientHeader(kid=each.kid, ek=b64u(each.ek)), encrypted_key=b64u(each.encrypted_key)
        )
        for each in seal.recipients
    )
    return msgspec.json.encode(
        _Jwe(
            protected=seal.protected,
            recipients=recipients,
            iv=b64u(seal.iv),
            ciphertext=b64u(seal.ciphertext),
            tag=b64u(seal.tag),
        )
    ).decode()


def read_jwe(text: str, context: SealContext) -> Seal:
    """Parse a JWE, strictly.

    Args:
        text: the JSON.
        context: the place of the seal.

    Raises:
        EnvelopeError: `too-large`; `malformed-seal`: another form; `unsupported-seal`: another version,
            algorithm or content; `wrong-domain`: sealed in another federation.
    """
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_JWE_CHARS:
        raise EnvelopeError(
            f"the seal has {len(raw)} bytes; at most {MAX_JWE_CHARS} are allowed", reason="too-large"
        )
    jwe = _strict(_Jwe, raw)
    if len(jwe.recipients) > MAX_RECIPIENTS:
        raise EnvelopeError(
            f"{len(jwe.recipients)} recipients; at most {MAX_RECIPIENTS} are allowed", reason="too-large"
        )
    header = _strict(SealHeader, _bytes(jwe.protected))
    if (header.alg, header.enc, header.typ, header.cty) != (SEAL_ALG, SEAL_ENC, *context.sort):
        raise EnvelopeError(
            f"an unsupported seal ({header.typ}, {header.alg}, {header.enc}, {header.cty})",
            reason="unsupported-seal",
        )
    if header.domain != context.domain:
        raise EnvelopeError(
            f"sealed in domain {header.domain!r}, not {context.domain!r}", reason="wrong-domain"
        )
    recipients = tuple(
        WrappedKey(
            kid=each.header.kid,
            ek=_bytes(each.header.ek, ENCAPSULATED_BYTES),
            encrypted_key=_bytes(each.encrypted_key, WRAPPED_BYTES),
        )
        for each in jwe.recipients
    )
    if not recipients or len({each.kid for each in recipients}) != len(recipients):
        raise EnvelopeError("a seal must have one wrapped key for each recipient", reason="malformed-seal")
    ciphertext = _bytes(jwe.ciphertext)
    if len(ciphertext) > MAX_SEALED_INNER_BYTES:
        raise EnvelopeError("the sealed content is too large", reason="too-large")
    if len(ciphertext) != padded_size(len(ciphertext)):
        raise EnvelopeError("the sealed content has the wrong padding", reason="malformed-seal")
    return Seal(
        protected=jwe.protected,
        header=header,
        recipients=recipients,
        iv=_bytes(jwe.iv, IV_BYTES),
        ciphertext=ciphertext,
        tag=_bytes(jwe.tag, TAG_BYTES),
    )


def _strict(type_: type[_T], raw: bytes) -> _T:
    try:
        return decode_as(type_, raw)
    except SchemaError as exc:
        raise EnvelopeError(f"not a seal: {exc}", reason="malformed-seal") from None


def _bytes(text: str, size: int | None = None) -> bytes:
    try:
        data = unb64u(text)
    except EnvelopeError as exc:
        raise EnvelopeError(f"not a seal: {exc}", reason="malformed-seal") from None
    if size is not None and len(data) != size:
        raise EnvelopeError(f"a part of the seal has {len(data)} bytes, not {size}", reason="malformed-seal")
    return data
