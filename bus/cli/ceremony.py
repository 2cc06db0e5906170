"""Files and arguments of the registry ceremony, as its commands share them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli.app import App

if TYPE_CHECKING:
    from bus.signing import FileSigner
    from schemas.registry import KeyRecord, Registry
    from schemas.vocab import Tlp

KEY_LIFETIME_DAYS = 365
REGISTRY_LIFETIME_DAYS = 90


def proposal(file: Path, now: dt.datetime) -> tuple[Registry, str]:
    """The document to edit: a proposal goes on as it is, a standing registry becomes its next version."""
    from bus import ceremony
    from bus.errors import TrustError
    from bus.trust import VerifiedRegistry

    raw = read(file)
    if not ceremony.signatures(raw):
        return ceremony.document_of(raw), ""
    try:
        standing = VerifiedRegistry.open(raw)
    except TrustError as exc:
        if exc.reason != "threshold":
            raise
        return ceremony.document_of(raw), ""
    lifetime = dt.timedelta(days=REGISTRY_LIFETIME_DAYS)
    return ceremony.next_version(
        standing.document, standing.digest, now, lifetime
    ), f" (after version {standing.version})"


def way(text: str, parts: int) -> tuple[Tlp, str, str]:
    """`TLP:AUDIENCE[:KINDS]` taken apart."""
    from schemas.vocab import Tlp

    tlp, *rest = text.split(":", parts - 1)
    if not rest or tlp not in set(Tlp):
        raise click.UsageError(f"{text!r} is not TLP:AUDIENCE; TLP is one of {', '.join(Tlp)}")
    return Tlp(tlp), rest[0], rest[1] if len(rest) > 1 else ""


def key_record(path: Path, now: dt.datetime) -> KeyRecord:
    """A registry record for the public key in a JWK file, valid from now."""
    from schemas.errors import SchemaError
    from schemas.registry import KeyRecord

    try:
        jwk = msgspec.json.decode(read(path), type=dict[str, str])
    except msgspec.MsgspecError as exc:
        raise SchemaError(
            f"{path} is no JWK file ({exc}); make one: tocsin key export", reason="schema"
        ) from None
    alg = jwk.pop("alg", "Ed25519") if jwk.get("kty") != "AKP" else jwk["alg"]
    kept = {name: jwk[name] for name in ("kty", "crv", "x", "y", "alg", "pub") if name in jwk}
    begin = now.replace(microsecond=0)
    fields: dict[str, object] = {
        "alg": alg,
        "jwk": kept,
        "not_before": begin,
        "not_after": begin + dt.timedelta(days=KEY_LIFETIME_DAYS),
    }
    try:
        return msgspec.convert(fields, KeyRecord)
    except msgspec.ValidationError as exc:
        raise SchemaError(
            f"{path} holds no public key that can be used ({exc}); make one: tocsin key export",
            reason="schema",
        ) from None


def signer_of(app: App, key_file: Path, passphrase_file: Path | None) -> FileSigner:
    """The signer in a key file, its passphrase from a file or asked for."""
    from bus.cli.key import read_passphrase
    from bus.keyfiles import load_signer

    return load_signer(key_file, read_passphrase(app, passphrase_file))


def read(path: Path) -> bytes:
    """A file's bytes, or one sentence."""
    from bus.cli.verify import read_file

    return read_file(path)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not be there yet."""
    if path.exists():
        raise click.UsageError(f"{path} is there already; choose a new name")
    replace(path, data)


def replace(path: Path, data: bytes) -> None:
    """Write a whole file or nothing."""
    from bus.config import write_atomically

    write_atomically(path, data, mode=0o644)


def say(app: App, file: Path, text: str) -> None:
    """What was done, for a person or as JSON."""
    if app.json:
        app.data({"file": str(file), "text": text})
    else:
        app.note(text)
