"""`tocsin server`: writes the broker's configuration, runs a broker on this machine, and checks it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import click

from bus import server as broker
from bus import storage
from bus.cli import frame
from bus.cli.frame import (
    DONE,
    FAILURE,
    FILE,
    FOLDER,
    Answer,
    App,
    Group,
    NotFoundError,
    Table,
    command,
    health_option,
)
from bus.cli.operator.carrier import (
    CARRIER_FILE,
    MONITOR_ABOVE,
    Place,
    federated,
    key_in,
    listening,
    seat_of,
)
from bus.cli.operator.serving import (
    PROVISIONER_FILE,
    probes_in,
    production_registry,
    serve,
    settings_of,
    tls_here,
)
from bus.config import is_server
from bus.tasks import until_first


@click.group(cls=Group)
def server() -> None:
    """The nats-server of a country: users and permissions follow the registry."""


@command(server, "conf")
@click.argument("folder", type=FOLDER)
@listening
@click.option("--stdout", is_flag=True, help="print it instead of writing FOLDER/nats-server.conf")
def conf(app: App, folder: Path, *, which: Place, stdout: bool) -> Answer:
    """Write the broker's configuration into FOLDER, generated from the context's registry.

    With --federation and --as the broker is one of several. It then serves its own country's authorities, and the
    carriers that connect. With server.pem, server.key and ca.pem in FOLDER/tls the broker accepts only TLS 1.3 with
    client certificates.
    """
    registry = production_registry(app)
    settings = settings_of(folder, which, seat_of(folder, registry, which))
    text = broker.render_conf(
        registry, settings=settings, provisioner_nkey=key_in(folder, PROVISIONER_FILE)[1]
    )
    if stdout:
        return Answer(raw=text + "\n")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / broker.CONF_FILE
    storage.write_atomically(path, text.encode())
    note = f"{path} written for registry version {registry.version}; reload the server with: kill -HUP PID, twice if an authority is new"
    return Answer({"file": str(path), "registry_version": registry.version}, notes=[note])


@command(server, "run", when_asked=DONE)
@click.argument("folder", type=FOLDER)
@listening
@health_option
@click.option("--binary", type=FILE, help="nats-server [env: TOCSIN_NATS_SERVER]")
async def run(app: App, folder: Path, *, which: Place, binary: Path | None) -> None:
    """Run a broker on this machine, with its store in FOLDER, its streams and its consumers.

    With --federation and --as the broker is one of several. The country's carrier runs beside it: it takes released
    bulletins to unions and neighbours, and brings theirs home.

    It first makes the checks of `server check`, and ends with exit 1 when a hard check fails. It follows the
    registry: a new version, accepted here or published on the bus, changes users, permissions and consumers within
    seconds, without a restart.
    TLS is that of `server conf`. The streams are made with the client certificate of the context.
    """
    app.logs()
    seat = seat_of(folder, production_registry(app), which)
    # A signal during the start also ends it and its nats-server.
    await until_first(frame.ended(works=False), serve(app, folder, which, seat, binary))


@command(server, "carrier-key")
@click.argument("folder", type=FOLDER)
def carrier_key(_app: App, folder: Path) -> Answer:
    """Print the public key of the carrier of the country whose broker is in FOLDER. Makes the key on first use.

    Put the key into the federation's file, as the `carrier` of its country.
    """
    public = key_in(folder, CARRIER_FILE)[1]
    return Answer({"carrier": public}, lines=[public])


@command(server, "check")
@click.argument("folder", type=FOLDER)
@click.option("--url", help="nats://host:port, instead of the context's server")
@click.option("--monitor", help="monitoring address, http://127.0.0.1:8222")
@federated
async def check(app: App, folder: Path, *, url: str | None, monitor: str | None, which: Place) -> Answer:
    """Check every assumption about the running broker. FOLDER holds the provisioner's key.

    Exits 1 when a hard check fails.
    """
    app.logs()
    address = url or app.identity.server
    if address is None or not is_server(address):
        raise click.UsageError("no broker is named: add --url nats://host:port")
    if not (folder / PROVISIONER_FILE).exists():
        raise NotFoundError(
            f"{folder} is no broker's folder, because it has no {PROVISIONER_FILE}; name the folder of tocsin server run"
        )
    at = urlsplit(address)
    running = broker.ports_of(folder)
    ports = running[1] if running else {}
    if address in ports.get("nats", ()):
        monitor = monitor or next(iter(ports.get("monitoring", ())), None)
    registry = frame.open_registry(app)
    seat = seat_of(folder, registry, which)
    checks = [broker.standing_check(folder, app.now().timestamp())]
    checks += await broker.check(
        url=address,
        monitor_url=monitor or f"http://{at.hostname}:{(at.port or 4222) + MONITOR_ABOVE}",
        provisioner_seed=key_in(folder, PROVISIONER_FILE)[0],
        registry=registry,
        seat=seat,
        conf_file=folder / broker.CONF_FILE,
        binary=broker.find_binary(None, os.environ),
        tls=tls_here(app),
        probe_seeds=[seed for seed, _ in probes_in(folder)],
        settings=settings_of(folder, which, seat),
    )
    rows = [("ok" if c.ok else "FAIL" if c.hard else "warn", c.name, c.detail) for c in checks]
    return Answer(
        checks,
        table=Table(("", "check", "found"), rows),
        code=FAILURE if any(c.hard and (not c.ok) for c in checks) else DONE,
    )
