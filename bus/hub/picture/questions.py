"""The open questions: each with its author, its owner, the time for an answer, and the authorities that have answered."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bus.hub.clocks import CLOSING, is_owner
from bus.hub.picture import answers
from bus.hub.picture.answers import About, Said
from bus.subscribing import Stored, whole
from bus.trust import VerifiedRegistry
from schemas.bodies.coordination import Feedback, Rfi
from schemas.bulletin import Bulletin
from schemas.vocab import FeedbackKind

OPEN, OVERDUE, ANSWERED = "open", "overdue", "answered"
MOST = 1000
"""So many requests, and so many questions of answers, are looked at: the newest."""
_RFI = "SELECT row FROM actual WHERE kind = 'rfi' AND ended_by IS NULL ORDER BY row DESC LIMIT ?"
# The newest questions of each author are read first, so an author of many questions does not hide those of others.
_ASKED = """
SELECT a.row, a.target, a.named, a.channel,
  row_number() OVER (PARTITION BY a.by ORDER BY a.row DESC, a.target) AS place
FROM answered a JOIN actual s ON s.row = a.row
WHERE a.verdict = 'question' AND s.ended_by IS NULL ORDER BY place, a.row DESC LIMIT ?
"""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question.

    Attributes:
        id: of the bulletin that asks.
        question: its words.
        asked_by: who asks.
        owner: who is to answer: authorities, kinds of them, or audiences.
        due: the time for an answer; None if none is given.
        state: `open`, `overdue` or `answered`.
        answered_by: the owners who have answered.
        answered: when the first of them did.
        about: the bulletin that it is about; None of a request for information.
    """

    id: str
    question: str
    asked_by: str
    owner: tuple[str, ...]
    asked: dt.datetime
    due: dt.datetime | None
    state: str
    answered_by: tuple[str, ...]
    answered: dt.datetime | None
    about: str | None
    tlp: str
    audience: str


def questions(
    db: sqlite3.Connection, now: dt.datetime, registry: VerifiedRegistry, *, every: bool = False
) -> tuple[Question, ...]:
    """The valid questions, the first due first; those without a time last.

    Args:
        db: a reader's store.
        now: the present.
        registry: who belongs to a kind or an audience, and who may read what.
        every: also what was answered, and what has expired.
    """
    found = [*_requests(db, now, registry), *_asked_back(db, now, registry)]
    shown = (each for each, is_over in found if every or not (is_over or each.state == ANSWERED))
    last = dt.datetime.max.replace(tzinfo=dt.UTC)
    return tuple(sorted(shown, key=lambda each: (each.due or last, each.asked, each.id)))


def _requests(
    db: sqlite3.Connection, now: dt.datetime, registry: VerifiedRegistry
) -> Iterator[tuple[Question, bool]]:
    for (row,) in db.execute(_RFI, (MOST,)).fetchall():
        for kept in _whole(db, row):
            b = kept.bulletin
            if isinstance(b.body, Rfi):
                said = answers.to_one(db, About.of(b), registry)
                yield _question(db, b, b.body.question, b.body.to, b.body.respond_by, said, now, registry)


def _asked_back(
    db: sqlite3.Connection, now: dt.datetime, registry: VerifiedRegistry
) -> Iterator[tuple[Question, bool]]:
    """Answers that ask: the author of the bulletin is to answer."""
    seen: set[int] = set()
    for row, target, named, channel, _ in db.execute(_ASKED, (MOST,)).fetchall():
        owner = "" if row in seen else _owner(answers.held(db, target), named, channel, registry)
        if not owner:
            continue
        seen.add(row)
        for kept in _whole(db, row):
            b = kept.bulletin
            if isinstance(b.body, Feedback) and b.body.text and owner != b.issuer.id:
                said = answers.to_one(db, About.of(b), registry)
                yield _question(db, b, b.body.text, (owner,), b.body.respond_by, said, now, registry, target)


def _owner(held: Sequence[About], named: str, channel: str, registry: VerifiedRegistry) -> str:
    """The author of the bulletin that the question is about; empty if the question does not count for it.

    Args:
        held: what the store has under its id; another authority may have used it, too.
        named: the issuer that the question names, or nothing.
        channel: the question's.
        registry: who may read what.
    """
    for about in held:
        if answers.why_not(channel, named, about, registry) is None:
            return about.channel.issuer
    if any(named in ("", about.channel.issuer) for about in held):
        return ""  # it is here, and the question is not one to it
    return named


def _question(
    db: sqlite3.Connection,
    asks: Bulletin,
    words: str,
    owners: Sequence[str],
    due: dt.datetime | None,
    said: Sequence[Said],
    now: dt.datetime,
    registry: VerifiedRegistry,
    about: str | None = None,
) -> tuple[Question, bool]:
    """The question, and whether the bulletin that asks it has expired."""
    owners = tuple(owners)
    for each in reversed(said):  # the oldest first: each may pass on what it has
        if each.verdict == FeedbackKind.HANDOVER and is_of(each.by, owners, registry):
            owners = tuple(_handed_to(db, each)) or owners
    closing = [each for each in said if each.verdict in CLOSING and is_of(each.by, owners, registry)]
    if closing:
        state = ANSWERED
    else:
        state = OVERDUE if due is not None and due <= now else OPEN
    question = Question(
        id=asks.id,
        question=words,
        asked_by=asks.issuer.id,
        owner=owners,
        asked=asks.issued,
        due=due,
        state=state,
        answered_by=tuple(sorted({each.by for each in closing})),
        answered=min((each.at for each in closing), default=None),
        about=about,
        tlp=str(asks.tlp),
        audience=asks.audience,
    )
    return question, asks.expires <= now


def is_of(who: str, words: Iterable[str], registry: VerifiedRegistry) -> bool:
    """Whether an authority is among those that words name: itself, its kind, or an audience that it belongs to. Pure."""
    return is_owner(who, words, registry.document)


def _handed_to(db: sqlite3.Connection, said: Said) -> Iterator[str]:
    for kept in _whole(db, said.row):
        body = kept.bulletin.body
        if isinstance(body, Feedback) and body.handover_to is not None:
            yield body.handover_to


def _whole(db: sqlite3.Connection, row: int) -> Iterator[Stored]:
    yield from whole(db.execute("SELECT * FROM admitted WHERE row = ?", (row,)))
