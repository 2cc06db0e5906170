"""A hub's store with a long past: a few bulletins go through the intake, and their rows are written again and again.

Each row has bytes of its own that fit its digest, its place in a chain, and what the hub made of it. The past is 400 days long;
the last few hundred bulletins are in force, each hundredth was withdrawn, and each hundredth was refused.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bus.filters import observed, said
from bus.hub.picture import clocked, counts, index, open_store, projection, tallies
from bus.subscribing import bodies
from schemas.codec import digest
from schemas.parts import Observable
from schemas.vocab import PersonalFlag, Tlp
from tests.support.hubs import STREAM, judged
from tests.support.world import Message, World, bulletin, draft, sign

READER = "xb-hub"
IN_FORCE = 300
EACH_HUNDREDTH = 100
PAST = dt.timedelta(days=400)
AT_ONCE = 20_000
CACHE = "PRAGMA cache_size = -400000"
"""A past is made in one go, so its indexes are to stay in memory; 400 MB."""
_SEQ, _PREV = 987_654_321, "p" * 43
_AUTHORS = ("xa-csirt", "xb-csirt")
SEEN = Observable(type="ipv4-addr", personal=PersonalFlag.NONE, value="203.0.113.7")
"""All of the past have it."""
_PLACES = ((Tlp.GREEN, "community"), (Tlp.AMBER_STRICT, "eu-csirts"))


class Template:
    """One bulletin, and the rows that a hub's store has of it."""

    def __init__(self, message: Message, rows: dict[str, dict[str, Any]]) -> None:
        self._rows = rows
        self._id = message.bulletin.id
        self._parts = message.payload.replace(self._id.encode(), b"\0i").replace(str(_SEQ).encode(), b"\0s")
        self._parts = self._parts.replace(_PREV.encode(), b"\0p")
        self.seq = 0
        self.prev = _PREV
        self.facts = sorted(said(message.bulletin))
        self.observables = sorted(observed(message.bulletin))
        self.text = index.text_of(message.bulletin)

    def another(self, n: int, moment: float, expires: float) -> dict[str, dict[str, Any]]:
        """The rows of the next bulletin on its channel; `n` is its row in the whole store."""
        self.seq += 1
        id_ = f"{self._id[:24]}{n:012d}"
        payload = self._parts.replace(b"\0i", id_.encode()).replace(b"\0s", str(self.seq).encode())
        payload = payload.replace(b"\0p", self.prev.encode())
        found = digest(payload)
        place = {"row": n, "id": id_, "seq": self.seq, "prev": self.prev, "digest": found}
        self.prev = found
        changes = {
            "bodies": {**place, "payload": payload, "admitted_at": moment, "stream_seq": n},
            "places": {**place, "received_at": moment, "issued": moment},
            "actual": {**place, "issued": moment, "expires": expires},
            "receipt_queue": {**place, "n": n, "at": moment},
        }
        return {
            table: {name: changes[table].get(name, value) for name, value in self._rows[table].items()}
            for table in changes
        }


async def fill(path: Path, world: World, count: int) -> None:
    """Make a store with so many admitted bulletins, the last of them a minute before the world's present."""
    async with open_store(path, hold_s=0.0) as store:
        messages = [
            sign(
                world,
                bulletin(
                    world,
                    author,
                    seq=_SEQ,
                    prev=_PREV,
                    say=draft(tlp=tlp, audience=audience, observables=(SEEN,)),
                ),
            )
            for author in _AUTHORS
            for tlp, audience in _PLACES
        ]
        await store.settle(
            [judged(each, world.registry, world.now) for each in messages], STREAM, None, world.now
        )
        await store.release(world.now)
        templates = await store.write(lambda db: [_template(db, each) for each in messages])
        await store.read(lambda db: db.execute(CACHE).fetchall())
        past = _past(templates, world.now.timestamp() - 60.0, count)
        for _ in range(0, count, AT_ONCE):
            await store.write(lambda db: _add(db, past))
        law = clocked.law_of(lambda: world.registry, READER)().stamp
        await store.write(lambda db: _end(db, count, law))
        while await store.write(lambda db: projection.sweep(db, world.now.timestamp())):
            pass
        await store.read(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())


def _template(db: sqlite3.Connection, message: Message) -> Template:
    """The rows of a bulletin, which are taken out."""
    db.execute(
        "INSERT OR IGNORE INTO receipt_queue (stage, digest, id, author, tlp, at, batch, sent) "
        "VALUES ('verified', ?, ?, ?, 'green', 0, 1, 1)",
        (message.digest, message.bulletin.id, message.bulletin.issuer.id),
    )
    (row,) = bodies.rows_of(db, message.bulletin.id)
    by: dict[str, tuple[str, object]] = {"bodies": ("row", row), "places": ("row", row)}
    by |= dict.fromkeys(("actual", "receipt_queue"), ("id", message.bulletin.id))
    rows = {
        table: dict(
            db.execute(f"SELECT {_columns(db, table)} FROM {table} WHERE {name} = ?", (value,)).fetchone()
        )
        for table, (name, value) in by.items()
    }
    for table, (name, value) in by.items():
        db.execute(f"DELETE FROM {table} WHERE {name} = ?", (value,))
    return Template(message, rows)


def _columns(db: sqlite3.Connection, table: str) -> str:
    """Those of a table that are not computed."""
    return ", ".join(row["name"] for row in db.execute(f"PRAGMA table_xinfo({table})") if not row["hidden"])


Row = tuple[Template, dict[str, dict[str, Any]]]


def _past(templates: list[Template], until: float, count: int) -> Iterator[Row]:
    step = PAST.total_seconds() / count
    # The rows of the templates were the first ones.
    for n in range(1, count + 1):
        moment = until - step * (count - n)
        expires = moment + (86_400.0 if n > count - IN_FORCE else -1.0)
        template = templates[n % len(templates)]
        expires = max(expires, until + 3600.0) if expires > moment else moment + 1.0
        yield template, template.another(n + len(templates), moment, expires)


def _add(db: sqlite3.Connection, past: Iterator[Row]) -> None:
    made = [row for row, _ in zip(past, range(AT_ONCE), strict=False)]
    some = [rows for _, rows in made]
    for table in some[0] if some else ():
        names = some[0][table]
        marks = ", ".join(f":{name}" for name in names)
        db.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", [rows[table] for rows in some]
        )
    cells = Counter(
        (int(row["issued"] // counts.HOUR_S), True, tuple(row[name] for name in counts.Cell._fields))
        for row in (rows["actual"] for rows in some)
    )
    tallies.add(db, "actual", counts.sorts(cells))
    counts.add(db, "actual", cells)
    _index(db, [(rows["actual"]["row"], template) for template, rows in made])


def _index(db: sqlite3.Connection, made: list[tuple[int, Template]]) -> None:
    """What the hub has indexed of them; each has an observable of its own besides."""
    names = sorted({fact for _, template in made for fact in template.facts})
    db.executemany("INSERT OR IGNORE INTO fact_names (field, value) VALUES (?, ?)", names)
    numbers = {(field, value): n for n, field, value in db.execute("SELECT n, field, value FROM fact_names")}
    pairs = sorted((numbers[fact], row) for row, template in made for fact in template.facts)
    db.executemany("INSERT INTO fact_rows (fact, row) VALUES (?, ?)", pairs)
    seen = [
        (value, row, type_, role) for row, template in made for value, type_, role in template.observables
    ]
    seen += [(f"n{row}.example", row, "domain-name", "suspected") for row, _ in made]
    db.executemany("INSERT INTO observables (norm, row, type, role) VALUES (?, ?, ?, ?)", sorted(seen))
    db.executemany(
        "INSERT INTO words (rowid, text) VALUES (?, ?)",
        [(row, f"{template.text} n{row}") for row, template in made],
    )


def _end(db: sqlite3.Connection, count: int, law: str) -> None:
    """What was withdrawn, what was refused, and what the hub has seen to."""
    db.execute(
        "UPDATE actual SET ended_by = id, ended_how = 'cancelled' WHERE row % ? = 0 AND row <= ?",
        (EACH_HUNDREDTH, count - IN_FORCE),
    )
    db.execute(
        "INSERT INTO quarantine (at, reason, detail, subject, headers, payload, digest, channel, seq, id, prev, kids, variant, size) "
        "SELECT admitted_at, iif(row % 200 = 0, 'permission-denied', 'key-revoked'), '', subject, '[]', payload, 'x' || substr(digest, 2), "
        "channel, seq, 'x' || id, NULL, kid, '', length(payload) FROM admitted WHERE row % ? = 0",
        (EACH_HUNDREDTH,),
    )
    # Each has a clock; a quarter were met, half of the others are late, and the hub owes a third.
    db.execute(
        "INSERT INTO clocks SELECT row, 'rfi', 'body', iif(row % 3, '[\"xa-emb\"]', '[\"xb-hub\"]'), issued, expires, NULL, ends, met, "
        "iif(met, id, NULL), 1, met IS NULL, NOT row % 3, tlp_rank, audience, issuer FROM (SELECT *, iif(row % 4, NULL, issued) AS met, "
        "issued + iif(row % 8 < 4, 1, 900 * 86400) AS ends FROM actual)"
    )
    db.execute("REPLACE INTO clock_rows SELECT row, 0 FROM actual")
    upto = "row = (SELECT max(row) FROM actual), rung = (SELECT max(admitted_at) FROM admitted)"
    db.execute(f"UPDATE clock_upto SET law = ?, {upto}", (law,))
    db.execute("DELETE FROM newly_withdrawn")
    db.execute("REPLACE INTO receipt_queue_upto SELECT 1, max(row) FROM bodies")
    db.execute("REPLACE INTO refused_upto SELECT 1, max(n) FROM quarantine")
    db.execute("REPLACE INTO processed SELECT 1, max(row) FROM bodies")
    db.execute(
        "UPDATE channels SET last_seq = (SELECT seq FROM links l WHERE l.channel = channels.channel ORDER BY seq DESC LIMIT 1)"
    )
    db.execute("ANALYZE sqlite_schema")
