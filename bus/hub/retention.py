"""Erases bulletins past their last day, and prunes old bulletins of status system. See `bus.subscribing.erasure`."""

from __future__ import annotations

import datetime as dt
import sqlite3

import msgspec

from bus.hub.rows import take_out
from bus.subscribing import erasure

EVERY_S = 3600.0

# A heartbeat is needed while a head in it, of its issuer's own or held channels, is not held here.
_NEEDED = " OR ".join(
    f"EXISTS (SELECT 1 FROM {table} n WHERE n.row = a.row AND NOT EXISTS (SELECT 1 FROM links l WHERE l.channel = n.channel "
    "AND l.seq = n.seq AND l.digest = n.digest))"
    for table in ("announced_heads", "holdings")
)

# A held bulletin is half of a proof while its issuer's own heartbeat names another bulletin at its place.
_DENIED = (
    "EXISTS (SELECT 1 FROM announced_heads h WHERE h.channel = kept.channel AND h.seq = kept.seq AND h.digest != kept.digest "
    "AND EXISTS (SELECT 1 FROM links l WHERE l.channel = kept.channel AND l.seq = kept.seq AND l.digest = kept.digest))"
)


class LetGo(msgspec.Struct, frozen=True, kw_only=True):
    """The number of deleted bulletins.

    Attributes:
        erased: those past their last day, in quarantine too.
        pruned: old ones of status system.
    """

    erased: int
    pruned: int


def erase_and_prune(db: sqlite3.Connection, now: dt.datetime, *, rehearse: bool = False) -> LetGo:
    """Erase bulletins that must not be kept and prune those that need not be, inside a transaction.

    Bulletins that an erased one had superseded or withdrawn stay so. The erased bulletin leaves the picture, even if in
    force.

    Args:
        db: the hub's store.
        now: the present.
        rehearse: only count.
    """
    over, aside = erasure.personal(db, now, _DENIED), erasure.personal_in_quarantine(db, now, _DENIED)
    buried = {row["row"] for row in over}
    talk = [row for row in erasure.old_talk(db, now, _NEEDED) if row["row"] not in buried]
    if not rehearse:
        take_out(db, (row["row"] for row in (*over, *talk)))
        erasure.erase(db, over, erasure.RETENTION, now)
        erasure.redact(db, aside)
        erasure.erase(db, talk, erasure.OLD, now)
    return LetGo(erased=len(over) + len(aside), pruned=len(talk))
