"""`tocsin key`: make and show signing keys and transport keys. A secret is a file, never an argument."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from bus.cli.app import App, Group, command


@click.group(cls=Group)
def key() -> None:
    """Signing keys (what a bulletin is signed with) and transport keys (how a client logs in)."""


def read_passphrase(app: App, file: Path | None, *, confirm: bool = False) -> bytes:
    """The passphrase from a file of mode 0600, or asked of a person."""
    from bus.keyfiles import read_secret

    if file is not None:
        return read_secret(file)
    if not app.may_ask():
        raise click.UsageError("a passphrase is needed: add --passphrase-file FILE")
    asked: str = click.prompt("passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return asked.encode()


@command(key, "new")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--alg", type=click.Choice(["Ed25519", "ES256", "ML-DSA-65"]), default="Ed25519", show_default=True
)
@click.option("--transport", is_flag=True, help="a NATS login key (nkey) instead of a signing key")
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="file holding the passphrase")
@click.option("--new-passphrase", is_flag=True, help="write a random passphrase to --passphrase-file first")
def new(
    app: App, file: Path, *, alg: str, transport: bool, passphrase_file: Path | None, new_passphrase: bool
) -> None:
    """Make a key in FILE (mode 0600; never over an existing file) and print its public half."""
    if transport:
        from bus import nkey

        seed, public = nkey.generate()
        nkey.save_nkey(file, seed)
        if app.json:
            app.data({"file": str(file), "nkey": public})
        else:
            app.line(public)
        return
    from bus.keyfiles import save_signer, write_secret
    from bus.signing import FileSigner

    if new_passphrase:
        if passphrase_file is None:
            raise click.UsageError("--new-passphrase needs --passphrase-file FILE to write to")
        write_secret(passphrase_file, secrets.token_urlsafe(32).encode())
    passphrase = read_passphrase(app, passphrase_file, confirm=True)
    signer = FileSigner.generate(alg)
    save_signer(file, signer, passphrase)
    _print(app, signer.alg, signer.kid, signer.jwk, file)


@command(key, "show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="file holding the passphrase")
def show(app: App, file: Path, *, passphrase_file: Path | None) -> None:
    """Print the public half of the signing key in FILE."""
    from bus.keyfiles import load_signer

    signer = load_signer(file, read_passphrase(app, passphrase_file))
    _print(app, signer.alg, signer.kid, signer.jwk, file)


@command(key, "export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="file holding the passphrase")
def export(app: App, file: Path, *, passphrase_file: Path | None) -> None:
    """Print the public half as a JWK (RFC 7517): what a registrar or any JOSE library needs."""
    from bus.keyfiles import load_signer

    signer = load_signer(file, read_passphrase(app, passphrase_file))
    app.data({**signer.jwk, "kid": signer.kid, "alg": signer.alg, "use": "sig"})


def _print(app: App, alg: str, kid: str, jwk: dict[str, str], file: Path) -> None:
    if app.json:
        app.data({"file": str(file), "alg": alg, "kid": kid, "jwk": jwk})
    else:
        app.table(("alg", "kid", "file"), [(alg, kid, file)])
