"""The reports of a long-running program: its state file, and `/healthz` and `/metrics` on request."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import msgspec

from bus import health, transport
from bus.cli.frame.app import App
from bus.cli.frame.looking import refused_by_hubs
from bus.cli.frame.session import endpoint, registry_store
from bus.tasks import background
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.health import (
        Condition,
        DiskFacts,
        Facts,
        KeyFacts,
        Link,
        ReaderFacts,
        RefusedFacts,
        Report,
    )
    from bus.hub import HubService
    from bus.publishing import Publisher
    from bus.trust import VerifiedRegistry

PATIENCE_S = 5.0
SAY_S = 0.25
RARELY_S = 60.0
"""Seconds between two counts of a day's needs and of refusals, and two checks of certificates."""
TASKS = ("sender of ", "hub ", "heartbeat of ", "receipts for ", "notify ")
"""Beginnings of the names of tasks that a program cannot do without."""


@asynccontextmanager
async def telling(
    app: App,
    program: str,
    *,
    publisher: Publisher | None = None,
    service: HubService | None = None,
    registry: Callable[[], VerifiedRegistry] | None = None,
    lasting: bool = True,
    connected: bool = True,
    says: bool = True,
    more: Callable[[], tuple[Condition, ...]] = tuple,
) -> AsyncIterator[None]:
    """Report on this program until the context exits.

    Args:
        app: this invocation.
        program: its name in state files and reports.
        publisher: its publisher, if it has one.
        service: its reading service, if it has one.
        registry: returns the registry now; the default is the publisher's, or one opened here.
        lasting: whether the program should always run; any other program serves only at the address of its option.
        connected: whether it checks the broker itself, if its context names one.
        says: whether to say on standard error that the bus does not answer; used if no reader says it.
        more: returns the program's own conditions.

    Raises:
        ConfigError: `health-address`, the program cannot serve at this address.
    """
    held = registry or (publisher.registry if publisher is not None else registry_store(app))
    context = app.identity
    link = None
    if connected and context.server is not None and context.nkey is not None:
        place = endpoint(app, "health", by_phase=True)
        link = health.Link(place, held, app.now, patience_s=app.timeout(PATIENCE_S))
    teller = Teller(app, held, publisher, service, link, more)
    app.told_at = teller.told_at
    file = health.StateFile(app.state_folder(), program, clock=app.now, lasting=lasting)
    where = app.health_at or (context.health if lasting else None)
    problem = ""

    def end(problem: str) -> None:
        with contextlib.suppress(
            OSError
        ):  # the last state says that it runs, and the missing process shows that it does not
            file.end(teller.facts, problem)

    await teller.gather()
    at = None if where is None else health.parse_address(where.replace("{program}", program))
    served = (
        nullcontext()
        if at is None
        else health.serve(at, teller.report, health.metrics_text(teller.current, program))
    )
    try:
        with served as bound:
            if bound is not None:
                shown = bound.path or f"http://{bound.host}:{bound.port}"
                app.note(f"health at {shown}/healthz" if bound.path is None else f"health at {shown}")
            async with background() as tasks:
                if link is not None:
                    tasks.start(link.run(), "check the broker")
                    if says and (service is None or not transport.reader_streams(held(), context.authority)):
                        tasks.start(_say_of_bus(app, link), "tell of the bus")  # otherwise its reader says it
                tasks.start(health.keep_state(file, teller.gather), "state file")
                yield
    except BaseException as exc:
        problem = (
            "" if isinstance(exc, asyncio.CancelledError | KeyboardInterrupt | GeneratorExit) else str(exc)
        )
        raise
    finally:
        end(problem)
        app.last_word = end


async def _say_of_bus(app: App, link: Link) -> None:
    """Say on standard error when the bus does not answer, and when it does again."""
    is_dark = False
    while True:
        if link.bus is not None and link.bus.reached == is_dark:
            is_dark = not link.bus.reached
            app.note(
                f"{link.bus.problem} The connection is tried again." if is_dark else "the bus answers again"
            )
        await asyncio.sleep(SAY_S)


class Teller:
    """Gathers the facts that one program knows of itself."""

    def __init__(
        self,
        app: App,
        registry: Callable[[], VerifiedRegistry],
        publisher: Publisher | None,
        service: HubService | None,
        link: Link | None,
        more: Callable[[], tuple[Condition, ...]],
    ) -> None:
        self.facts = health.Facts(identity=app.identity.authority)
        self._app, self._registry, self._publisher = app, registry, publisher
        self._service, self._link, self._more = service, link, more
        self._at = self._since = app.now()
        self._rarely_at = float("-inf")
        self._a_day = 0
        self._certificates: tuple[KeyFacts, ...] = ()
        self._refused: RefusedFacts | None = None
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._dead_since: dict[str, dt.datetime] = {}
        self._read_until: dt.datetime | None = None  # time of losing the lease
        self._has_read = False

    def told_at(self) -> dt.datetime:
        """The time of the last `gather`."""
        return self._at

    def current(self) -> tuple[Facts, Report, dt.datetime]:
        """(facts, report, present time); may be called in any thread."""
        facts, at, now = self.facts, self._at, self._app.now()
        if (now - at).total_seconds() > health.STALE_S:
            hangs = health.Condition(
                name="tasks",
                level=health.Level.BAD,
                code="program-stuck",
                detail=f"the program has done nothing since {health.moment_text(at)}",
                remedy="end the program and start it again",
                since=at,
            )
            facts = msgspec.structs.replace(facts, more=(*facts.more, hangs))
        return facts, health.judge(facts, now), now

    def report(self) -> Report:
        """The report now."""
        return self.current()[1]

    async def gather(self) -> health.Facts:
        """The facts now."""
        app, now = self._app, self._app.now()
        identity = app.identity.authority
        reader = self._reader()
        trust, grants, keys = health.TrustFacts(), None, self._certificates
        await self._look_rarely(now)
        try:
            registry = self._registry()
        except TocsinError as exc:
            trust = health.TrustFacts(problem=str(exc), reason=exc.reason)
        else:
            trust = health.trust_facts(registry, now)
            if self._publisher is not None or self._service is not None:
                grants = health.grant_facts(registry, identity)
                keys = (*self._keys(registry, now), *self._certificates)
        self.facts = health.Facts(
            identity=identity,
            reader=reader,
            bus=None if self._link is None else self._link.bus,
            trust=trust,
            keys=keys,
            grants=grants,
            outbox=await self._outbox(),
            clock=None if self._link is None else self._link.clock,
            disk=self._disk(reader),
            lease=self._lease(reader, now),
            tasks=self._seen_tasks(now),
            refused=self._refused,
            more=self._more(),
        )
        self._at = self._app.now()
        return self.facts

    def _reader(self) -> ReaderFacts | None:
        if self._service is None:
            return None
        return health.reader_facts(self._service.subscriber.reading(), self._service.standing, self._since)

    def _keys(self, registry: VerifiedRegistry, now: dt.datetime) -> tuple[KeyFacts, ...]:
        identity, publisher = self._app.identity.authority, self._publisher
        sealed = health.seal_key_facts(registry, identity)
        if publisher is None:
            return sealed
        kids = [signer.kid for signer in publisher.stamping.signers]
        return (health.signing_key_facts(registry, identity, kids, now), *sealed)

    async def _outbox(self) -> health.OutboxFacts | None:
        if self._publisher is None:
            return None
        try:
            return await health.sending_facts(self._publisher)
        except TocsinError as exc:
            return health.OutboxFacts(problem=str(exc), reason=exc.reason)

    def _disk(self, reader: ReaderFacts | None) -> DiskFacts:
        found = health.disk_facts(self._app.state_folder(), self._a_day)
        if reader is not None and reader.reason == "store-full":
            return msgspec.structs.replace(found, full=True, problem=reader.problem)
        return found

    def _lease(self, reader: ReaderFacts | None, now: dt.datetime) -> health.LeaseFacts | None:
        if reader is None:
            return None
        is_ours = reader.standing == "reading"
        if is_ours:
            self._has_read, self._read_until = True, None
        elif self._has_read and self._read_until is None:
            self._read_until = now
        return health.LeaseFacts(held=is_ours, ours=is_ours, lost_at=self._read_until)

    def _seen_tasks(self, now: dt.datetime) -> tuple[health.TaskFacts, ...]:
        """The vital tasks, with those that have ended marked."""
        for task in asyncio.all_tasks():
            if task.get_name().startswith(TASKS):
                self._tasks[task.get_name()] = task

        def of(name: str, task: asyncio.Task[object]) -> health.TaskFacts:
            if not task.done():
                return health.TaskFacts(name=name)
            error = None if task.cancelled() else task.exception()
            return health.TaskFacts(
                name=name, alive=False, problem=str(error or ""), since=self._dead_since.setdefault(name, now)
            )

        return tuple(of(name, task) for name, task in self._tasks.items())

    async def _look_rarely(self, now: dt.datetime) -> None:
        """Gather what is costly, or changes seldom."""
        tick = asyncio.get_running_loop().time()
        if tick - self._rarely_at < RARELY_S:
            return
        self._rarely_at = tick
        context = self._app.identity
        files = (context.tls_cert, context.certificate)
        self._certificates = await asyncio.to_thread(functools.partial(health.certificate_facts, *files))
        if self._publisher is not None:
            with contextlib.suppress(TocsinError):
                self._refused = await refused_by_hubs(self._publisher.outbox)
        if self._service is not None:
            try:
                self._a_day = await self._service.store.read(lambda db: health.came_in_a_day(db, now))
            except TocsinError:
                self._rarely_at = float("-inf")
