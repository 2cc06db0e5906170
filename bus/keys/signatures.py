"""Makes and checks signatures with Ed25519, ES256 and ML-DSA-65.

The algorithm is a property of the key record in the registry; a message must use that one. RFC 8032 and RFC 9864
(Ed25519), RFC 7518 section 3.4 (ES256), RFC 9964 (ML-DSA-65).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from bus.errors import TrustError
from bus.keys import subgroup
from schemas.codec import digest
from schemas.envelope import (
    TYP_BATCH,
    Context,
    Entry,
    Header,
    b64u,
    batch_of,
    misplaced,
    protected_for,
    signed_bytes,
    signing_input,
    unb64u,
)
from schemas.errors import EnvelopeError

Private = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | MLDSA65PrivateKey
Public = Ed25519PublicKey | ec.EllipticCurvePublicKey | MLDSA65PublicKey

_THUMBPRINT_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "OKP": ("crv", "kty", "x"),  # RFC 8037
    "EC": ("crv", "kty", "x", "y"),  # RFC 7638
    "AKP": ("alg", "kty", "pub"),  # RFC 9964
}
_SIGNATURE_BYTES: Mapping[str, int] = {"Ed25519": 64, "ES256": 64, "ML-DSA-65": 3309}
_P256 = ec.SECP256R1()

_P256_FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1


class Signer(Protocol):
    """A signing key, in a file or a token. Called in the outbox's own thread."""

    @property
    def alg(self) -> str:
        """Its algorithm, as named in the registry."""

    @property
    def kid(self) -> str:
        """Its key's RFC 7638 thumbprint."""

    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data`."""


class CertifiedSigner:
    """A signer whose bulletins also carry a certificate of its key. `bus.keys.certificates.certified` makes it and checks the certificate."""

    def __init__(self, signer: Signer, x5t: str) -> None:
        self.alg, self.kid, self.sign = signer.alg, signer.kid, signer.sign
        self.x5t = x5t


def thumbprint(jwk: Mapping[str, str]) -> str:
    """RFC 7638 SHA-256 thumbprint of a public JWK.

    Raises:
        TrustError: `unsupported-key`.
    """
    members = _THUMBPRINT_MEMBERS.get(jwk.get("kty", ""))
    if members is None or any(name not in jwk for name in members):
        raise TrustError("not a public key of a known type", reason="unsupported-key")
    return digest(json.dumps({name: jwk[name] for name in members}, separators=(",", ":")).encode())


class PublicKey:
    """A public key with its one algorithm."""

    def __init__(self, *, alg: str, jwk: dict[str, str], key: Public) -> None:
        self.alg = alg
        self.jwk = jwk
        self.kid = thumbprint(jwk)
        # To find the abstract class of a key takes a microsecond, so it is found once.
        self._verify = _verifier(key)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, str], alg: str, *, sound: bool = False) -> PublicKey:
        """Read a JWK for one algorithm.

        Args:
            jwk: the public key.
            alg: its algorithm.
            sound: whether the order of its point was checked before; the check takes a millisecond.

        Raises:
            TrustError: `unsupported-key`, or `weak-key` for an Ed25519 point that is not of prime order.
        """
        kept = {name: jwk[name] for name in _THUMBPRINT_MEMBERS.get(jwk.get("kty", ""), ()) if name in jwk}
        try:
            key = _load(kept, alg, sound=sound)
        except (KeyError, ValueError, EnvelopeError):
            raise TrustError(f"not a public {alg} key", reason="unsupported-key") from None
        return cls(alg=alg, jwk=kept, key=key)

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check one signature.

        Raises:
            TrustError: `bad-signature`.
        """
        try:
            if len(signature) != _SIGNATURE_BYTES[self.alg]:
                raise InvalidSignature
            self._verify(signature, data)
        except InvalidSignature:
            raise TrustError("the signature does not fit", reason="bad-signature") from None


def _verifier(key: Public) -> Callable[[bytes, bytes], object]:
    if isinstance(key, Ed25519PublicKey):
        return partial(_verify_ed25519, key.public_bytes_raw())
    return partial(_verify_es256, key) if isinstance(key, ec.EllipticCurvePublicKey) else key.verify


def _verify_ed25519(key: bytes, signature: bytes, data: bytes) -> None:
    # libsodium takes half the time of OpenSSL. With keys of prime order both find the same signatures valid, but for
    # those that give the private key away (ADR-071).
    try:
        crypto_sign_open(signature + data, key)
    except BadSignatureError:
        raise InvalidSignature from None


def _verify_es256(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))


def _load(jwk: dict[str, str], alg: str, *, sound: bool) -> Public:
    if alg == "Ed25519" and jwk["kty"] == "OKP" and jwk["crv"] == "Ed25519":
        raw = unb64u(jwk["x"])
        key = Ed25519PublicKey.from_public_bytes(raw)
        # OpenSSL accepts any point. For a point of small order, one fixed signature matches every message. With a
        # component of small order, one private key has eight public keys, and so eight ids.
        if not sound and not subgroup.ed25519_is_sound(raw):
            raise TrustError("an Ed25519 key that is not of prime order", reason="weak-key")
        return key
    if alg == "ES256" and jwk["kty"] == "EC" and jwk["crv"] == "P-256":
        x, y = (unb64u(jwk[name]) for name in ("x", "y"))
        if len(x) != 32 or len(y) != 32 or max(int.from_bytes(x), int.from_bytes(y)) >= _P256_FIELD:
            # OpenSSL reduces a larger coordinate, so the same key would have another id.
            raise ValueError("P-256 coordinates are numbers of the field in 32 bytes")
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), _P256).public_key()
    if alg == "ML-DSA-65" and jwk["kty"] == "AKP" and jwk["alg"] == "ML-DSA-65":
        return MLDSA65PublicKey.from_public_bytes(unb64u(jwk["pub"]))
    raise ValueError(f"no {alg} key")


class FileSigner:
    """A signer with its private key in memory, read from an encrypted file."""

    def __init__(self, private: Private) -> None:
        self.private = private
        self.alg, self.jwk = describe(private.public_key())
        self.kid = thumbprint(self.jwk)

    @classmethod
    def generate(cls, alg: str = "Ed25519") -> FileSigner:
        """Make a new key.

        Raises:
            TrustError: `unsupported-key`.
        """
        if alg == "Ed25519":
            return cls(Ed25519PrivateKey.generate())
        if alg == "ES256":
            return cls(ec.generate_private_key(_P256))
        if alg == "ML-DSA-65":
            return cls(MLDSA65PrivateKey.generate())
        raise TrustError(f"no algorithm {alg}", reason="unsupported-key")

    @classmethod
    def from_seed(cls, seed: bytes) -> FileSigner:
        """The Ed25519 key of a 32-byte seed; for test vectors, whose keys are public."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return PublicKey.from_jwk(self.jwk, self.alg)

    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data`; ES256 as r and s, 32 bytes each."""
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        return self.private.sign(data)


def describe(public: object) -> tuple[str, dict[str, str]]:
    """(algorithm, JWK) of a public key.

    Raises:
        TrustError: `unsupported-key`.
    """
    if isinstance(public, Ed25519PublicKey):
        return "Ed25519", {"kty": "OKP", "crv": "Ed25519", "x": b64u(public.public_bytes_raw())}
    if isinstance(public, ec.EllipticCurvePublicKey):
        if not isinstance(public.curve, ec.SECP256R1):
            raise TrustError("only P-256 is used with ES256", reason="unsupported-key")
        numbers = public.public_numbers()
        x, y = (b64u(number.to_bytes(32)) for number in (numbers.x, numbers.y))
        return "ES256", {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    if isinstance(public, MLDSA65PublicKey):
        return "ML-DSA-65", {"kty": "AKP", "alg": "ML-DSA-65", "pub": b64u(public.public_bytes_raw())}
    raise TrustError(
        "this kind of key cannot sign here; use Ed25519, ES256 or ML-DSA-65", reason="unsupported-key"
    )


class CheckedEntry(NamedTuple):
    """A signature by a known key: `fault` is empty when it is valid, else the reason code."""

    entry: Entry
    key: PublicKey
    fault: str


def check_entries(
    entries: Iterable[Entry], payload: bytes, context: Context, key_of: Callable[[str], PublicKey | None]
) -> Iterator[CheckedEntry]:
    """Check the signatures over a payload. An entry by an unknown key is skipped.

    Args:
        entries: the entries of a header or a file.
        payload: the signed bytes.
        context: the purpose and federation that the signatures must name; no signature is valid without it.
        key_of: the known key with an id. The id alone finds it, and the key states its algorithm.

    Yields:
        Each entry by a known key; `fault` is `unknown-type`, `wrong-domain`, `wrong-algorithm` or `bad-signature` if
        its signature is not valid.
    """
    for entry in entries:
        key = key_of(entry.header.kid)
        if key is not None:
            yield CheckedEntry(entry=entry, key=key, fault=_fault(entry, payload, context, key))


def _fault(entry: Entry, payload: bytes, context: Context, key: PublicKey) -> str:
    if reason := misplaced(entry, context):
        return reason
    if entry.header.alg != key.alg:
        return "wrong-algorithm"
    data = signed_bytes(entry, payload)
    if data is None:
        return "bad-signature"
    try:
        key.verify(entry.signature, data)
    except TrustError as exc:
        return exc.reason
    return ""


def holds_under(key: PublicKey, protected: str, signature: str, payload: bytes) -> bool:
    """Whether a signature is valid under a protected header that `check_entries` has accepted for the same key and context.

    Args:
        key: the key with the `kid` of the header.
        protected: the protected header, base64url.
        signature: base64url.
        payload: the signed bytes.
    """
    try:
        key.verify(unb64u(signature), signing_input(protected, payload))
    except (EnvelopeError, TrustError):
        return False
    return True


def sign_entry(
    signer: Signer, payload: bytes, context: Context, *, iat: int | None = None, x5t: str | None = None
) -> Entry:
    """Sign a payload for one purpose in one federation: one entry for a header or a file."""
    protected = protected_for(signer.alg, signer.kid, context, iat=iat, x5t=x5t)
    signature = signer.sign(signing_input(protected, payload))
    typ, domain = context
    return Entry(
        protected=protected,
        signature=signature,
        header=Header(alg=signer.alg, kid=signer.kid, typ=typ, domain=domain, iat=iat, x5t=x5t),
    )


def sign_bulletin(signer: Signer, payload: bytes, context: Context, issued: dt.datetime) -> Entry:
    """Sign a bulletin, or the inner one of a sealed bulletin. A certified signer makes a JAdES B-B seal dated `issued`."""
    if isinstance(signer, CertifiedSigner):
        return sign_entry(signer, payload, context, iat=int(issued.timestamp()), x5t=signer.x5t)
    return sign_entry(signer, payload, context)


def sign_batch(
    signers: Sequence[Signer], payloads: Sequence[bytes], domain: str
) -> tuple[tuple[Entry, ...], ...]:
    """Sign 2 to 64 consecutive bulletins of one channel in a batch; each signer signs once. Returns the entries of each payload.

    Args:
        signers: all signers of the issuer, none certified (`signs_batches`).
        payloads: in the order of their numbers.
        domain: of the federation.

    Raises:
        ValueError: the number of payloads is not 2 to 64.
    """
    head, places = batch_of(payloads)
    signed = [sign_entry(signer, head, Context(TYP_BATCH, domain)) for signer in signers]
    return tuple(tuple(msgspec.structs.replace(entry, batch=place) for entry in signed) for place in places)


def signs_batches(signers: Iterable[Signer]) -> bool:
    """Whether these signers may sign batches. A JAdES seal covers one bulletin, and an issuer signs in one way only."""
    return not any(isinstance(signer, CertifiedSigner) for signer in signers)
