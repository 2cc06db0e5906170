"""Handover: what a shift leaves to the next: what is open, snoozed and promised; read and signed by the next officer."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from bus import desk
from bus.console.asked import Asked, whole_of
from bus.console.doing import Doing
from bus.console.errors import BadRequestError
from bus.console.page import Content
from bus.console.pages import channels, clocks, snoozing
from bus.console.pages.needs import Need, needs
from bus.console.pages.snoozing import Snoozed
from bus.desk import About, Act
from bus.desk.duty import Handover as Given
from bus.desk.duty import Item, Left
from bus.languages import Language, marked
from bus.policy import narrowest
from bus.storage import utc
from schemas.vocab import Tlp

MOST_OPEN, MOST_PROMISED, MOST_SNOOZED = 60, 20, 120
"""Lines, together as many as the desk takes; of what is put aside those that end first."""
_MOST_LINE = 300
LEFT = {
    Left.OPEN: marked("Open", "handover"),
    Left.SNOOZED: marked("Snoozed", "handover"),
    Left.PROMISED: marked("Promised", "handover"),
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a handover: which kind, in words, and where it stands."""

    left: str
    words: str
    address: str


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """A handover that was given.

    Attributes:
        n: its number.
        by: who gave it.
        at: when.
        words: what is to be known beside.
        lines: what it lists.
        digest: of all that: what the next officer signs.
        taken_by: who has signed it; empty before that.
        taken_at: when.
        is_hidden: something in it is above what the reader may see; then it says nothing.
        may_take: whether the reader may sign it.
    """

    n: int
    by: str
    at: dt.datetime
    words: str
    lines: tuple[Line, ...]
    digest: str
    taken_by: str
    taken_at: dt.datetime | None
    is_hidden: bool
    may_take: bool


class Handover(Content, frozen=True, kw_only=True):
    """The page.

    Attributes:
        open: what needs a person now.
        promised: what this hub owes by a clock and has not done.
        titles: of what is put aside, by its name at the desk.
        snoozed: what is put aside; filled in by the desk.
        shifts: the handovers that were given, those that wait for a signature first.
    """

    open: tuple[Need, ...]
    promised: tuple[clocks.Due, ...]
    titles: dict[str, str]
    snoozed: tuple[Snoozed, ...] = ()
    shifts: tuple[Shift, ...] = ()


def look(asked: Asked) -> Handover:
    """What would be handed over now, of what its reader may see."""
    every, _ = needs(asked, channels.standing_alarms(asked), MOST_OPEN)
    found = tuple(each for each in every if each.sort != "draft")  # a draft waits for one person
    shown = {need.about for need in found}
    others = clocks.by_turns(each for each in clocks.ours(asked) if each.id not in shown)[:MOST_PROMISED]
    promised = tuple(clocks.told(asked, each) for each in sorted(others, key=lambda each: each.due))
    titles, marks = snoozing.titles_of(asked)
    tlps = (*(need.tlp for need in found), *(due.tlp for due in promised), *marks)
    return Handover(
        marking=str(narrowest(tlps) or Tlp.GREEN),
        open=found,
        promised=promised,
        titles=titles,
    )


def beside(content: Content) -> Callable[[sqlite3.Connection, Act], Content] | None:
    """The question to the desk: the same page, with what is put aside and the handovers that were given."""
    if not isinstance(content, Handover):
        return None
    page = content

    def question(db: sqlite3.Connection, act: Act) -> Content:
        names = desk.people.names(db)
        given = desk.duty.handovers(db, act)
        left, aside, _ = snoozing.told(db, act, page.open, page.titles, utc(act.at))
        return msgspec.structs.replace(
            page,
            open=left,
            snoozed=aside,
            shifts=tuple(_shift(each, names, act.who) for each in given),
        )

    return question


def _shift(each: Given, names: dict[str, str], reader: str) -> Shift:
    return Shift(
        n=each.n,
        by=names.get(each.by, each.by),
        at=utc(each.at),
        words=each.words,
        lines=tuple(
            Line(left=LEFT[item.left], words=item.line, address=_address(item.about)) for item in each.items
        ),
        digest=each.digest,
        taken_by=names.get(each.taken_by, each.taken_by) if each.taken_by else "",
        taken_at=None if each.taken_at is None else utc(each.taken_at),
        is_hidden=each.is_hidden,
        may_take=each.taken_by is None and not each.is_hidden and each.by != reader,
    )


def _address(about: About) -> str:
    return f"/b/{about.id}" if about.kind == "bulletin" else "/channels"


async def give(doing: Doing) -> str:
    """Hand a shift over, with what is open, snoozed and promised at this moment.

    Raises:
        DeedError: as the desk.
    """
    put = await doing.at_desk(desk.snoozes.aside)
    page = await doing.look(lambda asked: look(msgspec.structs.replace(asked, aside=put)))

    def work(db: sqlite3.Connection, act: Act) -> None:
        left, aside, _ = snoozing.told(db, act, page.open, page.titles, utc(act.at))
        holding = {each.n: each for each in desk.snoozes.holding(db, act)}
        items = [
            *(Item(Left.OPEN, _about(need), _cut(f"{need.title}: {need.words}")) for need in left),
            *islice(_aside(doing.voice.say, db, aside, holding), MOST_SNOOZED),
            *(
                Item(
                    Left.PROMISED,
                    About("bulletin", due.id, Tlp(due.tlp), due.audience),
                    _cut(f"{due.what}: {due.about}"),
                )
                for due in page.promised
            ),
        ]
        desk.duty.hand_over(db, act, doing.field("words"), items)

    await doing.at_desk(work)
    return "/handover"


def _about(need: Need) -> About:
    return About(need.sort, need.about, Tlp(need.tlp), need.audience)


def _aside(
    say: Language, db: sqlite3.Connection, aside: tuple[Snoozed, ...], holding: dict[int, desk.snoozes.Snooze]
) -> Iterator[Item]:
    for each in aside:
        about = desk.snoozes.about_of(db, each.n)
        if not holding[each.n].is_hidden and about is not None:
            what = f"{each.words}: {each.reason}"
            told = say("%(what)s, until %(time)s UTC", what=what, time=f"{each.until:%H:%M}")
            yield Item(Left.SNOOZED, about, _cut(told))


def _cut(words: str) -> str:
    """A line as the desk keeps it; an author may have written what the desk takes from nobody, such as marks of direction."""
    words = desk.shown(words)
    return words if len(words) <= _MOST_LINE else words[: _MOST_LINE - 1] + "…"


async def take(doing: Doing) -> str:
    """Sign a handover that was read.

    Raises:
        BadRequestError: that is no number.
        DeedError: as the desk.
    """
    number = whole_of(doing.place["n"])
    if number is None:
        raise BadRequestError("a handover has a number")
    shown = doing.field("digest")
    await doing.at_desk(lambda db, act: desk.duty.take_over(db, act, number, shown))
    return "/handover"
