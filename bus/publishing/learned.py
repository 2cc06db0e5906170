"""Threads of this authority that are on the bus but not in its outbox: a recovery learns them, so an old id finds the newest version.

Of such a bulletin id, channel and moment are kept, and what it supersedes or cancels; its words stay on the bus.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from bus.publishing import versions
from bus.storage import Layout
from bus.transport import Received
from schemas.bulletin import Bulletin
from schemas.codec import decode, digest
from schemas.errors import TocsinError
from schemas.subject import channel_of
from schemas.vocab import TALK

SCHEMA = """
CREATE TABLE IF NOT EXISTS learned (id TEXT PRIMARY KEY, channel TEXT NOT NULL, issued REAL NOT NULL) WITHOUT ROWID;
"""
LAYOUT = Layout("learned", SCHEMA)
_HELD = "SELECT id FROM bulletins WHERE id IN (SELECT value FROM json_each(?))"
_LEARN = "INSERT OR IGNORE INTO learned (id, channel, issued) VALUES (?, ?, ?)"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin of this authority on the bus, as far as threads need it: its digest, its channel's name, and itself without words."""

    digest: str
    channel: str
    said: versions.Revision


def heard_in(messages: Sequence[Received], signed: Collection[str]) -> list[Heard]:
    """The ties between versions in the messages with these digests; bulletins between programs have none."""
    return list(_heard(messages, signed))


def _heard(messages: Sequence[Received], signed: Collection[str]) -> Iterator[Heard]:
    for message in messages:
        name = digest(message.payload)
        if name in signed:
            with contextlib.suppress(TocsinError):
                bulletin = decode(message.payload)
                if bulletin.status not in TALK:
                    yield _of(bulletin, name)


def _of(bulletin: Bulletin, name: str) -> Heard:
    said = versions.revision(bulletin)
    return Heard(digest=name, channel=channel_of(bulletin).name, said=said)


def learn(db: sqlite3.Connection, heard: Iterable[Heard]) -> None:
    """Note threads that the bus holds, inside a transaction. Rows of the outbox itself stay unchanged.

    Args:
        db: the outbox.
        heard: what is the authority's word on the bus, in any order.
    """
    by_id = {each.said.said.key.id: each for each in heard}
    revisions = [each.said for each in by_id.values() if each.said.targets]
    named = {target for each in revisions for target in each.targets}
    members = [each for id_, each in by_id.items() if each.said.targets or id_ in named]
    versions.learn(db, [each.said for each in members])
    ids = msgspec.json.encode([each.said.said.key.id for each in members]).decode()
    held = {id_ for (id_,) in db.execute(_HELD, (ids,))}
    rows = [(each.said.said.key.id, each.channel, each.said.said.issued) for each in members]
    db.executemany(_LEARN, [row for row in rows if row[0] not in held])
