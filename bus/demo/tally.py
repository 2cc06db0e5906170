"""The result of a run of the demonstration, counted from its outboxes, stores and spools."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Mapping
from itertools import chain

import msgspec

from bus.demo.countries import MEMBERS
from bus.demo.keyring import Folder
from bus.publishing import Outbox, RowState
from bus.subscribing import Inbox
from bus.trust import VerifiedRegistry
from schemas.subject import Subject, parse
from schemas.vocab import TALK


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """Bulletins of one authority, without heartbeats and receipts: the number published, and the number stored by the bus."""

    published: int
    stored: int


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """Bulletins that one hub has admitted, without heartbeats and receipts, and messages that it has refused."""

    admitted: int
    refused: int


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one run; the JSON of the demonstration's last line."""

    authorities: dict[str, Published]
    hubs: dict[str, Received]
    published: int
    refused: int
    lost: int
    kinds: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether all published bulletins are stored, and each hub admitted all that its grants let it read."""
        stored = all(own.stored == own.published for own in self.authorities.values())
        return self.published > 0 and self.lost == 0 and self.refused == 0 and stored


class _Row(msgspec.Struct, frozen=True):
    digest: str
    subject: Subject
    is_stored: bool


async def count(
    began: dt.datetime,
    registry: VerifiedRegistry,
    folder: Folder,
    outboxes: Mapping[str, Outbox],
    stores: Mapping[str, Inbox],
) -> Tally:
    """Count the bulletins of a run, and their admissions.

    Args:
        began: start of the run.
        registry: tells what each hub may read.
        folder: that of the demonstration.
        outboxes: outbox of each authority.
        stores: store of each hub.
    """
    since = began.timestamp()
    rows = {name: await outbox.read(lambda db: _published(db, since)) for name, outbox in outboxes.items()}
    every = list(chain.from_iterable(rows.values()))
    hubs, lost = {}, 0
    for name, store in stores.items():
        admitted = await store.read(lambda db: _admitted(db, since))
        refused = await store.read(lambda db: _refused(db, since))
        hubs[name] = Received(admitted=len(admitted), refused=refused)
        lost += len({row.digest for row in every if registry.may_read(name, row.subject.channel)} - admitted)
    spool_refused = sum(
        path.stat().st_mtime >= since
        for member in MEMBERS
        for path in (folder.spool(member.id) / "refused").glob("*.reason.json")
    )
    return Tally(
        authorities={
            name: Published(published=len(own), stored=sum(row.is_stored for row in own))
            for name, own in rows.items()
        },
        hubs=hubs,
        published=len(every),
        refused=sum(hub.refused for hub in hubs.values()) + spool_refused,
        lost=lost,
        kinds=tuple(sorted({row.subject.kind for row in every})),
    )


def _published(db: sqlite3.Connection, since: float) -> list[_Row]:
    sql = "SELECT digest, subject, state FROM outbox WHERE kept_at >= ?"
    rows = [
        _Row(digest, parse(subject), state == RowState.STORED)
        for digest, subject, state in db.execute(sql, (since,))
    ]
    return [row for row in rows if row.subject.status not in TALK]


def _admitted(db: sqlite3.Connection, since: float) -> set[str]:
    sql = "SELECT digest FROM admitted WHERE admitted_at >= ? AND channel NOT LIKE '%/system.%' AND channel NOT LIKE '%/beat.%'"
    return {row["digest"] for row in db.execute(sql, (since,))}


def _refused(db: sqlite3.Connection, since: float) -> int:
    return int(db.execute("SELECT count(*) FROM quarantine WHERE at >= ?", (since,)).fetchone()[0])
