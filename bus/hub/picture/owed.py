"""The duties and their times, as the table of clocks has them; so many at most, whatever the store holds.

A clock that something narrower than its bulletin changed is worked out for each reader: who may not see the change sees it as before.
"""

from __future__ import annotations

import datetime as dt
import heapq
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice, product, zip_longest
from typing import NamedTuple

import msgspec

from bus.hub.clocks import ACKNOWLEDGEMENT, Clock, Standing, is_owner, standing
from bus.hub.picture import clocked, tied
from bus.hub.picture.clearance import NARROWEST, ask, pairs_of
from bus.hub.rows import TABLE_OF
from bus.policy import Clearance
from bus.storage import utc
from bus.subscribing import as_json, whole
from bus.trust import VerifiedRegistry
from schemas.vocab import Status

MOST = 300
"""So many clocks that are late, and so many that are not, are told at most; and so many that were met."""

_ACTUAL = TABLE_OF[Status.ACTUAL]
_EACH = (
    "SELECT c.row, c.rule, c.place, c.owner, c.start, c.due, c.latest, c.ends, c.met, c.met_by, c.is_told, c.is_open, s.id, s.issuer, s.kind, "
    f"s.headline, s.tlp, s.audience FROM clocks c CROSS JOIN {_ACTUAL} s ON s.row = c.row "
    "WHERE LIMITS(c) AND LIMITS(s) AND s.ended_by IS NULL "
    f"AND (c.rule != '{ACKNOWLEDGEMENT}' OR (:acknowledges AND s.expires > :now))"
)
_OURS = (
    "c.is_open AND c.is_ours AND c.tlp_rank = :rank AND c.audience = :audience "
    f"AND {clocked.IS_ACK.format('c.rule')} = :is_ack"
)
_AUTHOR = f"SELECT c.issuer FROM clocks c WHERE LIMITS(c) AND {_OURS} AND c.issuer > :issuer ORDER BY c.issuer LIMIT 1"
_LATE = "c.ends < :now ORDER BY c.ends DESC LIMIT :most"
_RUNS = "c.ends >= :now ORDER BY c.ends LIMIT :most"
_MET = "1 ORDER BY c.met DESC LIMIT :most"


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """One clock, with the bulletin that started it.

    Attributes:
        id: of the bulletin.
        rule, place, owner, start, due, latest, met, met_by: see `bus.hub.clocks.Clock`.
        standing: the state of the clock: `running`, `due_soon`, `late`, `met` or `met_late`.
        issuer, kind, headline, tlp, audience: of the bulletin.
    """

    id: str
    rule: str
    place: str
    owner: tuple[str, ...]
    start: dt.datetime
    due: dt.datetime
    latest: dt.datetime | None
    met: dt.datetime | None
    met_by: str | None
    standing: Standing
    issuer: str
    kind: str
    headline: str
    tlp: str
    audience: str


def owed(
    db: sqlite3.Connection,
    now: dt.datetime,
    registry: VerifiedRegistry,
    reader: str | None = None,
    *,
    every: bool = False,
    ours: str | None = None,
    rule: str | None = None,
    most: int = MOST,
) -> tuple[Owed, ...]:
    """The clocks of valid actual bulletins, the first due first.

    Args:
        db: a reader's store.
        now: the present.
        registry: the clocks of laws, who belongs to what, who may read what.
        reader: a hub, whose acknowledgements are told too; None for none.
        every: also what was met.
        ours: an authority: only what it owes, itself or as one of those who do. It must be the one whose store this is.
        rule: only of this rule; None for all.
        most: so many that are late, so many that are not, and so many that were met.
    """
    return _owed_of(_Question(db, None, now, registry, reader, ours, rule, most), every=every)


def owed_within(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    registry: VerifiedRegistry,
    reader: str | None = None,
    *,
    every: bool = False,
    ours: str | None = None,
    by_author: bool = False,
    most: int = MOST,
) -> tuple[Owed, ...]:
    """As `owed`, of what a person may see: a bulletin above the person starts no clock here, and meets none.

    So a clock may run here that is met by what is marked above: nothing that is told depends on that.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present.
        registry: as for `owed`.
        reader: as for `owed`.
        every: as for `owed`.
        ours: as for `owed`.
        by_author: what `ours` owes is taken from each author by turns, so that nobody who asks for much hides what others ask for;
            `most` counts for acknowledgements and for other duties.
        most: as for `owed`.
    """
    question = _Question(db, clearance, now, registry, reader, ours, None, most)
    return _owed_of(question, every=every, by_author=by_author)


def owed_by(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    registry: VerifiedRegistry,
    reader: str | None,
    rows: Iterable[int],
) -> tuple[Owed, ...]:
    """The clocks of these bulletins, met or not, as far as a person may see them; arguments as for `owed_within`."""
    return _owed_of(_Question(db, clearance, now, registry, reader, None, None, MOST), rows=tuple(rows))


def owed_as_of(db: sqlite3.Connection) -> tuple[object, ...]:
    """What changes with the clocks where no event tells of it: what is taken in to be acknowledged, what is, and by which law."""
    sql = "SELECT law, calendars, row, (SELECT max(n) FROM receipt_queue) FROM clock_upto"
    return tuple(db.execute(sql).fetchone())


class _Question(NamedTuple):
    """What is asked, by whom."""

    db: sqlite3.Connection
    clearance: Clearance | None
    now: dt.datetime
    registry: VerifiedRegistry
    reader: str | None
    ours: str | None
    rule: str | None
    most: int

    def ask(self, sql: str, **given: object) -> sqlite3.Cursor:
        """The rows of a statement, within the limits."""
        given |= {"now": self.now.timestamp(), "most": self.most, "acknowledges": self.reader is not None}
        if self.clearance is None:
            return self.db.execute(sql.replace("LIMITS(c) AND LIMITS(s)", "1"), given)
        return ask(self.db, self.clearance, sql, given)

    def walk(self, order: str, *, met: bool = False) -> Iterator[sqlite3.Row]:
        """So many rows in the order of an index, in which those of each marking and audience stand together."""
        there = "c.met IS NOT NULL AND NOT c.is_open" if met else "c.is_open"
        there += "" if self.ours is None or met else " AND c.is_ours"
        ruled = "" if self.rule is None else " AND c.rule = :rule"
        sql = f"{_EACH} AND c.tlp_rank = :rank AND c.audience = :audience AND {there}{ruled} AND {order}"
        pairs = self._pairs(there.replace("c.", "")) if self.clearance is None else pairs_of(self.clearance)
        walks = [self.ask(sql, rank=rank, audience=audience, rule=self.rule) for rank, audience in pairs]
        name = "met" if met else "ends"
        found = heapq.merge(*walks, key=lambda row: row[name], reverse=" DESC" in order)
        return islice(found, self.most)

    def turns(self, clearance: Clearance, order: str, *, is_ack: bool) -> Iterator[sqlite3.Row]:
        """So many rows of what is owed, from each author by turns; of each in the order of an index."""
        walks: dict[str, list[Iterator[sqlite3.Row]]] = {}
        for rank, audience in pairs_of(clearance):
            given = {"rank": rank, "audience": audience, "is_ack": is_ack, "issuer": ""}
            while (found := self.ask(_AUTHOR, **given).fetchone()) is not None:
                given["issuer"] = found["issuer"]
                walk = self.ask(f"{_EACH} AND {_OURS} AND c.issuer = :issuer AND {order}", **given)
                walks.setdefault(found["issuer"], []).append(walk)
        lanes = [
            heapq.merge(*some, key=lambda row: row["ends"], reverse=" DESC" in order)
            for some in walks.values()
        ]
        rounds = zip_longest(*lanes)
        return islice((row for each in rounds for row in each if row is not None), self.most)

    def _pairs(self, there: str) -> Iterator[tuple[int, str]]:
        """Each marking and audience that the table has, each found by one step of an index."""
        sql = f"SELECT audience FROM clocks WHERE {there} AND tlp_rank = ? AND audience > ? ORDER BY audience LIMIT 1"
        for rank in range(NARROWEST + 1):
            audience = ""
            while (found := self.db.execute(sql, (rank, audience)).fetchone()) is not None:
                audience = found[0]
                yield rank, audience


def _owed_of(
    question: _Question, *, every: bool = False, rows: tuple[int, ...] | None = None, by_author: bool = False
) -> tuple[Owed, ...]:
    if by_author and question.clearance is not None:
        found = [
            row
            for order, is_ack in product((_LATE, _RUNS), (False, True))
            for row in question.turns(question.clearance, order, is_ack=is_ack)
        ]
    elif rows is not None:
        of_rows = f"{_EACH} AND c.row IN (SELECT value FROM json_each(:rows)) LIMIT :most"
        found = list(question.ask(of_rows, rows=as_json(rows)))
    else:
        found = [
            *question.walk(_LATE),
            *question.walk(_RUNS),
            *(question.walk(_MET, met=True) if every else ()),
        ]
    told = filter(None, (_told(question, each) for each in found))
    known = question.registry.document
    wanted = [
        each
        for each in told
        if (every or rows is not None or each.met is None)
        and (question.ours is None or is_owner(question.ours, each.owner, known))
    ]
    return tuple(sorted(wanted, key=lambda each: (each.due, each.id, each.rule, each.place)))


def _told(question: _Question, row: sqlite3.Row) -> Owed | None:
    clock = Clock(
        rule=row["rule"],
        place=row["place"],
        owner=tuple(msgspec.json.decode(row["owner"], type=list[str])),
        start=utc(row["start"]),
        due=utc(row["due"]),
        latest=None if row["latest"] is None else utc(row["latest"]),
        met=None if row["met"] is None else utc(row["met"]),
        met_by=row["met_by"],
    )
    if not row["is_told"] and question.clearance is not None:
        seen = _as_seen(question, question.clearance, row["row"], clock)
        if seen is None:
            return None
        clock = seen
    return Owed(
        **msgspec.structs.asdict(clock),
        standing=standing(clock, question.now),
        id=row["id"],
        issuer=row["issuer"],
        kind=row["kind"],
        headline=row["headline"],
        tlp=row["tlp"],
        audience=row["audience"],
    )


def _as_seen(question: _Question, clearance: Clearance, row: int, clock: Clock) -> Clock | None:
    """A clock as a person sees it who may not see all that changed it; None where it does not run any more, and is not taken out yet."""
    zones = clocked.zones(question.db)
    for kept in whole(question.db.execute("SELECT * FROM admitted WHERE row = ?", (row,))):
        b = kept.bulletin
        for each in clocked.started(question.registry, b, zones):
            if (each.rule, each.place) == (clock.rule, clock.place):
                return clocked.after(
                    each, b, tuple(tied.later_of(question.db, b, clearance)), question.registry
                )
    return None
