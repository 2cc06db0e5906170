"""Questions to a hub's store: pure reads, answered as structs that are fit for JSON."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from bus.filters import Selection
from bus.hub.elections import Election, elections
from bus.hub.picture import answers, selected, tallies
from bus.hub.rows import TABLE_OF
from bus.hub.watch import channel_rows
from bus.storage import from_row
from bus.subscribing import Stored, totals, undecided, whole
from bus.trust import VerifiedRegistry
from schemas.subject import Channel
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
    short: str = ""
    """The beginning of its id that no other here has."""
    answers: tuple[str, ...] = ()
    """The authorities that dispute it, and counts of the other answers."""


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
    filter: str = ""
    """The filter, as it is written; empty for all. The lines after the elections are not filtered."""
    contested: tuple[str, ...] = ()
    """The authorities with an undecided contradiction: what they have said since supersedes and cancels nothing."""
    disputed: int = 0
    """The number of bulletins in force that are disputed."""


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """One refused message; the channel is what it claims, None where that is not proven."""

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
    selection: Selection | None = None,
) -> Picture:
    """The situation now; with `blind` no channel is judged, as in `channel_rows`.

    Of what a selection asks for it tells alone, where there is one; not so of channels, elections and totals.
    """
    moment = now.timestamp()
    if selection is None or selection.is_any:
        counts, top = tallies.in_force(db, moment), tallies.first(db, moment, TOP)
    else:
        counts, top = _filtered(db, selected.in_force(db, selection, now))
    areas: dict[str, Counter[str]] = {}
    for sort, count in counts.items():
        for dimension in json.loads(sort.dimensions):
            areas.setdefault(dimension, Counter())[sort.area] += count
    seen = channel_rows(db, now, registry, reader, blind=blind) if reader else ()
    contested = {channel.partition("/")[0] for channel in undecided(db) if "/actual." in channel}
    return Picture(
        at=now,
        trust=str(registry.state(now)),
        registry_version=registry.version,
        in_force=counts.total(),
        tlp=next((str(tlp) for tlp in Tlp if any(sort.tlp == tlp for sort in counts)), None),
        by_priority=_by(counts, "priority"),
        by_dimension={dimension: dict(sorted(areas[dimension].items())) for dimension in sorted(areas)},
        by_kind=_by(counts, "kind"),
        top=tuple(_item(db, row, registry) for row in top),
        filter=str(selection or ""),
        elections=elections(db, now),
        channels_by_state=_count(row.state for row in seen if row.channel.startswith(f"{Status.ACTUAL}.")),
        withdrawn=tallies.number(db, "actual", tallies.WITHDRAWN, moment),
        expired=tallies.number(db, "actual", tallies.OVER, moment),
        refused=sum(totals.refused_by_reason(db).values()),
        exercises_in_force=tallies.number(db, "exercise", tallies.IN_FORCE, moment),
        contested=tuple(sorted(contested)),
        disputed=len(answers.disputed(db, moment, registry)),
    )


def _filtered(db: sqlite3.Connection, rows: list[int]) -> tuple[Counter[tallies.Sort], list[sqlite3.Row]]:
    """The counts of these rows, and the first rows."""
    among, columns = "row IN (SELECT value FROM json_each(?))", ", ".join(tallies.Sort._fields)
    keys = json.dumps(rows)
    counted = db.execute(f"SELECT {columns}, count(*) FROM actual WHERE {among} GROUP BY {columns}", (keys,))
    counts = Counter({tallies.Sort(*sort): count for *sort, count in counted})
    order = "ORDER BY priority, issued DESC, id LIMIT ?"
    return counts, db.execute(f"SELECT * FROM actual WHERE {among} {order}", (keys, TOP)).fetchall()


def quarantine(db: sqlite3.Connection, limit: int) -> tuple[Quarantined, ...]:
    """The newest refusals."""
    rows = db.execute("SELECT * FROM quarantine ORDER BY n DESC LIMIT ?", (limit,))
    return tuple(from_row(Quarantined, row) for row in rows)


def newest(db: sqlite3.Connection, status: Status, kind: str | None = None) -> Iterator[Stored]:
    """The admitted bulletins of a status, and of a kind, newest first; read when they are needed. Damaged ones are left out."""
    table = TABLE_OF[status]
    only, arguments = ("", [status]) if kind is None else (" AND kind = ?", [status, kind])
    # A bulletin that the picture has failed to take in is in none of its tables.
    sql = f"SELECT row FROM {table} WHERE status = ?{only} UNION SELECT row FROM admitted WHERE tries > 0 ORDER BY row DESC"
    for (row,) in db.execute(sql, arguments):
        for kept in whole(db.execute("SELECT * FROM admitted WHERE row = ?", (row,))):
            if kept.bulletin.status == status and kind in (None, kept.bulletin.kind):
                yield kept


def as_text(picture: Picture) -> list[str]:
    """The picture as lines for a terminal; every symbol is also a word.

    Words of bulletins are in them unchanged: the caller makes a line safe before it prints it.
    """
    lines = [
        f"{picture.at:%Y-%m-%d %H:%M:%S} UTC   trust {picture.trust} (registry version {picture.registry_version})",
        *([f"only: {picture.filter}"] if picture.filter else []),
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
            + (f" ({', '.join(told)})" if (told := (*item.labels, *item.sealed, *item.answers)) else "")
            + f"  [{item.short or item.id}]"
            for item in picture.top
        ]
        lines += _more(picture)
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
        f"disputed {picture.disputed}, withdrawn {picture.withdrawn}, expired {picture.expired}, "
        f"refused {picture.refused}, exercises in force {picture.exercises_in_force}"
    )
    return lines


def _more(picture: Picture) -> list[str]:
    """The number of bulletins of each priority that are not shown, and the command that lists them."""
    shown = Counter(item.priority for item in picture.top)
    left = {
        priority: count - shown[priority]
        for priority, count in picture.by_priority.items()
        if count > shown[priority]
    }
    if not left:
        return []
    asked = f" --filter '{picture.filter}'" if picture.filter else ""
    first = min(left)
    return [
        f"  and {sum(left.values())} more: {_spell(left)}; tocsin bulletin list --priority {first}{asked}"
    ]


def _spell(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _by(counts: Counter[tallies.Sort], field: str) -> dict[str, int]:
    summed: Counter[str] = Counter()
    for sort, count in counts.items():
        summed[getattr(sort, field)] += count
    return dict(sorted(summed.items()))


def _item(db: sqlite3.Connection, row: sqlite3.Row, registry: VerifiedRegistry) -> Item:
    labels = db.execute("SELECT labels FROM admitted WHERE row = ?", (row["row"],)).fetchone()
    channel = Channel(
        issuer=row["issuer"], status=Status(row["status"]), tlp=Tlp(row["tlp"]), audience=row["audience"]
    )
    said = answers.to_one(db, answers.About(id=row["id"], channel=channel), registry)
    return from_row(
        Item,
        row,
        labels=sorted(json.loads(labels["labels"])),
        answers=answers.label(said),
        short=selected.short(db, row["id"]),
    )
