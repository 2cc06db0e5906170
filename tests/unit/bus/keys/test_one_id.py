"""One private key has one public key, in one encoding, and so one id: every other spelling is refused where keys enter."""

import base64
import binascii

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bus.errors import KeyFileError, TrustError
from bus.keys import FileSigner, OpeningKey, PublicKey, SealKey, nkeys
from bus.keys.subgroup import ed25519_is_sound, x25519_is_sound
from schemas.envelope import b64u

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
P256_FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
MLKEM_PUBLIC_BYTES = 1184

Point = tuple[int, int]


def add(one: Point, other: Point) -> Point:
    """The sum of two points of Ed25519 (RFC 8032, section 5.1.4), without regard to speed."""
    (x1, y1), (x2, y2) = one, other
    t = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P,
    )


def times(count: int, point: Point) -> Point:
    """A point added to itself."""
    total = (0, 1)
    while count:
        if count & 1:
            total = add(total, point)
        point, count = add(point, point), count >> 1
    return total


def lifted(y: int, sign: int) -> Point | None:
    """The point with an ordinate and the parity of its abscissa, if there is one."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (P - x if x & 1 != sign else x), y


def decoded(raw: bytes) -> Point:
    """The point that 32 bytes name."""
    number = int.from_bytes(raw, "little")
    point = lifted(number & (1 << 255) - 1, number >> 255)
    assert point is not None
    return point


def encoded(point: Point) -> bytes:
    """The bytes of a point."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def abscissa(point: Point) -> bytes:
    """The X25519 key at a point of Ed25519 (RFC 7748, section 4.1)."""
    return ((1 + point[1]) * pow(1 - point[1], -1, P) % P).to_bytes(32, "little")


def of_order_eight() -> Point:
    """A point whose multiples are all of small order."""
    for y in range(2, 99):
        point = lifted(y, 0)
        if point is not None:
            found = times(ORDER, point)
            if times(4, found) != (0, 1):
                return found
    raise AssertionError("one in two has such a part")


TORSION = of_order_eight()
SMALL = tuple(times(n, TORSION) for n in range(8))


@pytest.mark.parametrize("n", range(1, 8))
def test_an_ed25519_key_with_a_part_of_small_order_is_refused(n: int) -> None:
    """Its holder's signatures stand under all eight, so that one person would be eight of a quorum."""
    honest = FileSigner.from_seed(bytes(range(32))).public
    mixed = encoded(add(decoded(base64.urlsafe_b64decode(honest.jwk["x"] + "=")), SMALL[n]))
    with pytest.raises(TrustError, match="prime order") as caught:
        PublicKey.from_jwk(honest.jwk | {"x": b64u(mixed)}, "Ed25519")
    assert caught.value.reason == "weak-key"


@pytest.mark.parametrize("point", SMALL)
def test_a_point_of_small_order_is_no_key(point: Point) -> None:
    """One fixed signature fits every message under it."""
    assert not ed25519_is_sound(encoded(point))


def test_a_coordinate_beyond_the_field_is_refused() -> None:
    """A number and the same number more than the field's size are one point; only the smaller is its encoding."""
    assert not any(ed25519_is_sound((y + P).to_bytes(32, "little")) for y in range(19))
    assert x25519_is_sound((9).to_bytes(32, "little"))
    assert not x25519_is_sound((9 + P).to_bytes(32, "little"))


@pytest.mark.parametrize("seed", range(6))
def test_the_keys_that_are_made_are_of_prime_order(seed: int) -> None:
    """What the libraries make is taken."""
    secret = bytes([seed]) * 32
    assert ed25519_is_sound(Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw())
    assert x25519_is_sound(X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw())


def test_the_library_agrees_with_multiplying_by_the_order() -> None:
    """Over points of every kind: those of prime order and those with each part of small order."""
    for y in range(2, 60):
        point = lifted(y, 0)
        if point is not None:
            assert ed25519_is_sound(encoded(point)) == (times(ORDER, point) == (0, 1))


@pytest.mark.parametrize("n", range(1, 8))
def test_a_seal_key_with_a_part_of_small_order_is_refused(n: int) -> None:
    """X25519 gives its holder the same secret under all eight."""
    raw = OpeningKey(bytes(32)).public.raw
    lattice, curve = raw[:MLKEM_PUBLIC_BYTES], raw[MLKEM_PUBLIC_BYTES:]
    u = int.from_bytes(curve, "little")
    point = lifted((u - 1) * pow(u + 1, -1, P) % P, 0)
    assert point is not None
    assert abscissa(point) == curve
    with pytest.raises(TrustError, match="prime order") as caught:
        SealKey(lattice + abscissa(add(point, SMALL[n])))
    assert caught.value.reason == "weak-key"


def test_a_seal_key_whose_unused_bit_is_set_is_refused() -> None:
    """X25519 masks it, so the key would have a second id."""
    raw = bytearray(OpeningKey(bytes(32)).public.raw)
    raw[-1] |= 0x80
    with pytest.raises(TrustError):
        SealKey(bytes(raw))


def test_a_seal_key_with_a_coefficient_beyond_the_modulus_is_refused() -> None:
    """ML-KEM-768 (FIPS 203, section 7.2) has one encoding for each coefficient below 3329."""
    raw = bytearray(OpeningKey(bytes(32)).public.raw)
    for place in range(0, 1152, 3):
        if (number := raw[place] | (raw[place + 1] & 15) << 8) < 4096 - 3329:
            raw[place], raw[place + 1] = (number + 3329) & 255, raw[place + 1] & 0xF0 | (number + 3329) >> 8
            break
    with pytest.raises(TrustError) as caught:
        SealKey(bytes(raw))
    assert caught.value.reason == "unsupported-key"


def test_a_p256_coordinate_beyond_the_field_is_refused() -> None:
    """The point at `x` is the point at `x + q`; a library that reduces takes both."""
    q = P256_FIELD
    x, y = next(
        (x, y)
        for x in range(1, 99)
        for square in ((x**3 - 3 * x + P256_B) % q,)
        for y in (pow(square, (q + 1) // 4, q),)
        if y * y % q == square
    )
    jwk = {"kty": "EC", "crv": "P-256", "x": b64u(x.to_bytes(32)), "y": b64u(y.to_bytes(32))}
    PublicKey.from_jwk(jwk, "ES256")
    with pytest.raises(TrustError) as caught:
        PublicKey.from_jwk(jwk | {"x": b64u((x + q).to_bytes(32))}, "ES256")
    assert caught.value.reason == "unsupported-key"


@pytest.mark.parametrize("alg", ["Ed25519", "ES256", "ML-DSA-65"])
def test_further_bytes_are_refused(alg: str) -> None:
    """No algorithm takes a key with something before or behind it."""
    jwk = FileSigner.generate(alg).jwk
    name = next(each for each in ("x", "pub") if each in jwk)
    raw = base64.urlsafe_b64decode(jwk[name] + "=" * (-len(jwk[name]) % 4))
    for other in (raw + b"\0", b"\0" + raw, raw[:-1]):
        with pytest.raises(TrustError):
            PublicKey.from_jwk(jwk | {name: b64u(other)}, alg)


@pytest.mark.parametrize("n", range(1, 8))
def test_a_transport_key_with_a_part_of_small_order_is_refused(n: int) -> None:
    """A broker's connection is known by its key, and so is who may not hold a bulletin key."""
    raw = encoded(add(decoded(nkeys.raw_public(nkeys.generate()[1])), SMALL[n]))
    data = bytes((20 << 3,)) + raw
    text = base64.b32encode(data + binascii.crc_hqx(data, 0).to_bytes(2, "little")).decode()
    with pytest.raises(KeyFileError, match="prime order"):
        nkeys.raw_public(text)
