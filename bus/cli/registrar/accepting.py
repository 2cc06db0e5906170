"""`tocsin registry accept`: the next version, a beacon, or a revocation statement, into what this identity holds."""

from __future__ import annotations

from pathlib import Path

import click

from bus.cli.frame.app import App
from bus.cli.frame.audit import record
from bus.cli.frame.commands import command
from bus.cli.frame.files import read, say
from bus.cli.frame.session import held_registry
from bus.cli.registrar.proposals import record_registry


@command(None, "accept")
@click.argument("file", type=click.Path(path_type=Path))
def accept(app: App, file: Path) -> None:
    """Take FILE in: the next version of this context's registry, a beacon, or a revocation statement.

    Everything is checked against what the context holds, and kept beside its registry: versions by their number,
    statements in the folder `revocations`. The pin stays where it is. Programs that run follow within a second.
    """
    _, context = app.context()
    held = held_registry(context, app.now)
    before = held()
    if not held.take(read(file)):
        say(app, file, "nothing changes: this is held already")
        return
    now = held()
    sharing = ", ".join(
        name for name, one in app.loaded.settings.contexts.items() if one.registry == context.registry
    )
    if now.version != before.version:
        record_registry(app, "registry-accepted", now.raw, file)
        text = f"version {now.version} is now the registry of {sharing}"
    elif len(now.revocations) > len(before.revocations):
        made = now.revocations[-1]
        record(app, "revocation-accepted", authority=made.authority, keys=list(made.kids), file=str(file))
        text = (
            f"revoked, since {made.since:%Y-%m-%d %H:%M:%S} UTC, of {made.authority}: {', '.join(made.kids)}"
        )
    else:
        record_registry(app, "beacon-accepted", now.raw, file, trust=str(now.state(app.now())))
        text = f"the beacon is taken in; trust is {now.state(app.now())}"
    say(app, context.registry, text)
