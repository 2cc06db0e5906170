"""Opens a signing key in an encrypted file or in a token; the caller signs with either in the same way."""

from __future__ import annotations

from pathlib import Path

from bus.errors import KeyFileError
from bus.keys.files import load_signer
from bus.keys.pkcs11 import TokenSigner, is_token
from bus.keys.signatures import FileSigner


def open_key(where: Path, secret: bytes | None) -> FileSigner | TokenSigner:
    """The signing key at `where`: a file and its passphrase, or a PKCS#11 URI and its PIN.

    Raises:
        KeyFileError: see `bus.keys.files.load_signer` and `bus.keys.pkcs11.TokenSigner`.
    """
    if not is_token(where):
        return load_signer(where, secret)
    if secret is None:
        raise KeyFileError(
            f"{where} needs a PIN", remedy="name its file as passphrase_file", reason="wrong-pin"
        )
    return TokenSigner(str(where), secret)
