"""`tocsin registry publish` and `accept`: send a version, a beacon or a revocation statement to the bus, or accept one from a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus import api, keys, server, subscribing, transport, trust
from bus.cli import frame
from bus.cli.frame import FILE, Answer, App, command, read_file, written
from bus.cli.registrar.proposals import record_registry
from bus.errors import TrustError
from schemas.subject import Trust

if TYPE_CHECKING:
    from bus.transport import Endpoint
    from bus.trust import RegistryStore

CONNECT_S = 5.0


@command(name="publish")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option(
    "--provisioner",
    type=FILE,
    help="transport key of the server's provisioner (FOLDER/provisioner.nk); versions and beacons need it",
)
async def publish(app: App, files: tuple[Path, ...], *, provisioner: Path | None) -> AsyncIterator[Answer]:
    """Send each FILE, in this order, to all who read the bus: registry versions, beacons, revocation statements.

    Each is first accepted here, after every check, as by `registry accept`. An invalid file is not sent. An authority
    sends its own revocation statement without the provisioner's key.
    """
    app.logs()
    signed = {path: read_file(path) for path in files}
    for path, raw in signed.items():
        if provisioner is None and trust.trust_kind(raw) is not Trust.REVOKE:
            raise click.UsageError(
                f"{path} is not a revocation statement; add --provisioner FOLDER/provisioner.nk, the key of the server"
            )
    held = frame.registry_store(app)
    for raw in signed.values():
        _take(held, raw)
    async with transport.Connection.open(_speaker(app, provisioner)) as connection:
        await connection.until_connected(app.timeout(CONNECT_S))
        for path, raw in signed.items():
            ack = await subscribing.publish_trust(connection, raw)
            yield written(path, f"sent to everybody on the bus (number {ack.seq} of {ack.stream})")


def _take(held: RegistryStore, raw: bytes) -> None:
    """Check and keep a document. An earlier version that is kept here may be sent again, for readers who lack it.

    Raises:
        TrustError: the document is not valid.
    """
    try:
        held.take(raw)
    except TrustError as exc:
        if exc.reason != "rollback" or not held.holds(raw):
            raise


def _speaker(app: App, provisioner: Path | None) -> Endpoint:
    if provisioner is None:
        return frame.endpoint(app, "registry publish")
    context = app.identity
    if context.server is None:
        raise click.UsageError("this context names no server; add one: tocsin context add ... --server URL")
    return server.provisioner_endpoint(
        context.server, keys.load_nkey(provisioner), api.opening.tls_of(context)
    )


@command(name="accept")
@click.argument("file", type=FILE)
def accept(app: App, file: Path) -> Answer:
    """Accept FILE: the next version of this context's registry, a beacon, or a revocation statement.

    FILE is checked against the registry that the context holds, and kept beside it: versions by their number,
    statements in the folder `revocations`. The pin does not change. Running programs follow within a second.
    """
    context = app.identity
    held = frame.registry_store(app)
    before = held()
    if not held.take(read_file(file)):
        return written(file, "nothing changes: this context holds it already")
    now = held()
    sharing = ", ".join(
        name for name, one in app.loaded.settings.contexts.items() if one.registry == context.registry
    )
    if now.version != before.version:
        record_registry(app, "registry-accepted", now.raw, file)
        text = f"version {now.version} is now the registry of {sharing}"
    elif said := [each for each in now.revocations if each not in before.revocations]:
        (statement,) = said
        frame.record(
            app,
            "revocation-accepted",
            authority=statement.authority,
            keys=list(statement.kids),
            file=str(file),
        )
        text = f"revoked, since {statement.since:%Y-%m-%d %H:%M:%S} UTC, of {statement.authority}: {', '.join(statement.kids)}"
    else:
        record_registry(app, "beacon-accepted", now.raw, file, trust=str(now.state(app.now())))
        text = f"the beacon is accepted; trust is {now.state(app.now())}"
    return written(context.registry, text)
