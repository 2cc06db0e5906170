"""Sealing: encryption to named recipients, end to end. Pure functions over bytes, independent of bulletins.

Key management is `HPKE-9-KE` (draft-ietf-jose-hpke-encrypt, draft-ietf-jose-hpke-pq-pqt): HPKE (RFC 9180) with X-Wing,
which is ML-KEM-768 together with X25519 (draft-connolly-cfrg-xwing-kem), SHAKE256 and AES-256-GCM. An attacker who records
today's traffic has to break both. The drafts may still change; `schemas.jwe` carries the version.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bus.errors import SealError, TrustError
from bus.keys import subgroup
from bus.keys.signatures import thumbprint
from schemas.envelope import b64u, unb64u
from schemas.errors import EnvelopeError
from schemas.jwe import (
    ENCAPSULATED_BYTES,
    IV_BYTES,
    MAX_RECIPIENTS,
    SEAL_ALG,
    SEAL_ENC,
    TAG_BYTES,
    Seal,
    SealContext,
    WrappedKey,
    binding,
    commitment,
    pad,
    read_jwe,
    seal_header,
    unpad,
    write_jwe,
)

SEED_BYTES = 32
CONTENT_KEY_BYTES = 32
_MLKEM_PUBLIC_BYTES = 1184
_PUBLIC_BYTES = _MLKEM_PUBLIC_BYTES + 32
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.SHAKE256, hpke.AEAD.AES_256_GCM)


class SealKey:
    """The public half of a seal key; others seal to it."""

    alg = SEAL_ALG

    def __init__(self, raw: bytes) -> None:
        """Read the ML-KEM-768 and X25519 public keys, concatenated.

        Raises:
            TrustError: `unsupported-key`, or `weak-key` for an X25519 point that is not of prime order.
        """
        try:
            if len(raw) != _PUBLIC_BYTES:
                raise ValueError(f"{len(raw)} bytes")
            lattice = MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC_BYTES])
            curve = X25519PublicKey.from_public_bytes(raw[_MLKEM_PUBLIC_BYTES:])
        except ValueError:
            raise TrustError(f"not a public {SEAL_ALG} key", reason="unsupported-key") from None
        if not subgroup.x25519_is_sound(raw[_MLKEM_PUBLIC_BYTES:]):
            raise TrustError("an X25519 key that is not of prime order", reason="weak-key")
        self.raw = raw
        self._key = hpke.MLKEM768X25519PublicKey(lattice, curve)
        self.jwk = {"kty": "AKP", "alg": SEAL_ALG, "pub": b64u(raw)}
        self.kid = thumbprint(self.jwk)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, str]) -> SealKey:
        """Read a JWK.

        Raises:
            TrustError: `unsupported-key` or `weak-key`.
        """
        try:
            if (jwk["kty"], jwk["alg"]) != ("AKP", SEAL_ALG):
                raise ValueError("not a seal key")
            return cls(unb64u(jwk["pub"]))
        except (KeyError, ValueError, EnvelopeError):
            raise TrustError(f"not a public {SEAL_ALG} key", reason="unsupported-key") from None

    def wrap(self, content_key: bytes, extra: bytes) -> WrappedKey:
        """Wrap a content key. Only this key's holder can unwrap it, and only in the same context."""
        sent = _SUITE.encrypt(content_key, self._key, info=_recipient_info(extra))
        return WrappedKey(kid=self.kid, ek=sent[:ENCAPSULATED_BYTES], encrypted_key=sent[ENCAPSULATED_BYTES:])


class OpeningKey:
    """The private half of a seal key, made from its 32-byte seed."""

    def __init__(self, seed: bytes) -> None:
        """Expand a seed: SHAKE256 gives the ML-KEM seed (64 bytes) and the X25519 key (32 bytes)."""
        if len(seed) != SEED_BYTES:
            raise TrustError(f"a seed has {SEED_BYTES} bytes", reason="unsupported-key")
        expanded = hashlib.shake_256(seed).digest(96)
        lattice = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        curve = X25519PrivateKey.from_private_bytes(expanded[64:])
        self.seed = seed
        self.public = SealKey(lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw())
        self.kid = self.public.kid
        self._key = hpke.MLKEM768X25519PrivateKey(lattice, curve)

    def unwrap(self, wrapped: WrappedKey, extra: bytes) -> bytes:
        """The content key.

        Raises:
            SealError: `wrong-context`: the context or the list of recipients differs from that of the seal, or the bytes are damaged.
        """
        try:
            return _SUITE.decrypt(wrapped.ek + wrapped.encrypted_key, self._key, info=_recipient_info(extra))
        except (InvalidTag, ValueError):
            raise SealError(
                "the seal does not belong to this bulletin and these recipients, or is damaged",
                reason="wrong-context",
            ) from None


def _recipient_info(extra: bytes) -> bytes:
    """The Recipient_structure of draft-ietf-jose-hpke-encrypt, with `recipient_extra_info`."""
    return b"JOSE-HPKE rcpt\xff" + SEAL_ENC.encode() + b"\xff" + extra


def seal(
    inner: bytes, recipients: Sequence[SealKey], context: SealContext, rng: Callable[[int], bytes]
) -> str:
    """Encrypt to recipients.

    Args:
        inner: the file form of a signed bulletin, or the content of a section; at most 65 536 bytes.
        recipients: their keys, 1 to 64, each once.
        context: the outer bulletin of the seal, and the place of a section in it.
        rng: random bytes for content key and nonce; HPKE takes its own from OpenSSL.

    Raises:
        SealError: `too-large`, `malformed-seal`.
    """
    kids = tuple(recipient.kid for recipient in recipients)
    if len(kids) > MAX_RECIPIENTS:
        raise SealError(
            f"{len(kids)} recipients; at most {MAX_RECIPIENTS} can be sealed to", reason="too-large"
        )
    if not kids or len(set(kids)) != len(kids):
        raise SealError("a seal needs at least one recipient, and each only once", reason="malformed-seal")
    content_key, iv = rng(CONTENT_KEY_BYTES), rng(IV_BYTES)
    header = seal_header(content_key, context)
    protected = b64u(msgspec.json.encode(header))
    extra = binding(context, kids)
    try:
        padded = pad(inner)
    except EnvelopeError as exc:
        raise SealError(str(exc), reason=exc.reason) from None
    sent = AESGCM(content_key).encrypt(iv, padded, protected.encode())
    return write_jwe(
        Seal(
            protected=protected,
            header=header,
            recipients=tuple(recipient.wrap(content_key, extra) for recipient in recipients),
            iv=iv,
            ciphertext=sent[:-TAG_BYTES],
            tag=sent[-TAG_BYTES:],
        )
    )


def read_seal(jwe: str, context: SealContext) -> Seal:
    """Parse the JWE of a sealed bulletin or section, without opening it.

    Raises:
        SealError: `too-large`, `malformed-seal`, `unsupported-seal` or `wrong-domain`.
    """
    try:
        return read_jwe(jwe, context)
    except EnvelopeError as exc:
        raise SealError(str(exc), reason=exc.reason) from None


def open_sealed(jwe: str | Seal, keys: Iterable[OpeningKey], context: SealContext) -> bytes:
    """Decrypt sealed content. Admission then verifies its signatures.

    Args:
        jwe: the JSON text, or the result of `read_seal`.
        keys: private keys of the reader, also expired ones.
        context: the outer bulletin that carries it, and the place of a section in it.

    Raises:
        SealError: `too-large`, `malformed-seal`, `unsupported-seal`, `wrong-domain`, `not-a-recipient`, `wrong-context`,
            `wrong-commitment` or `damaged-seal`.
    """
    sealed = read_seal(jwe, context) if isinstance(jwe, str) else jwe
    mine = {key.kid: key for key in keys}
    wrapped = next((recipient for recipient in sealed.recipients if recipient.kid in mine), None)
    if wrapped is None:
        raise SealError("none of these keys is among the recipients", reason="not-a-recipient")
    content_key = mine[wrapped.kid].unwrap(wrapped, binding(context, sealed.kids))
    if not hmac.compare_digest(commitment(content_key), sealed.header.cek_s256):
        raise SealError(
            "the content key does not match the commitment to all recipients", reason="wrong-commitment"
        )
    try:
        padded = AESGCM(content_key).decrypt(
            sealed.iv, sealed.ciphertext + sealed.tag, sealed.protected.encode()
        )
        return unpad(padded)
    except InvalidTag:
        raise SealError("the sealed content has been changed", reason="damaged-seal") from None
    except EnvelopeError as exc:
        raise SealError(str(exc), reason=exc.reason) from None
