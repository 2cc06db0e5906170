"""A broker that follows the registry: users, permissions, streams and consumers, while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bus.errors import BrokerError, DeniedError, UnreachableError
from bus.keys import nkeys
from bus.server.accounts import members
from bus.server.binary import ServerError
from bus.server.checks import imports_check
from bus.server.config import ServerSettings, render_conf
from bus.server.process import NatsServer
from bus.server.provisioning import provision
from bus.transport import Tls
from bus.trust import VerifiedRegistry

EVERY_S = 1.0
RELOADS = 3

log = structlog.get_logger()


async def follow_registry(
    broker: NatsServer,
    registry: Callable[[], VerifiedRegistry],
    *,
    standing: str,
    seed: str,
    settings: ServerSettings,
    every: float = EVERY_S,
    tls: Tls | None = None,
) -> None:
    """Configure and provision the broker anew whenever the registry is another one, until cancelled.

    The server reads its file first: removed users are cut, and what was taken away is refused, before anything is made for
    others. A failure is logged and tried again; until then the server serves as before.

    Args:
        broker: runs, provisioned.
        registry: the registry as it stands, each time it is called.
        standing: digest of the registry by which it runs.
        seed: the provisioner's nkey seed.
        settings: those the broker was started with.
        every: seconds between two looks.
        tls: the provisioner's certificate, where the broker wants one.

    Raises:
        ServerError: `not-running`, when the server has ended.
    """
    public = nkeys.public_of(seed)
    problem = ""
    while True:
        await asyncio.sleep(every)
        broker.must_run()
        current = registry()
        if current.digest == standing:
            continue
        conf = render_conf(current, settings=settings, provisioner_nkey=public)
        try:
            if conf != broker.conf:
                await broker.reload(conf)
                await _until_whole(broker, current, settings, public)
            await provision(broker.url, seed, current, seat=settings.seat, tls=tls)
        except (ServerError, BrokerError, UnreachableError, DeniedError) as exc:
            if exc.reason == "not-running":
                raise
            if str(exc) != problem:
                problem = str(exc)
                log.error(
                    "registry_not_followed", version=current.version, reason=exc.reason, problem=problem
                )
            continue
        standing, problem = current.digest, ""
        log.info("registry_followed", version=current.version, digest=current.digest)


async def _until_whole(
    broker: NatsServer, registry: VerifiedRegistry, settings: ServerSettings, public: str
) -> None:
    """See that no account has lost an import in the reload; reload once more when one has.

    Raises:
        ServerError: `server-reload`, when they are lost still.
    """
    everybody = members(registry, public, settings.seat, settings.probe_nkeys)
    lost = ""
    for _ in range(RELOADS):
        found = await asyncio.to_thread(imports_check, broker.monitor_url, everybody)
        if found.ok:
            return
        lost = found.detail
        log.error("imports_lost", problem=lost)
        await broker.reload(broker.conf)
    raise ServerError(f"after {RELOADS} reloads {lost}", reason="server-reload")
