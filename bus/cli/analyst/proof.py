"""`tocsin bulletin proof`: evidence that an authority contradicted itself, written from the store and read by `verify`."""

from __future__ import annotations

from pathlib import Path

import click

from bus.cli import frame
from bus.cli.frame import FILE, Answer, App, NotFoundError, command, write_new, written
from bus.hub import exchange


@command(name="proof")
@click.argument("channel")
@click.option(
    "--seq", type=click.IntRange(min=1), help="the number of the place, when several are contradicted"
)
@click.option("--out", type=FILE, help="write it here instead of standard output")
def export_fork(app: App, channel: str, *, seq: int | None, out: Path | None) -> Answer:
    """Write the proof that the issuer of CHANNEL (xa-csirt/actual.green.community) contradicted itself.

    The file holds both signed bulletins. Anyone with the registry can check it with `tocsin verify`. Exits 3 when the
    store holds no contradiction on that channel.
    """
    proof = frame.query_store(
        app,
        lambda db: next(
            (each for each in exchange.contradictions(db, channel) if seq in (None, each[0])), None
        ),
    )
    if proof is None:
        raise NotFoundError(
            f"this store holds no contradiction on {channel}",
            remedy="list the channels that have one: tocsin channels --alarms",
        )
    number, raw = proof
    frame.record(app, "exported", what="contradiction", channel=channel, seq=number)
    if out is None:
        return Answer(raw=raw.decode())
    write_new(out, raw)
    return written(
        out, f"{channel} contradicts itself at number {number}; check it with: tocsin verify {out}"
    )
