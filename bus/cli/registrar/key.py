"""`tocsin key`: make and show signing keys, seal keys and transport keys. A secret is a file, never an argument."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from bus.cli.frame import App, Group, command, read_passphrase, record
from bus.cli.registrar.revoke import kid_option, reason_option, since_option, write_statement, yes_option


@click.group(cls=Group)
def key() -> None:
    """Signing keys (what a bulletin is signed with), seal keys (what opens it), transport keys (how a client logs in)."""


_seal = click.option("--seal", is_flag=True, help="FILE holds a seal key")


@command(key, "new")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--alg", type=click.Choice(["Ed25519", "ES256", "ML-DSA-65"]), default="Ed25519", show_default=True
)
@click.option("--transport", is_flag=True, help="a NATS login key (nkey) instead of a signing key")
@click.option(
    "--seal", is_flag=True, help="a seal key, which opens what others seal, instead of a signing key"
)
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="file holding the passphrase")
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
) -> None:
    """Make a key in FILE (mode 0600; never over an existing file) and print its public half.

    FILE may be a PKCS#11 address (pkcs11:token=NAME;object=LABEL?module-path=MODULE): the key is then made in that token
    and never leaves it; --passphrase-file holds its PIN.
    """
    if transport and seal:
        raise click.UsageError("--transport and --seal are two sorts of keys; make each in its own file")
    if transport:
        from bus.keys import nkeys

        seed, public = nkeys.generate()
        nkeys.save_nkey(file, seed)
        record(app, "key-made", use="transport", key=public, file=str(file))
        if app.json:
            app.data({"file": str(file), "nkey": public})
        else:
            app.line(public)
        return
    from bus.keys import (
        SEED_BYTES,
        FileSigner,
        OpeningKey,
        TokenSigner,
        is_token,
        save_opening_key,
        save_signer,
        write_secret,
    )

    if new_passphrase:
        if passphrase_file is None:
            raise click.UsageError("--new-passphrase needs --passphrase-file FILE to write to")
        write_secret(passphrase_file, secrets.token_urlsafe(32).encode())
    if is_token(file):
        if seal:
            raise click.UsageError("a seal key is kept in a file: PKCS#11 tokens do not know X-Wing yet")
        made = TokenSigner.generate(str(file), read_passphrase(app, passphrase_file), alg)
        record(app, "key-made", use="signing", key=made.kid, alg=made.alg, file=str(file))
        _print(app, made.alg, made.kid, made.jwk, file)
        return
    passphrase = read_passphrase(app, passphrase_file, confirm=True)
    if seal:
        opening = OpeningKey(secrets.token_bytes(SEED_BYTES))
        save_opening_key(file, opening, passphrase)
        record(app, "key-made", use="seal", key=opening.kid, alg=opening.public.alg, file=str(file))
        _print(app, opening.public.alg, opening.kid, opening.public.jwk, file)
        return
    signer = FileSigner.generate(alg)
    save_signer(file, signer, passphrase)
    record(app, "key-made", use="signing", key=signer.kid, alg=signer.alg, file=str(file))
    _print(app, signer.alg, signer.kid, signer.jwk, file)


@command(key, "show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="file holding the passphrase")
@_seal
def show(app: App, file: Path, *, passphrase_file: Path | None, seal: bool) -> None:
    """Print the public half of the signing key, or with --seal of the seal key, in FILE."""
    from bus.keys import load_opening_key, open_key

    if seal:
        public = load_opening_key(file, read_passphrase(app, passphrase_file)).public
        _print(app, public.alg, public.kid, public.jwk, file)
        return
    signer = open_key(file, read_passphrase(app, passphrase_file))
    _print(app, signer.alg, signer.kid, signer.jwk, file)


@command(key, "export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="file holding the passphrase")
@_seal
def export(app: App, file: Path, *, passphrase_file: Path | None, seal: bool) -> None:
    """Print the public half as a JWK (RFC 7517): what a registrar or any JOSE library needs."""
    from bus.keys import load_opening_key, open_key

    if seal:
        public = load_opening_key(file, read_passphrase(app, passphrase_file)).public
        record(app, "key-exported", use="seal", key=public.kid, file=str(file))
        app.data({**public.jwk, "kid": public.kid, "use": "enc"})
        return
    signer = open_key(file, read_passphrase(app, passphrase_file))
    record(app, "key-exported", use="signing", key=signer.kid, file=str(file))
    app.data({**signer.jwk, "kid": signer.kid, "alg": signer.alg, "use": "sig"})


@command(key, "revoke")
@kid_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="where the statement is written")
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path),
    help="key that signs it: any of this authority's that is not revoked, also the one that ends [default: the context's]",
)
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="file holding the passphrase")
@since_option
@reason_option
@yes_option
def revoke(
    app: App,
    *,
    kids: tuple[str, ...],
    out: Path,
    key_file: Path | None,
    passphrase_file: Path | None,
    since: str | None,
    reason: str,
    yes: bool,
) -> None:
    """End a key of this context's authority now, by one signature: stolen, lost, or no longer needed; a seal key too (--kid).

    Writes a statement that every reader can check; no root keeper has to sign it. A revoked key never comes back.
    """
    from bus.cli.frame import open_registry, open_signer
    from bus.keys import open_key

    _, context = app.context()
    registry = open_registry(context, app.now())
    signer = open_key(key_file, read_passphrase(app, passphrase_file)) if key_file else open_signer(context)
    write_statement(
        app, registry, context.authority, signer, out, kids=kids, since=since, reason=reason, yes=yes
    )


def _print(app: App, alg: str, kid: str, jwk: dict[str, str], file: Path) -> None:
    if app.json:
        app.data({"file": str(file), "alg": alg, "kid": kid, "jwk": jwk})
    else:
        app.table(("alg", "kid", "file"), [(alg, kid, file)])
