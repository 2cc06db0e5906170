"""What `key revoke` and `registry revoke` share: the choice of keys, the explanation, and a checked statement."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus import trust
from bus.cli import frame
from bus.cli.frame import Answer, App, write_new, written
from schemas.codec import parse_time
from schemas.registry import REVOCATION_REASONS

if TYPE_CHECKING:
    from bus.keys import Signer
    from bus.trust import VerifiedRegistry
    from schemas.registry import AuthorityRecord

# An option, not an argument: a key id may begin with "-".
kid_option = click.option(
    "--kid", "kids", multiple=True, metavar="KID", help="the key to revoke; needed when there are several"
)
since_option = click.option(
    "--since", metavar="TIME", help="time from which the key is not trusted [default: now]"
)
reason_option = click.option(
    "--reason", type=click.Choice(REVOCATION_REASONS), default="key-compromise", show_default=True
)


class Revoking(msgspec.Struct, frozen=True, kw_only=True):
    """The options: which keys to revoke, since when, why; `yes` skips the question."""

    kids: tuple[str, ...]
    since: str | None
    reason: str
    yes: bool

    def moment(self, now: dt.datetime) -> dt.datetime:
        """Since when the keys are revoked, to the second; raises SchemaError."""
        return parse_time(self.since) if self.since else now.replace(microsecond=0)


def keys_to_revoke(authority: str, usable: tuple[str, ...], kids: tuple[str, ...]) -> tuple[str, ...]:
    """The keys to revoke: those named, or the only one that is not revoked yet."""
    if kids:
        return kids
    if not usable:
        raise click.UsageError(f"{authority} has no key that is not revoked already")
    if len(usable) > 1:
        raise click.UsageError(f"{authority} has {len(usable)} keys; say which of: {', '.join(usable)}")
    return usable


def explain_revocation(
    app: App,
    authority: str,
    record: AuthorityRecord,
    kids: tuple[str, ...],
    since: dt.datetime,
    now: dt.datetime,
    *,
    statement: bool = False,
) -> None:
    """Explain to an officer what revoking does, by the registry or by a `statement`, before it is done."""
    left = len([kid for kid in trust.usable_keys(record, now) if kid not in kids])
    sealing = [kid for kid in kids if kid in record.seal_keys]
    app.note(f"To revoke, of {authority} ({record.name}), since {since:%Y-%m-%d %H:%M:%S} UTC:")
    for kid in kids:
        app.note(f"  {kid}" + (" (a seal key)" if kid in sealing else ""))
    if sealing:
        app.note(
            "  Nobody seals to a revoked seal key. Its holder can still read what was sealed to it before. "
            "Until the registry has a new one, publishers see that this reader has none."
        )
    if len(sealing) == len(kids):
        app.note("  This cannot be undone: nobody seals to this key again.")
        return
    app.note(
        "  No bulletin with this key that arrives after that time is admitted, even with an earlier date."
    )
    said = "dated" if statement else "that readers received"
    later = "dated" if statement else "that they received"
    app.note(
        f"  Bulletins {said} before that time stay. Bulletins {later} later go to quarantine, unless a "
        "later bulletin by a valid key continues from them."
    )
    if statement and since < now - trust.REACH:
        app.note(
            f"  A statement reaches {trust.REACH.days} days back. Bulletins with an earlier date stay until the registry revokes the key."
        )
    app.note("  This cannot be undone: the key is never trusted again.")
    app.note(
        f"  {authority} keeps {left} usable key(s)."
        if left
        else f"  {authority} then has no usable key and cannot publish until it has a new one: "
        f"tocsin registry rotate FILE {authority} --key NEW.jwk"
    )


def write_statement(
    app: App, registry: VerifiedRegistry, authority: str, signer: Signer, out: Path, revoking: Revoking
) -> Answer:
    """Explain, ask, and write a revocation statement that this registry believes."""
    now = app.now()
    mine = [key for key in registry.bulletin_keys() if key.authority_id == authority]
    chosen = keys_to_revoke(
        authority, tuple(key.public.kid for key in mine if key.record.revoked_since is None), revoking.kids
    )
    moment = revoking.moment(now)
    raw = trust.new_statement(
        domain=registry.domain,
        authority=authority,
        kids=chosen,
        since=moment,
        reason=revoking.reason,
        signer=signer,
        now=now,
    )
    if registry.with_revocation(raw, now) is registry:
        raise click.UsageError(
            "these keys are already revoked since that time or earlier; nothing was written"
        )
    explain_revocation(app, authority, registry.authority(authority), chosen, moment, now, statement=True)
    app.note("  It is in force for every reader that accepts the statement; no root keeper needs to sign it.")
    app.confirm(f"Revoke {len(chosen)} key(s) of {authority}?", yes=revoking.yes)
    write_new(out, raw)
    frame.record(
        app,
        "keys-revoked",
        authority=authority,
        keys=list(chosen),
        since=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        reason=revoking.reason,
        by=signer.kid,
        file=str(out),
    )
    return written(
        out,
        f"{', '.join(chosen)} revoked by the statement in {out}; tell the registrar, and send it to every reader: "
        f"tocsin registry publish {out}",
    )
