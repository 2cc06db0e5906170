"""Which alarms stand by themselves: a hub that is silent says it for every silent channel of its country. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bus.hub import watch
from bus.trust import HUB
from schemas.registry import AuthorityRecord

SILENT = "silent"


def alone(
    rows: Sequence[watch.alarms.AlarmRow],
    known: Mapping[str, AuthorityRecord],
    is_aside: Callable[[watch.alarms.AlarmRow], bool],
) -> tuple[list[watch.alarms.AlarmRow], dict[str, int]]:
    """The alarms that are told, and by the channel of a silent hub how many more are silent with it.

    Args:
        rows: alarms that stand, of which their reader may know.
        known: the authorities of the registry.
        is_aside: whether an alarm is put aside: then it stands for no other, or it would hide what falls silent after.
    """
    silent: dict[str, list[watch.alarms.AlarmRow]] = {}
    for row in rows:
        record = known.get(_authority(row))
        if row.reason == SILENT and record is not None:
            silent.setdefault(record.country, []).append(row)
    others: dict[str, int] = {}
    under: set[str] = set()
    for mine in silent.values():
        hubs = (row for row in mine if known[_authority(row)].kind == HUB and not is_aside(row))
        hub = next(hubs, None)
        if hub is not None:
            others[hub.channel] = len(mine) - 1
            under |= {row.channel for row in mine if row is not hub}
    return [row for row in rows if row.reason != SILENT or row.channel not in under], others


def key_of(row: watch.alarms.AlarmRow) -> str:
    """What the desk calls an alarm."""
    return f"{row.channel} {row.reason}"


def _authority(row: watch.alarms.AlarmRow) -> str:
    return row.channel.partition("/")[0]
