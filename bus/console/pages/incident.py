"""One incident: what belongs to it and may, who does what about it, and what people have decided and written."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bus import desk
from bus.console import rows, texts
from bus.console.asked import Asked
from bus.console.errors import NotHereError
from bus.console.graph import Edge, Node
from bus.console.incidents import Joined
from bus.console.page import Content
from bus.console.pages.incident_bodies import Shared, Task, bodies_of, shared_by, tasks_of
from bus.console.pages.incident_desk import Told
from bus.console.pages.incidents import Offer, capital, distinct, joined_of, offer, priority_of
from bus.console.rows import Row
from bus.hub import incidents as joining
from bus.hub import picture
from bus.hub.incidents import Group, How, Suggestion, Tie
from bus.hub.picture import Member, of_rows
from bus.languages import marked
from bus.policy import narrowest
from schemas.vocab import Domain, Status

MOST_MEMBERS = 60
"""Of so many bulletins of an incident, the newest, the page says all."""
MOST_DRAWN = 24
MOST_OFFERS = 30


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin of the incident, and by what it belongs to it."""

    row: Row
    tied_by: tuple[str, ...]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision in words; `can_undo` while it is the last about its pair."""

    n: int
    words: str
    headline: str
    by: str
    at: dt.datetime
    why: str
    undone: str
    can_undo: bool


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A word of a person."""

    text: str
    by: str
    at: dt.datetime


class OneIncident(Content, frozen=True, kw_only=True):
    """The page of an incident."""

    id: str
    asked_for: str
    headline: str
    priority: int
    bulletins: int
    since: dt.datetime | None
    last: dt.datetime | None
    countries: tuple[str, ...]
    elections: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    lanes: tuple[tuple[str, str], ...]
    not_drawn: int
    offers: tuple[Offer, ...]
    more_offers: int
    parts: tuple[Part, ...]
    tasks: tuple[Task, ...]
    shared: tuple[Shared, ...]
    values: int
    summaries: tuple[Said, ...]
    journal: tuple[Said, ...]
    decisions: tuple[Decided, ...]
    audiences: tuple[str, ...]
    joined_at: dt.datetime | None
    is_stale: bool
    may_decide: bool
    may_write: bool


def look(asked: Asked) -> OneIncident:
    """The page of the incident of a bulletin, by the id of any member.

    Raises:
        NotHereError: there is no such bulletin, it is older than the window, or its reader may not read it.
    """
    id_, joined = asked.place["id"], joined_of(asked)
    if joined is None:
        return _not_yet(asked, id_)
    group = joined.of(id_)
    if group is None:
        days = picture.together.DAYS
        raise NotHereError(
            "there is no bulletin of the last %(days)s days with this id that you may read", days=days
        )
    members = [joined.found.members[each] for each in group.members]
    newest = members[-MOST_MEMBERS:]
    suggested = joined.suggested(group.members)
    offers = tuple(
        offer(asked, joined, each, each.a if each.a in group.members else each.b)
        for each in suggested[:MOST_OFFERS]
    )
    bodies = bodies_of(asked, newest)
    told = asked.desk if isinstance(asked.desk, Told) else None
    nodes, edges = _drawn(asked, joined, group, suggested[:MOST_OFFERS])
    shared, values = shared_by(newest, bodies)
    others = (joined.found.members[each.id].tlp for each in offers)
    return OneIncident(
        marking=str(narrowest((*(each.tlp for each in members), *others)) or "clear"),
        id=group.id,
        asked_for=id_,
        headline=members[0].headline,
        priority=min(map(priority_of, members)),
        bulletins=len(members),
        since=members[0].issued,
        last=members[-1].issued,
        countries=distinct(each.countries for each in members),
        elections=distinct((each.election,) for each in members if each.election is not None),
        nodes=nodes,
        edges=edges,
        lanes=tuple(
            (str(domain), capital(asked.words.word("domain", str(domain))))
            for domain in Domain
            if any(n.lane == domain for n in nodes)
        ),
        not_drawn=len(members) + len({each.id for each in offers}) - len(nodes),
        offers=offers,
        more_offers=len(suggested) - len(offers),
        parts=tuple(_parts(asked, group, newest)),
        tasks=tuple(tasks_of(asked, newest, bodies)),
        shared=shared,
        values=values,
        summaries=() if told is None else tuple(_said(told, told.summaries)),
        journal=() if told is None else tuple(_said(told, told.journal)),
        decisions=() if told is None else tuple(_decided(asked, joined, told)),
        audiences=distinct((each.audience,) for each in sorted(members, key=lambda one: one.tlp)),
        joined_at=joined.at,
        is_stale=asked.incidents is not None and asked.incidents.is_stale,
        may_decide=told is not None and asked.viewer.may(desk.Action.DECIDE_INCIDENT),
        may_write=told is not None and asked.viewer.may(desk.Action.WRITE_JOURNAL),
    )


def _not_yet(asked: Asked, id_: str) -> OneIncident:
    return OneIncident(
        marking=str(asked.clearance.ceiling), id=id_, asked_for=id_, headline="", priority=4, bulletins=0, since=None,
        last=None, countries=(), elections=(), nodes=(), edges=(), lanes=(), not_drawn=0, offers=(), more_offers=0,
        parts=(), tasks=(), shared=(), values=0, summaries=(), journal=(), decisions=(), audiences=(), joined_at=None,
        is_stale=True, may_decide=False, may_write=False,
    )  # fmt: skip


def _parts(asked: Asked, group: Group, newest: Sequence[Member]) -> Iterator[Part]:
    ties: dict[str, list[Tie]] = defaultdict(list)
    for tie in group.ties:
        ties[tie.a].append(tie)
        ties[tie.b].append(tie)
    lines = of_rows(
        asked.db, asked.clearance, asked.now, Status.ACTUAL, [each.row for each in reversed(newest)]
    )
    for row in rows.of_lines(asked, lines):
        if row.id in group.members:
            named = (msgspec.structs.replace(tie, by=asked.name_of(tie.by)) for tie in ties[row.id])
            yield Part(row=row, tied_by=distinct((joining.tie_in_words(tie, asked.say),) for tie in named))


def _drawn(
    asked: Asked, joined: Joined, group: Group, suggested: Sequence[Suggestion]
) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """The newest bulletins of the incident with what is suggested about them, by time."""
    inside = set(group.members)
    others = [id_ for each in suggested for id_ in (each.a, each.b) if id_ not in inside]
    ids = {*group.members[-MOST_DRAWN:], *list(dict.fromkeys(others))[:MOST_DRAWN]}
    some = sorted((joined.found.members[each] for each in ids), key=lambda one: (one.issued, one.id))[
        -MOST_DRAWN:
    ]
    nodes = tuple(
        Node(
            id=each.id,
            lane=each.domain,
            priority=priority_of(each),
            issuer=each.issuer,
            who=asked.name_of(each.issuer),
            at=each.issued,
            when=f"{each.issued:%H:%M}",
            day=texts.day(asked.say, each.issued),
            headline=each.headline,
            maybe=each.id not in inside,
        )
        for each in some
    )
    edges = [
        Edge(a=a, b=b, why=asked.say("decided") if how is How.DECIDED else "")
        for (a, b), how in {(tie.a, tie.b): tie.how for tie in group.ties}.items()
    ]
    edges += [
        Edge(
            a=each.a,
            b=each.b,
            maybe=True,
            why=joining.reason_in_words(each.likeness.reasons[0], say=asked.say).split(":")[0],
        )
        for each in suggested
    ]
    return nodes, tuple(edges)


_VERDICTS = {
    "belongs": marked("Belongs"),
    "does-not": marked("Does not belong"),
    "split": marked("Split off"),
}


def _decided(asked: Asked, joined: Joined, told: Told) -> Iterator[Decided]:
    last: set[tuple[str, str]] = set()
    for each in told.decisions:
        pair = (each.incident, each.bulletin)
        can_undo = each.undone_at is None and pair not in last
        if each.undone_at is None:
            last.add(pair)
        member = joined.found.members.get(each.bulletin)
        undone = (
            asked.say(
                "undone by %(name)s at %(time)s",
                name=told.names.get(each.undone_by or "", each.undone_by or ""),
                time=f"{texts.day(asked.say, _at(each.undone_at))} {_at(each.undone_at):%H:%M}",
            )
            if each.undone_at is not None
            else ""
        )
        yield Decided(
            n=each.n,
            words=asked.say.plain(_VERDICTS[each.verdict]),
            headline=member.headline if member is not None else each.bulletin,
            by=told.names.get(each.by, each.by),
            at=_at(each.at),
            why=each.why,
            undone=" ".join(filter(None, (undone, each.undone_why or ""))),
            can_undo=can_undo,
        )


def _said(told: Told, some: Iterable[desk.words.Word]) -> Iterator[Said]:
    for each in some:
        yield Said(text=each.text, by=told.names.get(each.by, each.by), at=_at(each.at))


def _at(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
