"""Incidents: what belongs together, what may and why, who does what about it, and what people have decided and written."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bus import desk, sheets
from bus.console import codes, rows, texts
from bus.console.asked import Asked
from bus.console.errors import NotHereError
from bus.console.graph import Edge, Node
from bus.console.incidents import Joined
from bus.console.page import Content
from bus.console.pages import clocks
from bus.console.pages.incident_desk import Told
from bus.console.rows import Row
from bus.hub import incidents as joining
from bus.hub import picture
from bus.hub.incidents import Group, How, Suggestion, Tie
from bus.hub.picture import About, Member, of_rows
from bus.languages import marked
from bus.policy import narrowest
from bus.subscribing import as_json, whole
from schemas.bulletin import Bulletin
from schemas.vocab import Domain, Status, Tlp

MOST = 50
"""So many incidents are listed, and so many loose suggestions."""
MOST_MEMBERS = 60
"""Of so many bulletins of an incident, the newest, the page says all."""
MOST_DRAWN = 24
MOST_OFFERS = 30
MOST_SHARED = 30
_LEAST_SHARED = 2


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


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin of the incident, and by what it belongs to it."""

    row: Row
    tied_by: tuple[str, ...]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody does or is asked to do: `state` is `pass`, `wait`, `fail` or `unknown`."""

    who: str
    what: str
    id: str
    state: str
    words: str
    due: dt.datetime | None = None


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """A value in several bulletins of the incident, defanged."""

    value: str
    type: str
    count: int
    first: dt.datetime


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


def look(asked: Asked) -> AllIncidents:
    """The list, of what its reader may read."""
    joined = _joined(asked)
    if joined is None:
        return AllIncidents(
            marking="clear", incidents=(), loose=(), more=0, more_loose=0, since=None, joined_at=None,
            is_stale=True, is_cut_short=False, may_decide=False,
        )  # fmt: skip
    found = joined.found
    lines = tuple(_line(asked, joined, group) for group in found.groups[: asked.most or MOST])
    loose = [each for each in found.suggestions if not {each.a, each.b} & joined.group.keys()]
    offers = tuple(_offer(asked, joined, each, each.a) for each in loose[:MOST])
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


def look_at_one(asked: Asked) -> OneIncident:
    """The page of the incident of a bulletin, by the id of any member.

    Raises:
        NotHereError: there is no such bulletin, it is older than the window, or its reader may not read it.
    """
    id_, joined = asked.place["id"], _joined(asked)
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
        _offer(asked, joined, each, each.a if each.a in group.members else each.b)
        for each in suggested[:MOST_OFFERS]
    )
    bodies = _bodies(asked, newest)
    told = asked.desk if isinstance(asked.desk, Told) else None
    nodes, edges = _drawn(asked, joined, group, suggested[:MOST_OFFERS])
    shared, values = _shared(newest, bodies)
    others = (joined.found.members[each.id].tlp for each in offers)
    return OneIncident(
        marking=str(narrowest((*(each.tlp for each in members), *others)) or "clear"),
        id=group.id,
        asked_for=id_,
        headline=members[0].headline,
        priority=min(map(_priority, members)),
        bulletins=len(members),
        since=members[0].issued,
        last=members[-1].issued,
        countries=_all(each.countries for each in members),
        elections=_all((each.election,) for each in members if each.election is not None),
        nodes=nodes,
        edges=edges,
        lanes=tuple(
            (str(domain), _capital(asked.words.word("domain", str(domain))))
            for domain in Domain
            if any(n.lane == domain for n in nodes)
        ),
        not_drawn=len(members) + len({each.id for each in offers}) - len(nodes),
        offers=offers,
        more_offers=len(suggested) - len(offers),
        parts=tuple(_parts(asked, group, newest)),
        tasks=tuple(_tasks(asked, newest, bodies)),
        shared=shared,
        values=values,
        summaries=() if told is None else tuple(_said(told, told.summaries)),
        journal=() if told is None else tuple(_said(told, told.journal)),
        decisions=() if told is None else tuple(_decided(asked, joined, told)),
        audiences=_all((each.audience,) for each in sorted(members, key=lambda one: one.tlp)),
        joined_at=joined.at,
        is_stale=asked.incidents is not None and asked.incidents.is_stale,
        may_decide=told is not None and asked.viewer.may(desk.Action.DECIDE_INCIDENT),
        may_write=told is not None and asked.viewer.may(desk.Action.WRITE_JOURNAL),
    )


def beside(asked: Asked, id_: str, most: int) -> tuple[Row, ...]:
    """The other bulletins of the incident of a bulletin, the newest first; none while nothing has been made yet."""
    joined = _joined(asked)
    group = joined.of(id_) if joined is not None else None
    if joined is None or group is None:
        return ()
    others = [joined.found.members[each].row for each in reversed(group.members) if each != id_]
    lines = of_rows(asked.db, asked.clearance, asked.now, Status.ACTUAL, others[:most])
    return tuple(rows.of_lines(asked, (each for each in lines if each.id in group.members)))


def _joined(asked: Asked) -> Joined | None:
    return asked.incidents.joined if asked.incidents is not None else None


def _not_yet(asked: Asked, id_: str) -> OneIncident:
    return OneIncident(
        marking=str(asked.clearance.ceiling), id=id_, asked_for=id_, headline="", priority=4, bulletins=0, since=None,
        last=None, countries=(), elections=(), nodes=(), edges=(), lanes=(), not_drawn=0, offers=(), more_offers=0,
        parts=(), tasks=(), shared=(), values=0, summaries=(), journal=(), decisions=(), audiences=(), joined_at=None,
        is_stale=True, may_decide=False, may_write=False,
    )  # fmt: skip


def _line(asked: Asked, joined: Joined, group: Group) -> Line:
    members = [joined.found.members[each] for each in group.members]
    return Line(
        id=group.id,
        headline=members[0].headline,
        priority=min(map(_priority, members)),
        bulletins=len(members),
        issuers=tuple(asked.name_of(each) for each in _all((one.issuer,) for one in members)),
        countries=_all(each.countries for each in members),
        since=members[0].issued,
        last=members[-1].issued,
        suggested=len(joined.suggested(group.members)),
        stands=any(each.stands for each in members),
        tlp=str(narrowest(each.tlp for each in members) or Tlp.RED),
    )


def _offer(asked: Asked, joined: Joined, each: Suggestion, to: str) -> Offer:
    other = joined.found.members[each.b if each.a == to else each.a]
    return Offer(
        id=other.id,
        to=to,
        headline=other.headline,
        to_headline=joined.found.members[to].headline,
        name=asked.name_of(other.issuer),
        at=other.issued,
        priority=_priority(other),
        tlp=other.tlp,
        points=round(each.likeness.points, 1),
        why=tuple(
            _capital(joining.reason_in_words(reason, _defanged, asked.say))
            for reason in each.likeness.reasons
        ),
    )


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
            yield Part(row=row, tied_by=_all((joining.tie_in_words(tie, asked.say),) for tie in named))


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
            priority=_priority(each),
            issuer=each.issuer,
            who=asked.name_of(each.issuer),
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


def _bodies(asked: Asked, members: Sequence[Member]) -> dict[str, Bulletin]:
    """The bulletins, by id; each was in the window of its reader, and is asked for by its row and id."""
    wanted = {each.row: each.id for each in members}
    sql = "SELECT * FROM admitted WHERE row IN (SELECT value FROM json_each(?))"
    every = whole(asked.db.execute(sql, (as_json(list(wanted)),)))
    return {each.id: each.bulletin for each in every if wanted.get(each.rowid) == each.id}


def _tasks(asked: Asked, members: Sequence[Member], bodies: dict[str, Bulletin]) -> Iterator[Task]:
    """Clocks, actions without a time, and answers, in the order of the bulletins."""
    mine = {each.id: each for each in members}
    for owed in clocks.owed(asked, every=True):
        if owed.id not in mine:
            continue
        due = clocks.told(asked, owed)
        yield Task(
            who=", ".join(due.who) or asked.say("nobody is named"),
            what=due.what,
            id=owed.id,
            state="pass" if due.met else "fail" if due.standing == "late" else "wait",
            words=_standing(asked, due),
            due=None if due.met else due.due,
        )
    for id_, b in bodies.items():
        for action in b.actions:
            if action.due is None:
                yield Task(
                    who=", ".join(asked.words.word("authority-kind", each) for each in action.to),
                    what=f"{_capital(asked.words.word('action-kind', action.kind))}: {action.text}",
                    id=id_,
                    state="unknown",
                    words=asked.say("no time is said"),
                )
        answers = picture.answers.to_one(asked.db, About.of(b), asked.registry)
        lines = of_rows(asked.db, asked.clearance, asked.now, Status.ACTUAL, [each.row for each in answers])
        readable = {line.row for line in lines}
        for answer in answers:
            if answer.row not in readable:
                continue
            yield Task(
                who=asked.name_of(answer.by),
                what=asked.say(
                    "Answers: %(verdict)s", verdict=asked.words.word("feedback-kind", answer.verdict)
                ),
                id=id_,
                state="fail" if answer.verdict == "dispute" else "pass",
                words=f"{texts.day(asked.say, answer.at)} {answer.at:%H:%M}",
            )


def _standing(asked: Asked, due: clocks.Due) -> str:
    """How a clock stands, before its time."""
    if due.met is not None:
        return asked.say("done %(time)s", time=f"{due.met:%H:%M}")
    return codes.in_words(asked.say, "late") if due.standing == "late" else asked.say("by")


def _shared(members: Sequence[Member], bodies: dict[str, Bulletin]) -> tuple[tuple[Shared, ...], int]:
    """Values in two bulletins or more, those in most first, without noise; and how many values there are."""
    seen: dict[tuple[str, str], list[Member]] = defaultdict(list)
    for member in members:
        b = bodies.get(member.id)
        values = (
            {(each.type, each.value or f"hmac {each.value_hmac}") for each in b.observables}
            if b is not None
            else ()
        )
        for key in sorted(values):
            seen[key].append(member)
    shared = [
        Shared(value=sheets.defanged(type_, value), type=type_, count=len(some), first=some[0].issued)
        for (type_, value), some in seen.items()
        if len(some) >= _LEAST_SHARED and not picture.noise.why_known(value.casefold())
    ]
    return tuple(sorted(shared, key=lambda each: (-each.count, each.value))[:MOST_SHARED]), len(seen)


def _defanged(value: str) -> str:
    return sheets.defanged("url", value)


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


def _all(some: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({each for part in some for each in part}))


def _priority(member: Member) -> int:
    return int(member.priority.removeprefix("p"))


def _capital(words: str) -> str:
    plain = words.replace("-", " ") if ":" not in words else words
    return texts.capital(plain)
