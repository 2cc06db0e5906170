"""What interrupts people at the console: the few things that interrupt by message, too, decided by the same rules."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection, Sequence
from itertools import islice

import msgspec

from bus.console.pages import by_turns, duties, fairly, name_of
from bus.console.reading import Shelf
from bus.desk.four_eyes import Waiting
from bus.hub.picture import priorities
from bus.notify import Asking, Item, Rule, Settings, Sort, asking_of, deciding, looking, nearly_due
from bus.policy import Clearance
from schemas.vocab import Status

MOST_UNREAD, FEW = 40, 20
"""So many acknowledgements interrupt one person at the most, the gravest, of one author no more than the second number while others wait."""
LEAST = 4
"""The least grave priority."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that interrupts.

    Attributes:
        key: with what it is told together.
        why: why it interrupts.
        priority: 1 is the gravest.
        title: what it is about.
        address: the page that says more.
        name: of an alarm, the authority; empty for a bulletin.
        alarm: its code, by which a page says it in its language; empty for a bulletin.
        once: what tells it from all others, where it is told to a person once, however many pages are open; else empty.
    """

    key: str
    why: str
    priority: int
    title: str
    address: str
    name: str = ""
    alarm: str = ""
    once: str = ""


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
    asking = _asking(shelf, clearance)
    found = []
    for seen in looking.look(db, asking, last, now).seen:
        why = deciding.why_interrupt(seen.item, asking.own, now)
        if why is not None:
            found.append(_alert(seen.item, why))
    return tuple(found)


def unread(
    db: sqlite3.Connection,
    shelf: Shelf,
    clearance: Clearance,
    now: dt.datetime,
    aside: Collection[str] = (),
) -> tuple[Item, ...]:
    """What this hub must acknowledge with no more than a quarter of the time left, as far as somebody may read it; the gravest first.

    Args:
        db: a hub's store, inside a read.
        shelf: whose hub it is, the registry, and what pages keep.
        clearance: whose limits.
        now: the present.
        aside: what the desk calls the bulletins that are put aside.
    """
    if not clearance.audiences:
        return ()
    near = nearly_due(duties(db, shelf, clearance, now), now)
    grave = priorities(db, clearance, Status.ACTUAL, [each.id for each in near])
    turns = by_turns(near, lambda each: grave.get(each.id, LEAST))
    first = fairly(turns, lambda each: each.issuer, FEW)
    some = islice((each for each in first if name_of(db, each.id, each.issuer) not in aside), MOST_UNREAD)
    return tuple(seen.item for seen in looking.look_at_due(db, _asking(shelf, clearance), some, now))


def of_person(acks: Sequence[Item], waiting: Sequence[Waiting], now: dt.datetime) -> tuple[Alert, ...]:
    """What interrupts one person: what is to be acknowledged soon, and approvals that are asked. Pure.

    Args:
        acks: what is to be acknowledged, as far as the person may do that.
        waiting: the drafts that wait for the person.
        now: the present.
    """
    asked = [each for each in waiting if not each.is_granted and each.until > now.timestamp()]
    return (
        *(
            msgspec.structs.replace(
                _alert(each, "acknowledgement due"),
                name=each.headline,
                alarm="due",
                once=f"due {each.issuer}/{each.about}",
            )
            for each in acks
        ),
        *(
            Alert(
                key="approvals",
                why="approval asked",
                priority=2,
                title=f"draft {each.draft}",
                address=f"/approvals/{each.approval}",
                name=str(each.draft),
                alarm="approval",
                once=f"approval {each.approval}",
            )
            for each in asked
        ),
    )


def _asking(shelf: Shelf, clearance: Clearance) -> Asking:
    """The one rule of the console: what somebody may read."""
    rule = Rule(
        name="console",
        channels=(),
        ceiling=clearance.ceiling,
        audiences=clearance.audiences,
        exercises=False,
    )
    asking = asking_of(Settings(rules={rule.name: rule}, channels={}), shelf.authority, shelf.registry())
    return msgspec.structs.replace(asking, audiences=clearance.audiences)


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
