"""The duties and their times: the clocks of valid bulletins in a store, with the later bulletins that met them."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from bus import trust
from bus.hub.clocks import Clock, Standing, acknowledgement, clocks_of, followed, standing
from bus.hub.elections import calendars, of_country, zone_of
from bus.hub.picture import answers
from bus.hub.picture.answers import About
from bus.hub.picture.clearance import ask
from bus.policy import Clearance, Deadlines, deadlines
from bus.storage import utc
from bus.subscribing import Stored, as_json, bodies, whole
from bus.trust import VerifiedRegistry
from schemas.bodies.coordination import Feedback, Rfi
from schemas.bulletin import Bulletin
from schemas.elections import coarse, phase_over
from schemas.subject import Channel
from schemas.vocab import ReceiptStage, RefRel

MOST = 2000
"""So many bulletins are examined: the newest valid ones."""
MOST_WALKED = 20_000
"""Among so many of the newest rows, seen or not, what a person may see is looked for."""
MOST_OF_ONE = 8
"""So many bulletins of one authority about a bulletin are tried on its clocks, the earliest ones: many of one hide no other's."""
MOST_FILED = 50
"""So many reports of one authority that are filed under one incident are tried on the clocks of each other."""
MOST_ACKS = dt.timedelta(days=1)
"""An acknowledgement that is late for longer is left to the alarms of its author."""

_DPA = "dpa"

_STANDING = """
SELECT a.* FROM actual s JOIN admitted a ON a.row = s.row WHERE s.ended_by IS NULL ORDER BY s.row DESC LIMIT ?
"""
_SEEN = """
SELECT a.* FROM actual s JOIN admitted a ON a.row = s.row WHERE LIMITS(s) AND s.ended_by IS NULL AND s.row > :least ORDER BY s.row DESC LIMIT :most
"""
_READ = "SELECT digest, at FROM receipt_queue WHERE stage = ? AND digest IN (SELECT value FROM json_each(?))"


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


class _Tied(NamedTuple):
    """Bulletins by what they name, and reports by author and the incident they are filed under."""

    naming: Mapping[str, Sequence[Bulletin]]
    filed: Mapping[tuple[str, str], Sequence[Bulletin]]


def owed(
    db: sqlite3.Connection,
    now: dt.datetime,
    registry: VerifiedRegistry,
    reader: str | None = None,
    *,
    every: bool = False,
    allowed: Deadlines = deadlines.DEFAULTS,
) -> tuple[Owed, ...]:
    """The clocks of valid actual bulletins, the first due first.

    Args:
        db: a reader's store.
        now: the present.
        registry: the clocks of laws, who belongs to what, who may read what.
        reader: a hub, whose acknowledgements are told too; None for none.
        every: also what was met.
        allowed: how long a hub has to acknowledge.
    """
    kept = list(whole(db.execute(_STANDING, (MOST,))))
    return _owed_of(db, kept, now, registry, reader, every=every, allowed=allowed)


def owed_within(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    registry: VerifiedRegistry,
    reader: str | None = None,
    *,
    every: bool = False,
    allowed: Deadlines = deadlines.DEFAULTS,
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
        allowed: as for `owed`.
    """
    least = bodies.last_row(db) - MOST_WALKED
    kept = list(whole(ask(db, clearance, _SEEN, {"most": MOST, "least": least})))
    return _owed_of(db, kept, now, registry, reader, every=every, allowed=allowed)


def _owed_of(
    db: sqlite3.Connection,
    kept: Sequence[Stored],
    now: dt.datetime,
    registry: VerifiedRegistry,
    reader: str | None,
    *,
    every: bool,
    allowed: Deadlines,
) -> tuple[Owed, ...]:
    zones = {each.country: zone_of(each.body.tz) for each in calendars(db)}
    tied = _tied(row.bulletin for row in reversed(kept))
    found: list[Owed] = []
    for row in kept:
        b = row.bulletin
        zone = zones.get(b.issuer.country, dt.UTC)
        clocks = clocks_of(b, registry.document.clocks, zone=zone)
        if clocks:
            thread = [ref.id for ref in b.references if ref.rel is RefRel.SUPERSEDES]
            later = list(_later(b, thread, tied, registry))
            clocks = tuple(_followed(each, b, thread, later, registry) for each in clocks)
        found += [_owed(each, b, now) for each in clocks]
    if reader is not None:
        found += _to_acknowledge(db, kept, now, registry, reader, allowed)
    wanted = [each for each in found if every or each.met is None]
    return tuple(sorted(wanted, key=lambda each: (each.due, each.id, each.rule, each.place)))


def _tied(bulletins: Iterable[Bulletin]) -> _Tied:
    naming: defaultdict[str, list[Bulletin]] = defaultdict(list)
    filed: defaultdict[tuple[str, str], list[Bulletin]] = defaultdict(list)
    count: Counter[tuple[str, str]] = Counter()
    for b in bulletins:
        author = b.issuer.id
        for id_ in {ref.id for ref in b.references}:
            count[id_, author] += 1
            if count[id_, author] <= MOST_OF_ONE:
                naming[id_].append(b)
        # An answer counts for what it names alone.
        if b.incident_id is not None and not isinstance(b.body, Feedback):
            # A breach is told of by the authority to which it was notified, too.
            for whose in (author, *([_DPA] if b.issuer.kind == _DPA else [])):
                mates = filed[b.incident_id, whose]
                if len(mates) < MOST_FILED:
                    mates.append(b)
    return _Tied(naming, filed)


def _followed(
    clock: Clock, b: Bulletin, thread: Sequence[str], later: Sequence[Bulletin], registry: VerifiedRegistry
) -> Clock:
    """A clock after those later bulletins that may meet one of its sort: answers what is asked, reports what is reported."""
    is_asked = clock.place.startswith("actions/") or isinstance(b.body, Rfi | Feedback)
    fit = [each for each in later if isinstance(each.body, Feedback) is is_asked]
    return followed(clock, b, fit, registry.document, thread) if fit else clock


def _later(b: Bulletin, thread: Iterable[str], tied: _Tied, registry: VerifiedRegistry) -> Iterator[Bulletin]:
    """The bulletins that may meet the clocks of a bulletin: of answers only the valid ones."""
    about = About.of(b)
    ids = frozenset((b.id, *thread))
    seen = {b.id}
    named = [each for id_ in ids for each in tied.naming.get(id_, ())]
    incident = b.incident_id or ""
    filed = [each for whose in (b.issuer.id, _DPA) for each in tied.filed.get((incident, whose), ())]
    for each in (*named, *filed):
        if each.id in seen:
            continue
        seen.add(each.id)
        if isinstance(each.body, Feedback):
            names = {ref.issuer or "" for ref in each.references if ref.id in ids}
            channel = str(About.of(each).channel)
            if all(answers.why_not(channel, name, about, registry) is not None for name in names):
                continue
        yield each


def _to_acknowledge(
    db: sqlite3.Connection,
    kept: Sequence[Stored],
    now: dt.datetime,
    registry: VerifiedRegistry,
    reader: str,
    allowed: Deadlines,
) -> Iterator[Owed]:
    """The bulletins that a person at this hub must read and acknowledge, if their authors are told."""
    ways = {
        name: trust.receipt_grants.may_answer(registry, reader, Channel.parse(name))
        for name in {row.channel for row in kept}
    }
    asked = [row for row in kept if ways[row.channel] and row.bulletin.expires > now]
    digests = as_json([row.digest for row in asked])
    read = {digest: utc(at) for digest, at in db.execute(_READ, (ReceiptStage.ACKNOWLEDGED, digests))}
    known = calendars(db)
    for row in asked:
        b = row.bulletin
        there = coarse(phase_over(of_country(known, b.issuer.country), row.admitted_at))
        phases = {there, *([coarse(b.election.phase)] if b.election is not None else [])}
        clock = acknowledgement(b, row.admitted_at, phases, allowed, reader)
        if clock is None:
            continue
        met = read.get(row.digest)
        if met is None and now - clock.due > MOST_ACKS:
            continue
        yield _owed(msgspec.structs.replace(clock, met=met), b, now)


def _owed(clock: Clock, b: Bulletin, now: dt.datetime) -> Owed:
    return Owed(
        **msgspec.structs.asdict(clock),
        standing=standing(clock, now),
        id=b.id,
        issuer=b.issuer.id,
        kind=b.kind,
        headline=b.headline,
        tlp=str(b.tlp),
        audience=b.audience,
    )
