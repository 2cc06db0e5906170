"""Clocks: what is owed by when and by whom, as the engine of the deadlines says; what is late first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import msgspec

from bus.console.asked import Asked
from bus.console.page import Content
from bus.hub import clocks as ringing
from bus.hub.picture import Owed, events, owed_within
from bus.languages import marked
from bus.policy import narrowest

MOST = 300
"""So many clocks are listed."""
KEPT_S = 30
"""Seconds for which a result is kept, if no event comes."""
GROUPS = (
    ("late", marked("Too late")),
    ("soon", marked("In the next 6 hours")),
    ("later", marked("Later")),
    ("met", marked("Met")),
)
_GROUP = {"late": "late", "due_soon": "soon", "running": "later", "met": "met", "met_late": "met"}
ACKNOWLEDGEMENT = "acknowledgement"
WORDS = {
    "rfi": marked("Answer a request for information"),
    "question": marked("Answer a question"),
    "lesson": marked("Act on a lesson"),
    "comply-by": marked("Comply with a decision"),
    ACKNOWLEDGEMENT: marked("Read and acknowledge"),
}
"""What a clock asks for; that of a law, or of an action, says its own name."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One clock in words; `share` is how much of its time is over, from 0 to 1, `place` tells it from others of its rule and bulletin."""

    what: str
    rule: str
    about: str
    id: str
    issuer: str
    who: tuple[str, ...]
    is_ours: bool
    start: dt.datetime
    due: dt.datetime
    latest: dt.datetime | None
    met: dt.datetime | None
    standing: str
    share: float
    tlp: str
    audience: str
    place: str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Clocks that stand alike."""

    key: str
    title: str
    clocks: tuple[Due, ...]


class Clocks(Content, frozen=True, kw_only=True):
    """The page."""

    groups: tuple[Group, ...]
    counts: dict[str, int]
    show: str
    more: int


def look(asked: Asked) -> Clocks:
    """The page, of what its reader may read."""
    show = asked.first("show") if asked.first("show") in ("ours", "met") else "all"
    every = tuple(told(asked, each) for each in owed(asked))
    met = (
        tuple(told(asked, each) for each in owed(asked, every=True) if each.met is not None)
        if show == "met"
        else ()
    )
    wanted = met if show == "met" else tuple(each for each in every if show == "all" or each.is_ours)
    listed = wanted[:MOST]
    return Clocks(
        marking=str(narrowest(each.tlp for each in listed) or "clear"),
        groups=tuple(_groups(asked, listed)),
        counts={"all": len(every), "ours": sum(each.is_ours for each in every)},
        show=show,
        more=len(wanted) - len(listed),
    )


def owed(asked: Asked, *, every: bool = False) -> Sequence[Owed]:
    """The clocks of what the reader may read, those of this hub's acknowledgements too; worked out once for all who may read the same."""
    stamp = (events.newest(asked.db), int(asked.now.timestamp()) // KEPT_S, asked.registry.version)
    key = ("owed", every, asked.clearance)
    kept = asked.shelf.memo.get(key)
    if kept is None or kept[0] != stamp:
        found = owed_within(asked.db, asked.clearance, asked.now, asked.registry, asked.hub, every=every)
        kept = asked.shelf.memo[key] = (stamp, found)
    return kept[1]


def running(asked: Asked) -> tuple[Due, ...]:
    """Every clock that runs, the first due first."""
    return tuple(told(asked, each) for each in owed(asked))


def ours(asked: Asked) -> Iterator[Due]:
    """The clocks that this hub owes and that run, the first due first."""
    for each in owed(asked):
        due = told(asked, each)
        if due.is_ours:
            yield due


def told(asked: Asked, each: Owed) -> Due:
    """A clock in words."""
    whole = max(1.0, (each.due - each.start).total_seconds())
    is_ours = ringing.is_owner(asked.hub, each.owner, asked.registry.document)
    return Due(
        what=_what(asked, each.rule),
        rule=each.rule,
        about=each.headline,
        id=each.id,
        issuer=each.issuer,
        who=tuple(asked.name_of(name) for name in each.owner),
        is_ours=is_ours,
        start=each.start,
        due=each.due,
        latest=each.latest,
        met=each.met,
        standing=str(each.standing),
        share=min(1.0, max(0.0, (asked.now - each.start).total_seconds() / whole)),
        tlp=each.tlp,
        audience=each.audience,
        place=each.place,
    )


def _what(asked: Asked, rule: str) -> str:
    """What a clock asks for, in words."""
    if rule in WORDS:
        return asked.say.plain(WORDS[rule])
    kind = rule.removeprefix(ringing.ACTION)
    if kind != rule:
        return asked.say("Action: %(kind)s", kind=asked.words.word("action-kind", kind))
    plain = rule.replace("-", " ")
    return plain[:1].upper() + plain[1:]


def _groups(asked: Asked, listed: Sequence[Due]) -> Iterator[Group]:
    for key, title in GROUPS:
        mine = tuple(each for each in listed if _GROUP[each.standing] == key)
        if mine:
            yield Group(key=key, title=asked.say.plain(title), clocks=mine)
