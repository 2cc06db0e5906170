"""Heartbeats: an authority states, at an announced interval, that it works and which bulletins its readers must hold.

It is one `channel-status` bulletin on status `beat` for each (tlp, audience) on which it may send one, published as any
other. It names the heads of the authority's own channels at that TLP and audience, so that no reader learns of channels
that it may not read. It names only bulletins that a stream has acknowledged, so a reader who lacks one was denied it.
While the last heartbeat waits to be sent there is no further one: readers then see the silence.

Of several processes on one outbox the sending one also beats (`bus.storage.lease`).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from bus.logs import logger
from bus.policy import PACES
from bus.publishing import outbox_table as table
from bus.publishing.outbox import RowState
from bus.publishing.publisher import Accepted, Publisher
from bus.tasks import in_background
from bus.transport import MARGIN_S, SYSTEM_AGE_S, beat_channels
from schemas.bodies.system import ChannelStatus, Head, HeldHead
from schemas.bulletin import Bulletin, Draft
from schemas.codec import decode
from schemas.elections import coarse
from schemas.errors import TocsinError
from schemas.parts import Info
from schemas.subject import Channel
from schemas.vocab import ChannelState, Phase, Posture, Status

TICK_S = 1.0
PROMPT = 0.8  # of the interval: a reader counts from the time of issue, and sending takes time
LOOK_BACK = 50  # rows of a channel among which the last heartbeat is looked for
PART_S = 3.0

log = logger()


class Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """The interval in seconds by phase: before, during and after an election, and when there is none."""

    before: int = PACES["before"].heartbeat_s
    during: int = PACES["during"].heartbeat_s
    after: int = PACES["after"].heartbeat_s
    none: int = PACES["none"].heartbeat_s

    def at(self, phase: Phase) -> int:
        """The interval in a phase."""
        return int(getattr(self, coarse(phase)))


class Watchkeeping(msgspec.Struct, frozen=True, kw_only=True):
    """Other facts in a heartbeat: the posture of the authority, and whether a person is on duty."""

    posture: Posture = Posture.BASELINE
    duty: str = "unstaffed"


UNSTAFFED: Watchkeeping = Watchkeeping()


class Holding(Protocol):
    """The holdings that a hub's heartbeats report of others' channels (`bus.hub.watch.holdings`)."""

    async def news(self, channel: Channel) -> tuple[HeldHead, ...]:
        """The heads to report in a heartbeat on a channel."""

    def note_reported(self, channel: Channel, said: tuple[HeldHead, ...]) -> None:
        """Note that these heads were published."""


class Last(msgspec.Struct, frozen=True, kw_only=True):
    """The last heartbeat on a channel, and whether it still waits to be sent."""

    issued: dt.datetime
    interval_s: int
    state: ChannelState
    waits: bool


class ChannelGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of an outbox about one (tlp, audience)."""

    last: Last | None
    heads: tuple[Head, ...]


# -- deciding: pure -------------------------------------------------------------------------------------------------------


def is_due(last: Last | None, interval_s: int, now: dt.datetime) -> bool:
    """Whether a heartbeat is due.

    The last one promised the next within its interval; a shorter interval applies at once, a longer one from the next
    heartbeat.
    """
    if last is None:
        return True
    if last.waits:
        return False
    if last.state is not ChannelState.UP:
        return True
    promised = min(last.interval_s, interval_s)
    return not dt.timedelta() <= now - last.issued < dt.timedelta(seconds=promised * PROMPT)


def draft(
    channel: Channel,
    heads: tuple[Head, ...],
    interval_s: int,
    now: dt.datetime,
    *,
    state: ChannelState = ChannelState.UP,
    keeping: Watchkeeping = UNSTAFFED,
    held: tuple[HeldHead, ...] = (),
) -> Draft:
    """The draft of a heartbeat."""
    actual = msgspec.structs.replace(channel, status=Status.ACTUAL).name
    return Draft(
        info=(
            Info(
                lang="en",
                headline=f"{channel.issuer} is {state}",
                summary=f"Heartbeat on {channel.name[len(Status.BEAT) + 1 :]}; the next within {interval_s} seconds.",
            ),
        ),
        body=ChannelStatus(
            state=state,
            posture=keeping.posture,
            interval_s=interval_s,
            last_seq=next((head.seq for head in heads if head.channel == actual), 0),
            duty=keeping.duty,
            heads=heads,
            held=held,
        ),
        status=Status.BEAT,
        tlp=channel.tlp,
        audience=channel.audience,
        expires=now.replace(microsecond=0) + dt.timedelta(seconds=3 * interval_s),
    )


# -- asking the outbox ----------------------------------------------------------------------------------------------------


def standing(db: sqlite3.Connection, channel: Channel, now: dt.datetime) -> ChannelGroup:
    """The facts of an outbox about a (tlp, audience): its last heartbeat, and the heads to announce.

    The head of status system is named only while the stream keeps it; otherwise a later reader would miss a bulletin
    that nobody has.
    """
    heads = []
    for status in Status:
        name = msgspec.structs.replace(channel, status=status).name
        head = None if status is Status.BEAT else table.stored_head(db, name)
        if head is not None and (status is not Status.SYSTEM or _is_kept(db, name, head.seq, now)):
            heads.append(Head(channel=name, seq=head.seq, digest=head.digest))
    return ChannelGroup(last=_last(db, channel.name), heads=tuple(heads))


def _is_kept(db: sqlite3.Connection, channel: str, seq: int, now: dt.datetime) -> bool:
    """Whether a bulletin of status system is young enough to stay in its stream for a while."""
    row = db.execute(
        "SELECT max(kept_at) FROM bulletins WHERE channel = ? AND seq = ?", (channel, seq)
    ).fetchone()
    return row[0] is not None and now.timestamp() - row[0] < SYSTEM_AGE_S - MARGIN_S


def _last(db: sqlite3.Connection, channel: str) -> Last | None:
    newest = "SELECT * FROM outbox WHERE channel = ? AND state != 'superseded' ORDER BY seq DESC LIMIT ?"
    for row in table.rows(db, newest, channel, LOOK_BACK):
        if not row.is_whole:
            continue
        bulletin: Bulletin = decode(row.payload)
        if isinstance(bulletin.body, ChannelStatus):
            return Last(
                issued=bulletin.issued,
                interval_s=bulletin.body.interval_s,
                state=bulletin.body.state,
                waits=row.state in (RowState.KEPT, RowState.PARKED),
            )
    return None


# -- beating --------------------------------------------------------------------------------------------------------------


class Heartbeat(msgspec.Struct, eq=False):
    """The heartbeats of one authority while a program runs; call `running`.

    Attributes:
        publisher: publishes for the authority.
        pace: the interval, by phase.
        phase: gives the present phase from the held calendars.
        keeping: posture and duty of the authority.
        holding: a hub's holdings of others' channels; None for an authority that is not a hub.
        problem: why the last beat failed, kept to log it once; empty if it did not fail.
    """

    publisher: Publisher
    pace: Intervals
    phase: Callable[[dt.datetime], Awaitable[Phase]]
    keeping: Watchkeeping = UNSTAFFED
    holding: Holding | None = None
    problem: str = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Beat until the context exits. A clean end, also by cancellation, announces a planned outage; an error does not."""
        is_clean = True
        try:
            async with in_background(self.run(), f"heartbeat of {self.publisher.authority_id}"):
                yield
        except Exception:
            is_clean = False
            raise
        finally:
            if is_clean:
                await self._part()

    async def run(self) -> None:
        """Beat until cancelled. A problem is logged once and the beat is tried again."""
        while True:
            if self.publisher.leads:
                await self._try(self.beat())
            await asyncio.sleep(TICK_S)

    async def beat(
        self, state: ChannelState = ChannelState.UP, *, anyway: bool = False
    ) -> tuple[Accepted, ...]:
        """Publish the due heartbeats, or with `anyway` one on every channel. Returns the kept bulletins.

        Raises:
            PermitError, OutboxError, StoreError: as `Publisher.publish`.
        """
        publisher = self.publisher
        now = publisher.clock()
        interval = self.pace.at(await self.phase(now))
        channels = beat_channels(publisher.registry(), publisher.authority_id)
        groups = await publisher.outbox.read(lambda db: [standing(db, channel, now) for channel in channels])
        said = []
        for channel, group in zip(channels, groups, strict=True):
            if not (anyway or is_due(group.last, interval, now)):
                continue
            held = () if self.holding is None else await self.holding.news(channel)
            beat = draft(channel, group.heads, interval, now, state=state, keeping=self.keeping, held=held)
            said.append(await publisher.publish(beat))
            if self.holding is not None:
                self.holding.note_reported(channel, held)
        return tuple(said)

    async def _part(self) -> None:
        if not self.publisher.leads:
            return  # another process continues, or the silence is not planned
        await self._try(self.beat(ChannelState.PLANNED_OUTAGE, anyway=True))
        if self.publisher.sender is None or not self.publisher.sender.connected:
            return  # the next sender of this outbox sends it
        with contextlib.suppress(TocsinError):
            await self.publisher.idle(PART_S)

    async def _try(self, saying: Awaitable[object]) -> None:
        try:
            await saying
        except TocsinError as exc:
            if str(exc) != self.problem:
                log.warning(
                    "no_heartbeat",
                    authority=self.publisher.authority_id,
                    reason=exc.reason,
                    problem=str(exc),
                )
            self.problem = str(exc)
        except Exception as exc:  # an internal error must not end the heartbeats silently
            if repr(exc) != self.problem:
                log.exception("heartbeat_failed", authority=self.publisher.authority_id)
            self.problem = repr(exc)
        else:
            if self.problem:
                log.warning("heartbeat_again", authority=self.publisher.authority_id)
            self.problem = ""
