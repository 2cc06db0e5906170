"""`tocsin registry`: the registry ceremony, on files. The registry says who may publish and read what; m of n root keys sign it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click
import msgspec

from bus import keys as keyring
from bus import trust
from bus.cli import frame
from bus.cli.frame import (
    FILE,
    STATUS,
    Answer,
    App,
    Group,
    check_shape,
    command,
    completing,
    must_be_known,
    read_file,
    repeatable,
    write_new,
    write_whole,
    written,
)
from bus.cli.registrar.proposals import (
    REGISTRY_LIFETIME_DAYS,
    check_audiences,
    check_country,
    key_record,
    must_be_in,
    out_option,
    parse_grant,
    previous_of,
    proposal,
    propose,
    record_registry,
    standing_registry,
)
from schemas.bodies import KINDS
from schemas.registry import Audience, AuthorityRecord, DomainName, NkeyUser, PublishGrant, ReadGrant
from schemas.scalars import OrgId
from schemas.vocab import Domain, Scope, Status


@click.group(cls=Group)
def registry() -> None:
    """The signed trust registry, as files.

    A change is a proposal. init, add, join, grant, rotate and revoke write one without signatures, after all other
    checks. Root keepers sign it, each with their own key. verify says whether it stands. publish sends it to all
    readers.
    """


@command(registry, "init")
@click.argument("file", type=FILE)
@click.option("--domain", required=True, help="name of this federation; it must not start with demo-")
@repeatable("--root", "roots", required=True, type=FILE, help="public JWK file of a root keeper; repeat")
@click.option(
    "--threshold", type=click.IntRange(min=1), required=True, help="number of root signatures needed"
)
@repeatable("--beacon", "beacons", required=True, type=FILE, help="public JWK file of a beacon key; repeat")
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
) -> Answer:
    """Write the first version of a registry into FILE, unsigned."""
    if domain.startswith("demo-"):
        raise click.UsageError(
            "a domain that starts with demo- belongs to `tocsin demo`; choose another name"
        )
    check_shape(
        domain, DomainName, f"{domain!r} is not a name of a domain: small letters, digits, dots, hyphens"
    )
    now = app.now()
    root_keys = [key_record(path, now) for path in roots]
    if threshold > (count := len({keyring.thumbprint(key.jwk) for key in root_keys})):
        raise click.UsageError(
            f"--threshold {threshold} can never be met: {count} different root keys are named"
        )
    document = trust.ceremony.new_registry(
        domain=domain,
        root_keys=root_keys,
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
    trust.must_stand(document, None, now)
    raw = trust.ceremony.unsigned(document)
    write_new(file, raw)
    record_registry(app, "registry-proposed", raw, file)
    return written(file, "unsigned; let the root keepers run: tocsin registry sign " + str(file))


@command(registry, "add")
@click.argument("file", type=FILE)
@click.argument("authority")
@click.option("--name", required=True, help="full name")
@click.option("--kind", required=True, help="csirt, emb, dsc, dpa, hub, ...")
@click.option(
    "--domain", required=True, help="digital, cyber, data, electoral, foreign, justice, comms, coord"
)
@click.option("--country", required=True, help="ISO 3166-1 alpha-2, EU or INT")
@repeatable("--key", "keys", type=FILE, help="public JWK file of a signing key; repeat")
@repeatable("--nkey", "nkeys", help="public transport key (U...); repeat")
@repeatable(
    "--member-of", "audiences", help="make it a member of this audience, which is made if new; repeat"
)
@click.option("--replace", "anew", is_flag=True, help="drop the keys and grants of an existing record")
@repeatable(
    "--contact", "contacts", help="contact to ask when it does not answer, most important first; repeat"
)
@out_option
def add(
    app: App,
    file: Path,
    authority: str,
    *,
    keys: tuple[Path, ...],
    audiences: tuple[str, ...],
    anew: bool,
    out: Path | None,
    **told: Any,
) -> Answer:
    """Propose to add AUTHORITY to the registry in FILE. An existing record is changed only with --replace."""
    now = app.now()
    records = [key_record(path, now) for path in keys]
    document, note = proposal(app, file)
    shape = "an authority id such as xa-csirt: country in small letters, hyphen, name"
    check_shape(authority, OrgId, f"{authority!r} is not {shape}")
    check_country(told["country"])
    for nkey in told["nkeys"]:
        shape = "a public transport key (U...): tocsin key new --transport FILE prints it"
        check_shape(nkey, NkeyUser, f"{nkey!r} is not {shape}")
    must_be_known("domain", told["domain"], list(Domain))
    fields = {field: told[field] for field in ("name", "kind", "domain", "country", "nkeys", "contacts")}
    fields["keys"] = {keyring.thumbprint(key.jwk): key for key in records}
    try:
        record = msgspec.convert(fields, AuthorityRecord)
    except msgspec.ValidationError as exc:
        raise click.UsageError(f"this is not a valid record of an authority: {exc}") from None
    if (had := document.authorities.get(authority)) is not None:
        has = (
            f"{len(had.keys)} key(s), {len(had.seal_keys)} seal key(s), {len(had.nkeys)} transport key(s) and "
            f"{len(had.publish) + len(had.read)} grant(s)"
        )
        if not anew:
            raise click.UsageError(
                f"{authority} is in this registry already, with {has}. For another key: tocsin registry rotate; for "
                "further rights: tocsin registry grant; to replace the record by these options: --replace"
            )
        app.note(f"dropped from the proposal: {has} of {authority}")
    document = trust.proposals.add_authority(document, authority, record, member_of=audiences)
    return propose(app, file, out, document, f"{authority} proposed for version {document.version}{note}")


@command(registry, "grant")
@click.argument("file", type=FILE)
@click.argument("authority", shell_complete=completing.authorities)
@repeatable(
    "--publish",
    "publishes",
    metavar="TLP:AUDIENCE[:KINDS]",
    help="e.g. green:community or amber+strict:eu-csirts:cyber-threat,cyber-incident",
)
@repeatable("--read", "reads", metavar="TLP:AUDIENCE", help="e.g. amber+strict:eu-csirts")
@repeatable(
    "--status", "statuses", type=STATUS, help="default: actual, exercise, test; and heartbeats on system"
)
@repeatable("--area", "areas", metavar="CC", help="limit publishing to these countries")
@click.option(
    "--receipts",
    is_flag=True,
    help="let this hub send receipts and requests to every author it may read, help other hubs, and announce its "
    "holdings; repeat when authorities join",
)
@out_option
def grant(
    app: App,
    file: Path,
    authority: str,
    *,
    publishes: tuple[str, ...],
    reads: tuple[str, ...],
    statuses: tuple[str, ...],
    areas: tuple[str, ...],
    receipts: bool,
    out: Path | None,
) -> Answer:
    """Propose further grants for AUTHORITY. Its keys and present grants stay. Shows what changes.

    Without KINDS it may publish the kinds usual for its kind of authority. A grant to publish on a channel includes
    to re-anchor it after a theft. To read at AMBER and above it must be a member of the audience: tocsin registry
    join.
    """
    if not publishes and not reads and not receipts:
        raise click.UsageError("name at least one --publish or --read, or --receipts")
    for area in areas:
        check_country(area)
    spoken = tuple(Status(status) for status in statuses) or (Status.ACTUAL, Status.EXERCISE, Status.TEST)
    says: list[PublishGrant] = []
    for text in publishes:
        tlp, audience, kinds = parse_grant(text, 3)
        listed = tuple(kinds.split(",")) if kinds else ()
        for kind in listed:
            if kind != "*":
                must_be_known("kind", kind, KINDS)
        says.append(
            PublishGrant(
                statuses=spoken,
                tlps=(tlp,),
                audiences=(audience,),
                kinds=(*listed, trust.proposals.REANCHOR) if listed else (),
                areas=areas or ("*",),
            )
        )
        if not statuses:
            says.append(trust.proposals.beat(tlp, audience))
    hears = [
        ReadGrant(
            statuses=spoken if statuses else (*spoken, Status.SYSTEM), tlps=(tlp,), audiences=(audience,)
        )
        for tlp, audience, _ in (parse_grant(text, 2) for text in reads)
    ]
    document, note = proposal(app, file)
    must_be_in(document, authority)
    by_role = trust.proposals.said_by(document, authority)
    says = [grant if grant.kinds else msgspec.structs.replace(grant, kinds=by_role) for grant in says]
    check_audiences(document, says)
    check_audiences(document, hears)
    document = trust.proposals.grant(document, authority, publish=says, read=hears)
    if receipts:
        document = trust.proposals.grant_receipts(document, authority)
        if not document.authorities[authority].keys:
            note += f"; {authority} has no signing key yet, and needs one to answer"
    text = f"grants of {authority} proposed for version {document.version}{note}"
    return propose(app, file, out, document, text, shown=True)


@command(registry, "renew")
@click.argument("file", type=FILE)
@out_option
def renew(app: App, file: Path, *, out: Path | None) -> Answer:
    """Propose the next version, with new dates only, before the one in FILE expires."""
    if standing_registry(file, read_file(file)) is None:
        raise click.UsageError(f"{file} is a proposal already: tocsin registry sign {file}")
    document, note = proposal(app, file)
    return propose(
        app, file, out, document, f"version {document.version}, until {document.expires:%Y-%m-%d}{note}"
    )


@command(registry, "sign")
@click.argument("file", type=FILE)
@click.option("--key", "key_file", required=True, type=FILE, help="a root keeper's key (encrypted PEM)")
@click.option("--passphrase-file", type=FILE)
@click.option("--previous", type=FILE, help="the version before, if it is not kept beside FILE")
def sign(
    app: App, file: Path, *, key_file: Path, passphrase_file: Path | None, previous: Path | None
) -> Answer:
    """Add one root signature to FILE, and say how many are missing, of its own root and of the root before.

    Refused if no signatures can make FILE stand, or if it has enough signatures and still does not stand; the error gives the reason.
    """
    document = trust.ceremony.document_of(unsigned := read_file(file))
    before = trust.VerifiedRegistry.open(read_file(previous)) if previous else previous_of(file, document)
    trust.must_stand(document, before, app.now())
    signer = frame.signer_of(app, key_file, passphrase_file)
    raw = trust.ceremony.sign_registry(unsigned, signer)
    roots = [("root", document.root), *([("the root before it", before.document.root)] if before else [])]
    if all(signer.kid not in role.keys for _, role in roots):
        hint = (
            ""
            if before or document.version == 1
            else "; for a root of the version before, add --previous FILE"
        )
        raise click.UsageError(f"{signer.kid} is no root key of version {document.version}{hint}")
    write_whole(file, raw)
    record_registry(app, "registry-signed", raw, file, by=signer.kid)
    signed = set(trust.ceremony.signatures(raw))
    missing = {name: max(0, role.threshold - len(signed & role.keys.keys())) for name, role in roots}
    told = [
        f"{role.threshold - missing[name]} of {role.threshold} signatures of {name}" for name, role in roots
    ]
    if any(missing.values()):
        more = " and ".join(f"{count} more of {name}" for name, count in missing.items() if count)
        verdict = f"needs {more}"
    else:  # by a reader's check: a listed signature may be invalid
        verdict = "stands"
        if before is not None:
            before.update(raw, app.now())
        else:
            trust.VerifiedRegistry.open(raw)
            if document.version > 1:
                verdict += (
                    f", if enough roots of version {document.version - 1} have also signed it (--previous)"
                )
    return written(file, f"version {document.version} has {', '.join(told)}: it {verdict}")


@command(registry, "beacon")
@click.argument("file", type=FILE)
@click.option("--key", "key_file", required=True, type=FILE, help="the beacon key (encrypted PEM)")
@click.option("--passphrase-file", type=FILE)
@click.option("--out", required=True, type=FILE, help="where the beacon is written")
@click.option("--hours", type=click.IntRange(1, 48), default=6, show_default=True)
def beacon(
    app: App, file: Path, *, key_file: Path, passphrase_file: Path | None, out: Path, hours: int
) -> Answer:
    """Sign a beacon that says FILE is the current registry."""
    verified = trust.VerifiedRegistry.open(read_file(file))
    signer = frame.signer_of(app, key_file, passphrase_file)
    raw = trust.ceremony.new_beacon(verified, signer, app.now(), dt.timedelta(hours=hours))
    verified.with_beacon(raw, app.now())
    write_whole(out, raw)
    record_registry(app, "beacon-signed", verified.raw, out, by=signer.kid, hours=hours)
    return written(out, f"beacon for version {verified.version}, good for {hours} h")
