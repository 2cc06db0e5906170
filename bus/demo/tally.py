"""The result of a run of the demonstration, counted from its outboxes, stores and spools."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import NamedTuple

import msgspec

from bus.demo.countries import MEMBERS
from bus.demo.keyring import Folder
from bus.demo.scenes import SCENES
from bus.demo.story import Story
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


class OfStory(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the story in a result.

    Attributes:
        told: the number of scenes told in this folder.
        scenes: the number of all scenes.
        failed: the names of scenes of this run that did not come true.
        refused: how many of the refused messages the story wants refused.
        withheld: how many of the lost bulletins the story withholds.
    """

    told: int
    scenes: int
    failed: tuple[str, ...]
    refused: int
    withheld: int


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one run; the JSON of the demonstration's last line. `story` is None without a story."""

    authorities: dict[str, Published]
    hubs: dict[str, Received]
    published: int
    refused: int
    lost: int
    kinds: tuple[str, ...]
    story: OfStory | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the bus has confirmed all published bulletins."""
        return all(own.stored == own.published for own in self.authorities.values())

    @property
    def complete(self) -> bool:
        """Whether all published bulletins are stored, and each hub admitted all that its grants let it read.

        Only what the story wants may be refused or lacking.
        """
        wanted = 0 if self.story is None else self.story.refused
        failed = self.story is not None and self.story.failed
        return (
            self.published > 0
            and self.lacking == 0
            and self.refused == wanted
            and self.is_stored
            and not failed
        )

    @property
    def lacking(self) -> int:
        """The number of lost bulletins that the story does not withhold."""
        return self.lost - (0 if self.story is None else self.story.withheld)


class _Row(msgspec.Struct, frozen=True):
    digest: str
    subject: Subject
    is_stored: bool


class _Refused(NamedTuple):
    digest: str
    reason: str
    channel: str | None


async def count(
    began: dt.datetime,
    registry: VerifiedRegistry,
    folder: Folder,
    outboxes: Mapping[str, Outbox],
    stores: Mapping[str, Inbox],
    story: Story | None = None,
) -> Tally:
    """Count the bulletins of a run, and their admissions.

    Args:
        began: start of the run.
        registry: tells what each hub may read.
        folder: that of the demonstration.
        outboxes: outbox of each authority.
        stores: store of each hub.
        story: that of this run.
    """
    since = began.timestamp()
    rows = {name: await outbox.read(lambda db: _published(db, since)) for name, outbox in outboxes.items()}
    every = list(chain.from_iterable(rows.values()))
    hubs: dict[str, Received] = {}
    lost: list[tuple[str, str]] = []
    refused: list[_Refused] = []
    for name, store in stores.items():
        admitted = await store.read(lambda db: _admitted(db, since))
        out = await store.read(lambda db: _refused(db, since))
        hubs[name] = Received(admitted=len(admitted), refused=len(out))
        readable = {row.digest for row in every if registry.may_read(name, row.subject.channel)}
        lost += ((each, name) for each in readable - admitted)
        refused += out
    spool_refused = sum(
        path.stat().st_mtime >= since
        for member in MEMBERS
        for path in (folder.spool(member.id) / "refused").glob("*.reason.json")
    )
    return Tally(
        authorities={
            name: Published(published=len(own), stored=sum(row.is_stored for row in own))
            for name, own in rows.items()
            if own or story is None or name not in story.outboxes
        },
        hubs=hubs,
        published=len(every),
        refused=len(refused) + spool_refused,
        lost=len(lost),
        kinds=tuple(sorted({row.subject.kind for row in every})),
        story=None if story is None else _of_story(story, refused, lost),
    )


def _of_story(story: Story, refused: Iterable[_Refused], lost: Iterable[tuple[str, str]]) -> OfStory:
    return OfStory(
        told=len(SCENES) - len(story.untold),
        scenes=len(SCENES),
        failed=tuple(story.failed),
        refused=sum(story.wants_refused(*each) for each in refused),
        withheld=sum(story.withheld.get(each) == hub for each, hub in lost),
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


def _refused(db: sqlite3.Connection, since: float) -> list[_Refused]:
    rows = db.execute("SELECT digest, reason, channel FROM quarantine WHERE at >= ?", (since,))
    return [_Refused(*row) for row in rows]
