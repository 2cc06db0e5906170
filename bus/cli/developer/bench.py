"""`tocsin bench`: what single steps cost on this machine."""

from __future__ import annotations

import click

from bus.cli.frame.app import App
from bus.cli.frame.commands import command


@command()
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=7,
    show_default=True,
    help="how often each step has its turn; medians are told",
)
def bench(app: App, *, rounds: int) -> None:
    """Measure signing, admitting, sealing, opening, and loading a registry; nothing is kept, no bus is needed.

    CPU time of this one process, in microseconds and as a multiple of one bare Ed25519 verification. The multiple tells
    about the code, the microseconds about this machine.
    """
    import secrets
    import time

    from bus.cli.developer.prices import measure

    found = measure(rounds, now=app.now(), rng=secrets.token_bytes, cpu=time.process_time)
    if app.json:
        app.data({"rounds": rounds, "prices": found})
        return
    app.table(
        ("step", "microseconds", "x verify"),
        [(each.step, f"{each.microseconds:.0f}", f"{each.verifications:.1f}") for each in found],
    )
    app.note(f"medians of {rounds} interleaved rounds, CPU time of one process")
