"""One bulletin with all that a page tells of it: its thread, what was answered, where else its observables stand, why it is trusted."""

from __future__ import annotations

import datetime as dt
import sqlite3

import msgspec

from bus import threads
from bus.filters import observed
from bus.hub.picture import answers, noise
from bus.hub.picture.answers import About, Said
from bus.hub.picture.clearance import above, ask
from bus.hub.picture.lines import Line, Page, of_id, of_rows
from bus.hub.picture.lists import also_in
from bus.hub.rows import TABLE_OF
from bus.hub.watch import holdings
from bus.policy import Clearance
from bus.storage import utc
from bus.subscribing import Stored, as_json, whole
from bus.trust import VerifiedRegistry
from schemas.subject import Channel
from schemas.vocab import Status

MOST_VERSIONS = 50
MOST_OBSERVABLES = 100
ALSO = 5


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """An observable of a bulletin.

    Attributes:
        norm: its value in one spelling.
        types: what it is, each with the role that it has.
        noise: why it says nothing by itself (`bus.hub.picture.noise`); empty where it may say something, and only then `also` is filled.
        also: other bulletins that have it, the last first.
    """

    norm: str
    types: tuple[tuple[str, str], ...]
    noise: str
    also: Page | None


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The thread of a bulletin.

    Attributes:
        versions: its versions and withdrawals that the reader may see and that are kept, the newest first.
        living: the id of the version to act on; empty where the reader may not see it, or it is not kept any more.
        above: how many more are said to the same audiences and marked above the reader's ceiling.
    """

    versions: tuple[Line, ...]
    living: str
    above: int


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What admission recorded of a bulletin, and what the registry says of it now.

    Attributes:
        channel: where it was said, `seq` its number there; `prev` the digest of the one before, which it names.
        digest: of the signed bytes.
        received_at: when the place in the chain was taken; `admitted_at` when it was believed and kept.
        delay_s: seconds from when it was issued until it was admitted.
        kid: the key; `key_of` whose the registry says it is now, None where it names it no more.
        trust: how current the registry was when it came in.
        labels: what admission and the chain found.
        endorsers: co-issuers who have signed.
        stream: from where it came, and as which number.
        registry_version: of the registry now, for `domain`.
        is_granted: whether the registry lets its issuer publish on this channel now.
        holders: hubs that say they hold the channel up to this bulletin or further.
    """

    channel: str
    seq: int
    prev: str | None
    digest: str
    received_at: dt.datetime
    admitted_at: dt.datetime
    delay_s: float
    kid: str
    key_of: str | None
    trust: str
    labels: tuple[str, ...]
    endorsers: tuple[str, ...]
    stream: str
    stream_seq: int
    domain: str
    registry_version: int
    is_granted: bool
    holders: tuple[str, ...]


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """One bulletin, whole; `stored` has the signed bytes and what they say, None where they have changed in this store."""

    line: Line
    stored: Stored | None
    lineage: Lineage
    answers: tuple[Said, ...]
    answers_above: int
    observables: tuple[Observed, ...]
    more_observables: int
    admission: Admission | None


def one_bulletin(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    registry: VerifiedRegistry,
    wanted: str,
    *,
    status: Status = Status.ACTUAL,
) -> Dossier | None:
    """One bulletin, with what else the reader may see of it.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        now: the present, aware.
        registry: as it is held now.
        wanted: its id, whole.
        status: actual or exercise.

    Returns:
        None where it is not held, or may not be seen: nobody learns which.
    """
    line = of_id(db, clearance, now, status, wanted)
    if line is None:
        return None
    table = TABLE_OF[status]
    sql = f"SELECT a.* FROM admitted a JOIN {table} s ON s.row = a.row WHERE s.row = :row AND LIMITS(s)"
    row = ask(db, clearance, sql, {"row": line.row}).fetchone()
    stored = next(iter(whole((row,))), None) if row is not None else None
    said, hidden = answers_of(db, clearance, registry, status, line)
    seen = sorted(observed(stored.bulletin)) if stored is not None else []
    by_norm: dict[str, list[tuple[str, str]]] = {}
    for norm, type_, role in seen:
        by_norm.setdefault(norm, []).append((type_, role))
    told = [
        _observed(db, clearance, now, status, line.row, norm, types)
        for norm, types in list(by_norm.items())[:MOST_OBSERVABLES]
    ]
    return Dossier(
        line=line,
        stored=stored,
        lineage=_lineage(db, clearance, now, status, line),
        answers=said,
        answers_above=hidden,
        observables=tuple(told),
        more_observables=max(0, len(by_norm) - MOST_OBSERVABLES),
        admission=_admission(db, clearance, table, registry, stored),
    )


def answers_of(
    db: sqlite3.Connection, clearance: Clearance, registry: VerifiedRegistry, status: Status, line: Line
) -> tuple[tuple[Said, ...], int]:
    """The answers to a bulletin that count and may be seen, the newest first; and how many others are marked above the reader."""
    table = TABLE_OF[status]
    about = About(id=line.id, channel=_channel(line, status))
    answering = f"FROM answered n JOIN {table} s ON s.row = n.row WHERE n.target = :id AND LIMITS(s) AND s.ended_by IS NULL"
    rows = ask(
        db, clearance, f"SELECT n.*, 1 AS stands {answering} ORDER BY n.at DESC, n.id DESC", {"id": line.id}
    ).fetchall()
    hidden = above(db, clearance, f"count(*) {answering}", {"id": line.id})
    return tuple(answers.counting(rows, about, registry)), hidden


def _channel(line: Line, status: Status) -> Channel:
    return Channel.parse(f"{line.issuer}/{status}.{line.tlp.replace('+', '-')}.{line.audience}")


def _observed(
    db: sqlite3.Connection,
    clearance: Clearance,
    now: dt.datetime,
    status: Status,
    row: int,
    norm: str,
    types: list[tuple[str, str]],
) -> Observed:
    why = noise.why(db, norm)
    also = None if why else also_in(db, clearance, now, norm, but=row, status=status, size=ALSO)
    return Observed(norm=norm, types=tuple(types), noise=why, also=also)


def _lineage(
    db: sqlite3.Connection, clearance: Clearance, now: dt.datetime, status: Status, line: Line
) -> Lineage:
    key = threads.Key(line.id, line.issuer, str(status))
    living = threads.thread_of(db, key).living
    ids = [each.id for each in threads.in_thread(db, key, MOST_VERSIONS)] or [line.id]
    members = (
        f"FROM links l JOIN {TABLE_OF[status]} s ON s.row = l.row AND s.id = l.id WHERE l.id IN (SELECT value FROM json_each(:ids)) "
        "AND LIMITS(s) AND s.issuer = :issuer"
    )
    named = {"ids": as_json(ids), "issuer": line.issuer}
    rows = dict(ask(db, clearance, f"SELECT s.id, s.row {members}", named).fetchall())
    return Lineage(
        versions=of_rows(db, clearance, now, status, [rows[id_] for id_ in ids if id_ in rows]),
        living=living if living in rows else "",
        above=above(db, clearance, f"count(*) {members}", named),
    )


def _admission(
    db: sqlite3.Connection,
    clearance: Clearance,
    table: str,
    registry: VerifiedRegistry,
    stored: Stored | None,
) -> Admission | None:
    if stored is None:
        return None
    sql = (
        f"SELECT l.prev, l.received_at, a.stream, a.stream_seq FROM {table} s JOIN links l ON l.id = s.id AND l.row = s.row "
        "JOIN admitted a ON a.row = s.row WHERE s.row = :row AND LIMITS(s)"
    )
    place = ask(db, clearance, sql, {"row": stored.rowid}).fetchone()
    if place is None:
        return None
    key, channel = registry.key(stored.kid), Channel.parse(stored.channel)
    return Admission(
        channel=stored.channel,
        seq=stored.seq,
        prev=place["prev"],
        digest=stored.digest,
        received_at=utc(place["received_at"]),
        admitted_at=stored.admitted_at,
        delay_s=(stored.admitted_at - stored.bulletin.issued).total_seconds(),
        kid=stored.kid,
        key_of=None if key is None else key.authority_id,
        trust=stored.trust,
        labels=tuple(sorted(stored.labels)),
        endorsers=stored.endorsers,
        stream=place["stream"] or "",
        stream_seq=place["stream_seq"] or 0,
        domain=registry.domain,
        registry_version=registry.version,
        is_granted=registry.may_publish(channel.issuer, channel),
        holders=holdings.holders(holdings.reach(db, stored.channel), stored.seq),
    )
