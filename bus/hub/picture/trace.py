"""The life of one bulletin, as the outbox and the store each know their part of it."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator

import msgspec

from bus import threads
from bus.hub.picture import answers
from bus.hub.picture.answers import About
from bus.storage import utc
from bus.subscribing import bodies, erasure, stored
from bus.trust import VerifiedRegistry
from schemas.bulletin import Bulletin
from schemas.vocab import MsgType


class TraceStep(msgspec.Struct, frozen=True):
    """Something that happened to a bulletin."""

    at: dt.datetime
    what: str
    detail: str = ""


def of_outbox(db: sqlite3.Connection, wanted: str) -> list[TraceStep]:
    """The facts in its publisher's outbox; `wanted` is an id or a digest."""
    row = db.execute("SELECT * FROM outbox WHERE id = ?1 OR digest = ?1", (wanted,)).fetchone()
    if row is None:
        return []
    place = f"{row['channel']} number {row['seq']}, digest {row['digest']}"
    steps = [TraceStep(utc(row["kept_at"]), "accepted", place)]
    if row["attempted_at"] is not None:
        steps.append(TraceStep(utc(row["attempted_at"]), "sent", row["subject"]))
    if row["stored_at"] is not None:
        steps.append(TraceStep(utc(row["stored_at"]), "stored", f"{row['stream']} {row['stream_seq']}"))
    sql = "SELECT min(at) AS at, stage, reader FROM receipts WHERE digest = ? GROUP BY reader, stage"
    steps += [
        TraceStep(utc(at), stage, f"by {reader}") for at, stage, reader in db.execute(sql, (row["digest"],))
    ]
    if row["problem"]:
        steps.append(TraceStep(utc(row["attempted_at"] or row["kept_at"]), row["state"], row["problem"]))
    return steps


def of_store(db: sqlite3.Connection, wanted: str) -> list[TraceStep]:
    """The facts in a reader's store; `wanted` is an id or a digest."""
    steps: list[TraceStep] = []
    for n in bodies.rows_of(db, wanted):
        row = db.execute("SELECT * FROM admitted WHERE row = ?", (n,)).fetchone()
        kept = stored(row)
        bulletin = kept.bulletin
        marking = f"TLP:{bulletin.tlp.upper()} to {bulletin.audience}, status {bulletin.status}"
        issued = f"{bulletin.issuer.id}, {marking}: {bulletin.headline}"
        labels = f", labels {', '.join(sorted(kept.labels))}" if kept.labels else ""
        checked = f"key {kept.kid}, trust {kept.trust}{labels}, from {row['stream']} {row['stream_seq']}"
        steps.append(TraceStep(bulletin.issued, "issued", issued))
        steps.append(TraceStep(kept.admitted_at, "admitted", f"{kept.channel} number {kept.seq}, {checked}"))
        steps += _ended(db, bulletin)
    for row in db.execute("SELECT * FROM quarantine WHERE id = ?1 OR digest = ?1", (wanted,)):
        steps.append(TraceStep(utc(row["at"]), "refused", f"{row['reason']}: {row['detail']}"))
    if (gone := erasure.of(db, wanted)) is not None:
        reason = gone.why.replace("-", " ")
        detail = f"{gone.channel} number {gone.seq}, {reason}; its place in the chain stays"
        steps.append(TraceStep(gone.at, "erased" if gone.why == erasure.RETENTION else "pruned", detail))
    for row in db.execute("SELECT * FROM held_back WHERE digest = ?", (wanted,)):
        detail = f"{row['channel']} number {row['seq']}, for the one before it"
        steps.append(TraceStep(utc(row["until"]), "waits", detail))
    return steps


def of_answers(db: sqlite3.Connection, about: About, registry: VerifiedRegistry) -> list[TraceStep]:
    """The answers to a bulletin, even if the store lacks it: those that count, and those that do not, with the reason."""
    said = {each.row for each in answers.to_one(db, about, registry)}
    steps: list[TraceStep] = []
    for row in db.execute("SELECT * FROM answered WHERE target = ? ORDER BY at, id", (about.id,)):
        told = f"{answers.shown(row['verdict'])} by {row['by']}, {row['id']}"
        if row["row"] in said:
            steps.append(TraceStep(utc(row["at"]), "answered", told))
        else:
            why = answers.why_not(row["channel"], row["named"], about, registry)
            steps.append(
                TraceStep(utc(row["at"]), "disregarded", f"{told}: {why or 'it is withdrawn, or replaced'}")
            )
    return steps


def _ended(db: sqlite3.Connection, bulletin: Bulletin) -> Iterator[TraceStep]:
    """The bulletins that superseded or withdrew it or its thread, and those of another issuer or status without that effect."""
    sql = f"SELECT e.how, e.by, e.issuer, e.status, {_SINCE.format('e.row', 'e.by')} AS at FROM revisions e WHERE e.target = ? ORDER BY e.row"
    named = set()
    for how, by, issuer, status, at in db.execute(sql, (bulletin.id,)).fetchall():
        if (issuer, status) == (bulletin.issuer.id, bulletin.status):
            named.add(by)
            yield TraceStep(utc(at), how, f"by {by} of {issuer}")
        else:
            detail = f"{by} of {issuer}, status {status}, would have it {how}"
            yield TraceStep(utc(at), "disregarded", detail)
    thread = threads.thread_of(db, threads.Key(bulletin.id, bulletin.issuer.id, str(bulletin.status)))
    cancel, came = thread.withdrawn_by, _SINCE.format(_ROW, "?1")
    if cancel is not None and cancel not in {*named, bulletin.id}:
        (at,) = db.execute(f"SELECT {came}", (cancel, thread.issuer, thread.status)).fetchone()
        yield TraceStep(utc(at), "withdrawn", f"with its whole thread, by {cancel} of {thread.issuer}")
    if not named and not thread.is_newest and bulletin.msg_type is not MsgType.CANCEL:
        (at,) = db.execute(f"SELECT {came}", thread.key).fetchone()
        if at is not None:
            yield TraceStep(utc(at), "superseded", f"by {thread.living}, a newer version of its thread")


_ROW = "(SELECT e.row FROM revisions e WHERE e.by = ?1 AND e.issuer = ?2 AND e.status = ?3 LIMIT 1)"
# When a bulletin came, or was erased: by its row and its id.
_SINCE = "coalesce((SELECT admitted_at FROM admitted WHERE row = {}), (SELECT min(t.at) FROM tombstones t WHERE t.id = {}))"
