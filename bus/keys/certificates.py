"""Signatures that are also JAdES B-B seals (ETSI TS 119 182-1): the same JWS, with `iat` and `x5t#S256` in its header.

For ES256 keys with an eIDAS seal certificate. tocsin decides only by the registry, never by the certificate. The
certificate serves authorities that must show a qualified seal.
"""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bus.errors import TrustError
from bus.keys.signatures import CertifiedSigner, Signer, describe, thumbprint
from schemas.envelope import b64u

# The errors of `cryptography` for bytes that are not a certificate; some come only when a part is read.
_NONE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)


def certified(signer: Signer, certificate: bytes) -> CertifiedSigner:
    """A signer whose bulletins are JAdES B-B seals.

    Args:
        signer: an ES256 key.
        certificate: the key's certificate, in PEM.

    Raises:
        TrustError: `unsupported-key`: not an ES256 key, or no certificate; `not-your-key`: another key's certificate.
    """
    if signer.alg != "ES256":
        raise TrustError("a JAdES seal is made with an ES256 key", reason="unsupported-key")
    try:
        read = x509.load_pem_x509_certificate(certificate)
        public = read.public_key()
    except _NONE:
        raise TrustError("not a certificate in PEM", reason="unsupported-key") from None
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise TrustError("the certificate is not of a P-256 key", reason="unsupported-key")
    if thumbprint(describe(public)[1]) != signer.kid:
        raise TrustError("the certificate is of another key", reason="not-your-key")
    return CertifiedSigner(signer, b64u(read.fingerprint(hashes.SHA256())))


def valid_between(certificates: bytes) -> tuple[dt.datetime, dt.datetime]:
    """(start, end) of the window in which every certificate of a PEM file is valid.

    Raises:
        TrustError: `unsupported-key`: no certificate in PEM.
    """
    try:
        read = x509.load_pem_x509_certificates(certificates)
        begins = max(one.not_valid_before_utc for one in read)
        return begins, min(one.not_valid_after_utc for one in read)
    except _NONE:
        raise TrustError("not a certificate in PEM", reason="unsupported-key") from None
