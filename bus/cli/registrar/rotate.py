"""`tocsin registry rotate`, `revoke` and `export`: replace and revoke keys in the registry, and export keys for third parties."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus import trust
from bus.cli import frame
from bus.cli.frame import (
    FILE,
    Answer,
    App,
    command,
    completing,
    gathered,
    read_file,
    repeatable,
    write_whole,
    yes_option,
)
from bus.cli.registrar.proposals import (
    key_record,
    out_option,
    proposal,
    propose,
    record_registry,
    standing_registry,
)
from bus.cli.registrar.revoke import (
    Revoking,
    explain_revocation,
    keys_to_revoke,
    kid_option,
    reason_option,
    since_option,
    write_statement,
)
from bus.errors import TrustError

if TYPE_CHECKING:
    from bus.trust import VerifiedRegistry
    from schemas.registry import AuthorityRecord, Registry, Role


class NewKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The options for new keys of an authority. With `beside` no key expires; else the old one does after `overlap_days`."""

    key: Path | None
    replaces: tuple[str, ...]
    beside: bool
    nkeys: tuple[str, ...]
    overlap_days: int


class NewRoles(msgspec.Struct, frozen=True, kw_only=True):
    """The options for other root or beacon keys."""

    roots: tuple[Path, ...]
    beacons: tuple[Path, ...]
    threshold: int | None


@command(name="rotate")
@click.argument("file", type=FILE)
@click.argument("authority", required=False, shell_complete=completing.authorities)
@click.option("--key", type=FILE, help="AUTHORITY's new public JWK file")
@repeatable("--replaces", metavar="KID", help="key to replace; needed when there are several")
@click.option(
    "--beside", is_flag=True, help="replace no key: the new one is a reserve, or follows a revoked one"
)
@repeatable("--nkey", "nkeys", help="all transport keys (U...) of AUTHORITY from now on; repeat")
@click.option(
    "--overlap-days",
    type=click.IntRange(0, 365),
    default=30,
    show_default=True,
    help="days in which the old key may still sign",
)
@repeatable("--root", "roots", type=FILE, help="JWK file of each root keeper from now on")
@repeatable("--beacon", "beacons", type=FILE, help="JWK file of each beacon key from now on")
@click.option("--threshold", type=click.IntRange(min=1), help="root signatures needed from now on")
@out_option
@gathered("new", NewKeys)
@gathered("roles", NewRoles)
def rotate(
    app: App, file: Path, authority: str | None, *, new: NewKeys, roles: NewRoles, out: Path | None
) -> Answer:
    """Propose a new key for AUTHORITY beside its old one; or, without AUTHORITY, other root or beacon keys.

    New root keys need the signatures of the old root keepers and of the new ones. When a new key of an authority is
    in force, set it in its context: tocsin context set NAME --key FILE --passphrase-file FILE.
    """
    if (authority is None) != (new.key is None and not new.nkeys):
        raise click.UsageError("AUTHORITY and --key FILE, or --nkey KEY, go together")
    if (authority is None) == (not roles.roots and not roles.beacons and roles.threshold is None):
        raise click.UsageError(
            "give AUTHORITY and --key or --nkey; or --root, --beacon or --threshold without AUTHORITY"
        )
    if new.beside and (new.replaces or new.key is None):
        raise click.UsageError("--beside needs --key, and that key replaces none")
    now = app.now()
    document, note = proposal(app, file)
    if authority is None:
        changed, text = _other_roles(document, roles, now)
    else:
        changed, text = _other_keys(document, authority, new, now)
    return propose(app, file, out, changed, f"{text}, for version {changed.version}{note}")


def _other_keys(document: Registry, authority: str, new: NewKeys, now: dt.datetime) -> tuple[Registry, str]:
    """The document with other keys of an authority, and a sentence about the change."""
    told: list[str] = []
    if new.nkeys:
        document = trust.replace_nkeys(document, authority, new.nkeys)
        told.append(f"{len(new.nkeys)} transport key(s) of {authority} proposed, as its only ones")
    if new.key is not None:
        key = key_record(new.key, now)
        ended: tuple[str, ...] = ()
        if new.beside:
            document = trust.add_key(document, authority, key)
        else:
            overlap = dt.timedelta(days=new.overlap_days)
            document, ended = trust.rotate_key(
                document, authority, key, replaces=new.replaces, overlap=overlap, now=now
            )
        until = min((document.authorities[authority].keys[kid].not_after for kid in ended), default=None)
        if until:
            beside = f"beside {', '.join(ended)}, which may sign until {until:%Y-%m-%d %H:%M} UTC"
        else:
            beside = "which replaces none" if new.beside else "; it has no other usable key"
        told.append(f"a new key of {authority} proposed {beside}".replace(" ;", ";"))
    return document, "; ".join(told)


def _other_roles(document: Registry, roles: NewRoles, now: dt.datetime) -> tuple[Registry, str]:
    """The document with other root or beacon keys, and a sentence about the change."""
    root, beacon = document.root, document.beacon
    if roles.roots or roles.threshold is not None:
        keys = [key_record(path, now) for path in roles.roots] or list(root.keys.values())
        root = trust.rotate_role(root, keys, roles.threshold)
    if roles.beacons:
        beacon = trust.rotate_role(beacon, [key_record(path, now) for path in roles.beacons])
    changed = msgspec.structs.replace(document, root=root, beacon=beacon)
    trust.check_rules(changed)
    told = [*_difference("root", document.root, root), *_difference("beacon", document.beacon, beacon)]
    return changed, "; ".join(told) or "nothing changes"


def _difference(name: str, before: Role, after: Role) -> list[str]:
    new, gone = after.keys.keys() - before.keys.keys(), before.keys.keys() - after.keys.keys()
    if not new and not gone and before.threshold == after.threshold:
        return []
    return [
        f"{name}: {len(new)} new, {len(gone)} removed, {after.threshold} of {len(after.keys)} from now on"
    ]


@command(name="revoke")
@click.argument("file", type=FILE)
@click.argument("authority", shell_complete=completing.authorities)
@gathered("revoking", Revoking, kid_option, since_option, reason_option, yes_option)
@out_option
@click.option(
    "--statement", type=FILE, help="write a statement by AUTHORITY itself here instead of a proposal"
)
@click.option("--key", "key_file", type=FILE, help="key of AUTHORITY that signs the statement")
@click.option("--passphrase-file", type=FILE)
def revoke(
    app: App,
    file: Path,
    authority: str,
    *,
    revoking: Revoking,
    out: Path | None,
    statement: Path | None,
    key_file: Path | None,
    passphrase_file: Path | None,
) -> Answer:
    """Propose to revoke a key of AUTHORITY because it is stolen, lost or not needed. It never becomes valid again.

    With --statement, AUTHORITY revokes it by one signature of any key it has left, without the root keepers.
    """
    if (statement is None) != (key_file is None):
        raise click.UsageError("--statement FILE and --key FILE go together")
    if statement is not None and key_file is not None:
        registry = _standing(file, "no statement is made against it")
        signer = frame.signer_of(app, key_file, passphrase_file)
        return write_statement(app, registry, authority, signer, statement, revoking)
    now = app.now()
    document, note = proposal(app, file)
    keys = _record(document, authority).keys
    left = tuple(kid for kid, key in keys.items() if key.revoked_since is None)
    chosen = keys_to_revoke(authority, left, revoking.kids)
    moment = revoking.moment(now)
    changed = trust.revoke_keys(document, authority, chosen, since=moment, reason=revoking.reason, now=now)
    trust.check_rules(changed)
    explain_revocation(app, authority, changed.authorities[authority], chosen, moment, now)
    app.note(
        f"  It is in force once {document.root.threshold} of {len(document.root.keys)} root keepers have signed "
        f"version {document.version} and readers have it."
    )
    app.confirm(f"Propose to revoke {len(chosen)} key(s) of {authority}?", yes=revoking.yes)
    text = f"{', '.join(chosen)} of {authority} revoked in the proposal for version {document.version}{note}"
    return propose(app, file, out, changed, text)


def _standing(file: Path, otherwise: str) -> VerifiedRegistry:
    standing = standing_registry(file, read_file(file))
    if standing is None:
        raise TrustError(
            f"{file} is a proposal that too few roots have signed; {otherwise}", reason="threshold"
        )
    return standing


def _record(document: Registry, authority: str) -> AuthorityRecord:
    if authority not in document.authorities:
        raise TrustError(f"{authority} is not in the registry", reason="unknown-authority")
    return document.authorities[authority]


@command(name="export")
@click.argument("file", type=FILE, required=False)
@click.option("--jwks", "as_jwks", is_flag=True, help="as a JSON Web Key Set (RFC 7517), the only format")
@click.option("--out", type=FILE, help="write it here instead of printing it")
def export(app: App, file: Path | None, *, as_jwks: bool, out: Path | None) -> Answer:
    """Export every bulletin key that is not revoked, from the registry in FILE or the context's.

    Each key has kid, alg, use, nbf and exp (its window), and tocsin_authority (its authority).
    """
    if not as_jwks:
        raise click.UsageError("name the format: --jwks")
    registry = _standing(file, "nothing is exported from it") if file else frame.open_registry(app)
    keys = trust.key_set(registry)
    record_registry(app, "registry-exported", registry.raw, out or Path("-"), keys=len(keys["keys"]))
    if out is None:
        return Answer(keys, is_document=True)
    write_whole(out, msgspec.json.encode(keys) + b"\n")
    text = f"{len(keys['keys'])} keys of {registry.domain} version {registry.version} written to {out}"
    return Answer(remarks=[text])
