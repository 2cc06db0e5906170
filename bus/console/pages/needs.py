"""What needs a person: what this hub owes, and alarms; the most pressing first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import msgspec

from bus.console.asked import Asked
from bus.console.pages import channels, clocks
from bus.console.pages.held import has_its_id
from bus.console.texts import span
from bus.desk import Action
from bus.hub.clocks import ACKNOWLEDGEMENT
from bus.hub.picture import Owed, priorities
from bus.policy import MARKINGS
from bus.storage import utc
from schemas.vocab import Status

MOST_NEEDS, FEW = 12, 6
"""So many are told; of one authority no more than the second number while others wait."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs a person, with one action.

    Attributes:
        sort: `bulletin` or `alarm`, as the desk has it; or `draft`.
        about: the id of the bulletin, or the name of the alarm.
        tlp: its marking.
        audience: to whom it is said.
        issuer: the authority that has said it, or whose channel it is; empty for a draft.
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
    issuer: str
    priority: int
    state: str
    title: str
    words: str
    due: dt.datetime | None
    since: dt.datetime | None
    action: str
    address: str
    is_acknowledgement: bool = False


def needs(asked: Asked, alarms: Sequence[channels.Alarm]) -> tuple[Need, ...]:
    """What needs a person, the most pressing first: so many at most, and what is put aside, which takes nobody's room.

    What the desk has put aside (`snoozing.of_desk`) is here for its title, and is left out when the desk is asked once more.
    """
    aside = asked.desk if isinstance(asked.desk, frozenset) else frozenset[tuple[str, str]]()
    found = [*_owed(asked, aside), *_of_two(asked), *_alarming(asked, alarms)]
    last = dt.datetime.max.replace(tzinfo=dt.UTC)

    def pressing(need: Need) -> tuple[int, dt.datetime, dt.datetime]:
        return need.priority, need.due or last, need.since or last

    found.sort(key=pressing)
    told = [need for need in found if (need.sort, need.about) not in aside]
    put = [need for need in found if (need.sort, need.about) in aside]
    return tuple(
        sorted((*clocks.fairly(told, lambda need: need.issuer, FEW)[:MOST_NEEDS], *put), key=pressing)
    )


def _of_two(asked: Asked) -> Iterator[Need]:
    """Drafts that wait for this person, without a word of them: this page may be marked more widely than they are."""
    for each in asked.waiting:
        yield Need(
            sort="draft",
            about=str(each.draft),
            tlp=MARKINGS[each.tlp],
            audience=each.audience,
            issuer="",
            priority=2,
            state="",
            title=asked.say(
                "Draft %(n)s, TLP:%(tlp)s, is approved", n=each.draft, tlp=MARKINGS[each.tlp].upper()
            )
            if each.is_granted
            else asked.say(
                "Draft %(n)s, TLP:%(tlp)s, waits for your approval",
                n=each.draft,
                tlp=MARKINGS[each.tlp].upper(),
            ),
            words=asked.say("It waits to be published.")
            if each.is_granted
            else asked.say("%(name)s asks a second person to read it.", name=each.by),
            due=utc(each.until),
            since=None,
            action=asked.say("Publish") if each.is_granted else asked.say("Read"),
            address=f"/publish/{each.draft}" if each.is_granted else f"/approvals/{each.approval}",
        )


def _owed(asked: Asked, aside: frozenset[tuple[str, str]]) -> Iterator[Need]:
    """What this hub owes: acknowledgements, answers, what a law or a bulletin sets a time for."""
    for priority, each in _pressing(asked, aside):
        is_late, is_named = each.standing == "late", has_its_id(asked.db, each.id, each.issuer)
        yield Need(
            sort="bulletin",
            about=each.id if is_named else f"{each.issuer}/{each.id}",
            tlp=each.tlp,
            audience=each.audience,
            issuer=each.issuer,
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
            address=f"/b/{each.id}",
            is_acknowledgement=each.rule == ACKNOWLEDGEMENT
            and is_named
            and asked.viewer.may(Action.ACKNOWLEDGE),
        )


def _pressing(asked: Asked, aside: frozenset[tuple[str, str]]) -> Iterator[tuple[int, clocks.Due]]:
    """The clocks that are told, each with its priority: the gravest, of their authors by turns; and those that are put aside.

    So neither what is late and less grave nor a flood of one author hides what another has said.
    """
    ours = clocks.ours(asked)
    known = priorities(asked.db, asked.clearance, Status.ACTUAL, [each.id for each in ours])

    def priority(each: Owed) -> int:
        found = known.get(each.id, 3)
        return min(found, 2) if each.standing == "late" else found

    def is_aside(each: Owed) -> bool:
        return not aside.isdisjoint((("bulletin", each.id), ("bulletin", f"{each.issuer}/{each.id}")))

    others = clocks.by_turns((each for each in ours if not is_aside(each)), priority)
    first = clocks.fairly(others, lambda each: each.issuer, FEW)[:MOST_NEEDS]
    for each in (*first, *filter(is_aside, ours)):
        yield priority(each), clocks.told(asked, each)


def _alarming(asked: Asked, alarms: Sequence[channels.Alarm]) -> Iterator[Need]:
    for alarm in alarms:
        way = next((reach.ways[0].removeprefix("tel:") for reach in alarm.reach), "")
        call = asked.say("Telephone: %(number)s.", number=way) if way else ""
        yield Need(
            sort="alarm",
            about=alarm.key,
            tlp=alarm.tlp,
            audience=alarm.audience,
            issuer=alarm.authority,
            priority=3,
            state=alarm.state,
            title=alarm.words,
            words=f"{alarm.channel}: {alarm.detail}. {call}".rstrip(),
            due=None,
            since=alarm.began,
            action=asked.say("Channels"),
            address="/channels",
        )
