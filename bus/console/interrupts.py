"""What interrupts people at the console: the few things that interrupt by message, too, decided by the same rules."""

from __future__ import annotations

import datetime as dt
import sqlite3

import msgspec

from bus.console.reading import Shelf
from bus.notify import Item, Rule, Settings, Sort, asking_of, deciding, looking
from bus.policy import Clearance


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that interrupts.

    Attributes:
        key: with what it is told together.
        why: why it interrupts.
        priority: 1 is the gravest.
        title: what it is about.
        address: the page that says more.
        name: of an alarm, the authority; empty for a bulletin.
        alarm: its reason code, by which a page says it in its language; empty for a bulletin.
    """

    key: str
    why: str
    priority: int
    title: str
    address: str
    name: str = ""
    alarm: str = ""


def alerts_after(
    db: sqlite3.Connection, shelf: Shelf, clearance: Clearance, last: int, now: dt.datetime
) -> tuple[Alert, ...]:
    """What has happened after an event and interrupts somebody who may read so much.

    Args:
        db: a hub's store, inside a read.
        shelf: whose hub it is, and the registry.
        clearance: whose limits.
        last: the last event that was told.
        now: the present.
    """
    if not clearance.audiences:
        return ()
    rule = Rule(
        name="console",
        channels=(),
        ceiling=clearance.ceiling,
        audiences=clearance.audiences,
        exercises=False,
    )
    asking = asking_of(Settings(rules={rule.name: rule}, channels={}), shelf.authority, shelf.registry())
    asking = msgspec.structs.replace(asking, audiences=clearance.audiences)
    found = []
    for seen in looking.look(db, asking, last, now).seen:
        why = deciding.why_interrupt(seen.item, asking.own, now)
        if why is not None:
            found.append(_alert(seen.item, why))
    return tuple(found)


def _alert(item: Item, why: str) -> Alert:
    is_channel = item.sort is Sort.CHANNEL
    return Alert(
        key=deciding.key_of(item),
        why=why,
        priority=int(item.priority.removeprefix("p")),
        title=f"{item.issuer}: {item.kind}" if is_channel else item.headline,
        address="/channels" if is_channel else f"/b/{item.about}",
        name=item.issuer if is_channel else "",
        alarm=item.kind if is_channel else "",
    )
