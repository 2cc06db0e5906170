"""Tests whether a point of Curve25519 has the large prime order and the canonical encoding.

A point plus one of small order is another public key of the same private key: its holder's Ed25519 signatures are
valid under all eight, and X25519 gives the same secret under all eight. So a key counts only without a component of
small order. libsodium makes the test (`crypto_core_ed25519_is_valid_point`).
"""

from __future__ import annotations

from nacl.bindings import crypto_core_ed25519_is_valid_point

_P = 2**255 - 19


def ed25519_is_sound(raw: bytes) -> bool:
    """Whether an Ed25519 public key (RFC 8032, section 5.1.5) is a point of prime order in its canonical encoding."""
    return len(raw) == 32 and crypto_core_ed25519_is_valid_point(raw)


def x25519_is_sound(raw: bytes) -> bool:
    """Whether an X25519 public key (RFC 7748, section 5) is a point of prime order in its canonical encoding.

    The map of RFC 7748, section 4.1, gives a point of Ed25519 up to its sign, and a point and its negative have the
    same order.
    """
    u = int.from_bytes(raw, "little")
    if len(raw) != 32 or u >= _P - 1:
        return False
    y = (u - 1) * pow(u + 1, -1, _P) % _P
    return ed25519_is_sound(y.to_bytes(32, "little"))
