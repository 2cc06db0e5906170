"""`tocsin bulletin proof`: evidence that an authority contradicted itself, written from the store and read by `verify`."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus.cli.frame.app import App, NotFoundError, command

if TYPE_CHECKING:
    from bus.trust.registry import VerifiedRegistry


@command(name="proof")
@click.argument("channel")
@click.option("--seq", type=click.IntRange(min=1), help="the number, when there are several")
@click.option("--out", type=click.Path(path_type=Path), help="write it here instead of standard output")
def proof(app: App, channel: str, *, seq: int | None, out: Path | None) -> None:
    """Write down that the issuer of CHANNEL (xa-csirt/actual.green.community) contradicted itself.

    Both signed bulletins in one file; whoever has the registry can check it with `tocsin verify`. Exits 3 when the store
    holds no contradiction there.
    """
    from bus.cli.analyst.picture import ask
    from bus.cli.frame.session import record
    from bus.cli.registrar.proposals import say, write_new
    from bus.hub.exchange.signed_files import contradictions

    found = ask(
        app,
        lambda db: list(islice((each for each in contradictions(db, channel) if seq in (None, each[0])), 1)),
    )
    if not found:
        raise NotFoundError(
            f"this store holds no contradiction on {channel}; tocsin channels --alarms lists where there are any"
        )
    number, raw = found[0]
    record(app, "exported", what="contradiction", channel=channel, seq=number)
    if out is None:
        click.echo(raw.decode(), nl=False)
        return
    write_new(out, raw)
    say(app, out, f"{channel} contradicts itself at number {number}; check it with: tocsin verify {out}")


def explain(app: App, raw: bytes, registry: VerifiedRegistry, now: dt.datetime, file: Path) -> None:
    """Say what a file of two bulletins proves.

    Raises:
        AdmissionError: always: `fork` when it proves a contradiction, else why it proves nothing.
    """
    from bus.admission.contradiction import judge
    from bus.errors import AdmissionError

    try:
        found = judge(raw, registry=registry, now=now)
    except AdmissionError as exc:
        raise AdmissionError(f"{file} proves nothing: {exc}", reason=exc.reason) from None
    issuer = found.channel.issuer
    if app.json:
        app.data(
            {
                "contradiction": True,
                "issuer": issuer,
                "channel": str(found.channel),
                "seq": found.seq,
                "bulletins": [
                    {
                        "id": side.bulletin.id,
                        "digest": side.digest,
                        "kids": list(side.kids),
                        "channel": str(side.channel),
                        "seq": side.bulletin.seq,
                        "issued": side.bulletin.issued,
                        "headline": side.bulletin.info[0].headline,
                    }
                    for side in found.sides
                ],
            }
        )
    else:
        app.line(f"proved: {registry.authority(issuer).name} ({issuer}) contradicted itself")
        app.line(f"  place      {found.channel}, number {found.seq}")
        for side in found.sides:
            app.line(f"  signed     {side.bulletin.issued:%Y-%m-%d %H:%M:%S} UTC by {', '.join(side.kids)}")
            app.line(
                f"             {side.channel} number {side.bulletin.seq}: {side.bulletin.info[0].headline}"
            )
            app.line(f"             digest {side.digest}")
    raise AdmissionError(
        f"{issuer} signed two things of which only one can be true; believe neither until it has said which, and by "
        "another way than this channel",
        reason="fork",
    )
