"""Recovery of a lost or restored outbox: its heads are rebuilt from what the bus holds under the authority's name.

Without it the authority would use a number twice, which every reader takes for a contradiction. A thief's bulletin by a key
that has ended is no head. While the key is valid it cannot be told from an honest one, so a theft is answered by `key revoke`
first, and then by `bus.publishing.reanchor`.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable

import msgspec

from bus.errors import OutboxError
from bus.publishing import outbox_table as table
from bus.publishing.own_channels import OwnChannels
from schemas.bulletin import Bulletin
from schemas.codec import decode, encode


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a recovery did.

    Attributes:
        read: bulletins found on the bus.
        adopted: channels whose heads they gave.
        restamped: bulletins that had never been sent, and have another number now.
        superseded: bulletins that were attempted or sealed, are not on the bus, and have lost their number.
    """

    read: int
    adopted: int
    restamped: int
    superseded: int


Keep = Callable[[sqlite3.Connection, Bulletin, bytes, dt.datetime, str | None, str | None], object]


async def recover(own: OwnChannels, keep: Keep) -> Recovery:
    """Adopt the heads that the bus holds; stamp anew, behind them, what was never sent.

    Args:
        own: the authority's own channels.
        keep: signs and keeps one bulletin anew, inside a transaction of the outbox.

    Raises:
        UnreachableError, BrokerError: from the broker; the outbox is as it was.
        OutboxError: `head-unproven`; the outbox is as it was.
    """
    survey = await own.survey()
    if survey.doubtful:
        raise OutboxError(
            f"something that is not this authority's word has perhaps taken the place of the head of "
            f"{', '.join(sorted(survey.doubtful))} on the bus, and a number would be used twice; restore the outbox "
            "from a copy, or decide from where the channel goes on: tocsin outbox reanchor",
            reason="head-unproven",
        )
    heads = survey.heads()
    restamped, superseded = await own.outbox.write(lambda db: _adopt(db, keep, heads, own.clock()))
    for stream, seq in survey.cursors.items():
        await own.outbox.move_own_cursor(stream, seq)
    return Recovery(read=len(survey.links), adopted=len(heads), restamped=restamped, superseded=superseded)


def _adopt(
    db: sqlite3.Connection, keep: Keep, heads: dict[str, tuple[int, str]], moment: dt.datetime
) -> tuple[int, int]:
    """Inside one transaction: move the heads forward and stamp anew what stands in their way and was never sent."""
    restamped = superseded = 0
    for channel, (seq, top) in heads.items():
        # The head of what is known to be on the bus, by its acknowledgements; the bus may have lost the end since.
        newest = "SELECT max(seq) FROM outbox WHERE channel = ? AND (state = 'stored' OR digest = ?)"
        known = db.execute(newest, (channel, top)).fetchone()[0]
        if known is not None and known >= seq:
            continue
        waiting = "SELECT * FROM outbox WHERE channel = ? AND state IN ('kept', 'parked') ORDER BY seq"
        behind = table.rows(db, waiting, channel)
        # What is sealed has its number inside too, where nobody can change it any more.
        unsent = [row for row in behind if row.attempted_at is None and not _is_sealed(row)]
        lost = [row for row in behind if row not in unsent]
        superseded += len(lost)
        db.executemany("DELETE FROM outbox WHERE n = ?", [(row.n,) for row in unsent])
        # What was attempted and is not on the bus, or is sealed, has lost its place.
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
