"""Questions to a hub's store: pure reads, answered as structs that are fit for JSON."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable

import msgspec

from bus.hub.elections import Election, elections
from bus.hub.watch import channel_rows
from bus.storage import from_row, single
from bus.subscribing import undecided
from bus.trust import VerifiedRegistry
from schemas.vocab import Status, Tlp

TOP = 10


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin in force, in a line; `sealed` says what of it was opened for who looks, and what was not."""

    id: str
    issuer: str
    kind: str
    priority: str
    severity: str
    status: str = "actual"  # an exercise is never part of the picture
    tlp: str
    audience: str
    area: str
    election: str | None
    headline: str
    issued: dt.datetime
    expires: dt.datetime
    sealed: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The situation at one moment; actual bulletins only."""

    at: dt.datetime
    trust: str
    registry_version: int
    in_force: int
    tlp: str | None
    """The narrowest marking of what it was made from: the whole is shared no further than that."""
    by_priority: dict[str, int]
    by_dimension: dict[str, dict[str, int]]
    by_kind: dict[str, int]
    top: tuple[Item, ...]
    elections: tuple[Election, ...]
    channels_by_state: dict[str, int]
    withdrawn: int
    expired: int
    refused: int
    exercises_in_force: int
    contested: tuple[str, ...] = ()
    """The authorities with an undecided contradiction: what they have said since supersedes and cancels nothing."""


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """One refused message."""

    at: dt.datetime
    reason: str
    detail: str
    subject: str
    digest: str
    channel: str | None
    seq: int | None


def picture(
    db: sqlite3.Connection,
    now: dt.datetime,
    registry: VerifiedRegistry,
    reader: str | None = None,
    *,
    blind: bool = False,
) -> Picture:
    """The situation now; with `blind` no channel is judged, as in `channel_rows`."""
    moment = now.timestamp()
    rows = db.execute("SELECT * FROM actual WHERE ended_by IS NULL AND expires > ?", (moment,)).fetchall()
    areas: dict[str, list[str]] = {}
    for row in rows:
        for dimension in json.loads(row["dimensions"]):
            areas.setdefault(dimension, []).append(row["area"])
    ranked = sorted(rows, key=lambda row: (row["priority"], -row["issued"], row["id"]))
    seen = channel_rows(db, now, registry, reader, blind=blind) if reader else ()
    contested = {channel.partition("/")[0] for channel in undecided(db) if "/actual." in channel}
    return Picture(
        at=now,
        trust=str(registry.state(now)),
        registry_version=registry.version,
        in_force=len(rows),
        tlp=next((str(tlp) for tlp in Tlp if any(row["tlp"] == tlp for row in rows)), None),
        by_priority=_count(row["priority"] for row in rows),
        by_dimension={dimension: _count(areas[dimension]) for dimension in sorted(areas)},
        by_kind=_count(row["kind"] for row in rows),
        top=tuple(_item(db, row) for row in ranked[:TOP]),
        elections=elections(db, now),
        channels_by_state=_count(row.state for row in seen if row.channel.startswith(f"{Status.ACTUAL}.")),
        withdrawn=single(db, "SELECT count(*) FROM actual WHERE ended_how = 'cancelled'"),
        expired=single(db, "SELECT count(*) FROM actual WHERE ended_by IS NULL AND expires <= ?", moment),
        refused=single(db, "SELECT count(*) FROM quarantine"),
        exercises_in_force=single(
            db, "SELECT count(*) FROM exercise WHERE ended_by IS NULL AND expires > ?", moment
        ),
        contested=tuple(sorted(contested)),
    )


def quarantine(db: sqlite3.Connection, limit: int) -> tuple[Quarantined, ...]:
    """The newest refusals."""
    rows = db.execute("SELECT * FROM quarantine ORDER BY n DESC LIMIT ?", (limit,))
    return tuple(from_row(Quarantined, row) for row in rows)


def as_text(picture: Picture) -> list[str]:
    """The picture as lines for a terminal; every symbol is also a word.

    What bulletins say stands in them as it came: the caller makes a line safe before it prints it.
    """
    lines = [
        f"{picture.at:%Y-%m-%d %H:%M:%S} UTC   trust {picture.trust} (registry version {picture.registry_version})",
        f"{picture.in_force} bulletins in force: "
        + (_spell(picture.by_priority) or "none")
        + (f"; made from up to TLP:{picture.tlp.upper()}" if picture.tlp else ""),
    ]
    if picture.by_dimension:
        lines += ["", "by dimension and area"]
        lines += [f"  {name:<22} {_spell(areas)}" for name, areas in picture.by_dimension.items()]
    if picture.top:
        lines += ["", "what stands out"]
        lines += [
            f"  {item.priority} {item.issued:%m-%d %H:%M} {item.issuer:<9} {item.kind:<18} TLP:{item.tlp.upper():<12} {item.audience:<10} {item.headline}"
            + (f" ({', '.join((*item.labels, *item.sealed))})" if item.labels or item.sealed else "")
            for item in picture.top
        ]
    if picture.elections:
        lines += ["", "elections"]
        lines += [
            f"  {election.election:<18} {election.country:<3} {election.phase} ({election.coarse})"
            + (f", next change {election.next_change:%Y-%m-%d %H:%M} UTC" if election.next_change else "")
            for election in picture.elections
        ]
    if picture.contested:
        lines += ["", f"contested, for they contradict themselves: {', '.join(picture.contested)}"]
    lines += ["", f"channels: {_spell(picture.channels_by_state) or 'none heard yet'}"]
    lines.append(
        f"withdrawn {picture.withdrawn}, expired {picture.expired}, refused {picture.refused}, exercises in force {picture.exercises_in_force}"
    )
    return lines


def _spell(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _item(db: sqlite3.Connection, row: sqlite3.Row) -> Item:
    labels = db.execute("SELECT labels FROM admitted WHERE row = ?", (row["row"],)).fetchone()
    return from_row(Item, row, labels=sorted(json.loads(labels["labels"])))
