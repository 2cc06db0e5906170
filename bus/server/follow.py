"""Keeps a running broker in step with the registry: users, permissions, streams and consumers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bus.errors import BrokerError, DeniedError, UnreachableError
from bus.keys import nkeys
from bus.logs import logger
from bus.server.accounts import Member, keys_taken, members
from bus.server.binary import ServerError
from bus.server.conf_checks import imports_check
from bus.server.config import ServerSettings, render_conf
from bus.server.process import NatsServer
from bus.server.provisioning import provision
from bus.transport import Tls
from bus.trust import VerifiedRegistry

EVERY_S = 1.0
WHOLE_S = 10.0  # seconds between two looks at imports while none is missing
MOST_WAIT_S = 300.0  # seconds between two repairs

log = logger()


async def follow_registry(
    broker: NatsServer,
    registry: Callable[[], VerifiedRegistry],
    *,
    standing: str,
    seed: str,
    settings: ServerSettings,
    every: float = EVERY_S,
    look: float = WHOLE_S,
    tls: Tls | None = None,
) -> None:
    """Configure and provision the broker again after each change of the registry, until cancelled.

    The server reads its file first: removed users are cut and withdrawn permissions are refused before anything new is
    made. A failure is logged and tried again; until then the server serves as before.

    Lost imports of accounts are looked for after each reload and every `look` seconds. While some are lost, the server
    is reloaded again, with doubling waits.

    Args:
        broker: the running, provisioned server.
        registry: returns the current registry.
        standing: digest of the registry that the broker follows now.
        seed: the provisioner's nkey seed.
        settings: the settings that the broker was started with.
        every: seconds between two looks at the registry.
        look: seconds between two looks at the imports of the accounts.
        tls: the provisioner's certificate, if the broker requires one.

    Raises:
        ServerError: `not-running`, if the server has ended.
    """
    public = nkeys.public_of(seed)
    problem = ""
    imports = _Imports(look)
    of, conf = "", ""
    everybody: tuple[Member, ...] = ()
    while True:
        await asyncio.sleep(every)
        broker.must_run()
        current = registry()
        is_news = current.digest != standing
        if of != current.digest:
            of, conf = current.digest, render_conf(current, settings=settings, provisioner_nkey=public)
            everybody = members(current, public, settings.seat, settings.probe_nkeys)
            for taken in keys_taken(current, public, settings.seat, settings.probe_nkeys):
                log.error("transport_key_taken", problem=taken)
        try:
            if is_news and conf != broker.conf:
                await broker.reload(conf)
                imports.look_now()
            if conf == broker.conf:
                await imports.keep(broker, everybody)
            if is_news:
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
        problem = ""
        if is_news:
            standing = current.digest
            log.info("registry_followed", version=current.version, digest=current.digest)


class _Imports:
    """Looks at times whether the accounts have their imports; reloads a server that has lost some."""

    def __init__(self, look: float) -> None:
        self._look = look
        self._next = 0.0
        self._wait = 0.0

    def look_now(self) -> None:
        """Look at the next call and repair at once, because the configuration has changed."""
        self._next = self._wait = 0.0

    async def keep(self, broker: NatsServer, everybody: Sequence[Member]) -> None:
        """Look if it is time; reload if some are lost.

        Raises:
            ServerError: as `NatsServer.reload` and `imports_check`.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._next:
            return
        found = await asyncio.to_thread(imports_check, broker.monitor_url, everybody)
        if found.ok:
            self._next, self._wait = loop.time() + self._look, 0.0
            return
        log.error("imports_lost", problem=found.detail)
        self._next = loop.time() + self._wait
        self._wait = min(max(2 * self._wait, self._look / 10), MOST_WAIT_S)
        await broker.reload(broker.conf)
