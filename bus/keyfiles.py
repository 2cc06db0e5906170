"""Key files: encrypted PKCS#8 in PEM, mode 0600, never a symbolic link; and the small secrets beside them.

`cryptography` reads scrypt and PBKDF2 but writes only 2048 rounds of PBKDF2, which is too little, so the
PBES2 structure (RFC 8018, RFC 7914) is written here.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bus.errors import KeyFileError, TrustError
from bus.signing import FileSigner

MAX_KEY_FILE_BYTES = 65_536
MIN_PBKDF2_ROUNDS = 600_000
MIN_SCRYPT_WORK = 2**14 * 8  # N times r
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 4  # the most memory that OpenSSL opens a key with is 32 MiB
_SCRYPT_MEMORY = 128 * SCRYPT_N * SCRYPT_R * 2

_PBES2 = "1.2.840.113549.1.5.13"
_PBKDF2 = "1.2.840.113549.1.5.12"
_SCRYPT = "1.3.6.1.4.1.11591.4.11"
_AES256_CBC = "2.16.840.1.101.3.4.1.42"
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----\s+([A-Za-z0-9+/=\s]+)-----END \1-----")


def read_secret(path: Path) -> bytes:
    """The one line in a secret file.

    Raises:
        KeyFileError: `key-missing`, `key-symlink`, `key-permissions`, `key-unreadable` or `key-malformed`.
    """
    data = _read_private(path).rstrip(b"\r\n")
    if not data or b"\n" in data:
        raise KeyFileError(f"{path} must hold one line", reason="key-malformed")
    return data


def write_secret(path: Path, data: bytes) -> None:
    """Write a secret into a new file of mode 0600.

    Raises:
        KeyFileError: `key-exists`, or `key-unwritable`.
    """
    _write_private(path, data + b"\n")


def load_signer(path: Path, passphrase: bytes | None) -> FileSigner:
    """The signing key in an encrypted PEM file.

    Raises:
        KeyFileError: what is wrong with the file: `key-missing`, `key-symlink`, `key-permissions`,
            `key-not-encrypted`, `weak-kdf`, `wrong-passphrase`, `key-malformed`, `unsupported-key`.
    """
    pem = _read_private(path)
    found = _PEM.search(pem)
    if found is None:
        raise KeyFileError(f"{path} is no PEM file", reason="key-malformed")
    if found[1] != b"ENCRYPTED PRIVATE KEY":
        raise KeyFileError(
            f"{path} is not an encrypted PKCS#8 key; encrypt it: openssl pkcs8 -topk8 -scrypt",
            reason="key-not-encrypted",
        )
    _lint_derivation(path, base64.b64decode(found[2]))
    if passphrase is None:
        raise KeyFileError(f"{path} needs a passphrase; name a passphrase file", reason="wrong-passphrase")
    try:
        private = serialization.load_pem_private_key(pem, passphrase)
    except UnsupportedAlgorithm as exc:
        raise KeyFileError(f"{path}: {exc}", reason="unsupported-key") from None
    except ValueError:
        raise KeyFileError(f"the passphrase does not open {path}", reason="wrong-passphrase") from None
    try:
        return FileSigner(private)  # type: ignore[arg-type]  # FileSigner refuses the kinds it does not know
    except TrustError as exc:
        raise KeyFileError(f"{path}: {exc}", reason="unsupported-key") from None


def save_signer(path: Path, signer: FileSigner, passphrase: bytes) -> None:
    """Write a signing key, encrypted with scrypt and AES-256-CBC, into a new file of mode 0600.

    Raises:
        KeyFileError: `key-exists`, `key-unwritable`, or `weak-passphrase` when it is empty.
    """
    if not passphrase:
        raise KeyFileError("an empty passphrase protects nothing", reason="weak-passphrase")
    plain = signer.private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    key = hashlib.scrypt(
        passphrase, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, maxmem=_SCRYPT_MEMORY, dklen=32
    )
    pad = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
    derivation = _sequence(
        _oid(_SCRYPT), _sequence(_octets(salt), _integer(SCRYPT_N), _integer(SCRYPT_R), _integer(SCRYPT_P))
    )
    scheme = _sequence(_oid(_AES256_CBC), _octets(iv))
    der = _sequence(_sequence(_oid(_PBES2), _sequence(derivation, scheme)), _octets(sealed))
    text = base64.encodebytes(der).replace(b"\n", b"")
    lines = b"\n".join(text[n : n + 64] for n in range(0, len(text), 64))
    _write_private(
        path, b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + lines + b"\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )


# -- files ------------------------------------------------------------------------------------------------------


def _read_private(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyFileError(
            f"the key file {path} is not there; make one: tocsin key new", reason="key-missing"
        ) from None
    except OSError as exc:
        if path.is_symlink():
            raise KeyFileError(
                f"{path} is a symbolic link; name the file itself", reason="key-symlink"
            ) from None
        raise KeyFileError(f"cannot read {path}: {exc.strerror}", reason="key-unreadable") from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise KeyFileError(f"{path} is not a file", reason="key-unreadable")
    with os.fdopen(handle, "rb") as file:
        if found.st_mode & 0o077:
            raise KeyFileError(f"others may read {path}; run: chmod 600 {path}", reason="key-permissions")
        data = file.read(MAX_KEY_FILE_BYTES + 1)
    if len(data) > MAX_KEY_FILE_BYTES:
        raise KeyFileError(f"{path} is too large for a key file", reason="key-malformed")
    return data


def _write_private(path: Path, data: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path} is there already and is not overwritten", reason="key-exists") from None
    except OSError as exc:
        raise KeyFileError(f"cannot write {path}: {exc.strerror}", reason="key-unwritable") from None
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


# -- the few DER forms of PBES2 -----------------------------------------------------------------------------------


def _tlv(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + body


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _octets(data: bytes) -> bytes:
    return _tlv(0x04, data)


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    out = bytearray((first * 40 + second,))
    for arc in rest:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return _tlv(0x06, bytes(out))


def _children(der: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each element in a row of DER elements."""
    found, place = [], 0
    while place < len(der):
        tag, size, place = der[place], der[place + 1], place + 2
        if size & 0x80:
            count = size & 0x7F
            size, place = int.from_bytes(der[place : place + count]), place + count
        if place + size > len(der):
            raise IndexError("an element is longer than what holds it")
        found.append((tag, der[place : place + size]))
        place += size
    return found


def _lint_derivation(path: Path, der: bytes) -> None:
    """Refuse a key whose passphrase could be guessed too fast."""
    try:
        ((_, whole),) = _children(der)
        (_, algorithm), _ = _children(whole)
        (_, oid), (_, parameters) = _children(algorithm)
        if _tlv(0x06, oid) != _oid(_PBES2):
            raise KeyFileError(
                f"{path} is encrypted with an old scheme; re-encrypt it: openssl pkcs8 -topk8 -scrypt",
                reason="weak-kdf",
            )
        (_, derivation), _ = _children(parameters)
        (_, kdf), (_, settings) = _children(derivation)
        numbers = [int.from_bytes(body) for tag, body in _children(settings) if tag == 0x02]
    except (IndexError, ValueError):
        raise KeyFileError(f"{path} is not an encrypted PKCS#8 key", reason="key-malformed") from None
    if _tlv(0x06, kdf) == _oid(_PBKDF2):
        enough = bool(numbers) and numbers[0] >= MIN_PBKDF2_ROUNDS
    else:
        enough = (
            _tlv(0x06, kdf) == _oid(_SCRYPT)
            and len(numbers) >= 2
            and numbers[0] * numbers[1] >= MIN_SCRYPT_WORK
        )
    if not enough:
        raise KeyFileError(
            f"{path} is too weakly encrypted (scrypt, or at least {MIN_PBKDF2_ROUNDS} PBKDF2 rounds); "
            "re-encrypt it: openssl pkcs8 -topk8 -scrypt",
            reason="weak-kdf",
        )
