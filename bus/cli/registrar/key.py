"""`tocsin key`: make and show signing keys, seal keys and transport keys. A secret is a file, never an argument."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus import keys
from bus.cli import frame
from bus.cli.frame import (
    FILE,
    Answer,
    App,
    Group,
    Table,
    command,
    gathered,
    read_passphrase,
    yes_option,
)
from bus.cli.registrar.revoke import Revoking, kid_option, reason_option, since_option, write_statement

if TYPE_CHECKING:
    from bus.keys import FileSigner, SealKey, TokenSigner

    PublicHalf = FileSigner | SealKey | TokenSigner


@click.group(cls=Group)
def key() -> None:
    """Signing keys (sign bulletins), seal keys (open sealed bulletins), transport keys (log in to the broker)."""


_seal = click.option("--seal", is_flag=True, help="FILE holds a seal key")


@command(key, "new")
@click.argument("file", type=FILE)
@click.option(
    "--alg", type=click.Choice(["Ed25519", "ES256", "ML-DSA-65"]), default="Ed25519", show_default=True
)
@click.option("--transport", is_flag=True, help="a NATS login key (nkey) instead of a signing key")
@click.option(
    "--seal", is_flag=True, help="a seal key, which opens sealed bulletins, instead of a signing key"
)
@click.option("--passphrase-file", type=FILE, help="file holding the passphrase")
@click.option("--new-passphrase", is_flag=True, help="write a random passphrase to --passphrase-file first")
def new(
    app: App,
    file: Path,
    *,
    alg: str,
    transport: bool,
    seal: bool,
    passphrase_file: Path | None,
    new_passphrase: bool,
) -> Answer:
    """Make a key in FILE (mode 0600; an existing file is never overwritten) and print its public half.

    FILE may be a PKCS#11 address (pkcs11:token=NAME;object=LABEL?module-path=MODULE): the key is then made in that token
    and never leaves it; --passphrase-file holds its PIN.
    """
    if transport and seal:
        raise click.UsageError("--transport and --seal make two different keys; make each in its own file")
    if transport:
        seed, public = keys.nkeys.generate()
        keys.nkeys.save_nkey(file, seed)
        frame.record(app, "key-made", use="transport", key=public, file=str(file))
        return Answer({"file": str(file), "nkey": public}, lines=[public])

    if new_passphrase:
        if passphrase_file is None:
            raise click.UsageError("--new-passphrase needs --passphrase-file FILE to write to")
        keys.write_secret(passphrase_file, secrets.token_urlsafe(32).encode())
    if keys.is_token(file):
        if seal:
            raise click.UsageError("a seal key is kept in a file: PKCS#11 tokens do not know X-Wing yet")
        public_half: PublicHalf = keys.TokenSigner.generate(
            str(file), read_passphrase(app, passphrase_file), alg
        )
    else:
        passphrase = read_passphrase(app, passphrase_file, confirm=True)
        if seal:
            opening = keys.OpeningKey(secrets.token_bytes(keys.SEED_BYTES))
            keys.save_opening_key(file, opening, passphrase)
            public_half = opening.public
        else:
            signer = keys.FileSigner.generate(alg)
            keys.save_signer(file, signer, passphrase)
            public_half = signer
    use = "seal" if seal else "signing"
    frame.record(app, "key-made", use=use, key=public_half.kid, alg=public_half.alg, file=str(file))
    return _public(public_half, file)


@command(key, "show")
@click.argument("file", type=FILE)
@click.option("--passphrase-file", type=FILE, help="file holding the passphrase")
@_seal
def show(app: App, file: Path, *, passphrase_file: Path | None, seal: bool) -> Answer:
    """Print the public half of the signing key, or with --seal of the seal key, in FILE."""
    return _public(_public_half(app, file, passphrase_file, seal=seal), file)


@command(key, "export")
@click.argument("file", type=FILE)
@click.option("--passphrase-file", type=FILE, help="file holding the passphrase")
@_seal
def export(app: App, file: Path, *, passphrase_file: Path | None, seal: bool) -> Answer:
    """Print the public half as a JWK (RFC 7517), for a registrar or any JOSE library."""
    public = _public_half(app, file, passphrase_file, seal=seal)
    frame.record(app, "key-exported", use="seal" if seal else "signing", key=public.kid, file=str(file))
    use = {"use": "enc"} if seal else {"alg": public.alg, "use": "sig"}
    return Answer({**public.jwk, "kid": public.kid, **use}, is_document=True)


@command(key, "revoke")
@kid_option
@click.option("--out", required=True, type=FILE, help="file of the statement")
@click.option(
    "--key",
    "key_file",
    type=FILE,
    help="key that signs it: any key of this authority that is not revoked, also the one to revoke [default: the context's]",
)
@click.option("--passphrase-file", type=FILE, help="file holding the passphrase")
@since_option
@reason_option
@yes_option
@gathered("revoking", Revoking)
def revoke(
    app: App, *, out: Path, key_file: Path | None, passphrase_file: Path | None, revoking: Revoking
) -> Answer:
    """Revoke a key of this context's authority by one signature, because it is stolen, lost or not needed; also a seal key (--kid).

    Writes a statement that every reader can check. No root keeper needs to sign it. A revoked key never becomes valid again.
    """
    registry = frame.open_registry(app)
    signer = frame.signer_of(app, key_file, passphrase_file)
    return write_statement(app, registry, app.identity.authority, signer, out, revoking)


def _public_half(app: App, file: Path, passphrase_file: Path | None, *, seal: bool) -> PublicHalf:
    """The public half of the seal key or signing key in FILE."""
    passphrase = read_passphrase(app, passphrase_file)
    return keys.load_opening_key(file, passphrase).public if seal else keys.open_key(file, passphrase)


def _public(key: PublicHalf, file: Path) -> Answer:
    facts = {"file": str(file), "alg": key.alg, "kid": key.kid, "jwk": key.jwk}
    return Answer(facts, table=Table(("alg", "kid", "file"), [(key.alg, key.kid, file)]))
