"""What a hub lets go of: personal data whose time is over, and old talk between programs. See `bus.subscribing.erasure`."""

from __future__ import annotations

import datetime as dt
import sqlite3

import msgspec

from bus.subscribing import erasure

EVERY_S = 3600.0

# A heartbeat is needed while it names, as its issuer's own or as what a hub holds, what is not held here just so.
_NEEDED = " OR ".join(
    f"EXISTS (SELECT 1 FROM {table} n WHERE n.row = a.row AND NOT EXISTS (SELECT 1 FROM links l WHERE l.channel = n.channel "
    "AND l.seq = n.seq AND l.digest = n.digest))"
    for table in ("announced_heads", "holdings")
)
_BY_ROW = ("actual", "exercise", "test_and_system", "calendars", "announced_heads", "holdings")


class LetGo(msgspec.Struct, frozen=True, kw_only=True):
    """How many bulletins went.

    Attributes:
        erased: because the retention of personal data in them is over; those in quarantine are counted too.
        pruned: of status system, because they are old.
    """

    erased: int
    pruned: int


def erase_and_prune(db: sqlite3.Connection, now: dt.datetime, *, rehearse: bool = False) -> LetGo:
    """Let go of what must not or need not be kept, inside a transaction.

    What an erased bulletin had superseded or withdrawn stays so; it itself leaves the picture, in force or not.

    Args:
        db: the hub's store.
        now: the present.
        rehearse: count, and let go of nothing.
    """
    over, aside = erasure.personal(db, now), erasure.personal_in_quarantine(db, now)
    buried = {row["row"] for row in over}
    talk = [row for row in erasure.old_talk(db, now, _NEEDED) if row["row"] not in buried]
    if not rehearse:
        for table in _BY_ROW:
            db.executemany(f"DELETE FROM {table} WHERE row = ?", [(row["row"],) for row in (*over, *talk)])
        erasure.erase(db, over, erasure.RETENTION, now)
        erasure.redact(db, aside)
        erasure.erase(db, talk, erasure.OLD, now)
    return LetGo(erased=len(over) + len(aside), pruned=len(talk))
