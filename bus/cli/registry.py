"""`tocsin registry`: the ceremony on files. Who may say and read what, signed by m of n root keys."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
import msgspec

from bus.cli.app import App, Group, NotFoundError, command, hint
from bus.cli.ceremony import (
    REGISTRY_LIFETIME_DAYS,
    key_record,
    proposal,
    read,
    replace,
    say,
    signer_of,
    way,
    write_new,
)

FILE = click.Path(path_type=Path)


@click.group(cls=Group)
def registry() -> None:
    """The signed trust registry, as files.

    A change is a proposal: init, add and grant write one without signatures; root keepers sign it, each
    with their own key; verify says whether it stands and what it changes.
    """


@command(registry, "init")
@click.argument("file", type=FILE)
@click.option("--domain", required=True, help="name of this federation; never starts with demo-")
@click.option(
    "--root",
    "roots",
    multiple=True,
    required=True,
    type=FILE,
    help="public JWK file of a root keeper; repeat",
)
@click.option("--threshold", type=click.IntRange(min=1), required=True, help="root signatures needed")
@click.option(
    "--beacon",
    "beacons",
    multiple=True,
    required=True,
    type=FILE,
    help="public JWK file of a beacon key; repeat",
)
@click.option("--days", type=click.IntRange(1, 400), default=REGISTRY_LIFETIME_DAYS, show_default=True)
def init(
    app: App,
    file: Path,
    *,
    domain: str,
    roots: tuple[Path, ...],
    threshold: int,
    beacons: tuple[Path, ...],
    days: int,
) -> None:
    """Write the first version of a registry into FILE, unsigned."""
    from bus import ceremony
    from schemas.registry import Audience
    from schemas.vocab import Scope

    if domain.startswith("demo-"):
        raise click.UsageError(
            "a domain that starts with demo- belongs to `tocsin demo`; choose another name"
        )
    now = app.now()
    document = ceremony.new_registry(
        domain=domain,
        root_keys=[key_record(path, now) for path in roots],
        root_threshold=threshold,
        beacon_keys=[key_record(path, now) for path in beacons],
        beacon_threshold=1,
        audiences={
            "public": Audience(scope=Scope.PUBLIC, members=()),
            "community": Audience(scope=Scope.UNION, members=()),
        },
        now=now,
        lifetime=dt.timedelta(days=days),
    )
    write_new(file, ceremony.unsigned(document))
    say(app, file, "unsigned; let the root keepers run: tocsin registry sign " + str(file))


@command(registry, "add")
@click.argument("file", type=FILE)
@click.argument("authority")
@click.option("--name", required=True, help="full name")
@click.option("--kind", required=True, help="csirt, emb, dsc, dpa, hub, ...")
@click.option(
    "--domain",
    "domain_",
    required=True,
    help="digital, cyber, data, electoral, foreign, justice, comms, coord",
)
@click.option("--country", required=True, help="ISO 3166-1 alpha-2, EU or INT")
@click.option("--key", "keys", multiple=True, type=FILE, help="public JWK file of a signing key; repeat")
@click.option("--nkey", "nkeys", multiple=True, help="public transport key (U...); repeat")
@click.option(
    "--member-of",
    "audiences",
    multiple=True,
    help="make it a member of this audience (made when new); repeat",
)
@click.option("--out", type=FILE, help="write the proposal here instead of over FILE")
def add(
    app: App,
    file: Path,
    authority: str,
    *,
    name: str,
    kind: str,
    domain_: str,
    country: str,
    keys: tuple[Path, ...],
    nkeys: tuple[str, ...],
    audiences: tuple[str, ...],
    out: Path | None,
) -> None:
    """Propose to add AUTHORITY (or replace its record) to the registry in FILE."""
    from bus import ceremony
    from bus.signing import thumbprint
    from schemas.registry import AuthorityRecord
    from schemas.vocab import Domain

    now = app.now()
    records = [key_record(path, now) for path in keys]
    document, note = proposal(file, now)
    if domain_ not in set(Domain):
        raise click.UsageError(f"there is no domain {domain_!r}{hint(domain_, Domain)}")
    try:
        record = msgspec.convert(
            {
                "name": name,
                "kind": kind,
                "domain": Domain(domain_),
                "country": country,
                "keys": {thumbprint(each.jwk): each for each in records},
                "nkeys": tuple(nkeys),
            },
            AuthorityRecord,
        )
    except msgspec.ValidationError as exc:
        raise click.UsageError(f"this is no record of an authority: {exc}") from None
    document = ceremony.add_authority(document, authority, record, member_of=audiences)
    replace(out or file, ceremony.unsigned(document))
    say(
        app,
        out or file,
        f"{authority} proposed for version {document.version}{note}; signatures are needed anew",
    )


@command(registry, "grant")
@click.argument("file", type=FILE)
@click.argument("authority")
@click.option(
    "--publish",
    "publishes",
    multiple=True,
    metavar="TLP:AUDIENCE[:KINDS]",
    help="e.g. green:community or amber+strict:eu-csirts:cyber-threat,cyber-incident",
)
@click.option("--read", "reads", multiple=True, metavar="TLP:AUDIENCE", help="e.g. amber+strict:eu-csirts")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["actual", "exercise", "system", "test"]),
    help="default: actual, exercise, test; and channel-status on system",
)
@click.option("--area", "areas", multiple=True, metavar="CC", help="limit publishing to these countries")
@click.option("--out", type=FILE, help="write the proposal here instead of over FILE")
def grant(
    app: App,
    file: Path,
    authority: str,
    *,
    publishes: tuple[str, ...],
    reads: tuple[str, ...],
    statuses: tuple[str, ...],
    areas: tuple[str, ...],
    out: Path | None,
) -> None:
    """Propose further grants for AUTHORITY."""
    from bus import ceremony
    from schemas.registry import PublishGrant, ReadGrant
    from schemas.vocab import Status

    if not publishes and not reads:
        raise click.UsageError("name at least one --publish or --read")
    spoken = tuple(Status(each) for each in statuses) or (Status.ACTUAL, Status.EXERCISE, Status.TEST)
    says: list[PublishGrant] = []
    for text in publishes:
        tlp, audience, kinds = way(text, 3)
        listed = tuple(kinds.split(",")) if kinds else ("*",)
        says.append(
            PublishGrant(
                statuses=spoken, tlps=(tlp,), audiences=(audience,), kinds=listed, areas=areas or ("*",)
            )
        )
        if not statuses:
            says.append(
                PublishGrant(
                    statuses=(Status.SYSTEM,),
                    tlps=(tlp,),
                    audiences=(audience,),
                    kinds=("channel-status",),
                    areas=("*",),
                )
            )
    hears = [
        ReadGrant(
            statuses=spoken if statuses else (*spoken, Status.SYSTEM), tlps=(tlp,), audiences=(audience,)
        )
        for tlp, audience, _ in (way(text, 2) for text in reads)
    ]
    now = app.now()
    document, note = proposal(file, now)
    document = ceremony.grant(document, authority, publish=says, read=hears)
    replace(out or file, ceremony.unsigned(document))
    say(
        app,
        out or file,
        f"grants of {authority} proposed for version {document.version}{note}; signatures are needed anew",
    )


@command(registry, "sign")
@click.argument("file", type=FILE)
@click.option("--key", "key_file", required=True, type=FILE, help="a root keeper's key (encrypted PEM)")
@click.option("--passphrase-file", type=FILE)
def sign(app: App, file: Path, *, key_file: Path, passphrase_file: Path | None) -> None:
    """Add one root signature to FILE."""
    from bus import ceremony

    signer = signer_of(app, key_file, passphrase_file)
    raw = ceremony.sign_registry(read(file), signer)
    replace(file, raw)
    document = ceremony.document_of(raw)
    count = len([kid for kid in ceremony.signatures(raw) if kid in document.root.keys])
    enough = (
        "it stands" if count >= document.root.threshold else f"{document.root.threshold - count} more needed"
    )
    say(
        app,
        file,
        f"version {document.version} has {count} of {document.root.threshold} root signatures: {enough}",
    )


@command(registry, "beacon")
@click.argument("file", type=FILE)
@click.option("--key", "key_file", required=True, type=FILE, help="the beacon key (encrypted PEM)")
@click.option("--passphrase-file", type=FILE)
@click.option("--out", required=True, type=FILE, help="where the beacon is written")
@click.option("--hours", type=click.IntRange(1, 48), default=6, show_default=True)
def beacon(
    app: App, file: Path, *, key_file: Path, passphrase_file: Path | None, out: Path, hours: int
) -> None:
    """Sign a beacon that says FILE is the current registry."""
    from bus import ceremony
    from bus.trust import VerifiedRegistry

    verified = VerifiedRegistry.open(read(file))
    raw = ceremony.new_beacon(
        verified, signer_of(app, key_file, passphrase_file), app.now(), dt.timedelta(hours=hours)
    )
    verified.with_beacon(raw, app.now())
    replace(out, raw)
    say(app, out, f"beacon for version {verified.version}, good for {hours} h")


@command(registry, "show")
@click.argument("file", type=FILE, required=False)
@click.option("--authority", help="only this one")
def show(app: App, file: Path | None, *, authority: str | None) -> None:
    """Print the registry in FILE, or the context's. Nothing is verified; `verify` does that."""
    from bus import ceremony

    document = ceremony.document_of(read(file or app.context()[1].registry))
    if authority is not None and authority not in document.authorities:
        raise NotFoundError(
            f"{authority} is not in this registry{hint(authority, document.authorities)}",
            reason="unknown-authority",
        )
    if app.json:
        app.data(document if authority is None else document.authorities[authority])
        return
    app.note(
        f"{document.domain}, version {document.version}, until {document.expires:%Y-%m-%d}; {document.root.threshold} of {len(document.root.keys)} root keys"
    )
    rows = [
        (
            name,
            record.kind,
            record.domain,
            len(record.keys),
            " ".join(sorted({f"{t}:{a}" for g in record.publish for t in g.tlps for a in g.audiences})),
            " ".join(sorted({f"{t}:{a}" for g in record.read for t in g.tlps for a in g.audiences})),
        )
        for name, record in sorted(document.authorities.items())
        if authority in (None, name)
    ]
    app.table(("authority", "kind", "domain", "keys", "publishes", "reads"), rows)


@command(registry, "verify")
@click.argument("file", type=FILE, required=False)
@click.option("--pin", help="digest the registry must have (from another channel: print, fax, telephone)")
@click.option(
    "--previous", type=FILE, help="the version before: check that FILE continues it under both quorums"
)
def verify(app: App, file: Path | None, *, pin: str | None, previous: Path | None) -> None:
    """Check signatures, threshold and every rule of the registry in FILE, or the context's."""
    from bus.trust import VerifiedRegistry

    context = None if file else app.context()[1]
    raw = read(file or app.context()[1].registry)
    if previous is not None:
        verified = VerifiedRegistry.open(read(previous)).update(raw, app.now())
    else:
        verified = VerifiedRegistry.open(raw, pin=pin or (context.pin if context else None))
    found = {
        "verified": True,
        "domain": verified.domain,
        "version": verified.version,
        "digest": verified.digest,
        "authorities": len(verified.document.authorities),
        "expires": verified.document.expires,
        "pinned": bool(pin or context or previous),
    }
    if app.json:
        app.data(found)
        return
    app.line(f"verified: {verified.domain} version {verified.version}, {found['authorities']} authorities")
    app.line(f"  digest   {verified.digest}")
    app.line(f"  expires  {verified.document.expires:%Y-%m-%d %H:%M} UTC")
    if not found["pinned"]:
        app.note(
            "no --pin was given: the file is consistent in itself; compare its digest with one you were told"
        )
