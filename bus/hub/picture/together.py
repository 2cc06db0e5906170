"""Incidents as a reader sees them: the bulletins of the last weeks joined, and what may belong to them.

It is made when somebody asks, from what the reader may see (docs/adr/055): some tenths of a second for `MOST` bulletins. A
caller that shows it often keeps it until the event log moves.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bus.desk import decisions
from bus.hub import incidents
from bus.hub.picture.clearance import ask
from bus.hub.picture.noise import why_known
from bus.hub.rows import TABLE_OF
from bus.policy import Clearance
from bus.storage import utc
from bus.subscribing import as_json, whole
from schemas.vocab import Status

DAYS = 45
MOST = 2000
"""So many bulletins are looked at, the newest."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin of the window, as a list of members shows it; `countries` are those that it is about, sorted."""

    id: str
    row: int
    issuer: str
    kind: str
    domain: str
    countries: tuple[str, ...] = ()
    election: str | None = None
    tlp: str
    audience: str
    priority: str
    headline: str
    issued: dt.datetime
    stands: bool


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """The incidents of a window.

    Attributes:
        groups: the incidents, the one with the newest member first.
        suggestions: what may belong together, the surest first.
        members: the bulletins of the window by id.
        since: its beginning.
        is_cut_short: whether there were more than `MOST`.
    """

    groups: tuple[incidents.Group, ...]
    suggestions: tuple[incidents.Suggestion, ...]
    members: Mapping[str, Member]
    since: dt.datetime
    is_cut_short: bool

    def group_of(self, id_: str) -> incidents.Group | None:
        """The incident of a bulletin, by any member; one that is joined to nothing is alone in it. None outside the window."""
        for group in self.groups:
            if id_ in group.members:
                return group
        return incidents.Group(id=id_, members=(id_,), ties=()) if id_ in self.members else None

    def suggested_for(self, group: incidents.Group) -> tuple[incidents.Suggestion, ...]:
        """What is suggested about members of an incident."""
        return tuple(each for each in self.suggestions if each.a in group.members or each.b in group.members)


_WINDOW = """
SELECT s.row, s.id, s.issuer, s.kind, s.domain, s.tlp, s.audience, s.priority, s.headline, s.issued, s.expires > :now AND s.ended_by IS NULL AS stands
FROM {table} s WHERE LIMITS(s) AND s.issued >= :since ORDER BY s.row DESC LIMIT :most
"""
_BYTES = "SELECT * FROM admitted WHERE row IN (SELECT value FROM json_each(?))"


def seen(db: sqlite3.Connection, clearance: Clearance, ids: Iterable[str]) -> frozenset[str]:
    """The ids, among these, of bulletins that somebody may read."""
    sql = f"SELECT s.id FROM {TABLE_OF[Status.ACTUAL]} s WHERE LIMITS(s) AND s.id IN (SELECT value FROM json_each(:ids))"
    return frozenset(row["id"] for row in ask(db, clearance, sql, {"ids": as_json(sorted(set(ids)))}))


def together(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    made: Sequence[decisions.Decision] = (),
    *,
    status: Status = Status.ACTUAL,
    days: int = DAYS,
    most: int = MOST,
) -> Together:
    """The incidents of the last days, and what may belong to them.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present, aware.
        made: the decisions that stand (`bus.desk.decisions.all_holding`).
        status: actual or exercise.
        days: how far back.
        most: so many bulletins at the most, the newest.
    """
    since = now - dt.timedelta(days=days)
    arguments = {"now": now.timestamp(), "since": since.timestamp(), "most": most + 1}
    rows = ask(db, clearance, _WINDOW.format(table=TABLE_OF[status]), arguments).fetchall()
    members = {row["id"]: _member(row) for row in rows[:most]}
    every: dict[str, incidents.Traits] = {}
    references: dict[str, tuple[str, ...]] = {}
    for kept in whole(db.execute(_BYTES, (as_json([each.row for each in members.values()]),))):
        every[kept.id] = incidents.traits_of(kept.bulletin)
        references[kept.id] = incidents.references_of(kept.bulletin)
    by = {id_: members[id_].issuer for id_ in every}
    ties = incidents.said(every, references, by)
    groups = incidents.joined(every, ties, made)
    pool = incidents.Pool(every.values(), lambda value: bool(why_known(value)))
    return Together(
        groups=tuple(groups),
        suggestions=tuple(pool.suggested(_pairs(groups), incidents.apart(made))),
        members={
            id_: msgspec.structs.replace(
                each, countries=tuple(sorted(every[id_].countries)), election=every[id_].election
            )
            for id_, each in members.items()
            if id_ in every
        },
        since=since,
        is_cut_short=len(rows) > most,
    )


def _pairs(groups: Iterable[incidents.Group]) -> list[tuple[str, str]]:
    """Pairs that join the members of each incident: each with the first."""
    return [(group.id, other) for group in groups for other in group.members[1:]]


def _member(row: sqlite3.Row) -> Member:
    return Member(
        id=row["id"],
        row=row["row"],
        issuer=row["issuer"],
        kind=row["kind"],
        domain=row["domain"],
        tlp=row["tlp"],
        audience=row["audience"],
        priority=row["priority"],
        headline=row["headline"],
        issued=utc(row["issued"]),
        stands=bool(row["stands"]),
    )
