"""An alarm for bulletins that wait because they are dated ahead of this clock, with the name of their author."""

from __future__ import annotations

import datetime as dt
import sqlite3

import msgspec

from bus.admission import Message
from bus.hub.watch.liveness import Alarm, Reason
from bus.trust import CLOCK_SKEW
from schemas.codec import decode
from schemas.subject import channel_of

LOOKED_AT = 64
"""Most of the longest-waiting bulletins to look at: enough to name the first few authorities."""


def ahead_alarms(db: sqlite3.Connection, now: dt.datetime) -> tuple[Alarm, ...]:
    """One alarm for each channel with a waiting bulletin that is dated further ahead than admission allows.

    Bulletins that wait for their authority's budget are in the same table and are dated in the past.
    """
    sql = "SELECT message FROM deferred WHERE retry_at > ? ORDER BY retry_at DESC LIMIT ?"
    furthest: dict[str, dt.timedelta] = {}
    for row in db.execute(sql, (now.timestamp(), LOOKED_AT)):
        bulletin = decode(msgspec.msgpack.decode(row["message"], type=Message).payload)
        off, channel = bulletin.issued - now, str(channel_of(bulletin))
        if off > CLOCK_SKEW:
            furthest[channel] = max(off, furthest.get(channel, off))
    return tuple(
        Alarm(
            channel=channel,
            reason=Reason.AHEAD,
            detail=f"{channel.partition('/')[0]} dates its bulletins at least {_spoken(off)} ahead of this clock, so they wait "
            "until then; one of the two clocks is wrong (tocsin doctor compares this one with the broker's)",
        )
        for channel, off in sorted(furthest.items())
    )


def _spoken(off: dt.timedelta) -> str:
    minutes = round(off.total_seconds() / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
