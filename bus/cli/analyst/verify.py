"""`tocsin verify`: an offline check of a bulletin file; who signed it, with which key, in what state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus.cli.frame.app import App
from bus.cli.frame.commands import command
from bus.cli.frame.files import read_file

if TYPE_CHECKING:
    from bus.admission.admit import Admitted
    from bus.trust.registry import VerifiedRegistry


@command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--registry",
    "registry_file",
    type=click.Path(path_type=Path),
    help="registry file, instead of the context's",
)
@click.option("--pin", help="digest that --registry must have; without it the file is believed as it is")
@click.option("--at", metavar="TIME", help="judge as of this time (2027-05-23T18:00:00Z)")
@click.option("--require-fresh", is_flag=True, help="fail unless the registry is known to be the current one")
def verify(
    app: App, file: Path, *, registry_file: Path | None, pin: str | None, at: str | None, require_fresh: bool
) -> None:
    """Check FILE (*.tocsin.json) by its signature, the registry, and every rule. Nothing is fetched.

    Exits 0 when it stands, 6 with the reason code when it does not; of a proof that an authority contradicted itself
    (`bulletin proof`) it says what is proved, and exits 6 with the code `fork`.
    """
    from bus.admission.admit import verify_file
    from bus.cli.frame.lines import explain
    from bus.cli.frame.session import open_registry
    from bus.errors import AdmissionError, TrustError
    from bus.trust.registry import TrustState, VerifiedRegistry
    from schemas.codec import parse_time
    from schemas.envelope import is_contradiction
    from schemas.errors import SchemaError

    try:
        now = parse_time(at) if at else app.now()
    except SchemaError as exc:
        raise click.UsageError(f"--at: {exc}") from None
    if registry_file is not None:
        registry = VerifiedRegistry.open(read_file(registry_file), pin=pin)
    else:
        registry = open_registry(app.context()[1], now)
    raw = read_file(file)
    if is_contradiction(raw):
        explain(app, raw, registry, now, file)
    try:
        admitted = verify_file(raw, registry=registry, now=now)
    except AdmissionError as exc:
        remedy = "do not act on it, and keep it as evidence"
        if exc.reason == "key-ended":
            remedy = "if you can vouch that you had it before then, judge it as of that time: --at"
        raise AdmissionError(f"{file} does not stand: {exc}; {remedy}", reason=exc.reason) from None
    state = registry.state(now)
    if require_fresh and state is not TrustState.FRESH:
        raise TrustError(
            f"the bulletin stands, but the registry is {state}; fetch the current registry and beacon",
            reason="not-fresh",
        )
    report(app, admitted, registry, state)


def report(app: App, admitted: Admitted, registry: VerifiedRegistry, state: str) -> None:
    """Say who signed, with which key, and under what trust."""
    from bus.cli.frame.lines import marking

    bulletin = admitted.bulletin
    signer = registry.authority(bulletin.issuer.id)
    found = {
        "verified": True,
        "issuer": bulletin.issuer.id,
        "name": signer.name,
        "kid": admitted.signer_kid,
        "id": bulletin.id,
        "kind": bulletin.kind,
        "channel": str(admitted.channel),
        **marking(bulletin),
        "seq": bulletin.seq,
        "digest": admitted.digest,
        "issued": bulletin.issued,
        "subject": admitted.subject,
        "endorsers": list(admitted.endorsers),
        "co_issuers": [
            {"id": each.id, "confirmed": each.id in admitted.endorsers} for each in bulletin.co_issuers
        ],
        "labels": sorted(admitted.labels),
        "trust": str(state),
        "registry_version": registry.version,
    }
    if app.json:
        app.data(found)
        return
    app.line(f"verified: {bulletin.info[0].headline}")
    app.line(f"  signed by  {signer.name} ({bulletin.issuer.id})")
    app.line(f"  key        {admitted.signer_kid}")
    app.line(f"  marking    TLP:{bulletin.tlp.upper()}, PAP:{bulletin.pap.upper()}, status {bulletin.status}")
    app.line(f"  channel    {admitted.channel}, number {bulletin.seq}")
    app.line(f"  issued     {bulletin.issued:%Y-%m-%d %H:%M:%S} UTC")
    app.line(f"  digest     {admitted.digest}")
    app.line(f"  trust      {state} (registry version {registry.version})")
    for each in bulletin.co_issuers:
        confirmed = "confirmed" if each.id in admitted.endorsers else "named, not confirmed"
        app.line(f"  co-issuer  {each.id} ({confirmed})")
    if admitted.endorsers:
        app.line(f"  endorsed   {', '.join(admitted.endorsers)}")
    if admitted.labels:
        app.line(f"  labels     {', '.join(sorted(admitted.labels))}")
