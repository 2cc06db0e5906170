"""What is told together and when: a first word after a short wait, then silence, unless it becomes graver. Pure.

A group is what happened under one key of one rule. `joined`, `said` and `passed_on` make the next state from the present one;
`due_at` says when a word is due. A group that is over is forgotten, and whatever comes then begins another.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import msgspec

from bus.notify.shape import Item, Message

WAIT = dt.timedelta(seconds=20)
"""So long a group waits before its first word, so that what comes together is told together."""
SILENCE = dt.timedelta(minutes=10)
"""So long a group is silent after a word, unless it becomes graver."""
MOST_SHOWN = 3
"""So many of a group are told one by one, the gravest; the others are counted."""
MOST_WAITED = 20
"""So many of a group are waited for until somebody answers them, the gravest."""


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened under one key of one rule.

    Attributes:
        began: when the first of it came.
        count: how many have come.
        unsaid: how many of them since the last word.
        shown: the gravest of them, the gravest first, then the newest.
        gravest: their priority.
        said_at: when the last word was said; None before the first.
        said_gravest: the priority that was said then.
        is_urgent: whether something of it interrupts, so that no quiet hour holds it.
        waits: by what it is asked whether somebody has answered; see `Item.token`.
        contact: the place of the contact that was told last.
        contacted_at: when.
    """

    began: dt.datetime
    count: int = 0
    unsaid: int = 0
    shown: tuple[Item, ...] = ()
    gravest: str = "p4"
    said_at: dt.datetime | None = None
    said_gravest: str = ""
    is_urgent: bool = False
    waits: tuple[str, ...] = ()
    contact: int = 0
    contacted_at: dt.datetime | None = None


def joined(group: Group | None, item: Item, now: dt.datetime, *, urgent: bool) -> Group:
    """The group with one more; without a group, a new one."""
    group = group or Group(began=now)
    kept = [each for each in group.shown if (each.about, each.sort) != (item.about, item.sort)]
    shown = sorted((item, *kept), key=lambda each: (each.priority, -each.at.timestamp()))
    waits = group.waits
    if urgent and item.token not in waits:
        waits = ((item.token, *waits) if item.priority <= group.gravest else (*waits, item.token))[
            :MOST_WAITED
        ]
    return msgspec.structs.replace(
        group,
        count=group.count + 1,
        unsaid=group.unsaid + 1,
        shown=tuple(shown[:MOST_SHOWN]),
        gravest=min(group.gravest, item.priority),
        is_urgent=group.is_urgent or urgent,
        waits=waits,
    )


def due_at(group: Group, now: dt.datetime) -> dt.datetime | None:
    """When the next word is due, in the past where it is overdue; None where there is nothing to say.

    After a clock was set back it is due at once: how long ago the last word was is not known then.
    """
    if not group.unsaid:
        return None
    if group.said_at is None:
        return group.began + WAIT if group.began <= now else now
    if group.gravest < group.said_gravest or group.said_at > now:
        return now
    return group.said_at + SILENCE


def said(group: Group, now: dt.datetime) -> Group:
    """The group after a word."""
    return msgspec.structs.replace(
        group,
        unsaid=0,
        said_at=now,
        said_gravest=group.gravest,
        contacted_at=group.contacted_at or now,
    )


def is_unanswered(group: Group, now: dt.datetime, after_s: float, contacts: int) -> bool:
    """Whether the next contact is to be told, if nobody has answered.

    Args:
        group: what was said.
        now: the present, aware.
        after_s: how long an answer is waited for.
        contacts: how many contacts there are.
    """
    if not group.is_urgent or group.contacted_at is None or not group.waits or group.contact + 1 >= contacts:
        return False
    return not 0 <= (now - group.contacted_at).total_seconds() < after_s


def answered(group: Group, settled: Collection[str]) -> Group:
    """The group without what somebody has answered."""
    return msgspec.structs.replace(group, waits=tuple(each for each in group.waits if each not in settled))


def passed_on(group: Group, now: dt.datetime) -> Group:
    """The group after its next contact was told."""
    return msgspec.structs.replace(group, contact=group.contact + 1, contacted_at=now)


def is_over(group: Group, now: dt.datetime, contacts: int) -> bool:
    """Whether the group may be forgotten: all is said, its silence is over, and no contact is left to be told."""
    if (
        group.unsaid
        or group.said_at is None
        or 0 <= (now - group.said_at).total_seconds() < SILENCE.total_seconds()
    ):
        return False
    return not (group.is_urgent and group.waits and group.contact + 1 < contacts)


def without(group: Group, about: str) -> Group:
    """The group without what was erased: it is still counted, and nothing of it is told."""
    return msgspec.structs.replace(
        group,
        shown=tuple(each for each in group.shown if each.about != about),
        waits=tuple(each for each in group.waits if each != about),
    )


def message_of(group: Group, now: dt.datetime, *, escalates: bool = False) -> Message:
    """What is said of a group now."""
    return Message(
        form="escalation" if escalates else "group",
        items=group.shown,
        count=group.count,
        since=group.began,
        at=now,
        repeated=group.said_at is not None,
    )
