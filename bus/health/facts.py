"""The facts about one identity and its programs, before they are judged. They have no judgement and no secrets.

Each part may be absent (None, or empty) if it does not apply or nobody has looked. A running program gives its own
facts. A command gives its fresh findings, with the states that programs have written. Times are aware, durations in
seconds, sizes in bytes.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from bus.health.report import Condition


class Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base class of all facts."""


class ReaderFacts(Shape, frozen=True, kw_only=True):
    """The reading of the bus into the store, as its program reports it. See `bus.subscribing.Reading`.

    `standing` is `reading` or `standing-by`. `caught_up` says whether the store is recent enough to judge channels.
    `as_of` is the moment up to which all messages of the bus were taken in, `since` the start of reading.
    """

    standing: str = "reading"
    attached: bool = False
    caught_up: bool = False
    behind: int = 0
    lag_s: float = 0.0
    heard_at: dt.datetime | None = None
    as_of: dt.datetime | None = None
    problem: str = ""
    reason: str = ""
    since: dt.datetime | None = None


class StoreFacts(Shape, frozen=True, kw_only=True):
    """The reader's store: whether a program must always read into it, and when the last bulletin came."""

    lasting: bool = False
    last_at: dt.datetime | None = None
    problem: str = ""
    reason: str = ""


class BusFacts(Shape, frozen=True, kw_only=True):
    """A connection to the broker: whether it is up, and since when it has been up or down."""

    place: str = ""
    reached: bool = False
    since: dt.datetime | None = None
    problem: str = ""
    reason: str = ""


class TrustFacts(Shape, frozen=True, kw_only=True):
    """The registry in force, and its beacon; `state` is fresh, behind, stale or expired.

    `reason` is set if there is no usable registry, `is_forgetful` if a revocation that was taken in can no longer be
    read.
    """

    domain: str = ""
    version: int = 0
    state: str = ""
    is_forgetful: bool = False
    issued: dt.datetime | None = None
    expires: dt.datetime | None = None
    beacon_issued: dt.datetime | None = None
    beacon_until: dt.datetime | None = None
    problem: str = ""
    reason: str = ""


class KeyFacts(Shape, frozen=True, kw_only=True):
    """A key or certificate of this identity; `use` is signing, seal or certificate.

    `reason` is the code why it may not be used, from the function that uses it; empty if it may.
    """

    use: str
    kid: str = ""
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None
    since: dt.datetime | None = None
    problem: str = ""
    reason: str = ""


class GrantFacts(Shape, frozen=True, kw_only=True):
    """The number of channels on which this identity may publish and read, and for a hub on which it may answer."""

    publishes: int = 0
    reads: int = 0
    answers: int | None = None
    problem: str = ""
    reason: str = ""


class OutboxFacts(Shape, frozen=True, kw_only=True):
    """The outbox: rows that must still be sent, and damaged rows, which are not sent.

    `compared` says whether it was compared with the own channels on the bus; None if nobody has tried. `behind` is why
    it must not publish; `reason` is why it cannot be read, or why sending waits.
    """

    waiting: int = 0
    parked: int = 0
    damaged: int = 0
    oldest_at: dt.datetime | None = None
    compared: bool | None = None
    behind: str = ""
    problem: str = ""
    reason: str = ""


class ClockFacts(Shape, frozen=True, kw_only=True):
    """How far this clock is ahead of the broker's in seconds (negative if behind), to within `within_s` seconds."""

    ahead_s: float
    within_s: float = 0.0
    measured_at: dt.datetime | None = None


class DiskFacts(Shape, frozen=True, kw_only=True):
    """The disk of the state folder: free bytes, and bytes that a day needs at the present pace; `full` if a write failed."""

    folder: str = ""
    free: int = 0
    a_day: int = 0
    full: bool = False
    problem: str = ""


class LeaseFacts(Shape, frozen=True, kw_only=True):
    """The lease of the store: `held` by a living process; `ours` if by the reporting program; `lost_at` if it was lost."""

    held: bool = False
    ours: bool = False
    pid: int | None = None
    lost_at: dt.datetime | None = None


class TaskFacts(Shape, frozen=True, kw_only=True):
    """A task of a program, with its error if it has ended."""

    name: str
    alive: bool = True
    problem: str = ""
    since: dt.datetime | None = None


class RefusedFacts(Shape, frozen=True, kw_only=True):
    """The bulletins of this identity that hubs have refused."""

    count: int = 0
    last_at: dt.datetime | None = None
    last_by: str = ""


class ProgramState(msgspec.Struct, frozen=True, kw_only=True):
    """The state that a long-running program writes.

    Attributes:
        program: its name: hub, heartbeat, adapter, server, carrier, drill, watch, keeper.
        owner: its process, as the holder of a lease is named (`bus.storage.lease.owner_name`).
        started_at: when it began.
        as_of: when this was written.
        facts: its facts.
        lasting: whether it must always run, so that its absence is reported.
        ended_at: when it ended normally; None while it runs, and after a kill.
        problem: the error that ended it.
    """

    program: str
    owner: str
    started_at: dt.datetime
    as_of: dt.datetime
    facts: Facts
    lasting: bool = True
    ended_at: dt.datetime | None = None
    problem: str = ""

    @property
    def pid(self) -> int:
        """Its process id on its host."""
        return int(self.owner.split(":")[1])


class ProgramSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a program as another program found it, and whether its process is alive."""

    state: ProgramState
    alive: bool


class Facts(Shape, frozen=True, kw_only=True):
    """All facts of one judgement.

    Attributes:
        identity: the authority's id.
        more: conditions judged by other rooms, such as the checks of a broker.
        programs: the states that this identity's programs have written.
        unread: the programs whose state exists but cannot be read.
    """

    identity: str = ""
    reader: ReaderFacts | None = None
    store: StoreFacts | None = None
    bus: BusFacts | None = None
    trust: TrustFacts | None = None
    keys: tuple[KeyFacts, ...] = ()
    grants: GrantFacts | None = None
    outbox: OutboxFacts | None = None
    clock: ClockFacts | None = None
    disk: DiskFacts | None = None
    lease: LeaseFacts | None = None
    tasks: tuple[TaskFacts, ...] = ()
    refused: RefusedFacts | None = None
    more: tuple[Condition, ...] = ()
    programs: tuple[ProgramSeen, ...] = ()
    unread: tuple[str, ...] = ()
