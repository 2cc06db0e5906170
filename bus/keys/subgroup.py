"""Tests whether a point of Curve25519 has the large prime order and the canonical encoding.

A point plus one of small order is another public key of the same private key: its holder's Ed25519 signatures are
valid under all eight, and X25519 gives the same secret under all eight. So a key counts only without a component of
small order. These points are the ones that can be halved three times: the group's order is eight times the prime (RFC
7748, section 4.1), and the points of small order are the multiples of one of them.

Halving needs no private number. For a point with abscissa `u`, the abscissas of its halves are the roots `t` of `t +
1/t = 2 (u + r)`, where `r` is either root of `u^2 + 486662 u + 1`. Halves exist if `u` is a square.
"""

from __future__ import annotations

from functools import lru_cache

P = 2**255 - 19
A = 486_662
_ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
_HALVINGS = 3


def ed25519_is_sound(raw: bytes) -> bool:
    """Whether an Ed25519 public key (RFC 8032, section 5.1.5) is a point of prime order in its canonical encoding."""
    y = int.from_bytes(raw, "little") & (1 << 255) - 1
    if len(raw) != 32 or y >= P or y == 1:
        return False
    return _is_of_prime_order((1 + y) * pow(1 - y, -1, P) % P)


def x25519_is_sound(raw: bytes) -> bool:
    """Whether an X25519 public key (RFC 7748, section 5) is a point of prime order in its canonical encoding."""
    u = int.from_bytes(raw, "little")
    return len(raw) == 32 and u < P and _is_of_prime_order(u)


@lru_cache(maxsize=16_384)  # each version and each statement reads the registry again, with the same keys
def _is_of_prime_order(u: int) -> bool:
    for _ in range(_HALVINGS - 1):
        half = _half(u)
        if half is None:
            return False
        u = half
    return _root(u) is not None


def _half(u: int) -> int | None:
    """The abscissa of a half of the point at `u`; None if the point has no half."""
    r = _root((u * (u + A) + 1) % P)
    if r is None or _root(u) is None:
        return None
    for sign in (r, -r):
        total = 2 * (u + sign) % P
        if (root := _root((total * total - 4) % P)) is not None:
            return (total + root) * (P + 1) // 2 % P
    return None


def _root(square: int) -> int | None:
    root = pow(square, (P + 3) // 8, P)
    if root * root % P == square:
        return root
    root = root * _ROOT_OF_MINUS_ONE % P
    return root if root * root % P == square else None
