"""The library that verifies Ed25519 finds the same signatures valid as the one that readers with a stock JOSE library use."""

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import TrustError
from bus.keys import FileSigner
from tests.unit.bus.keys.test_one_id import ORDER, SMALL, add, decoded, encoded, times

SEED = bytes(range(32))
DATA = b"signed"
SIGNER = FileSigner.from_seed(SEED)
RAW = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
BASE = decoded((4 * pow(5, -1, 2**255 - 19) % (2**255 - 19)).to_bytes(32, "little"))


def _secret() -> int:
    half = bytearray(hashlib.sha512(SEED).digest()[:32])
    half[0] &= 248
    half[31] = half[31] & 63 | 64
    return int.from_bytes(half, "little") % ORDER


def _signed(nonce: int, part: int = 0) -> bytes:
    """A signature of `DATA` whose first half is `nonce` times the base, with a component of small order added."""
    first = encoded(add(times(nonce, BASE), SMALL[part]))
    challenge = int.from_bytes(hashlib.sha512(first + RAW + DATA).digest(), "little") % ORDER
    return first + ((nonce + challenge * _secret()) % ORDER).to_bytes(32, "little")


def _ours(signature: bytes, data: bytes = DATA) -> bool:
    try:
        SIGNER.public.verify(signature, data)
    except TrustError:
        return False
    return True


def _stock(signature: bytes, data: bytes = DATA) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(RAW).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def test_a_signature_made_by_hand_is_valid_for_both() -> None:
    """So the odd ones below are odd in one thing only."""
    assert _ours(_signed(12345))
    assert _stock(_signed(12345))


@pytest.mark.parametrize("part", range(1, 8))
def test_a_first_half_with_a_part_of_small_order_is_valid_for_neither(part: int) -> None:
    """A verifier that multiplies by eight would take it, and readers would be of two minds."""
    assert not _ours(_signed(12345, part))
    assert not _stock(_signed(12345, part))


def test_a_second_half_beyond_the_order_is_valid_for_neither() -> None:
    """It would be a second signature of the same bytes (RFC 8032, section 5.1.7)."""
    signature = _signed(12345)
    larger = (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    assert not _ours(signature[:32] + larger)
    assert not _stock(signature[:32] + larger)


def test_the_one_signature_that_only_the_other_takes_gives_the_private_key_away() -> None:
    """With a nonce of zero the second half is the challenge times the private key; libsodium refuses it."""
    signature = _signed(0)
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + RAW + DATA).digest(), "little") % ORDER
    assert int.from_bytes(signature[32:], "little") * pow(challenge, -1, ORDER) % ORDER == _secret()
    assert _stock(signature)
    assert not _ours(signature)


@given(st.integers(0, 511), st.binary(max_size=64))
def test_changed_signatures_are_valid_for_neither(bit: int, data: bytes) -> None:
    """One bit is enough, whatever is signed."""
    signature = bytearray(SIGNER.sign(data))
    assert _ours(bytes(signature), data)
    signature[bit // 8] ^= 1 << bit % 8
    assert not _ours(bytes(signature), data)
    assert not _stock(bytes(signature), data)
