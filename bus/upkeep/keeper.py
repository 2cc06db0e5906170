"""The keeper: renews the beacon in time while its key has the role, and warns of other expiring items.

A new beacon goes two ways that do not wait for each other: to the disk, for programs that read this registry's files,
and to the bus, for everybody. Each way is tried again after doubling waits. A problem is logged when it begins, changes
and ends. The keeper reads the last beacon on the bus before it sends one. So a beacon that was kept but not sent before
a kill is sent by the next keeper, and two keepers do not repeat each other.

Two keepers of one registry do no harm: readers take the newer beacon and ignore the other. Each keeper takes in the
other's beacon and then has nothing due. A keeper with an older version sends nothing while it knows of a beacon for a
later version.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable, Collection, Mapping

from bus.audit import Fact
from bus.errors import BrokerError, BusError, ConfigError, DeniedError, TrustError, UnreachableError
from bus.keys import Signer
from bus.logs import logger
from bus.policy import Backoff
from bus.subscribing import Heard, publish_trust
from bus.transport import Connection, Endpoint
from bus.trust import CLOCK_SKEW, RegistryStore, VerifiedRegistry, ceremony
from bus.upkeep.endings import Certificate, Term, terms
from bus.upkeep.role import must_have_role
from bus.upkeep.schedule import Due, due, life_of
from schemas.registry import Beacon

LOOK_S = 1.0
CONNECT_S = 5.0
LOOK_AT_BUS_S = 60.0  # seconds between two comparisons with the bus without news
LOOK_AT_ENDS_S = 60.0  # seconds between two looks at all expiring items of a registry
MOST_WAIT_S = 60.0  # seconds between two tries
REMIND_S = 86_400.0  # seconds between two warnings of the same item

log = logger()


class Keeper:
    """Renews the beacon of one registry. `run` continues until it is cancelled, or its key has lost its role.

    Attributes:
        renewed: the number of beacons made.
        problems: the present problems, by `bus`, `disk`, `beacon` or `clock`; empty if all is well.
        found: the expiring items, at most a minute old.
    """

    def __init__(
        self,
        held: RegistryStore,
        signer: Signer,
        endpoint: Endpoint,
        heard: Callable[[], Heard],
        *,
        life: dt.timedelta,
        clock: Callable[[], dt.datetime],
        certificates: Callable[[], Collection[Certificate]] = tuple,
        on_news: Callable[[str, Mapping[str, Fact]], None] | None = None,
        rng: Callable[[], float] = random.random,
        look_s: float = LOOK_S,
    ) -> None:
        """Prepare without signing.

        Args:
            held: the registry, which keeps the new beacons.
            signer: a key of the beacon role.
            endpoint: address and identity for publishing.
            heard: gives how far the feed beside it has read the bus.
            life: the lifetime of a beacon.
            clock: the present, aware.
            certificates: gives the present certificates whose expiry needs a warning.
            on_news: called, with a word and facts for the audit record, for each new beacon.
            rng: gives a number from 0 to below 1.
            look_s: seconds between two looks at the held registry.
        """
        self.renewed = 0
        self.problems: dict[str, str] = {}
        self.found: tuple[Term, ...] = ()
        self._held = held
        self._signer = signer
        self._endpoint = endpoint
        self._heard = heard
        self._life = life
        self._clock = clock
        self._certificates = certificates
        self._on_news = on_news
        self._rng = rng
        self._look_s = look_s
        self._jitter = rng()
        self._mine: Beacon | None = None  # the last beacon made here, kept or not
        self._unkept: bytes | None = None
        self._unsent: bytes | None = None
        self._waits = {way: Backoff(wait=1.0, most=MOST_WAIT_S) for way in ("bus", "disk", "beacon", "clock")}
        self._compare_at = self._warn_at = 0.0
        self._warned: dict[tuple[str, str, str], float] = {}

    async def run(self) -> None:
        """Keep the beacon fresh until cancelled.

        Raises:
            TrustError: as `must_have_role`, at the start or when a version has taken the role away.
        """
        must_have_role(self._held(), self._signer.kid, self._clock())
        async with Connection.open(self._endpoint) as connection:
            while True:
                await self.look(connection)
                await asyncio.sleep(self._look_s)

    async def look(self, connection: Connection) -> None:
        """Do the work due now: make a beacon, keep it, send it, warn of expiry.

        Raises:
            TrustError: as `must_have_role`.
        """
        now, registry = self._clock(), self._held()
        must_have_role(registry, self._signer.kid, now)
        when = self.due(now)
        is_early = self._is_ahead()
        if not is_early and when.at is not None and when.at <= now and self._may_try("beacon"):
            self._make(registry, when.why, now)
            when = self.due(now)
        if when.at is None:
            self._failed(
                "beacon", "registry_behind", f"a beacon names a later version than {registry.version}"
            )
        elif when.at > now:
            self._done("beacon")
        self._keep()
        await self._send(connection)
        self._warn()

    def _is_ahead(self) -> bool:
        """Whether this clock is so far ahead that readers would refuse its dates; log a clock that is ahead or behind.

        A beacon from the future is worse than none: an attacker may hold it back, show it at that time, and vouch for
        revoked keys.
        """
        ahead, most = self._heard().ahead_s or 0.0, CLOCK_SKEW.total_seconds()
        if abs(ahead) <= most:
            self._done("clock")
            return False
        minutes = round(abs(ahead) / 60)
        where = "ahead of" if ahead > 0 else "behind"
        self._failed(
            "clock", "clock_off", f"this clock is {minutes} minutes {where} the broker's", reason="clock-off"
        )
        return ahead > 0

    def due(self, now: dt.datetime) -> Due:
        """When the next beacon is due, by the held beacon and the one made here.

        A beacon ahead of this clock, made when the clock was wrong, is refused by all readers and delays no other.
        """
        registry = self._held()
        last = max(
            (
                one
                for one in (registry.beacon, self._mine)
                if one is not None and one.issued <= now + CLOCK_SKEW
            ),
            key=lambda one: (one.version, one.issued),
            default=None,
        )
        return due(version=registry.version, last=last, now=now, jitter=self._jitter)

    @property
    def is_done(self) -> bool:
        """Whether the newest beacon is on the disk and on the bus, to present knowledge."""
        return self._unkept is None and self._unsent is None and self._compare_at > 0.0

    def terms(self) -> tuple[Term, ...]:
        """The expiring items of the registry and the certificates."""
        return terms(self._held(), self._certificates(), self._clock())

    # -- a beacon, and its two ways ---------------------------------------------------------------------------------

    def _make(self, registry: VerifiedRegistry, why: str, now: dt.datetime) -> None:
        """Sign a beacon, check it as every reader will, and prepare it for both ways."""
        ends = registry.document.beacon.keys[self._signer.kid].not_after
        life = life_of(self._life, now=now, key_ends=ends)
        raw = ceremony.new_beacon(registry, self._signer, now, life)
        try:
            made = registry.with_beacon(raw, now)
        except TrustError as exc:
            # For example `rollback`: the clock was set back, or another keeper's is ahead. It passes; until then it is
            # logged.
            self._failed("beacon", "beacon_not_renewed", str(exc), reason=exc.reason)
            return
        self._mine = made.beacon
        self._unkept = self._unsent = raw
        self._jitter = self._rng()
        self.renewed += 1
        for way in self._waits.values():
            way.until = 0.0
        log.info("beacon_renewed", version=registry.version, why=why, good_until=str(now + life))
        if self._on_news is not None:
            facts: dict[str, Fact] = {
                "domain": registry.domain,
                "version": registry.version,
                "digest": registry.digest,
            }
            self._on_news("beacon-signed", {**facts, "by": self._signer.kid, "why": why})

    def _keep(self) -> None:
        """Write the new beacon, unless a newer one has come in between."""
        if self._unkept is None or not self._may_try("disk"):
            return
        try:
            self._held.take(self._unkept)
        except (OSError, ConfigError) as exc:
            self._failed("disk", "beacon_not_kept", str(exc))
            return
        except TrustError as exc:
            log.info("beacon_overtaken", reason=exc.reason)
        self._unkept = None
        self._done("disk")

    async def _send(self, connection: Connection) -> None:
        """Send the new beacon, or the held one if the bus lacks it."""
        loop = asyncio.get_running_loop()
        if not self._may_try("bus") or (self._unsent is None and loop.time() < self._compare_at):
            return
        try:
            await connection.until_connected(CONNECT_S)
            if self._unsent is None and not self._heard().at_end:
                return  # the beacon on the bus is not known yet
            raw = self._unsent or self._held.beacon()
            if raw is not None and self._is_missing(raw):
                await publish_trust(connection, raw)
        except (UnreachableError, DeniedError, BrokerError, OSError) as exc:
            reason = exc.reason if isinstance(exc, BusError) else "system"
            self._failed("bus", "beacon_not_announced", str(exc), reason=reason)
            return
        self._unsent = None
        self._compare_at = loop.time() + LOOK_AT_BUS_S
        self._done("bus")

    def _is_missing(self, raw: bytes) -> bool:
        """Whether the bus lacks this valid beacon and has none as new."""
        now, registry = self._clock(), self._held()
        try:
            ours = registry.with_beacon(raw, now).beacon
        except TrustError:
            return False  # it has expired, or a newer one exists
        last = self._heard().beacon
        if last is None:
            return True
        try:
            theirs = registry.with_beacon(last, now).beacon
        except TrustError:
            return True
        return ours is not None and theirs is not None and _order(theirs) < _order(ours)

    # -- logging ----------------------------------------------------------------------------------------------------

    def _may_try(self, way: str) -> bool:
        return asyncio.get_running_loop().time() >= self._waits[way].until

    def _failed(self, way: str, event: str, problem: str, **facts: str) -> None:
        self._waits[way].fail(asyncio.get_running_loop().time())
        if self.problems.get(way) != problem:
            log.warning(event, problem=problem, **facts)
        self.problems[way] = problem

    def _done(self, way: str) -> None:
        wait = self._waits[way]
        wait.wait, wait.until = 1.0, 0.0
        if self.problems.pop(way, None):
            log.info("keeper_problem_over", way=way)

    def _warn(self) -> None:
        """Warn of items that expire soon or have expired: once, then each day, and when the level becomes worse."""
        present = asyncio.get_running_loop().time()
        if present < self._warn_at:
            return
        self._warn_at = present + LOOK_AT_ENDS_S
        self.found = self.terms()
        for term in self.found:
            if term.level == "ok":
                continue
            key = (term.what, term.name, term.level)
            if present - self._warned.get(key, -REMIND_S) < REMIND_S:
                continue
            self._warned[key] = present
            facts = {
                field: str(getattr(term, field)) for field in ("what", "whose", "name", "ends", "remedy")
            }
            if term.level == "bad":
                log.error("has_ended", **facts)
            else:
                log.warning("ends_soon", **facts)


def _order(beacon: Beacon) -> tuple[int, dt.datetime]:
    return beacon.version, beacon.issued
