"""`tocsin registry publish`: a version, a beacon or a revocation statement, to everybody on the bus."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus.cli.frame.app import App
from bus.cli.frame.commands import command
from bus.cli.frame.files import read, say
from bus.cli.frame.session import endpoint, held_registry, tls_of

if TYPE_CHECKING:
    from bus.transport.connection import Endpoint
    from bus.trust.store import HeldRegistry

FILE = click.Path(path_type=Path)
CONNECT_S = 5.0


@command(None, "publish")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option(
    "--provisioner",
    type=FILE,
    help="transport key of the server's provisioner (FOLDER/provisioner.nk); versions and beacons need it",
)
def publish(app: App, files: tuple[Path, ...], *, provisioner: Path | None) -> None:
    """Send each FILE, in this order, to all who read the bus: registry versions, beacons, revocation statements.

    Each is taken in here first, after every check, as `registry accept` does; what does not stand is not sent. An
    authority sends its own revocation statement without the provisioner's key.
    """
    from bus.trust.store import trust_kind
    from schemas.subject import Trust

    app.logs()
    _, context = app.context()
    found = {path: read(path) for path in files}
    if provisioner is None and (
        other := [path for path, raw in found.items() if trust_kind(raw) is not Trust.REVOKE]
    ):
        raise click.UsageError(
            f"{other[0]} is no revocation statement; add --provisioner FOLDER/provisioner.nk, the key of the server"
        )
    held = held_registry(context, app.now)
    for raw in found.values():
        _take(held, raw)
    asyncio.run(_send(app, found, _speaker(app, provisioner)))


def _take(held: HeldRegistry, raw: bytes) -> None:
    """Check and keep; an earlier version that is kept here already may be sent again for those who lack it.

    Raises:
        TrustError: it does not stand.
    """
    from bus.errors import TrustError

    try:
        held.take(raw)
    except TrustError as exc:
        if exc.reason != "rollback" or not held.holds(raw):
            raise


def _speaker(app: App, provisioner: Path | None) -> Endpoint:
    from bus.keys.nkeys import load_nkey
    from bus.server.provision import provisioner_endpoint

    name, context = app.context()
    if provisioner is None:
        return endpoint(context, f"{name} registry publish")
    if context.server is None:
        raise click.UsageError("this context names no server; add one: tocsin context add ... --server URL")
    return provisioner_endpoint(context.server, load_nkey(provisioner), tls_of(context))


async def _send(app: App, files: dict[Path, bytes], speaker: Endpoint) -> None:
    from bus.subscribing.registry_feed import publish_trust
    from bus.transport.connection import Connection

    async with Connection.open(speaker) as connection:
        await connection.until_connected(app.timeout(CONNECT_S))
        for path, raw in files.items():
            ack = await publish_trust(connection, raw)
            say(app, path, f"sent to everybody on the bus (number {ack.seq} of {ack.stream})")
