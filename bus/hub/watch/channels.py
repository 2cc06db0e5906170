"""The channels of a store as a reader sees them: alive or not, missing bulletins, contradictions."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from functools import cache

import msgspec

from bus.hub.watch.alarms import uptimes
from bus.hub.watch.holdings import announced, differences, granted, holes
from bus.hub.watch.liveness import Alarm, Liveness, Reason, Signs, is_overdue, state_of
from bus.storage import utc
from bus.subscribing import contested, totals
from bus.transport import beat_channels
from bus.trust import VerifiedRegistry
from schemas.subject import Channel
from schemas.vocab import TALK, Status

DEFAULT_INTERVAL_S = 300
_ORDER = {str(status): place for place, status in enumerate(Status)}


_OVERTAKEN = """
SELECT c.channel FROM channels c WHERE c.channel LIKE '%/beat.%' AND c.last_issued >
(SELECT l.issued FROM links l WHERE l.channel = c.channel AND l.seq = c.heartbeat_seq)
"""
"""SQL: the heartbeat channels with a bulletin dated after the heartbeat with the highest number."""


class ChannelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One channel as a reader sees it.

    `said` is the state that the authority itself gives in its heartbeats. `gaps` is the number of bulletins missing
    between held ones. `announced` is the number that its issuer or another hub announces and that has not come, `by`
    names the announcer, and `overdue` says whether they should have come. `split` names those that hold another
    bulletin than this reader at one place. `uptime` is the recorded share by phase, in parts per million.
    """

    authority: str
    channel: str
    state: Liveness
    said: str | None = None
    last_seq: int | None = None
    last_issued: dt.datetime | None = None
    last_heard: dt.datetime | None = None
    interval_s: int = DEFAULT_INTERVAL_S
    gaps: int = 0
    announced: int = 0
    by: str | None = None
    overdue: bool = False
    forks: int = 0
    split: tuple[str, ...] = ()
    refused: int = 0
    beats: bool = False
    uptime: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The channel with its issuer."""
        return f"{self.authority}/{self.channel}"

    @property
    def status(self) -> Status:
        """The status of its bulletins."""
        return Status(self.channel.partition(".")[0])

    @property
    def has_trouble(self) -> bool:
        """Whether it has missing, contradicted or refused bulletins."""
        return bool(self.gaps or self.announced or self.forks or self.split or self.refused)

    @property
    def beside(self) -> str:
        """The actual channel of the same authority, TLP and audience."""
        return f"{self.authority}/{Status.ACTUAL}.{self.channel.partition('.')[2]}"


class _Missing(msgspec.Struct):
    """The announced bulletins of a channel that are not held, or for which another one is held."""

    seq: int = 0
    by: str | None = None
    since: float = float("inf")
    forks: int = 0
    split: set[str] = msgspec.field(default_factory=set)

    def reaches(self, seq: int, by: str, since: float) -> None:
        """Note that an issuer or a hub announces this number of the channel."""
        if seq > self.seq:
            self.seq, self.by = seq, by
        self.since = min(self.since, since)


def channel_rows(
    db: sqlite3.Connection,
    now: dt.datetime,
    registry: VerifiedRegistry,
    reader: str,
    *,
    blind: bool = False,
    with_uptime: bool = False,
) -> tuple[ChannelRow, ...]:
    """Every channel that the reader has a grant for, and every other that it has received; actual ones first.

    A heartbeat is a sign of life for all channels of the same authority, TLP and audience. The promise of the one with
    the highest number counts until one is dated after it, because on status beat a missing number shows no gap. With
    `blind` the store is behind the bus: every state is `unknown`, since a silence may be the reader's own. Uptime is
    read only on request.
    """
    heard = {row["channel"]: row for row in db.execute("SELECT * FROM channels")}
    outages = {(row["channel"], row["seq"]): row["until"] for row in db.execute("SELECT * FROM outages")}
    refused = totals.refused_by_channel(db)
    forks = contested.undecided(db)
    holes = totals.missing(db)
    up = uptimes(db) if with_uptime else {}
    missing = _missing(db, registry, reader)
    overtaken = {name for (name,) in db.execute(_OVERTAKEN)}
    beating = {str(each) for name in registry.document.authorities for each in beat_channels(registry, name)}
    rows = []
    for name in set(heard) | set(missing) | set(_granted(registry, reader)):
        row = heard.get(name)
        authority, _, channel = name.partition("/")
        record = registry.document.authorities.get(authority)
        beating_on = f"{authority}/{Status.BEAT}.{channel.partition('.')[2]}"
        # Heartbeats from before status beat existed are on status system.
        sign = (
            beating_on if beating_on in heard else f"{authority}/{Status.SYSTEM}.{channel.partition('.')[2]}"
        )
        beats = heard.get(sign)
        told = None if sign in overtaken else beats
        last_heard = max((each["last_heard"] for each in (row, beats) if each is not None), default=None)
        registered = record.heartbeat_s if record else DEFAULT_INTERVAL_S
        interval = (told["interval_s"] if told else None) or registered
        said = told["state"] if told and told["last_heard"] == last_heard else None
        until = outages.get((sign, told["heartbeat_seq"])) if told else None
        signs = Signs(last_heard=last_heard, interval_s=interval, said=said, until=until)
        lacking = missing.get(name, _Missing())
        last_seq = row["last_seq"] if row else None
        rows.append(
            ChannelRow(
                authority=authority,
                channel=channel,
                state=Liveness.UNKNOWN if blind else state_of(signs, now),
                said=said,
                last_seq=last_seq,
                last_issued=utc(row["last_issued"]) if row else None,
                last_heard=utc(last_heard) if last_heard is not None else None,
                interval_s=interval,
                gaps=0
                if channel.startswith(f"{Status.BEAT}.")
                else holes.get(name, 0),  # the newest are kept
                announced=max(0, lacking.seq - (last_seq or 0)),
                by=lacking.by,
                overdue=lacking.seq > 0 and is_overdue(lacking.since, interval, now),
                forks=forks.get(name, 0) + lacking.forks,
                split=tuple(sorted(lacking.split)),
                refused=refused.get(name, 0),
                beats=beating_on in beating,
                uptime=up.get(name, {}),
            )
        )
    return tuple(sorted(rows, key=lambda row: (_ORDER.get(row.channel.partition(".")[0], 9), row.name)))


def real(rows: Iterable[ChannelRow]) -> tuple[ChannelRow, ...]:
    """The channels without those of exercises and tests, which never share a view with actual ones.

    A heartbeat channel has its own row only if it keeps no other channel alive, or if it has trouble.
    """
    every = tuple(rows)
    names = {row.name for row in every}
    return tuple(
        row for row in every if _stands_alone(row, names) or (row.status in TALK and row.has_trouble)
    )


def _granted(registry: VerifiedRegistry, reader: str) -> Iterator[str]:
    """The actual channels that a grant opens to a publisher and that this reader may read; answers are not awaited."""
    for name in registry.document.authorities:
        for status, tlp, audience in registry.granted_prefixes(name):
            channel = Channel(issuer=name, status=status, tlp=tlp, audience=audience)
            if status is Status.ACTUAL and registry.may_read(reader, channel):
                yield str(channel)


def _missing(db: sqlite3.Connection, registry: VerifiedRegistry, reader: str) -> dict[str, _Missing]:
    """By readable channel, the announced bulletins that this reader lacks or for which it holds another one."""
    missing: dict[str, _Missing] = {}
    may_read = cache(lambda name: granted(registry, reader, name) is not None)
    for head in announced(db):
        if not may_read(head.channel):
            continue
        entry = missing.setdefault(head.channel, _Missing())
        if head.other:
            entry.forks += 1
        else:
            entry.reaches(head.seq, head.holder, head.since)
    for difference in differences(db, registry, reader):
        entry = missing.setdefault(difference.channel, _Missing())
        if difference.other:
            entry.split.add(difference.holder)
        else:
            entry.reaches(difference.seq, difference.holder, difference.since)
    return missing


def alarms_of(db: sqlite3.Connection, rows: tuple[ChannelRow, ...]) -> tuple[Alarm, ...]:
    """The alarms of these channels, at most one for each reason and channel."""
    names = {row.name for row in rows}
    return tuple(
        Alarm(channel=row.name, reason=reason, detail=detail)
        for row in rows
        for reason, detail in _problems(db, row, names)
    )


def _problems(
    db: sqlite3.Connection, row: ChannelRow, names: Collection[str]
) -> Iterator[tuple[Reason, str]]:
    """The problems of a channel. Silence is reported for the actual channel, if there is one, and for heartbeat channels."""
    if row.state is Liveness.SILENT and row.beats and _stands_alone(row, names):
        text = f"nothing was heard since {row.last_heard:%Y-%m-%d %H:%M:%S} UTC; a sign of life was due every {row.interval_s} seconds"
        yield Reason.SILENT, text
    if row.gaps:
        yield Reason.GAP, _holes(db, row)
    if row.overdue and row.announced:
        last = row.last_seq or 0
        text = f"{row.by} has announced numbers up to {last + row.announced}, but only numbers up to {last} have come"
        yield Reason.TAIL, text
    if row.forks:
        yield Reason.FORK, _CONTRADICTS
    if row.split:
        peers = " and ".join(row.split)
        text = f"{peers} received another bulletin at one place than this hub; this hub requests it"
        yield Reason.SPLIT, text


_CONTRADICTS = (
    "its issuer contradicts itself; tocsin bulletin proof saves the evidence. When the issuer has named the true one: "
    "tocsin hub decide"
)


def _stands_alone(row: ChannelRow, names: Collection[str]) -> bool:
    """Whether a channel is actual, or a heartbeat or system channel without an actual channel beside it."""
    return row.status is Status.ACTUAL or (row.status in TALK and row.beside not in names)


def _holes(db: sqlite3.Connection, row: ChannelRow) -> str:
    spans = holes(db, row.name, 3)
    listed = ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in spans)
    return (
        f"{row.gaps} missing between received ones: number {listed}{' and more' if len(spans) == 3 else ''}"
    )
