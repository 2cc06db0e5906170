"""Keys and signatures. The only room that touches cryptography."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.keys import nkeys
    from bus.keys.certificates import certified, valid_between
    from bus.keys.files import (
        is_credential_name,
        load_opening_key,
        load_signer,
        read_line,
        read_secret,
        save_opening_key,
        save_signer,
        write_secret,
    )
    from bus.keys.hpke import SEED_BYTES, OpeningKey, SealKey, open_sealed, read_seal, seal
    from bus.keys.loading import open_key
    from bus.keys.nkeys import load_nkey
    from bus.keys.passwords import (
        COST,
        Cost,
        check_password,
        hash_password,
        is_outdated,
        is_password,
        nobodys_hash,
    )
    from bus.keys.pkcs11 import TokenSigner, is_token
    from bus.keys.signatures import (
        FileSigner,
        PublicKey,
        Signer,
        check_entries,
        holds_under,
        sign_batch,
        sign_bulletin,
        sign_entry,
        signs_batches,
        thumbprint,
    )
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "COST",
    "SEED_BYTES",
    "Cost",
    "FileSigner",
    "OpeningKey",
    "PublicKey",
    "SealKey",
    "Signer",
    "TokenSigner",
    "certified",
    "check_entries",
    "check_password",
    "hash_password",
    "holds_under",
    "is_credential_name",
    "is_outdated",
    "is_password",
    "is_token",
    "load_nkey",
    "load_opening_key",
    "load_signer",
    "nkeys",
    "nobodys_hash",
    "open_key",
    "open_sealed",
    "read_line",
    "read_seal",
    "read_secret",
    "save_opening_key",
    "save_signer",
    "seal",
    "sign_batch",
    "sign_bulletin",
    "sign_entry",
    "signs_batches",
    "thumbprint",
    "valid_between",
    "write_secret",
]
