"""Key files: encrypted PKCS#8 in PEM, mode 0600, never a symbolic link; and the small secrets beside them.

`cryptography` reads signing keys. A seal key is a OneAsymmetricKey (RFC 5958), read here: its 32-byte seed under
X-Wing's object identifier (draft-connolly-cfrg-xwing-kem), and its public half, which reveals a damaged seed.
"""

from __future__ import annotations

import base64
import os
import re
import stat
import tempfile
from pathlib import Path

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from bus.errors import KeyFileError, TrustError
from bus.keys import pbes2
from bus.keys.hpke import SEED_BYTES, OpeningKey
from bus.keys.signatures import FileSigner

MAX_KEY_FILE_BYTES = 65_536
_XWING = "1.3.6.1.4.1.62253.25722"
_PUBLIC_KEY = 0x81  # [1] IMPLICIT BIT STRING of a OneAsymmetricKey
_LABEL = re.compile(rb"-----BEGIN ([A-Z ]{1,40})-----\s")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+")


def read_secret(path: Path) -> bytes:
    """The one line in a passphrase or PIN file.

    Raises:
        KeyFileError: `passphrase-missing`; otherwise as `read_line`.
    """
    try:
        return read_line(path)
    except KeyFileError as exc:
        if exc.reason != "key-missing":
            raise
        raise KeyFileError(
            f"the passphrase file {path} is not there",
            remedy="name or restore the passphrase file of this key; no other opens it",
            reason="passphrase-missing",
        ) from None


def read_line(path: Path) -> bytes:
    """The one line in a private file. If systemd passes a credential of this name (`LoadCredential=`), its content.

    Raises:
        KeyFileError: `key-missing`, `key-symlink`, `key-permissions`, `key-unreadable` or `key-malformed`.
    """
    handed = _credential(path.name)
    data = (_read_private(path) if handed is None else handed).rstrip(b"\r\n")
    if not data or b"\n" in data:
        raise KeyFileError(f"{path} must hold one line", reason="key-malformed")
    return data


def is_credential_name(name: str) -> bool:
    """Whether systemd can pass a credential of this name."""
    return _CREDENTIAL.fullmatch(name) is not None


def _credential(name: str) -> bytes | None:
    """The credential of this name from systemd. Only this service can read its folder, so file modes are not checked."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder or not is_credential_name(name):
        return None
    try:
        with (Path(folder) / name).open("rb") as file:
            return file.read(MAX_KEY_FILE_BYTES)
    except OSError:
        return None


def write_secret(path: Path, data: bytes) -> None:
    """Write a secret into a new file of mode 0600.

    Raises:
        KeyFileError: `key-exists`, or `key-unwritable`.
    """
    _write_private(path, data + b"\n")


def load_signer(path: Path, passphrase: bytes | None) -> FileSigner:
    """The signing key in an encrypted PEM file.

    Raises:
        KeyFileError: the fault of the file: `key-missing`, `key-symlink`, `key-permissions`,
            `key-not-encrypted`, `weak-kdf`, `wrong-passphrase`, `key-malformed`, `unsupported-key`.
    """
    pem, der, passphrase = _read_encrypted(path, passphrase)
    try:
        private = serialization.load_pem_private_key(pem, passphrase)
    except UnsupportedAlgorithm as exc:
        raise KeyFileError(f"{path}: {exc}", reason="unsupported-key") from None
    except ValueError:
        if _is_seal_key(der, passphrase):
            raise KeyFileError(
                f"{path} is a seal key, which cannot sign; name a signing key", reason="unsupported-key"
            ) from None
        raise _wrong_passphrase(path) from None
    except InternalError:  # from OpenSSL, for changed bytes
        raise KeyFileError(f"{path} is damaged", reason="key-malformed") from None
    try:
        return FileSigner(private)  # type: ignore[arg-type]  # FileSigner refuses the kinds it does not know
    except TrustError as exc:
        raise KeyFileError(f"{path}: {exc}", reason="unsupported-key") from None


def save_signer(path: Path, signer: FileSigner, passphrase: bytes, *, lanes: int | None = None) -> None:
    """Write a signing key, encrypted with scrypt and AES-256-CBC, into a new file of mode 0600.

    Args:
        path: the file.
        signer: the key.
        passphrase: encrypts the file.
        lanes: as in `bus.keys.pbes2.encrypt`.

    Raises:
        KeyFileError: `key-exists`, `key-unwritable`, or `weak-passphrase` when it is empty.
    """
    plain = signer.private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_encrypted(path, pbes2.encrypt(plain, passphrase, lanes))


def load_opening_key(path: Path, passphrase: bytes | None) -> OpeningKey:
    """The seal key in an encrypted PEM file.

    Raises:
        KeyFileError: as `load_signer`; `unsupported-key` for a key that signs.
    """
    _, der, passphrase = _read_encrypted(path, passphrase)
    try:
        plain = pbes2.decrypt(der, passphrase)
    except KeyFileError as exc:
        raise KeyFileError(f"{path} is {exc}", reason=exc.reason) from None
    try:
        algorithm, seed, _ = _private_key(plain or b"")
    except (IndexError, ValueError):
        raise _wrong_passphrase(path) from None
    if algorithm != pbes2.oid(_XWING) or len(seed) != SEED_BYTES:
        raise KeyFileError(
            f"{path} does not hold a seal key",
            remedy="make one: tocsin key new --seal",
            reason="unsupported-key",
        )
    key = OpeningKey(seed)
    if plain != _seal_info(key):
        raise KeyFileError(
            f"{path} is damaged: its public half does not match its seed", reason="key-malformed"
        )
    return key


def _seal_info(key: OpeningKey) -> bytes:
    """The one encoding of a seal key: a OneAsymmetricKey (RFC 5958) with its seed and its public half."""
    return pbes2.sequence(
        pbes2.integer(1),
        pbes2.sequence(pbes2.oid(_XWING)),
        pbes2.octets(key.seed),
        pbes2.element(_PUBLIC_KEY, b"\0" + key.public.raw),
    )


def save_opening_key(path: Path, key: OpeningKey, passphrase: bytes, *, lanes: int | None = None) -> None:
    """Write a seal key, encrypted like a signing key, into a new file of mode 0600.

    Args:
        path: the file.
        key: the key.
        passphrase: encrypts the file.
        lanes: as in `bus.keys.pbes2.encrypt`.

    Raises:
        KeyFileError: as `save_signer`.
    """
    _write_encrypted(path, pbes2.encrypt(_seal_info(key), passphrase, lanes))


# -- files ------------------------------------------------------------------------------------------------------


def _read_encrypted(path: Path, passphrase: bytes | None) -> tuple[bytes, bytes, bytes]:
    """(PEM bytes, DER bytes, passphrase) of a key file that is encrypted strongly enough."""
    pem = _read_private(path)
    begin = _LABEL.search(pem)
    end = pem.find(b"-----END " + begin[1] + b"-----", begin.end()) if begin else -1
    if begin is None or end < 0 or not _BASE64.fullmatch(pem, begin.end(), end):
        raise KeyFileError(f"{path} is not a PEM file", reason="key-malformed")
    if begin[1] != b"ENCRYPTED PRIVATE KEY":
        raise KeyFileError(
            f"{path} is not an encrypted PKCS#8 key",
            remedy="encrypt it: openssl pkcs8 -topk8 -scrypt",
            reason="key-not-encrypted",
        )
    try:
        der = base64.b64decode(pem[begin.end() : end])
    except ValueError:
        raise KeyFileError(f"{path} is not an encrypted PKCS#8 key", reason="key-malformed") from None
    pbes2.lint(path, der)
    if passphrase is None:
        raise KeyFileError(
            f"{path} needs a passphrase", remedy="name a passphrase file", reason="wrong-passphrase"
        )
    return pem, der, passphrase


def _private_key(plain: bytes) -> tuple[bytes, bytes, list[tuple[int, bytes]]]:
    """(algorithm, private key, further elements) of a PrivateKeyInfo; raises IndexError or ValueError."""
    ((_, info),) = pbes2.children(plain)
    _, (_, algorithm), (_, private), *rest = pbes2.children(info)
    return algorithm, private, rest


def _is_seal_key(der: bytes, passphrase: bytes) -> bool:
    try:
        return _private_key(pbes2.decrypt(der, passphrase) or b"")[0] == pbes2.oid(_XWING)
    except (KeyFileError, IndexError, ValueError):
        return False


def _write_encrypted(path: Path, der: bytes) -> None:
    text = base64.b64encode(der)
    lines = b"\n".join(text[n : n + 64] for n in range(0, len(text), 64))
    _write_private(
        path, b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + lines + b"\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )


def _wrong_passphrase(path: Path) -> KeyFileError:
    return KeyFileError(f"the passphrase does not open {path}", reason="wrong-passphrase")


def _read_private(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyFileError(
            f"the key file {path} is not there", remedy="make one: tocsin key new", reason="key-missing"
        ) from None
    except OSError as exc:
        if path.is_symlink():
            raise KeyFileError(
                f"{path} is a symbolic link", remedy="name the file itself", reason="key-symlink"
            ) from None
        raise KeyFileError(f"cannot read {path}: {exc.strerror}", reason="key-unreadable") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise KeyFileError(f"{path} is not a file", reason="key-unreadable")
    with os.fdopen(handle, "rb") as file:
        if mode & 0o077:
            raise KeyFileError(
                f"others may read {path}", remedy=f"run: chmod 600 {path}", reason="key-permissions"
            )
        data = file.read(MAX_KEY_FILE_BYTES + 1)
    if len(data) > MAX_KEY_FILE_BYTES:
        raise KeyFileError(f"{path} is too large for a key file", reason="key-malformed")
    return data


def _write_private(path: Path, data: bytes) -> None:
    """Write a new file completely or not at all: another program may wait for it, or the disk may be full."""
    try:
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(partial, path)  # it replaces no file and follows no symbolic link
        finally:
            Path(partial).unlink()
    except FileExistsError:
        raise KeyFileError(
            f"{path} exists already and is not overwritten; choose a new name", reason="key-exists"
        ) from None
    except OSError as exc:
        raise KeyFileError(f"cannot write {path}: {exc.strerror}", reason="key-unwritable") from None
