"""The list of incidents: what belongs together, and what may and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec

from bus import desk, sheets
from bus.console import rows, texts
from bus.console.asked import Asked
from bus.console.incidents import Joined
from bus.console.page import Content
from bus.console.rows import Row
from bus.hub import incidents as joining
from bus.hub.incidents import Group, Suggestion
from bus.hub.picture import Member, of_rows
from bus.policy import narrowest
from schemas.vocab import Status, Tlp

MOST = 50
"""So many incidents are listed, and so many loose suggestions."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An incident in the list; `headline` is that of its first bulletin."""

    id: str
    headline: str
    priority: int
    bulletins: int
    issuers: tuple[str, ...]
    countries: tuple[str, ...]
    since: dt.datetime
    last: dt.datetime
    suggested: int
    stands: bool
    tlp: str


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A suggestion: that `id` may belong to the incident of `to`, with the reasons in words."""

    id: str
    to: str
    headline: str
    to_headline: str
    name: str
    at: dt.datetime
    priority: int
    tlp: str
    points: float
    why: tuple[str, ...]


class AllIncidents(Content, frozen=True, kw_only=True):
    """The list. `joined_at` is None while nothing has been made yet."""

    incidents: tuple[Line, ...]
    loose: tuple[Offer, ...]
    more: int
    more_loose: int
    since: dt.datetime | None
    joined_at: dt.datetime | None
    is_stale: bool
    is_cut_short: bool
    may_decide: bool


def look(asked: Asked) -> AllIncidents:
    """The list, of what its reader may read."""
    joined = joined_of(asked)
    if joined is None:
        return AllIncidents(
            marking="clear", incidents=(), loose=(), more=0, more_loose=0, since=None, joined_at=None,
            is_stale=True, is_cut_short=False, may_decide=False,
        )  # fmt: skip
    found = joined.found
    lines = tuple(_line(asked, joined, group) for group in found.groups[: asked.most or MOST])
    loose = [each for each in found.suggestions if not {each.a, each.b} & joined.group.keys()]
    offers = tuple(offer(asked, joined, each, each.a) for each in loose[:MOST])
    beside = (found.members[id_].tlp for each in offers for id_ in (each.id, each.to))
    return AllIncidents(
        marking=str(narrowest((*(line.tlp for line in lines), *beside)) or "clear"),
        incidents=lines,
        loose=offers,
        more=len(found.groups) - len(lines),
        more_loose=len(loose) - len(offers),
        since=found.since,
        joined_at=joined.at,
        is_stale=asked.incidents is not None and asked.incidents.is_stale,
        is_cut_short=found.is_cut_short,
        may_decide=asked.viewer.may(desk.Action.DECIDE_INCIDENT),
    )


def beside(asked: Asked, id_: str, most: int) -> tuple[Row, ...]:
    """The other bulletins of the incident of a bulletin, the newest first; none while nothing has been made yet."""
    joined = joined_of(asked)
    group = joined.of(id_) if joined is not None else None
    if joined is None or group is None:
        return ()
    others = [joined.found.members[each].row for each in reversed(group.members) if each != id_]
    lines = of_rows(asked.db, asked.clearance, asked.now, Status.ACTUAL, others[:most])
    return tuple(rows.of_lines(asked, (each for each in lines if each.id in group.members)))


def joined_of(asked: Asked) -> Joined | None:
    """The incidents that are kept for who asks; None while nothing has been made yet."""
    return asked.incidents.joined if asked.incidents is not None else None


def _line(asked: Asked, joined: Joined, group: Group) -> Line:
    members = [joined.found.members[each] for each in group.members]
    return Line(
        id=group.id,
        headline=members[0].headline,
        priority=min(map(priority_of, members)),
        bulletins=len(members),
        issuers=tuple(asked.name_of(each) for each in distinct((one.issuer,) for one in members)),
        countries=distinct(each.countries for each in members),
        since=members[0].issued,
        last=members[-1].issued,
        suggested=len(joined.suggested(group.members)),
        stands=any(each.stands for each in members),
        tlp=str(narrowest(each.tlp for each in members) or Tlp.RED),
    )


def offer(asked: Asked, joined: Joined, each: Suggestion, to: str) -> Offer:
    """A suggestion in words, about the one of its two bulletins that is `to`."""
    other = joined.found.members[each.b if each.a == to else each.a]
    return Offer(
        id=other.id,
        to=to,
        headline=other.headline,
        to_headline=joined.found.members[to].headline,
        name=asked.name_of(other.issuer),
        at=other.issued,
        priority=priority_of(other),
        tlp=other.tlp,
        points=round(each.likeness.points, 1),
        why=tuple(
            capital(joining.reason_in_words(reason, _defanged, asked.say)) for reason in each.likeness.reasons
        ),
    )


def _defanged(value: str) -> str:
    return sheets.defanged("url", value)


def distinct(some: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """All values, each once, in their order."""
    return tuple(sorted({each for part in some for each in part}))


def priority_of(member: Member) -> int:
    """Its priority as a number."""
    return int(member.priority.removeprefix("p"))


def capital(words: str) -> str:
    """Words with a capital at their beginning; the hyphens of a code are blanks."""
    plain = words.replace("-", " ") if ":" not in words else words
    return texts.capital(plain)
