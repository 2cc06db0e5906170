"""`tocsin bulletin endorse`: adds the signature of another authority, which confirms the bulletin."""

from __future__ import annotations

from pathlib import Path

import click

from bus import admission, keys
from bus.cli import frame
from bus.cli.frame import FILE, Answer, App, command, read_file, write_whole, written
from bus.errors import PermitError
from schemas.codec import digest
from schemas.envelope import MAX_SIGNATURES, TYP_BULLETIN, Context, read_signed, write_signed


@command(name="endorse")
@click.argument("file", type=FILE)
@click.option("--key", "key_file", type=FILE, help="key that signs [default: the context's]")
@click.option("--passphrase-file", type=FILE)
@click.option("--out", type=FILE, help="write the endorsed file here instead of over FILE")
def endorse(
    app: App, file: Path, *, key_file: Path | None, passphrase_file: Path | None, out: Path | None
) -> Answer:
    """Add this context's authority's signature to the bulletin in FILE (*.tocsin.json).

    Only a valid bulletin can be endorsed. Readers of the file then see the authority as confirmed. The signed bytes
    and the issuer's signature stay unchanged.
    """
    identity = app.identity
    registry, now = frame.present_registry(app)
    raw = read_file(file)
    issuer = admission.verify_file(raw, registry=registry, now=now).bulletin.issuer.id
    if issuer == identity.authority:
        raise click.UsageError(f"{issuer} issued it; only another authority endorses it")
    signer = frame.signer_of(app, key_file, passphrase_file)
    key = registry.key(signer.kid)
    if key is None or key.authority_id != identity.authority:
        raise PermitError(f"key {signer.kid} is not {identity.authority}'s", reason="not-your-key")
    if key.record.revoked_since is not None:
        raise PermitError(f"key {signer.kid} is revoked", reason="key-revoked")
    if not key.record.not_before <= now < key.record.not_after:
        raise PermitError(f"key {signer.kid} is outside its window", reason="key-not-valid")
    context = Context(TYP_BULLETIN, registry.domain)
    signed = read_signed(raw, context)
    others = tuple(entry for entry in signed.entries if entry.header.kid != signer.kid)
    if len(others) >= MAX_SIGNATURES:
        raise click.UsageError(f"the file has {len(others)} signatures, the most it can have")
    endorsed = write_signed(signed.payload, (*others, keys.sign_entry(signer, signed.payload, context)))
    admission.verify_file(endorsed, registry=registry, now=now)
    write_whole(out or file, endorsed)
    frame.record(app, "endorsed", digest=digest(signed.payload), issuer=issuer, by=signer.kid)
    return written(out or file, f"endorsed by {identity.authority}")
