"""`tocsin server`: the broker's configuration from the registry, a broker on this machine, and its checks."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from bus.cli.frame import (
    DONE,
    FAILURE,
    FILE,
    FOLDER,
    App,
    Group,
    NotFoundError,
    command,
    ended,
    health_option,
)
from bus.cli.operator.carrier import (
    CARRIER_FILE,
    MONITOR_ABOVE,
    Place,
    carry,
    federated,
    key_in,
    listening,
    name_of,
    port_of,
    seat_of,
)

if TYPE_CHECKING:
    from bus.federation import BrokerRole
    from bus.server import NatsServer, ServerSettings
    from bus.transport import Tls
    from bus.trust import RegistryStore, VerifiedRegistry

PROVISIONER_FILE = "provisioner.nk"  # of who makes streams
ROUTE_FILE = "route.secret"
CONF_FILE = "nats-server.conf"
# Between the beginning of a server that could not write and its next: everybody is disconnected by it.
LEAST_REST_S, MOST_REST_S = 10.0, 300.0


@click.group(cls=Group)
def server() -> None:
    """The nats-server of a country: users and permissions follow the registry."""


@command(server, "conf")
@click.argument("folder", type=FOLDER)
@listening
@click.option("--stdout", is_flag=True, help="print it instead of writing FOLDER/nats-server.conf")
def conf(app: App, folder: Path, *, which: Place, stdout: bool) -> None:
    """Write the broker's configuration into FOLDER, generated from the context's registry.

    With --federation and --as it is one of several: it serves its own country's authorities, and the carriers that come.
    With server.pem, server.key and ca.pem in FOLDER/tls the broker speaks TLS 1.3 alone and wants client certificates.
    """
    from bus.server import render_conf
    from bus.storage import write_atomically

    registry = production_registry(app)
    settings = _settings(folder, which, seat_of(folder, registry, which))
    text = render_conf(registry, settings=settings, provisioner_nkey=key_in(folder, PROVISIONER_FILE)[1])
    if stdout:
        click.echo(text)
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / CONF_FILE
    write_atomically(path, text.encode())
    note = f"{path} written for registry version {registry.version}; reload the server with: kill -HUP PID, twice where an authority is new"
    app.answer({"file": str(path), "registry_version": registry.version}, notes=[note])


@command(server, "run", when_asked=DONE)
@click.argument("folder", type=FOLDER)
@listening
@health_option
@click.option("--binary", type=FILE, help="nats-server [env: TOCSIN_NATS_SERVER]")
async def run(app: App, folder: Path, *, which: Place, binary: Path | None) -> None:
    """Run a broker on this machine with its store in FOLDER, and make its streams and consumers.

    With --federation and --as it is one of several, and a country's carrier runs beside it: what is released goes to the
    unions and neighbours, and theirs comes home.

    It is checked as by `server check`, and not run when a hard check fails (exit 1).
    It follows the registry: a version that is taken in here, or published on the bus, changes users, permissions and
    consumers within seconds, without a restart.
    TLS as in `server conf`; the streams are made with the client certificate of the context.
    """
    from bus.tasks import until_first

    app.logs()
    seat = seat_of(folder, production_registry(app), which)
    # A signal that comes while it starts ends it too, and its nats-server with it.
    await until_first(ended(works=False), _run(app, folder, which, seat, binary))


def _settings(folder: Path, which: Place, seat: BrokerRole | None) -> ServerSettings:
    from bus.server import ServerSettings, ServerTls

    port = which.port or port_of(seat)
    return ServerSettings(
        host=which.host,
        port=port,
        monitor_port=port + MONITOR_ABOVE,
        name=name_of(seat),
        tls=ServerTls.in_folder(folder),
        probe_nkeys=tuple(public for _, public in _probes(folder)),
        route_secret=_route_secret(folder, seat),
        seat=seat,
    )


async def _run(app: App, folder: Path, which: Place, seat: BrokerRole | None, binary: Path | None) -> None:
    """Serve; begin anew, after rests that double, when the server hangs or can store nothing more."""
    from bus.server import ServerError

    loop = asyncio.get_running_loop()
    rest_s = 0.0
    while True:
        began = loop.time()
        try:
            return await _serve(app, folder, which, seat, binary, rest_s)
        except ServerError as exc:
            if exc.reason not in ("no-answer", "cannot-store"):
                raise
            app.note(f"{exc}; it is begun anew")
        rest_s = (
            LEAST_REST_S
            if loop.time() - began > MOST_REST_S
            else min(MOST_REST_S, 2 * rest_s or LEAST_REST_S)
        )


async def _serve(
    app: App, folder: Path, which: Place, seat: BrokerRole | None, binary: Path | None, rest_s: float
) -> None:
    from bus.cli.frame import registry_store, telling
    from bus.errors import ConfigError
    from bus.server import DISK_RESERVE_BYTES, NatsServer, render_conf, tend
    from bus.tasks import until_first

    held = registry_store(app)
    seed, public = key_in(folder, PROVISIONER_FILE)
    tls = _tls(app)
    settings = _settings(folder, which, seat)
    if (tls is None) != (settings.tls is None):
        raise ConfigError(
            f"the context and the broker must both have TLS or none: tls_ca, tls_cert and tls_key there, {folder}/tls here",
            reason="tls-file",
        )
    registry = held()
    text = render_conf(registry, settings=settings, provisioner_nkey=public)
    async with (
        NatsServer(folder, text, binary=binary) as broker,
        telling(app, "server", registry=held, connected=False),
    ):
        await until_first(
            tend(broker, room=DISK_RESERVE_BYTES, rest_s=rest_s),
            _follow(app, folder, broker, held, registry, seed, settings, tls),
        )


async def _follow(
    app: App,
    folder: Path,
    broker: NatsServer,
    held: RegistryStore,
    registry: VerifiedRegistry,
    seed: str,
    settings: ServerSettings,
    tls: Tls | None,
) -> None:
    """Make what the registry wants, check all of it, and follow the registry."""
    from bus.cli.frame import recorder
    from bus.server import check as run_checks
    from bus.server import follow_registry, must_be_sound, provision, provisioner_endpoint
    from bus.subscribing import RegistryFeed
    from bus.tasks import until_first
    from bus.upkeep import notify

    seat = settings.seat
    await provision(broker.url, seed, registry, seat=seat, tls=tls)
    must_be_sound(
        await run_checks(
            url=broker.url,
            monitor_url=broker.monitor_url,
            provisioner_seed=seed,
            registry=registry,
            seat=seat,
            conf_file=folder / CONF_FILE,
            binary=broker.binary,
            tls=tls,
            probe_seeds=[each for each, _ in _probes(folder)],
            settings=settings,
        )
    )
    app.note(
        f"serving {registry.domain} (registry version {registry.version}) on {broker.url}; end with Ctrl-C"
    )
    notify.ready()
    await until_first(
        carry(app, folder, broker.url, held, seat, tls),
        RegistryFeed(held, provisioner_endpoint(broker.url, seed, tls), on_news=recorder(app)).run(),
        follow_registry(broker, held, standing=registry.digest, seed=seed, settings=settings, tls=tls),
    )


@command(server, "carrier-key")
@click.argument("folder", type=FOLDER)
def carrier_key(app: App, folder: Path) -> None:
    """Print the public key of the carrier of the country whose broker is in FOLDER; made when first asked for.

    It goes into the federation's file, as the `carrier` of its country.
    """
    public = key_in(folder, CARRIER_FILE)[1]
    app.answer({"carrier": public}, lines=[public])


@command(server, "check")
@click.argument("folder", type=FOLDER)
@click.option("--url", help="nats://host:port, instead of the context's server")
@click.option("--monitor", help="monitoring address, http://127.0.0.1:8222")
@federated
async def check(app: App, folder: Path, *, url: str | None, monitor: str | None, which: Place) -> int:
    """Check every assumption about the running broker; FOLDER holds the provisioner's key.

    Exits 1 when a hard one fails.
    """
    from bus.cli.frame import open_registry
    from bus.config import is_server
    from bus.server import check as run_checks
    from bus.server import find_binary, ports_of, standing_check

    app.logs()
    address = url or app.identity.server
    if address is None or not is_server(address):
        raise click.UsageError("which broker? add --url nats://host:port")
    if not (folder / PROVISIONER_FILE).exists():
        raise NotFoundError(f"{folder} is no broker's folder: {PROVISIONER_FILE} is not there")
    at = urlsplit(address)
    running = ports_of(folder)
    ports = running[1] if running else {}
    if address in ports.get("nats", ()):
        monitor = monitor or next(iter(ports.get("monitoring", ())), None)
    registry = open_registry(app)
    seat = seat_of(folder, registry, which)
    checks = [standing_check(folder, app.now().timestamp())]
    checks += await run_checks(
        url=address,
        monitor_url=monitor or f"http://{at.hostname}:{(at.port or 4222) + MONITOR_ABOVE}",
        provisioner_seed=key_in(folder, PROVISIONER_FILE)[0],
        registry=registry,
        seat=seat,
        conf_file=folder / CONF_FILE,
        binary=find_binary(None, os.environ),
        tls=_tls(app),
        probe_seeds=[seed for seed, _ in _probes(folder)],
        settings=_settings(folder, which, seat),
    )
    rows = [("ok" if c.ok else "FAIL" if c.hard else "warn", c.name, c.detail) for c in checks]
    app.answer(checks, table=(("", "check", "found"), rows))
    return FAILURE if any(c.hard and not c.ok for c in checks) else DONE


def _tls(app: App) -> Tls | None:
    """The context's certificates; the broker's must bear the host name of the context's server."""
    from bus.cli.frame import tls_of

    tls = tls_of(app.identity, host=urlsplit(app.identity.server or "").hostname)
    if tls is not None:
        tls.context()  # what is wrong with its files is said now
    return tls


def production_registry(app: App) -> VerifiedRegistry:
    """The context's registry, refused when it is a demonstration's."""
    from bus.cli.frame import open_registry
    from bus.errors import ConfigError

    registry = open_registry(app)
    if registry.domain.startswith("demo-"):
        raise ConfigError(
            f"{registry.domain} is a demonstration: its keys protect nothing",
            remedy="run `tocsin demo`, or make a registry: tocsin registry init",
            reason="demo-domain",
        )
    return registry


def _probes(folder: Path) -> list[tuple[str, str]]:
    """The seeds and public keys of the identities that try the walls; made when first asked for."""
    from bus.server import PROBE_FILES

    return [key_in(folder, name) for name in PROBE_FILES]


def _route_secret(folder: Path, seat: BrokerRole | None) -> str | None:
    """What the nodes of a cluster know one another by; the first node makes it, and the others are given its file.

    Raises:
        NotFoundError: it is not in the folder of another node.
        KeyFileError: as `read_secret`.
    """
    import secrets

    from bus.federation import CLUSTER
    from bus.keys import read_secret, write_secret

    if seat is None or len(seat.federation.nodes(seat.name)) < CLUSTER:
        return None
    path = folder / ROUTE_FILE
    if not path.exists():
        if seat.node > 0:
            raise NotFoundError(f"{path} is not there: copy it from the folder of node 1 of {seat.name}")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(path, secrets.token_hex(32).encode())
    return read_secret(path).decode("ascii")
