"""What the bulletins of an incident say in full: who does what about it by when, and values in several of them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from bus import sheets
from bus.console import codes, texts
from bus.console.asked import Asked
from bus.console.pages import clocks
from bus.console.pages.incidents import capital
from bus.hub import picture
from bus.hub.picture import About, Member, of_rows
from bus.subscribing import as_json, whole
from schemas.bulletin import Bulletin
from schemas.vocab import Status

MOST_SHARED = 30
_LEAST_SHARED = 2


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


def bodies_of(asked: Asked, members: Sequence[Member]) -> dict[str, Bulletin]:
    """The bulletins, by id; each was in the window of its reader, and is asked for by its row and id."""
    wanted = {each.row: each.id for each in members}
    sql = "SELECT * FROM admitted WHERE row IN (SELECT value FROM json_each(?))"
    every = whole(asked.db.execute(sql, (as_json(list(wanted)),)))
    return {each.id: each.bulletin for each in every if wanted.get(each.rowid) == each.id}


def tasks_of(asked: Asked, members: Sequence[Member], bodies: dict[str, Bulletin]) -> Iterator[Task]:
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
                    what=f"{capital(asked.words.word('action-kind', action.kind))}: {action.text}",
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


def shared_by(members: Sequence[Member], bodies: dict[str, Bulletin]) -> tuple[tuple[Shared, ...], int]:
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
