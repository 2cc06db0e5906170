"""What is known of one identity and its programs before it is judged. No opinion stands here, and nothing secret.

Each part may be absent: None, or empty, where it does not apply, or where nobody has looked. A program that runs gives what it
knows of itself; a command that looks afresh gives what it found, and the states that programs have written beside it.
Times are aware, durations in seconds, sizes in bytes.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from bus.health.report import Condition


class Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of any sort."""


class ReaderFacts(Shape, frozen=True, kw_only=True):
    """The reading of the bus into the store, as its program sees it. See `bus.subscribing.Reading`.

    `standing` is `reading` or `standing-by`. `caught_up` says whether channels may be judged by what the store holds; `as_of`
    is the moment up to which all that the bus held has been taken in, `since` when the reading began.
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
    """The reader's store: whether it is meant to be read into at all times, and when something last came."""

    lasting: bool = False
    last_at: dt.datetime | None = None
    problem: str = ""
    reason: str = ""


class BusFacts(Shape, frozen=True, kw_only=True):
    """A connection to the broker: whether it is there, and since when it is or is not."""

    place: str = ""
    reached: bool = False
    since: dt.datetime | None = None
    problem: str = ""
    reason: str = ""


class TrustFacts(Shape, frozen=True, kw_only=True):
    """The registry in force, and the beacon that says so; `state` is fresh, behind, stale or expired.

    `reason` is set when there is none to go by, `is_forgetful` when a revocation that was taken in cannot be read any more.
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

    `reason` is why it may not be used, by the code that uses it; empty when it may.
    """

    use: str
    kid: str = ""
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None
    since: dt.datetime | None = None
    problem: str = ""
    reason: str = ""


class GrantFacts(Shape, frozen=True, kw_only=True):
    """On how many channels this identity may publish and read, and of a hub on how many it may answer."""

    publishes: int = 0
    reads: int = 0
    answers: int | None = None
    problem: str = ""
    reason: str = ""


class OutboxFacts(Shape, frozen=True, kw_only=True):
    """What must still go out, and what is damaged, which does not.

    `compared` says whether it was compared with the own channels on the bus; None where nobody has tried. `behind` is why
    it must not publish; `reason` why it cannot be read, or what its sending waits for.
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
    """How far this clock is ahead of the broker's (behind where negative), known to within `within_s`."""

    ahead_s: float
    within_s: float = 0.0
    measured_at: dt.datetime | None = None


class DiskFacts(Shape, frozen=True, kw_only=True):
    """The disk of the state folder: what is free, and what a day needs at the pace so far; `full` when a write failed."""

    folder: str = ""
    free: int = 0
    a_day: int = 0
    full: bool = False
    problem: str = ""


class LeaseFacts(Shape, frozen=True, kw_only=True):
    """The lease of the store: `held` by a process that lives; `ours` when by the program that tells it; `lost_at` if it was."""

    held: bool = False
    ours: bool = False
    pid: int | None = None
    lost_at: dt.datetime | None = None


class TaskFacts(Shape, frozen=True, kw_only=True):
    """A task of a program, and how it ended if it has."""

    name: str
    alive: bool = True
    problem: str = ""
    since: dt.datetime | None = None


class RefusedFacts(Shape, frozen=True, kw_only=True):
    """What hubs have refused of this identity's bulletins."""

    count: int = 0
    last_at: dt.datetime | None = None
    last_by: str = ""


class ProgramState(msgspec.Struct, frozen=True, kw_only=True):
    """What a program that runs long writes of itself.

    Attributes:
        program: its name: hub, heartbeat, adapter, server, carrier, drill, watch, keeper.
        owner: its process, as the holder of a lease is named (`bus.storage.lease.owner_name`).
        started_at: when it began.
        as_of: when this was written.
        facts: what it knows.
        lasting: whether it is meant to run at all times, so that its absence is told.
        ended_at: when it ended in order; None while it runs, and when it was killed.
        problem: with which error it ended.
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
    """The state of a program as another found it, and whether its process lives."""

    state: ProgramState
    alive: bool


class Facts(Shape, frozen=True, kw_only=True):
    """All that is judged together.

    Attributes:
        identity: the authority's id.
        more: conditions that were judged elsewhere, by who alone understands them, such as the checks of a broker.
        programs: the states that this identity's programs have written, as they were found.
        unread: the programs whose state is there, and cannot be read.
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
