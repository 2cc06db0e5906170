"""What people here do about a bulletin: acknowledge it, for one. And what the page tells of that, and of its answers."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

import msgspec

from bus import desk, sheets
from bus.console.asked import Asked
from bus.console.doing import Doing, Hub
from bus.console.errors import AgainError, RefusedError
from bus.console.pages import clocks
from bus.console.pages.held import held, name_at_desk
from bus.console.pages.notes import Note, notes_on
from bus.console.people import People
from bus.desk import About, Action
from bus.hub.acting import Acknowledge, Outcome
from bus.hub.clocks import ACKNOWLEDGEMENT
from bus.storage import utc
from bus.subscribing import Stored
from schemas.bulletin import Bulletin
from schemas.subject import channel_of
from schemas.vocab import TLP_RANK, Tlp

MOST_RECEIPTS = 3
"""So many are tried at once: fewer than the hub signs for one person in that time, so that they keep no deed of a person waiting."""
MOST_HANDS = 2000
"""So many authorities are offered for a handover."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A person here has acknowledged the bulletin; `is_signed` says that the hub has signed its receipt."""

    who: str
    at: dt.datetime
    is_signed: bool


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of this hub that is in force."""

    verdict: str
    at: dt.datetime
    text: str


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What people here have done about a bulletin, and what its reader may do.

    Attributes:
        about: what the bulletin is called in what people do about it: its id, or its digest.
        due: by when a person must acknowledge it; None where nothing asks for that, or it was done.
        may_acknowledge: whether the reader may, and has not.
        may_answer: whether the reader may.
        may_amend: whether the reader may draft an update or a withdrawal: it is this authority's own.
        may_snooze: whether the reader may put it aside: not what is of priority 1.
        may_note: whether the reader may write a note on it.
        read: who has acknowledged it, the first first.
        notes: of people here, the newest first.
        ours: what this hub has answered, the newest first.
        hands: (id, name) of the authorities that may take it over: those that read it.
        wider: the markings that may be asked for, the next wider one first.
    """

    about: str
    due: dt.datetime | None
    may_acknowledge: bool
    may_answer: bool
    may_amend: bool = False
    may_snooze: bool
    may_note: bool
    read: tuple[Read, ...] = ()
    notes: tuple[Note, ...] = ()
    ours: tuple[Ours, ...] = ()
    hands: tuple[tuple[str, str], ...] = ()
    wider: tuple[str, ...] = ()


def desk_of(
    asked: Asked, kept: Stored, priority: int, answers: Iterable[sheets.Answered], *, is_over: bool
) -> Desk:
    """What the store knows of it; the rest is asked of the desk (`told`)."""
    b, viewer = kept.bulletin, asked.viewer
    is_own = b.issuer.id == asked.hub
    due = next(
        (
            each.due
            for each in clocks.of_rows(asked, [kept.rowid])
            if each.rule == ACKNOWLEDGEMENT and each.met is None
        ),
        None,
    )
    may_answer = not is_own and b.kind != "sealed" and viewer.may(Action.ANSWER)
    return Desk(
        about=name_at_desk(asked, kept),
        due=due,
        may_acknowledge=not is_own and not is_over and viewer.may(Action.ACKNOWLEDGE),
        may_answer=may_answer,
        may_amend=is_own and b.kind != "sealed" and viewer.may(Action.DRAFT),
        may_note=viewer.may(Action.WRITE_NOTE),
        may_snooze=not is_over and priority > 1 and viewer.may(Action.SNOOZE),
        ours=tuple(
            Ours(verdict=each.verdict, at=each.at, text=each.text) for each in answers if each.by == asked.hub
        ),
        hands=tuple(hands_of(asked, b)) if may_answer else (),
        wider=wider_than(b.tlp) if may_answer else (),
    )


def told(known: Desk, about: About) -> Callable[[sqlite3.Connection, desk.Act], Desk]:
    """The question to the desk: the same, with who has acknowledged."""

    def question(db: sqlite3.Connection, act: desk.Act) -> Desk:
        names = desk.people.names(db)
        found = desk.duty.acknowledged(db, act, about)
        read = tuple(
            Read(who=names.get(each.person, each.person), at=utc(each.at), is_signed=bool(each.receipt))
            for each in found
        )
        mine = next((each for each in found if each.person == act.who), None)
        is_done = mine is not None and bool(mine.receipt)
        return msgspec.structs.replace(
            known,
            read=read,
            may_acknowledge=known.may_acknowledge and not is_done,
            notes=notes_on(db, act, about.kind, about.id),
        )

    return question


async def acknowledge(doing: Doing) -> str:
    """Note at the desk who has read it, then have the hub sign the receipt for its author.

    Raises:
        NotHereError: it is not here, or its sender may not read it.
        DeedError: as the desk.
        RefusedError, HubError: as the hub; the desk keeps that the person has read it.
    """
    about = await doing.look(about_named)

    def work(db: sqlite3.Connection, act: desk.Act) -> str:
        desk.duty.acknowledge(db, act, about)
        return act.who

    who = await doing.at_desk(work)
    outcome = must_be_done(await doing.hub.ask(Acknowledge(bulletin=about.id, by=who)))
    if outcome.state != "waiting":
        await doing.people.signed(about.id)
    return page_of(about)


async def sign_receipts(people: People, hub: Hub, skip: int = 0) -> int:
    """Have the hub sign the receipts for what people have acknowledged, and for which it has signed none yet.

    Args:
        people: the desk.
        hub: what signs.
        skip: so many of the oldest were tried the times before; those that it may never sign keep no others waiting.

    Returns:
        How many are to be skipped the next time; 0 to begin with the oldest again.

    Raises:
        HubError: the hub does not answer.
    """
    some = await people.unsigned(MOST_RECEIPTS, skip)
    for bulletin, who in some:
        outcome = await hub.ask(Acknowledge(bulletin=bulletin, by=who))
        if outcome.state in ("stored", "accepted"):
            await people.signed(bulletin)
        else:
            skip += 1
    return skip if len(some) == MOST_RECEIPTS else 0


def hands_of(asked: Asked, b: Bulletin) -> Iterator[tuple[str, str]]:
    """The other authorities that read a bulletin."""
    readers = asked.registry.readers(channel_of(b))[:MOST_HANDS]
    yield from ((each, asked.name_of(each)) for each in readers if each != asked.hub)


def wider_than(tlp: Tlp) -> tuple[str, ...]:
    """The markings that are wider than one, the next first."""
    order = sorted(Tlp, key=TLP_RANK.__getitem__, reverse=True)
    return tuple(str(each) for each in order if TLP_RANK[each] < TLP_RANK[tlp])


def about_named(asked: Asked) -> About:
    """The bulletin that the path names, as the desk names it.

    Raises:
        NotHereError: it is not here, or the sender may not read it.
    """
    kept = held(asked)
    b = kept.bulletin
    return About("bulletin", name_at_desk(asked, kept), b.tlp, b.audience)


def page_of(about: About) -> str:
    """The address of its page."""
    return f"/b/{quote(about.id, safe='')}"


def must_be_done(outcome: Outcome, doing: Doing | None = None) -> Outcome:
    """The outcome, where the hub did what was asked.

    Args:
        outcome: of the hub.
        doing: the form, where it may be sent again with a reason.

    Raises:
        AgainError: a person must look at it once more.
        RefusedError: the hub has refused it.
    """
    if outcome.state != "refused":
        return outcome
    words = " ".join(outcome.notes)
    if outcome.doubts and doing is not None:
        raise AgainError(words, path=doing.path, fields=doing.fields, doubts=outcome.doubts)
    raise RefusedError(words, reason=outcome.reason)
