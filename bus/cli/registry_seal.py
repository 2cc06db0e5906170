"""`tocsin registry seal-key` and `seal-policy`: who can open sealed bulletins, and when they must be sealed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
import msgspec

from bus.cli.app import App, command
from bus.cli.ceremony import proposal, propose, read
from schemas.vocab import SealPolicy

FILE = click.Path(path_type=Path)
MOST_DAYS = 90


@command(name="seal-key")
@click.argument("file", type=FILE)
@click.argument("authority")
@click.option("--key", "key_file", required=True, type=FILE, help="public JWK file: tocsin key export --seal")
@click.option(
    "--days",
    type=click.IntRange(1, MOST_DAYS),
    default=MOST_DAYS,
    show_default=True,
    help="how long it is sealed to",
)
@click.option("--out", type=FILE, help="write the proposal here instead of over FILE")
def seal_key(app: App, file: Path, authority: str, *, key_file: Path, days: int, out: Path | None) -> None:
    """Propose a further seal key for AUTHORITY, valid from now; those it has stay until their window ends."""
    from bus import ceremony
    from bus.errors import TrustError
    from bus.rotation import check_rules
    from bus.sealing import SealKey
    from schemas.registry import SealKeyRecord

    try:
        jwk = msgspec.json.decode(read(key_file), type=dict[str, str])
    except msgspec.MsgspecError:
        raise TrustError(
            f"{key_file} is no JWK file; make one: tocsin key export --seal", reason="unsupported-key"
        ) from None
    key = SealKey.from_jwk(jwk)
    now = app.now()
    begin = now.replace(microsecond=0)
    record = SealKeyRecord(
        alg="HPKE-9-KE", jwk=key.jwk, not_before=begin, not_after=begin + dt.timedelta(days=days)
    )
    document, note = proposal(file, now)
    document = ceremony.add_seal_key(document, authority, record)
    check_rules(document)
    text = f"seal key {key.kid} of {authority} until {record.not_after:%Y-%m-%d} proposed"
    propose(app, file, out, document, f"{text} for version {document.version}{note}")


@command(name="seal-policy")
@click.argument("file", type=FILE)
@click.argument("audience")
@click.argument("policy", type=click.Choice([str(each) for each in SealPolicy]))
@click.option("--out", type=FILE, help="write the proposal here instead of over FILE")
def seal_policy(app: App, file: Path, audience: str, policy: str, *, out: Path | None) -> None:
    """Propose when bulletins to AUDIENCE must be sealed: never, cross-border (somebody abroad reads), or always."""
    from bus import ceremony

    document, note = proposal(file, app.now())
    document = ceremony.set_seal_policy(document, audience, SealPolicy(policy))
    text = f"bulletins to {audience} are sealed {policy}"
    propose(app, file, out, document, f"{text} from version {document.version}{note}")
