"""The life of one bulletin, as the outbox and the store each know their part of it."""

from __future__ import annotations

import datetime as dt
import sqlite3

import msgspec

from bus.storage import utc
from bus.subscribing import erasure, stored
from schemas.bulletin import Bulletin


class TraceStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a bulletin."""

    at: dt.datetime
    what: str
    detail: str = ""


def of_outbox(db: sqlite3.Connection, wanted: str) -> list[TraceStep]:
    """What its publisher's outbox knows; `wanted` is an id or a digest."""
    row = db.execute("SELECT * FROM outbox WHERE id = ?1 OR digest = ?1", (wanted,)).fetchone()
    if row is None:
        return []
    steps = [
        TraceStep(
            at=utc(row["kept_at"]),
            what="accepted",
            detail=f"{row['channel']} number {row['seq']}, digest {row['digest']}",
        )
    ]
    if row["attempted_at"] is not None:
        steps.append(TraceStep(at=utc(row["attempted_at"]), what="sent", detail=row["subject"]))
    if row["stored_at"] is not None:
        steps.append(
            TraceStep(at=utc(row["stored_at"]), what="stored", detail=f"{row['stream']} {row['stream_seq']}")
        )
    sql = "SELECT reader, stage, min(at) AS at FROM receipts WHERE digest = ? GROUP BY reader, stage"
    steps += [
        TraceStep(at=utc(each["at"]), what=each["stage"], detail=f"by {each['reader']}")
        for each in db.execute(sql, (row["digest"],)).fetchall()
    ]
    if row["problem"]:
        last = row["attempted_at"] or row["kept_at"]
        steps.append(TraceStep(at=utc(last), what=row["state"], detail=row["problem"]))
    return steps


def of_store(db: sqlite3.Connection, wanted: str) -> list[TraceStep]:
    """What a reader's store knows; `wanted` is an id or a digest."""
    steps: list[TraceStep] = []
    for row in db.execute("SELECT * FROM admitted WHERE id = ?1 OR digest = ?1", (wanted,)).fetchall():
        kept = stored(row)
        bulletin = kept.bulletin
        labels = f", labels {', '.join(sorted(kept.labels))}" if kept.labels else ""
        steps.append(
            TraceStep(
                at=bulletin.issued,
                what="issued",
                detail=f"{bulletin.issuer.id}, TLP:{bulletin.tlp.upper()} to {bulletin.audience}, status {bulletin.status}: "
                f"{bulletin.info[0].headline}",
            )
        )
        steps.append(
            TraceStep(
                at=kept.admitted_at,
                what="admitted",
                detail=f"{kept.channel} number {kept.seq}, key {kept.kid}, trust {kept.trust}{labels}, from {row['stream']} {row['stream_seq']}",
            )
        )
        steps += _ended(db, bulletin)
    for row in db.execute("SELECT * FROM quarantine WHERE id = ?1 OR digest = ?1", (wanted,)).fetchall():
        steps.append(TraceStep(at=utc(row["at"]), what="refused", detail=f"{row['reason']}: {row['detail']}"))
    if (gone := erasure.of(db, wanted)) is not None:
        detail = (
            f"{gone.channel} number {gone.seq}, {gone.why.replace('-', ' ')}; its place in the chain stays"
        )
        steps.append(
            TraceStep(at=gone.at, what="erased" if gone.why == erasure.RETENTION else "pruned", detail=detail)
        )
    for row in db.execute("SELECT * FROM held_back WHERE digest = ?", (wanted,)).fetchall():
        steps.append(
            TraceStep(
                at=utc(row["until"]),
                what="waits",
                detail=f"{row['channel']} number {row['seq']}, for the one before it",
            )
        )
    return steps


def _ended(db: sqlite3.Connection, bulletin: Bulletin) -> list[TraceStep]:
    """What superseded or withdrew it, and who else tried to."""
    sql = (
        "SELECT e.how, e.by, e.issuer, e.status, coalesce(a.admitted_at, t.at) AS at FROM revisions e "
        "LEFT JOIN admitted a ON a.row = e.row LEFT JOIN tombstones t ON t.id = e.by WHERE e.target = ? ORDER BY e.row"
    )
    found = []
    for row in db.execute(sql, (bulletin.id,)).fetchall():
        mine = row["issuer"] == bulletin.issuer.id and row["status"] == bulletin.status
        found.append(
            TraceStep(
                at=utc(row["at"]),
                what=row["how"] if mine else "disregarded",
                detail=f"by {row['by']} of {row['issuer']}"
                if mine
                else f"{row['by']} of {row['issuer']}, status {row['status']}, would have it {row['how']}",
            )
        )
    return found
