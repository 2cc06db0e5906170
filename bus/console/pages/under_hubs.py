"""Which alarms stand by themselves: a hub that is silent says it for every silent channel of its country. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bus.console.asked import Asked
from bus.hub import watch
from bus.trust import HUB


def alone(
    asked: Asked, rows: Sequence[watch.alarms.AlarmRow]
) -> tuple[list[watch.alarms.AlarmRow], dict[str, int]]:
    """The alarms that are told, and by the key of a silent hub how many more are silent with it.

    An alarm that is put aside stands for no other, or it would hide what falls silent after.

    Args:
        asked: who asks.
        rows: alarms that stand, of which their reader may know.
    """
    known = asked.registry.document.authorities
    silent: dict[str, list[watch.alarms.AlarmRow]] = {}
    for row in rows:
        record = known.get(_authority(row))
        if row.reason == watch.Reason.SILENT and record is not None:
            silent.setdefault(record.country, []).append(row)
    others: dict[str, int] = {}
    under: set[str] = set()
    for mine in silent.values():
        hubs = (
            row
            for row in mine
            if known[_authority(row)].kind == HUB and ("alarm", key_of(row)) not in asked.aside
        )
        hub = next(hubs, None)
        if hub is not None:
            others[key_of(hub)] = len(mine) - 1
            under |= {key_of(row) for row in mine if row is not hub}
    return [row for row in rows if key_of(row) not in under], others


def key_of(row: watch.alarms.AlarmRow) -> str:
    """What the desk calls an alarm."""
    return f"{row.channel} {row.reason}"


def _authority(row: watch.alarms.AlarmRow) -> str:
    return row.channel.partition("/")[0]
