"""What needs a person: what this hub owes, and alarms; the most pressing first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from bus.console.asked import Asked
from bus.console.pages import channels, clocks
from bus.console.pages.held import name_of
from bus.console.texts import span
from bus.desk import Action
from bus.desk.four_eyes import Waiting
from bus.hub.clocks import ACKNOWLEDGEMENT
from bus.hub.picture import Owed, priorities
from bus.policy import MARKINGS
from bus.storage import utc
from schemas.vocab import Status

MOST_NEEDS, FEW = 12, 6
"""So many are told; of one authority no more than the second number while others wait."""
_OF_DRAFTS, _OF_ALARMS = 2, 3
"""Their priorities."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs a person, with one action.

    Attributes:
        sort: `bulletin` or `alarm`, as the desk has it; or `draft`.
        about: the id of the bulletin, or the name of the alarm.
        tlp: its marking.
        audience: to whom it is said.
        priority: 1 is the gravest.
        state: the shape of a channel; empty for a bulletin.
        title: what it is about.
        words: what is to be done.
        due: by when; None where no time is set.
        since: since when it stands.
        action: the word on its button.
        address: where that leads.
        is_acknowledgement: whether a form on the page does it.
    """

    sort: str
    about: str
    tlp: str
    audience: str
    priority: int
    state: str
    title: str
    words: str
    due: dt.datetime | None
    since: dt.datetime | None
    action: str
    address: str
    is_acknowledgement: bool = False


class _Candidate(NamedTuple):
    """Something that may be told: its rank, its turn among those of its sort and rank, whose it is, and what puts it in words."""

    priority: int
    turn: int
    issuer: str
    is_aside: bool
    told: Callable[[], Need]


def needs(
    asked: Asked, alarms: Sequence[channels.Alarm], most: int = MOST_NEEDS
) -> tuple[tuple[Need, ...], int]:
    """What needs a person, and how much that is in all.

    Of one priority, duties, drafts and alarms take turns, so that many of one sort hide none of another; nor do many of one authority.

    Args:
        asked: who asks.
        alarms: those that stand and are told.
        most: so many are told.

    Returns:
        The most pressing first, with what is put aside beside them; how many are not put aside.
    """
    found = [*_owed(asked), *_of_two(asked), *_alarming(asked, alarms)]
    left = sorted((each for each in found if not each.is_aside), key=lambda each: each[:2])
    left = clocks.fairly(left, lambda each: each.issuer, FEW)
    shown = [each.told() for each in (*left[:most], *(each for each in found if each.is_aside))]
    last = dt.datetime.max.replace(tzinfo=dt.UTC)
    shown.sort(key=lambda need: (need.priority, need.due or last, need.since or last))
    return tuple(shown), len(left)


def _of_two(asked: Asked) -> Iterator[_Candidate]:
    """Drafts that wait for this person; a wall counts none above its marking."""
    seen = (each for each in asked.waiting if asked.clearance.sees(MARKINGS[each.tlp], each.audience))
    for turn, each in enumerate(seen):
        yield _Candidate(_OF_DRAFTS, turn, "", False, partial(_draft, asked, each))


def _draft(asked: Asked, each: Waiting) -> Need:
    """A draft, without a word of it: this page may be marked more widely than the draft is."""
    tlp = MARKINGS[each.tlp]
    return Need(
        sort="draft",
        about=str(each.draft),
        tlp=tlp,
        audience=each.audience,
        priority=_OF_DRAFTS,
        state="",
        title=asked.say("Draft %(n)s, TLP:%(tlp)s, is approved", n=each.draft, tlp=tlp.upper())
        if each.is_granted
        else asked.say("Draft %(n)s, TLP:%(tlp)s, waits for your approval", n=each.draft, tlp=tlp.upper()),
        words=asked.say("It waits to be published.")
        if each.is_granted
        else asked.say("%(name)s asks a second person to read it.", name=each.by),
        due=utc(each.until),
        since=None,
        action=asked.say("Publish") if each.is_granted else asked.say("Read"),
        address=f"/publish/{each.draft}" if each.is_granted else f"/approvals/{each.approval}",
    )


def _owed(asked: Asked) -> Iterator[_Candidate]:
    """What this hub owes: acknowledgements, answers, what a law or a bulletin sets a time for.

    The gravest first, of their authors by turns. So neither what is late and less grave nor a flood of one author hides what another
    has said.
    """
    ours = clocks.ours(asked)
    known = priorities(asked.db, asked.clearance, Status.ACTUAL, [each.id for each in ours])

    def priority(each: Owed) -> int:
        found = known.get(each.id, _OF_ALARMS)
        return min(found, 2) if each.standing == "late" else found

    aside = {name for kind, name in asked.aside if kind == "bulletin"}
    for turn, each in enumerate(clocks.by_turns(ours, priority)):
        rank = priority(each)
        put = _is_aside(asked, each, aside)
        yield _Candidate(rank, turn, each.issuer, put, partial(_duty, asked, each, rank))


def _is_aside(asked: Asked, each: Owed, names: Collection[str]) -> bool:
    """Whether the bulletin of a duty is put aside, as one of these names at the desk. Most are not, and are not looked up."""
    if each.id not in names and all(len(name) == len(each.id) for name in names):
        return False  # a digest, which names the second bulletin of an id, is longer than an id
    return name_of(asked.db, each.id, each.issuer) in names


def _duty(asked: Asked, owed: Owed, priority: int) -> Need:
    each, name = clocks.told(asked, owed), name_of(asked.db, owed.id, owed.issuer)
    is_late = each.standing == "late"
    return Need(
        sort="bulletin",
        about=name,
        tlp=each.tlp,
        audience=each.audience,
        priority=priority,
        state="",
        title=each.about,
        words=asked.say("%(what)s: it is late.", what=each.what)
        if is_late
        else asked.say(
            "%(what)s within %(span)s.",
            what=each.what,
            span=span(asked.say, (each.due - each.start).total_seconds()),
        ),
        due=each.due,
        since=None,
        action=asked.say("Open"),
        address=f"/b/{name}",
        is_acknowledgement=each.rule == ACKNOWLEDGEMENT and asked.viewer.may(Action.ACKNOWLEDGE),
    )


def _alarming(asked: Asked, alarms: Sequence[channels.Alarm]) -> Iterator[_Candidate]:
    for turn, each in enumerate(alarms):
        put = ("alarm", each.key) in asked.aside
        yield _Candidate(_OF_ALARMS, turn, each.authority, put, partial(_alarm, asked, each))


def _alarm(asked: Asked, alarm: channels.Alarm) -> Need:
    way = next((reach.ways[0].removeprefix("tel:") for reach in alarm.reach), "")
    call = asked.say("Telephone: %(number)s.", number=way) if way else ""
    return Need(
        sort="alarm",
        about=alarm.key,
        tlp=alarm.tlp,
        audience=alarm.audience,
        priority=_OF_ALARMS,
        state=alarm.state,
        title=alarm.words,
        words=" ".join(filter(None, (f"{alarm.where}: {alarm.detail}.", alarm.also, call))),
        due=None,
        since=alarm.began,
        action=asked.say("Channels"),
        address="/channels",
    )
