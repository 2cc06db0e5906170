"""An outbox with a long past: a few bulletins are published, and their rows are written again and again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bus.publishing.outbox_rows import sum_of
from schemas.codec import digest
from schemas.envelope import MESSAGE_ID
from tests.growth.rows import AT_ONCE, CACHE
from tests.support.outboxes import store_all
from tests.support.publishers import publishing
from tests.support.world import World, draft

AUTHOR = "xa-csirt"


async def publish_past(path: Path, world: World, count: int) -> None:
    """Make an outbox with so many bulletins of one channel, all of them stored by the broker."""
    async with publishing(path, world, AUTHOR) as publisher:
        for n in range(2):
            await publisher.publish(draft(f"number {n}"))
        outbox = publisher.outbox
        row = dict((await outbox.query("SELECT * FROM bulletins ORDER BY n DESC LIMIT 1"))[0])
        await outbox.read(lambda db: db.execute(CACHE).fetchall())
        past = _past(row, count)
        for _ in range(0, count, AT_ONCE):
            await outbox.write(lambda db: _add(db, past))
        await outbox.write(store_all)
        await outbox.read(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())


def _past(row: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    prev = row["digest"]
    headers = row["headers"].replace(row["id"], "\0i").replace(row["digest"], "\0d")
    for n in range(row["n"] + 1, count + 1):
        seq, id_ = row["seq"] + n - row["n"], f"{row['id'][:24]}{n:012d}"
        payload = row["payload"].replace(row["id"].encode(), id_.encode())
        payload = payload.replace(f'"seq":{row["seq"]}'.encode(), f'"seq":{seq}'.encode())
        payload = payload.replace(row["prev"].encode(), prev.encode())
        found = digest(payload)
        text = headers.replace("\0i", id_).replace("\0d", found)
        another = {**row, "n": n, "id": id_, "seq": seq, "prev": prev, "digest": found, "payload": payload}
        another["headers"] = text
        told = msgspec.json.decode(text, type=dict[str, str])
        told.pop(MESSAGE_ID, None)
        another["sum"] = sum_of(another, told)
        prev = found
        yield another


def _add(db: sqlite3.Connection, past: Iterator[dict[str, Any]]) -> None:
    some = [row for row, _ in zip(past, range(AT_ONCE), strict=False)]
    if not some:
        return
    marks = ", ".join(f":{name}" for name in some[0])
    db.executemany(f"INSERT INTO bulletins ({', '.join(some[0])}) VALUES ({marks})", some)
    db.executemany("INSERT INTO unsent (n, status) VALUES (:n, :status)", some)
    last = some[-1]
    db.execute("REPLACE INTO heads VALUES (?, ?, ?)", (last["channel"], last["seq"], last["digest"]))
