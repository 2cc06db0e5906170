"""Recovery of a lost or restored outbox: its heads are rebuilt from what the bus holds under the authority's name.

Without it the authority would use a number twice, which every reader takes for a contradiction. A thief's bulletin by a key
that has ended is no head. While the key is valid it cannot be told from an honest one, so a theft is answered by `key revoke`
first, and then by `bus.publishing.reanchor`.

A bulletin that was accepted, lost here and never sent to the bus is lost; the heads file knows its number. No such number is given
again, since a reader may have had them after all: the channel goes on after them, naming the last one as its predecessor. Readers
wait for such a hole as for any other, half a minute, and then show what follows, with the hole.

Versions and withdrawals that the bus has are learned too (`bus.publishing.learned`): an update by an old id acts on the newest.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from bus.errors import OutboxError
from bus.publishing import outbox_table as table
from bus.publishing import versions
from bus.publishing.fitness import Said
from bus.publishing.learned import learn
from bus.publishing.own_channels import OwnChannels
from schemas.bulletin import Bulletin
from schemas.codec import decode, encode

MOST_LOST = 10_000
"""So many numbers of a channel are written down as lost, the last ones."""


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin that was accepted and is lost for good; id and digest where the heads file still has them."""

    channel: str
    seq: int
    id: str | None = None
    digest: str | None = None


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a recovery.

    Attributes:
        read: bulletins found on the bus.
        adopted: channels whose heads they gave.
        restamped: bulletins that had never been sent, and have another number now.
        superseded: bulletins that were attempted or sealed, are not on the bus, and have lost their number.
        lost: bulletins that were accepted, and are neither here nor on the bus: they are to be said again.
    """

    read: int
    adopted: int
    restamped: int
    superseded: int
    lost: tuple[Lost, ...] = ()


Keep = Callable[[sqlite3.Connection, Bulletin, bytes, dt.datetime, str | None, str | None], object]


async def recover(own: OwnChannels, keep: Keep) -> Recovery:
    """Adopt the heads that the bus holds; stamp again, behind them, bulletins that were never sent.

    Args:
        own: the authority's own channels.
        keep: signs and stores one bulletin again, inside a transaction of the outbox.

    Raises:
        UnreachableError, BrokerError: from the broker; the outbox is as it was.
        OutboxError: `head-unproven`; the outbox is as it was.
    """
    survey, outbox = await own.survey(), own.outbox
    heads = survey.heads()
    said = await outbox.read(lambda _: outbox.heads.last())
    doubtful = {channel for channel in survey.doubtful if not _is_known(channel, said, heads)}
    if doubtful:
        raise OutboxError(
            f"something that is not this authority's word has perhaps taken the place of the head of "
            f"{', '.join(sorted(doubtful))} on the bus, and a number would be used twice; restore the outbox "
            "from a copy, or decide from where the channel goes on: tocsin outbox reanchor",
            reason="head-unproven",
        )
    there: set[object] = {link.digest for link in survey.links}
    places: set[object] = {(link.channel, link.seq) for link in survey.links}

    def work(db: sqlite3.Connection) -> tuple[int, int, list[Lost]]:
        ends, known = outbox.heads.lacking(db)
        outbox.heads.step_over(db)
        restamped, superseded = _adopt(db, keep, heads, own.clock())
        learn(db, survey.heard)
        lost = _go_past(db, ends, [each for each in known if each.digest not in there], own.clock())
        return restamped, superseded, lost + _let_go(db, there | places, own.clock())

    restamped, superseded, lost = await outbox.write(work)
    for stream, seq in survey.cursors.items():
        await outbox.move_own_cursor(stream, seq)
    await outbox.vouch()
    return Recovery(
        read=len(survey.links),
        adopted=len(heads),
        restamped=restamped,
        superseded=superseded,
        lost=tuple(lost),
    )


def _is_known(channel: str, said: Mapping[str, Said], heads: Mapping[str, tuple[int, str]]) -> bool:
    """Whether the heads file has the head of a channel, which then need not be proven by the bus.

    If it has only heads of other channels, and the bus has nothing of this channel, nothing was ever said there.
    """
    if channel in said:
        return said[channel].seq >= heads.get(channel, (0, ""))[0]
    return bool(said) and channel not in heads


def _go_past(
    db: sqlite3.Connection, ends: Mapping[str, Said], known: Sequence[Said], moment: dt.datetime
) -> list[Lost]:
    """Inside a transaction: have channels go on after what was accepted last, and write down what of it is lost."""
    by_place = {(each.channel, each.seq): each for each in known}
    lost: list[Lost] = []
    for channel, end in ends.items():
        head = table.head(db, channel)
        held = head.seq if head else 0
        if held < end.seq:
            table.set_head(db, channel, end.seq, end.digest)
        numbers = {*range(max(held, end.seq - MOST_LOST) + 1, end.seq + 1)}
        numbers |= {each.seq for each in known if each.channel == channel}
        for seq in sorted(numbers):
            found = by_place.get((channel, seq))
            lost.append(
                Lost(channel=channel, seq=seq)
                if found is None
                else Lost(channel=channel, seq=seq, id=found.id, digest=found.digest)
            )
    _write_down(db, lost, moment)
    return lost


def _let_go(db: sqlite3.Connection, there: Collection[object], moment: dt.datetime) -> list[Lost]:
    """Inside a transaction: what is damaged here, and on the bus neither by digest nor by place, is lost, too; it is set aside."""
    gone = [
        row
        for row in table.rows(
            db, "SELECT * FROM outbox WHERE n IN (SELECT n FROM aside WHERE state = 'damaged')"
        )
        if not {row.digest, (row.channel, row.seq)} & set(there)
    ]
    table.set_aside(db, gone, "its bytes were damaged before it was sent, and the bus has none of it")
    lost = [Lost(channel=row.channel, seq=row.seq, id=row.id, digest=row.digest) for row in gone]
    _write_down(db, lost, moment)
    return lost


def _write_down(db: sqlite3.Connection, lost: Sequence[Lost], moment: dt.datetime) -> None:
    db.executemany(
        "REPLACE INTO lost_numbers (channel, seq, id, digest, found_at) VALUES (?, ?, ?, ?, ?)",
        [(each.channel, each.seq, each.id, each.digest, moment.timestamp()) for each in lost],
    )


def _adopt(
    db: sqlite3.Connection, keep: Keep, heads: dict[str, tuple[int, str]], moment: dt.datetime
) -> tuple[int, int]:
    """Inside one transaction: move the heads forward and stamp again the unsent bulletins that have their numbers."""
    restamped = superseded = 0
    for channel, (seq, top) in heads.items():
        # The head of what is known to be on the bus, by its acknowledgements; the bus may have lost the end since.
        newest = "SELECT max(seq) FROM outbox WHERE channel = ? AND (state = 'stored' OR digest = ?)"
        known = db.execute(newest, (channel, top)).fetchone()[0]
        if known is not None and known >= seq:
            continue
        waiting = "SELECT * FROM outbox WHERE channel = ? AND state IN ('kept', 'parked') ORDER BY seq"
        behind = table.rows(db, waiting, channel)
        # A sealed bulletin has its number inside too, where it cannot be changed.
        unsent = [row for row in behind if row.attempted_at is None and row.is_whole and not _is_sealed(row)]
        lost = [row for row in behind if row not in unsent]
        superseded += len(lost)
        versions.take_back(db, unsent)
        table.remove(db, [row.n for row in unsent])
        # A bulletin that was attempted and is not on the bus, or is sealed, has lost its place.
        table.set_aside(db, lost, "its number is taken on the bus")
        table.set_head(db, channel, seq, top)
        for place, row in enumerate(unsent, 1):
            prev = table.head(db, channel)
            bulletin = msgspec.structs.replace(
                decode(row.payload), seq=seq + place, prev=prev and prev.digest
            )
            keep(db, bulletin, encode(bulletin), moment, row.once, row.origin)
            restamped += 1
    return restamped, superseded


def _is_sealed(row: table.Row) -> bool:
    return decode(row.payload).kind == "sealed"
