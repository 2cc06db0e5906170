"""`tocsin registry seal-key` and `seal-policy`: the keys that open sealed bulletins, and when bulletins must be sealed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
import msgspec

from bus import keys, trust
from bus.cli.frame import FILE, Answer, App, command, completing, read_file
from bus.cli.registrar.proposals import out_option, proposal, propose
from bus.errors import TrustError
from schemas.registry import SealKeyRecord
from schemas.vocab import SealPolicy

MOST_DAYS = 90


@command(name="seal-key")
@click.argument("file", type=FILE)
@click.argument("authority", shell_complete=completing.authorities)
@click.option("--key", "key_file", type=FILE, help="public JWK file: tocsin key export --seal")
@click.option("--revoke", metavar="KID", help="instead, revoke this seal key now: nobody seals to it again")
@click.option(
    "--days",
    type=click.IntRange(1, MOST_DAYS),
    default=MOST_DAYS,
    show_default=True,
    help="days in which others seal to it",
)
@out_option
def seal_key(
    app: App,
    file: Path,
    authority: str,
    *,
    key_file: Path | None,
    revoke: str | None,
    days: int,
    out: Path | None,
) -> Answer:
    """Propose a further seal key for AUTHORITY, valid from now. Its present keys stay valid until their windows end."""
    if (key_file is None) == (revoke is None):
        raise click.UsageError("name --key FILE, or --revoke KID")
    now = app.now().replace(microsecond=0)
    document, note = proposal(app, file)
    if key_file is not None:
        record = _record(key_file, now, days)
        document = trust.proposals.add_seal_key(document, authority, record)
        text = f"a seal key of {authority} until {record.not_after:%Y-%m-%d} proposed"
    else:
        document = trust.proposals.revoke_seal_key(document, authority, str(revoke), now)
        text = f"the end of seal key {revoke} of {authority} proposed"
    trust.check_rules(document)
    return propose(app, file, out, document, f"{text} for version {document.version}{note}")


def _record(path: Path, now: dt.datetime, days: int) -> SealKeyRecord:
    """A registry record for the public key in a JWK file, valid from now."""
    try:
        jwk = msgspec.json.decode(read_file(path), type=dict[str, str])
    except msgspec.MsgspecError:
        raise TrustError(
            f"{path} is not a JWK file", remedy="make one: tocsin key export --seal", reason="unsupported-key"
        ) from None
    key = keys.SealKey.from_jwk(jwk)
    return SealKeyRecord(
        alg="HPKE-9-KE", jwk=key.jwk, not_before=now, not_after=now + dt.timedelta(days=days)
    )


@command(name="seal-policy")
@click.argument("file", type=FILE)
@click.argument("audience", shell_complete=completing.audiences)
@click.argument("policy", type=click.Choice([str(policy) for policy in SealPolicy]))
@out_option
def seal_policy(app: App, file: Path, audience: str, policy: str, *, out: Path | None) -> Answer:
    """Propose when bulletins to AUDIENCE must be sealed: never, cross-border (somebody abroad reads), or always."""
    document, note = proposal(app, file)
    document = trust.proposals.set_seal_policy(document, audience, SealPolicy(policy))
    text = f"bulletins to {audience} are sealed {policy}"
    return propose(app, file, out, document, f"{text} from version {document.version}{note}")
