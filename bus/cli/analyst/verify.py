"""`tocsin verify`: an offline check of a bulletin file: who signed it, with which key, under which registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus import admission, trust
from bus.cli import frame
from bus.cli.frame import FILE, Answer, App, at, command, read_file
from bus.errors import AdmissionError, TrustError
from schemas.codec import parse_time
from schemas.envelope import is_contradiction
from schemas.errors import SchemaError
from schemas.passing_on import sentences

if TYPE_CHECKING:
    import datetime as dt

    from bus.admission import Admitted
    from bus.trust import VerifiedRegistry


@command()
@click.argument("file", type=FILE)
@click.option("--registry", "registry_file", type=FILE, help="registry file, instead of the context's")
@click.option("--pin", help="digest that --registry must have; without it the file is trusted as it is")
@click.option("--at", "as_of", metavar="TIME", help="judge as of this time (2027-05-23T18:00:00Z)")
@click.option("--require-fresh", is_flag=True, help="fail unless a beacon shows that the registry is current")
def verify(
    app: App,
    file: Path,
    *,
    registry_file: Path | None,
    pin: str | None,
    as_of: str | None,
    require_fresh: bool,
) -> Iterator[Answer]:
    """Check FILE (*.tocsin.json) against its signature, the registry and every rule. Nothing is fetched.

    Exits 0 when the file is valid, and 6 with the reason code when it is not. For a proof of contradiction (`bulletin
    proof`) it says what is proved, and exits 6 with the code `fork`.
    """
    try:
        now = parse_time(as_of) if as_of else app.now()
    except SchemaError as exc:
        raise click.UsageError(f"--at: {exc}") from None
    if registry_file is not None:
        registry = trust.VerifiedRegistry.open(read_file(registry_file), pin=pin)
    else:
        registry = frame.open_registry(app, now)
    raw = read_file(file)
    if is_contradiction(raw):
        yield from _explain_fork(raw, registry, now, file)
    try:
        admitted = admission.verify_file(raw, registry=registry, now=now)
    except AdmissionError as exc:
        remedy = "do not act on it, and keep it as evidence"
        if exc.reason == "key-ended":
            remedy = "if you are certain that you had the file before then, judge it at that time: --at TIME"
        raise AdmissionError(f"{file} is not valid: {exc}", reason=exc.reason, remedy=remedy) from None
    state = registry.state(now)
    if require_fresh and state is not trust.TrustState.FRESH:
        raise TrustError(
            f"the bulletin is valid, but the registry is {state}",
            remedy="fetch the current registry and beacon",
            reason="not-fresh",
        )
    yield report(admitted, registry, state, now)


def _explain_fork(raw: bytes, registry: VerifiedRegistry, now: dt.datetime, file: Path) -> Iterator[Answer]:
    """Explain what a file of two bulletins proves.

    Raises:
        AdmissionError: always: `fork` when it proves a contradiction, else why it proves nothing.
    """
    try:
        proof = admission.judge_proof(raw, registry=registry, now=now)
    except AdmissionError as exc:
        raise AdmissionError(f"{file} proves nothing: {exc}", reason=exc.reason) from None
    issuer = proof.channel.issuer
    lines = [
        f"proved: {registry.authority(issuer).name} ({issuer}) contradicted itself",
        f"  place      {proof.channel}, number {proof.seq}",
    ]
    bulletins = []
    for side in proof.sides:
        bulletin = side.bulletin
        headline = bulletin.info[0].headline
        lines += [
            f"  signed     {at(bulletin.issued)} UTC by {', '.join(side.kids)}",
            f"             {side.channel} number {bulletin.seq}: {headline}",
            f"             digest {side.digest}",
        ]
        bulletins.append(
            {
                "id": bulletin.id,
                "digest": side.digest,
                "kids": side.kids,
                "channel": str(side.channel),
                "seq": bulletin.seq,
                "issued": bulletin.issued,
                "headline": headline,
            }
        )
    place = {"issuer": issuer, "channel": str(proof.channel), "seq": proof.seq}
    yield Answer({"contradiction": True, **place, "bulletins": bulletins}, lines=lines)
    raise AdmissionError(
        f"{issuer} signed two bulletins for one place, and only one can be genuine",
        remedy="trust neither until {issuer} tells you which, by another way than this channel",
        reason="fork",
    )


def report(admitted: Admitted, registry: VerifiedRegistry, state: str, now: dt.datetime) -> Answer:
    """Say who signed, with which key, and under what trust."""
    bulletin = admitted.bulletin
    signer = registry.authority(bulletin.issuer.id)
    facts = {
        "verified": True,
        "issuer": bulletin.issuer.id,
        "name": signer.name,
        "kid": admitted.signer_kid,
        "id": bulletin.id,
        "kind": bulletin.kind,
        "channel": str(admitted.channel),
        **frame.marking(bulletin, now),
        "seq": bulletin.seq,
        "digest": admitted.digest,
        "issued": bulletin.issued,
        "subject": admitted.subject,
        "endorsers": list(admitted.endorsers),
        "co_issuers": [
            {"id": issuer.id, "confirmed": issuer.id in admitted.endorsers} for issuer in bulletin.co_issuers
        ],
        "labels": sorted(admitted.labels),
        "trust": str(state),
        "registry_version": registry.version,
    }
    lines = [
        f"verified: {bulletin.info[0].headline}",
        f"  signed by  {signer.name} ({bulletin.issuer.id})",
        f"  key        {admitted.signer_kid}",
        f"  marking    TLP:{bulletin.tlp.upper()}, PAP:{bulletin.pap.upper()}, status {bulletin.status}",
        *(f"  handling   {sentence}" for sentence in sentences(bulletin, now)),
        f"  channel    {admitted.channel}, number {bulletin.seq}",
        f"  issued     {at(bulletin.issued)} UTC",
        f"  digest     {admitted.digest}",
        f"  trust      {state} (registry version {registry.version})",
    ]
    for issuer in bulletin.co_issuers:
        confirmed = "confirmed" if issuer.id in admitted.endorsers else "named, not confirmed"
        lines.append(f"  co-issuer  {issuer.id} ({confirmed})")
    if admitted.endorsers:
        lines.append(f"  endorsed   {', '.join(admitted.endorsers)}")
    if admitted.labels:
        lines.append(f"  labels     {', '.join(sorted(admitted.labels))}")
    return Answer(facts, lines=lines)
