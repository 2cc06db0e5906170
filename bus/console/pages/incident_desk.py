"""What people do about incidents, as forms of its page send it, and what the desk tells of that. Pure but for the desk's transaction."""

from __future__ import annotations

import sqlite3
from urllib.parse import quote

import msgspec

from bus import desk
from bus.console.asked import whole_of
from bus.console.doing import Doing
from bus.console.errors import BadRequestError, NotHereError
from bus.console.incidents import Joined, Kept
from bus.console.page import Question
from bus.desk.decisions import Decision, Verdict
from bus.desk.words import Word
from bus.hub.incidents import Group
from bus.policy import narrowest
from schemas.vocab import Tlp

KIND = "incident"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk tells of an incident.

    Attributes:
        decisions: about it, undone or not, the newest first.
        summaries: what was written by hand, the newest first.
        journal: its entries, the newest first.
        names: of people, by their ids.
    """

    decisions: tuple[Decision, ...]
    summaries: tuple[Word, ...]
    journal: tuple[Word, ...]
    names: dict[str, str]


def told_of(kept: Kept, id_: str) -> Question | None:
    """What a page asks of the desk about the incident of a bulletin."""
    group = kept.joined.of(id_) if kept.joined is not None else None
    if kept.joined is None or group is None:
        return None
    members, seen = group.members, kept.joined.found.members
    elsewhere = {
        each.incident
        for each in kept.joined.made
        if each.bulletin in members and each.incident not in members and each.incident in seen
    }

    def question(db: sqlite3.Connection, act: desk.Act) -> Told:
        made = [each for id_ in members for each in desk.decisions.history(db, act, id_)]
        made += [
            each
            for id_ in sorted(elsewhere)
            for each in desk.decisions.history(db, act, id_)
            if each.bulletin in members
        ]
        notes = [each for id_ in members for each in desk.words.notes(db, act, KIND, id_)]
        journal = [each for id_ in members for each in desk.words.journal(db, act, id_)]
        return Told(
            decisions=tuple(sorted(made, key=lambda each: -each.n)),
            summaries=tuple(sorted(notes, key=lambda each: -each.n)),
            journal=tuple(sorted(journal, key=lambda each: -each.n)),
            names=desk.people.names(db),
        )

    return question


async def decide(doing: Doing) -> str:
    """A bulletin belongs to the incident, does not, or is split off.

    Raises:
        BadRequestError: no such verdict, or a bulletin against itself.
        NotHereError: one of the two is not here, or its sender may not read it.
        DeedError: as the desk.
    """
    joined = await doing.joined()
    group, bulletin = _group(joined, doing), doing.field("bulletin")
    member = joined.found.members.get(bulletin)
    if member is None:
        raise _nobody()
    try:
        verdict = Verdict(doing.field("verdict"))
    except ValueError:
        raise BadRequestError("that is no decision about an incident") from None
    anchor = next((each for each in group.members if each != bulletin), None)
    if anchor is None or (verdict is Verdict.SPLIT and bulletin not in group.members):
        raise BadRequestError("a bulletin is decided about with another one of this incident")
    about = desk.About("bulletin", bulletin, Tlp(member.tlp), member.audience)
    why = doing.field("why")
    await doing.at_desk(lambda db, act: desk.decisions.decide(db, act, anchor, about, verdict, why))
    await doing.joined()
    return _page(doing)


async def undo(doing: Doing) -> str:
    """Undo a decision by its number.

    Raises:
        BadRequestError: that is no number.
        NotHereError: the incident is not here.
        DeedError: as the desk.
    """
    joined = await doing.joined()
    _group(joined, doing)
    number = whole_of(doing.field("n"))
    if number is None:
        raise BadRequestError("a decision has a number")
    if any(each.n == number and each.incident not in joined.found.members for each in joined.made):
        raise _nobody()  # it is about an incident of which the sender may know nothing
    await doing.at_desk(lambda db, act: desk.decisions.undo(db, act, number, doing.field("why")))
    await doing.joined()
    return _page(doing)


async def summary(doing: Doing) -> str:
    """Write what is known.

    Raises:
        NotHereError: the incident is not here.
        BadRequestError: said to whom none of its bulletins is.
        DeedError: as the desk.
    """
    about = _about(await doing.joined(), doing)
    await doing.at_desk(lambda db, act: desk.words.add_note(db, act, about, doing.field("text")))
    return f"{_page(doing)}#known"


async def entry(doing: Doing) -> str:
    """Add to the journal.

    Raises:
        NotHereError: the incident is not here.
        BadRequestError: said to whom none of its bulletins is.
        DeedError: as the desk.
    """
    about = _about(await doing.joined(), doing)
    await doing.at_desk(lambda db, act: desk.words.add_entry(db, act, about, doing.field("text")))
    return f"{_page(doing)}#jour"


def _page(doing: Doing) -> str:
    return f"/i/{quote(doing.place['id'], safe='')}"


def _group(joined: Joined, doing: Doing) -> Group:
    group = joined.of(doing.place["id"])
    if group is None:
        raise _nobody()
    return group


def _about(joined: Joined, doing: Doing) -> desk.About:
    """The incident as words about it are marked: as narrowly as its narrowest bulletin, for the audience that was chosen."""
    group = _group(joined, doing)
    members = [joined.found.members[each] for each in group.members]
    tlp = narrowest(each.tlp for each in members) or Tlp.RED
    audience = doing.field("audience")
    if audience not in {each.audience for each in members}:
        raise BadRequestError("choose to whom it is said: one of the audiences of these bulletins")
    return desk.About(KIND, group.id, tlp, audience)


def _nobody() -> NotHereError:
    return NotHereError("there is no bulletin with this id that you may read")
