"""A broker that serves: its settings, its restart when it hangs, and the programs beside it."""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bus import api, federation, health, keys, server, subscribing, upkeep
from bus.cli import frame
from bus.cli.frame import App, NotFoundError
from bus.cli.operator.carrier import MONITOR_ABOVE, Carrying, Place, carry, key_in, name_of, port_of
from bus.errors import ConfigError, KeyFileError
from bus.tasks import until_first

if TYPE_CHECKING:
    from bus.federation import BrokerRole
    from bus.health import Condition
    from bus.server import NatsServer, ServerSettings
    from bus.transport import Tls
    from bus.trust import RegistryStore, VerifiedRegistry

PROVISIONER_FILE = "provisioner.nk"  # of the provisioner, which makes streams
ROUTE_FILE = "route.secret"
# Seconds between two restarts of a server that cannot write; each restart disconnects all clients.
LEAST_REST_S, MOST_REST_S = 10.0, 300.0
AGAIN_S = 1.0
MOST_UNSOUND, MOST_UNSOUND_ALONE = 20, 4
"""A broker is given up after this many failed checks in a row. The nodes of a cluster need time to find one another,
and a server that replaces a killed one needs some seconds before it copies again."""


async def serve(app: App, folder: Path, which: Place, seat: BrokerRole | None, binary: Path | None) -> None:
    """Serve; restart the server, after waits that double, when it hangs or can store nothing more."""
    loop = asyncio.get_running_loop()
    rest_s = 0.0
    while True:
        began = loop.time()
        try:
            return await _serve(app, folder, which, seat, binary, rest_s)
        except server.ServerError as exc:
            if exc.reason not in ("no-answer", "cannot-store"):
                raise
            app.note(f"{exc}; it is restarted")
        rest_s = (
            LEAST_REST_S
            if loop.time() - began > MOST_REST_S
            else min(MOST_REST_S, 2 * rest_s or LEAST_REST_S)
        )


async def _serve(
    app: App, folder: Path, which: Place, seat: BrokerRole | None, binary: Path | None, rest_s: float
) -> None:
    held = frame.registry_store(app)
    seed, public = key_in(folder, PROVISIONER_FILE)
    tls = tls_here(app)
    settings = settings_of(folder, which, seat)
    if (tls is None) != (settings.tls is None):
        raise ConfigError(
            f"either both the context and the broker have TLS, or neither: set tls_ca, tls_cert and tls_key in the context, and fill {folder}/tls",
            reason="tls-file",
        )
    registry = held()
    text = server.render_conf(registry, settings=settings, provisioner_nkey=public)
    carrying = Carrying()

    def more() -> tuple[Condition, ...]:
        return (*_conditions(broker), *carrying.conditions(app.now()))

    async with (
        server.NatsServer(folder, text, binary=binary) as broker,
        frame.telling(app, "server", registry=held, connected=False, more=more),
    ):
        await until_first(
            server.tend(broker, room=server.DISK_RESERVE_BYTES, rest_s=rest_s),
            _follow(app, folder, broker, held, registry, seed, settings, tls, carrying),
        )


def _conditions(broker: NatsServer) -> tuple[health.Condition, ...]:
    """The conditions of the broker in the program's report."""
    code, sentence = broker.trouble
    if not code:
        return (
            health.Condition(name="broker", level=health.Level.OK, code="ok", detail="it answers and stores"),
        )
    level = health.Level.WARNING if code == "unhealthy" else health.Level.BAD
    remedy = "tocsin server check, and nats-server.log in its folder"
    return (health.Condition(name="broker", level=level, code=code, detail=sentence, remedy=remedy),)


async def _follow(
    app: App,
    folder: Path,
    broker: NatsServer,
    held: RegistryStore,
    registry: VerifiedRegistry,
    seed: str,
    settings: ServerSettings,
    tls: Tls | None,
    carrying: Carrying,
) -> None:
    """Make the streams and consumers that the registry requires, check them, and follow the registry.

    A node of a cluster waits for the others. They wait for it too, so it must not end.
    """
    seat = settings.seat
    clustered = seat is not None and len(seat.federation.nodes(seat.name)) >= federation.CLUSTER
    most = MOST_UNSOUND if clustered else MOST_UNSOUND_ALONE
    unsound, told = 0, ""
    while True:
        try:
            await _make(folder, broker, registry, seed, settings, tls)
            break
        except server.ServerError as exc:
            unsound += exc.reason == "not-sound"
            if exc.reason != "not-ready" and not 0 < unsound <= most:
                raise
            said = str(exc)
        if said != told:
            told = said
            app.note(
                f"not serving yet: {said}{'; other nodes may not have started yet' if clustered else ''}"
            )
        await asyncio.sleep(AGAIN_S)
    app.note(
        f"serving {registry.domain} (registry version {registry.version}) on {broker.url}; end with Ctrl-C"
    )
    upkeep.notify.ready()
    await until_first(
        carry(app, folder, broker.url, held, seat, tls, carrying),
        subscribing.RegistryFeed(
            held, server.provisioner_endpoint(broker.url, seed, tls), on_news=frame.recorder(app)
        ).run(),
        server.follow_registry(broker, held, standing=registry.digest, seed=seed, settings=settings, tls=tls),
    )


async def _make(
    folder: Path,
    broker: NatsServer,
    registry: VerifiedRegistry,
    seed: str,
    settings: ServerSettings,
    tls: Tls | None,
) -> None:
    await server.provision(broker.url, seed, registry, seat=settings.seat, tls=tls)
    server.must_be_sound(
        await server.check(
            url=broker.url,
            monitor_url=broker.monitor_url,
            provisioner_seed=seed,
            registry=registry,
            seat=settings.seat,
            conf_file=folder / server.CONF_FILE,
            binary=broker.binary,
            tls=tls,
            probe_seeds=[each for each, _ in probes_in(folder)],
            settings=settings,
        )
    )


def settings_of(folder: Path, which: Place, seat: BrokerRole | None) -> server.ServerSettings:
    """The settings of the server, from options, the federation's file and the files in the folder."""
    port = which.port or port_of(seat)
    return server.ServerSettings(
        host=which.host,
        port=port,
        monitor_port=port + MONITOR_ABOVE,
        name=name_of(seat),
        tls=server.ServerTls.in_folder(folder),
        probe_nkeys=tuple(public for _, public in probes_in(folder)),
        route_secret=_route_secret(folder, seat),
        seat=seat,
    )


def tls_here(app: App) -> Tls | None:
    """The context's certificates. The broker's certificate must name the host of the context's server."""
    tls = api.opening.tls_of(app.identity, host=urlsplit(app.identity.server or "").hostname)
    if tls is not None:
        tls.context()  # a fault in its files is reported now
    return tls


def production_registry(app: App) -> VerifiedRegistry:
    """The context's registry. Refuses the registry of a demonstration."""
    registry = frame.open_registry(app)
    if registry.domain.startswith("demo-"):
        raise ConfigError(
            f"{registry.domain} is a demonstration: its keys protect nothing",
            remedy="run `tocsin demo`, or make a registry: tocsin registry init",
            reason="demo-domain",
        )
    return registry


def probes_in(folder: Path) -> list[tuple[str, str]]:
    """(seed, public key) of each probe identity, which tests the walls of the broker; makes the keys on first use."""
    return [key_in(folder, name) for name in server.PROBE_FILES]


def _route_secret(folder: Path, seat: BrokerRole | None) -> str | None:
    """The shared secret of the nodes of a cluster. The first node makes it; the operator copies its file to the others.

    Raises:
        NotFoundError: the folder of a further node lacks it.
        KeyFileError: as `read_secret`; `key-malformed`: the secret was changed.
    """
    if seat is None or len(seat.federation.nodes(seat.name)) < federation.CLUSTER:
        return None
    path = folder / ROUTE_FILE
    if not path.exists():
        if seat.node > 0:
            raise NotFoundError(f"{path} is not there: copy it from the folder of node 1 of {seat.name}")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys.write_secret(path, secrets.token_hex(32).encode())
    secret = keys.read_secret(path)
    if not re.fullmatch(rb"[A-Za-z0-9_-]{16,128}", secret):
        raise KeyFileError(
            f"{path} holds no secret of a cluster",
            remedy=f"copy it again from the folder of another node of {seat.name}",
            reason="key-malformed",
        )
    return secret.decode("ascii")
