"""PBES2 (RFC 8018, RFC 7914): encrypts a private key under a passphrase, and checks the strength of the encryption.

`cryptography` reads scrypt and PBKDF2, but writes only 2048 rounds of PBKDF2, which is too weak, and cannot read seal
keys. So this module writes the structure, and reads it for seal keys.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bus.errors import KeyFileError

MIN_PBKDF2_ROUNDS = 600_000
MIN_SCRYPT_WORK = 2**14 * 8  # N times r
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 4  # OpenSSL opens a key with at most 32 MiB of memory
_SCRYPT_MEMORY = 128 * SCRYPT_N * SCRYPT_R * 2

_PBES2 = "1.2.840.113549.1.5.13"
_PBKDF2 = "1.2.840.113549.1.5.12"
_SCRYPT = "1.3.6.1.4.1.11591.4.11"
_AES256_CBC = "2.16.840.1.101.3.4.1.42"
_BLOCK = 16
_OCTETS, _INTEGER, _OID = 0x04, 0x02, 0x06


def encrypt(plain: bytes, passphrase: bytes, lanes: int | None = None) -> bytes:
    """An EncryptedPrivateKeyInfo over a PrivateKeyInfo: scrypt and AES-256-CBC.

    Args:
        plain: the private key.
        passphrase: opens the key.
        lanes: the parameter p of scrypt, the factor of its work for writing and opening; default `SCRYPT_P`. One is
            enough for a random passphrase, which cannot be guessed.

    Raises:
        KeyFileError: `weak-passphrase` when it is empty.
    """
    if not passphrase:
        raise KeyFileError("an empty passphrase protects nothing", reason="weak-passphrase")
    salt, iv = secrets.token_bytes(16), secrets.token_bytes(_BLOCK)
    numbers = (SCRYPT_N, SCRYPT_R, SCRYPT_P if lanes is None else lanes)
    key = _scrypt(passphrase, salt, *numbers)
    pad = _BLOCK - len(plain) % _BLOCK
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    hidden = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
    return _info(salt, numbers, iv, hidden)


def _info(salt: bytes, numbers: Iterable[int], iv: bytes, hidden: bytes) -> bytes:
    """The one encoding of an EncryptedPrivateKeyInfo with scrypt and AES-256-CBC."""
    derivation = sequence(oid(_SCRYPT), sequence(octets(salt), *map(integer, numbers)))
    scheme = sequence(oid(_AES256_CBC), octets(iv))
    return sequence(sequence(oid(_PBES2), sequence(derivation, scheme)), octets(hidden))


def decrypt(der: bytes, passphrase: bytes) -> bytes | None:
    """The PrivateKeyInfo in the output of `encrypt`; None when the passphrase is wrong.

    Raises:
        KeyFileError: `key-malformed`, also for a scheme that `encrypt` does not write.
    """
    try:
        ((_, whole),) = children(der)
        (_, algorithm), (_, hidden) = children(whole)
        _, (_, parameters) = children(algorithm)
        (_, derivation), (_, scheme) = children(parameters)
        (_, kdf), (_, settings) = children(derivation)
        (_, cipher), (_, iv) = children(scheme)
        (_, salt), *numbers = children(settings)
        n, r, p = (int.from_bytes(body) for tag, body in numbers[:3] if tag == _INTEGER)
        if (element(_OID, kdf), element(_OID, cipher)) != (oid(_SCRYPT), oid(_AES256_CBC)):
            raise KeyFileError(
                "not encrypted with scrypt and AES-256-CBC, as tocsin key new does", reason="key-malformed"
            )
        if _info(salt, (n, r, p), iv, hidden) != der:
            raise KeyFileError(
                "not in the form that tocsin key new writes; it is damaged", reason="key-malformed"
            )
        key = _scrypt(passphrase, salt, n, r, p)
        decryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).decryptor()
        plain = decryptor.update(hidden) + decryptor.finalize()
    except (IndexError, ValueError):
        raise KeyFileError("not an encrypted PKCS#8 key", reason="key-malformed") from None
    pad = plain[-1] if plain else 0
    if not 1 <= pad <= _BLOCK or plain[-pad:] != bytes([pad]) * pad:
        return None
    return plain[:-pad]


def lint(name: object, der: bytes) -> None:
    """Refuse a key whose passphrase can be guessed too fast.

    Raises:
        KeyFileError: `weak-kdf` or `key-malformed`, naming the file.
    """
    try:
        ((_, whole),) = children(der)
        (_, algorithm), _ = children(whole)
        (_, scheme), (_, parameters) = children(algorithm)
        if element(_OID, scheme) != oid(_PBES2):
            raise KeyFileError(
                f"{name} is encrypted with an old scheme",
                remedy="re-encrypt it: openssl pkcs8 -topk8 -scrypt",
                reason="weak-kdf",
            )
        (_, derivation), _ = children(parameters)
        (_, kdf), (_, settings) = children(derivation)
        numbers = [int.from_bytes(body) for tag, body in children(settings) if tag == _INTEGER]
    except (IndexError, ValueError):
        raise KeyFileError(f"{name} is not an encrypted PKCS#8 key", reason="key-malformed") from None
    if element(_OID, kdf) == oid(_PBKDF2):
        enough = bool(numbers) and numbers[0] >= MIN_PBKDF2_ROUNDS
    else:
        enough = (
            element(_OID, kdf) == oid(_SCRYPT)
            and len(numbers) >= 2
            and numbers[0] * numbers[1] >= MIN_SCRYPT_WORK
        )
    if not enough:
        raise KeyFileError(
            f"{name} is too weakly encrypted (scrypt, or at least {MIN_PBKDF2_ROUNDS} PBKDF2 rounds)",
            remedy="re-encrypt it: openssl pkcs8 -topk8 -scrypt",
            reason="weak-kdf",
        )


def _scrypt(passphrase: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, maxmem=_SCRYPT_MEMORY, dklen=32)


# -- the few DER forms ----------------------------------------------------------------------------------------------


def element(tag: int, body: bytes) -> bytes:
    """One DER element."""
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + body


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE."""
    return element(0x30, b"".join(parts))


def octets(data: bytes) -> bytes:
    """OCTET STRING."""
    return element(_OCTETS, data)


def integer(value: int) -> bytes:
    """INTEGER, not negative."""
    return element(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    out = bytearray((first * 40 + second,))
    for arc in rest:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return element(_OID, bytes(out))


def children(der: bytes) -> list[tuple[int, bytes]]:
    """(tag, content) of each element in a row of DER elements.

    Raises:
        IndexError: an element is longer than its container.
    """
    elements, place = [], 0
    while place < len(der):
        tag, size, place = der[place], der[place + 1], place + 2
        if size & 0x80:
            count = size & 0x7F
            size, place = int.from_bytes(der[place : place + count]), place + count
        if place + size > len(der):
            raise IndexError("an element is longer than its container")
        elements.append((tag, der[place : place + size]))
        place += size
    return elements
