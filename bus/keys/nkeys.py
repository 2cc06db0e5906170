"""Transport keys: NATS user nkeys, written and read without another cryptographic library.

An nkey is base32 of a prefix byte, 32 bytes and a CRC-16/XMODEM, without padding; a seed has two prefix bytes.
A transport key signs any bytes that a broker chooses, so it is never a bulletin key.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bus.errors import KeyFileError
from bus.keys import subgroup
from bus.keys.files import read_line, write_secret

_PREFIX_SEED = 18 << 3  # S
_PREFIX_USER = 20 << 3  # U


def generate() -> tuple[str, str]:
    """A new user key: its seed (`SU...`) and its public half (`U...`)."""
    raw = Ed25519PrivateKey.generate().private_bytes_raw()
    # The seed's first byte holds the seed prefix and the upper bits of the key type, the second byte the other bits.
    seed = _encode(bytes((_PREFIX_SEED | _PREFIX_USER >> 5, (_PREFIX_USER & 31) << 3)) + raw)
    return seed, public_of(seed)


def public_of(seed: str) -> str:
    """The public user key of a seed.

    Raises:
        KeyFileError: `key-malformed`.
    """
    return _encode(bytes((_PREFIX_USER,)) + _private(seed).public_key().public_bytes_raw())


def signature(seed: str, nonce: bytes) -> bytes:
    """A client's answer to a broker's nonce: the raw Ed25519 signature, 64 bytes."""
    return _private(seed).sign(nonce)


def is_public_user_key(text: str) -> bool:
    """Whether `text` is a well-formed public user key."""
    try:
        raw_public(text)
    except KeyFileError:
        return False
    return True


def raw_public(text: str, *, sound: bool = False) -> bytes:
    """The 32 bytes of a public user key; set `sound` if the order of its point was checked before.

    Raises:
        KeyFileError: `key-malformed`.
    """
    data = _decode(text)
    if len(data) != 33 or data[0] != _PREFIX_USER:
        raise KeyFileError("not a public user key (U...)", reason="key-malformed")
    if not sound and not subgroup.ed25519_is_sound(data[1:]):
        raise KeyFileError("a public user key that is not of prime order", reason="key-malformed")
    return data[1:]


def load_nkey(path: Path) -> str:
    """The seed in a file of mode 0600.

    Raises:
        KeyFileError: as `bus.keys.files.read_line`, or `key-malformed`.
    """
    try:
        seed = read_line(path).decode("ascii")
        _private(seed)
    except (UnicodeDecodeError, KeyFileError) as exc:
        if isinstance(exc, KeyFileError) and exc.reason != "key-malformed":
            raise
        raise KeyFileError(
            f"{path} does not hold a transport key",
            remedy="make one: tocsin key new --transport",
            reason="key-malformed",
        ) from None
    return seed


def save_nkey(path: Path, seed: str) -> None:
    """Write a seed into a new file of mode 0600."""
    write_secret(path, seed.encode("ascii"))


def _private(seed: str) -> Ed25519PrivateKey:
    data = _decode(seed)
    if len(data) != 34 or data[0] & 0xF8 != _PREFIX_SEED:
        raise KeyFileError("not an nkey seed", reason="key-malformed")
    if (data[0] & 7) << 5 | (data[1] & 0xF8) >> 3 != _PREFIX_USER:
        raise KeyFileError("an nkey seed, but not a user's", reason="key-malformed")
    return Ed25519PrivateKey.from_private_bytes(data[2:])


def _encode(data: bytes) -> str:
    checked = data + binascii.crc_hqx(data, 0).to_bytes(2, "little")
    return base64.b32encode(checked).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    try:
        data = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise KeyFileError("not an nkey", reason="key-malformed") from None
    body, crc = data[:-2], data[-2:]
    if binascii.crc_hqx(body, 0).to_bytes(2, "little") != crc:
        raise KeyFileError("an nkey with a wrong checksum", reason="key-malformed")
    return body
