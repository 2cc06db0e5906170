"""Publish: drafts of this authority, one to write, and one that is written: who will read it?"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Mapping

import msgspec

from bus import desk, drafts
from bus.console.asked import Asked, whole_of
from bus.console.errors import BadRequestError, NotHereError
from bus.console.page import Content, Present, Question
from bus.console.pages import draft_form, writing
from bus.console.pages.foreseen import said_of
from bus.console.pages.hands import AtDesk, of_draft
from bus.console.pages.held import held
from bus.console.pages.writing import Writing
from bus.desk import Act, Action, handed_on
from bus.hub import picture
from bus.hub.acting import Outcome, Preview, Request, Way
from bus.policy import MARKINGS, narrowest
from bus.storage import utc
from bus.subscribing import Stored
from schemas.bulletin import Bulletin
from schemas.codec import encode
from schemas.errors import SchemaError
from schemas.vocab import Status, Tlp

MOST_OPEN, MOST_SENT = 200, 20
TALK = "feedback"
"""Answers are begun on the page of what they answer."""
SPOKEN = (Status.ACTUAL, Status.EXERCISE, Status.TEST)


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """A draft in the list.

    Attributes:
        n: its number.
        title: what its writers call it.
        tlp: its marking.
        audience: its audience.
        by: who saved it last.
        at: when.
        version: how often it was saved.
        is_mine: whether the reader began it.
        state: of the newest request for approval: `asked`, `approved`, `declined`, or empty.
        bulletin: what it has become, where it is published.
    """

    n: int
    title: str
    tlp: str
    audience: str
    by: str
    at: dt.datetime
    version: int
    is_mine: bool
    state: str = ""
    bulletin: str = ""


class Publishing(Content, frozen=True, kw_only=True):
    """The page: drafts, what was published from here, and the kinds of which one can be begun.

    Attributes:
        open: drafts that are open, the last changed first, at most `MOST_OPEN`.
        sent: those that were published, the last first.
        kinds: (kind, what it is called) of those that a grant opens to the reader.
        may_write: whether the reader may begin one.
        has_grant: whether this authority may publish anything that people write.
    """

    open: tuple[Open, ...]
    sent: tuple[Open, ...]
    kinds: tuple[tuple[str, str], ...]
    may_write: bool
    has_grant: bool


def of_list(place: Mapping[str, str]) -> Question:
    """What the list asks of the desk."""
    del place

    def question(db: sqlite3.Connection, act: Act) -> tuple[tuple[Open, ...], tuple[Open, ...]]:
        names = desk.people.names(db)
        opened = tuple(_open(db, act, each, names) for each in desk.drafts.listed(db, act)[:MOST_OPEN])
        sent = []
        for each in handed_on.newest(db, MOST_SENT):
            try:
                draft = desk.drafts.get(db, act, each.draft, each.version)
            except desk.DeskError:
                continue  # beyond what the reader may see
            sent.append(msgspec.structs.replace(_open(db, act, draft, names), bulletin=each.bulletin))
        return opened, tuple(sent)

    return question


def _open(db: sqlite3.Connection, act: Act, draft: desk.drafts.Draft, names: dict[str, str]) -> Open:
    found = of_draft(db, act, draft.n, draft.version)
    request = found.hands.request
    return Open(
        n=draft.n,
        title=draft.title,
        tlp=str(MARKINGS[draft.tlp]),
        audience=draft.audience,
        by=names.get(draft.by, draft.by),
        at=utc(draft.at),
        version=draft.version,
        is_mine=draft.person == act.who,
        state=request.state if request is not None else "",
    )


def look(asked: Asked) -> Publishing | Writing:
    """The list; or, asked for one, a form: empty for a kind, or filled by a bulletin that it updates or withdraws.

    Raises:
        NotHereError: the bulletin is not here, is no own one, or its reader may not read it.
        BadRequestError: no draft of that kind may be made here.
    """
    if kind := asked.first("kind"):
        return _blank(asked, kind)
    for what in ("update", "cancel"):
        if id_ := asked.first(what):
            return _again(asked, what, id_)
    told = asked.desk if isinstance(asked.desk, tuple) else ((), ())
    found = drafts.audiences_of(asked.registry, asked.hub)
    kinds = sorted(
        (writing.kind_name(asked, kind), kind)
        for kind in drafts.DRAFTED
        if kind != TALK and writing.open_ways(asked, kind)
    )
    opened, sent = told
    marking = narrowest(Tlp(each.tlp) for each in (*opened, *sent)) or Tlp.GREEN
    return Publishing(
        marking=str(marking),
        open=opened,
        sent=sent,
        kinds=tuple((kind, name) for name, kind in kinds),
        may_write=asked.viewer.may(Action.DRAFT),
        has_grant=bool(found),
    )


def of_one(place: Mapping[str, str]) -> Question:
    """What the page of a draft asks of the desk."""
    n = number(place["n"])
    return lambda db, act: of_draft(db, act, n)


def look_at_one(asked: Asked) -> Writing:
    """A saved draft.

    Raises:
        NotHereError: there is no desk.
    """
    if not isinstance(asked.desk, AtDesk):
        raise NotHereError("there is no such draft here")
    return writing.of_desk(asked, asked.desk)


def of_hub(content: Content) -> Request | None:
    """What the hub is asked: what an open draft would become, how far a published one has come."""
    if not isinstance(content, Writing):
        return None
    if content.hands is not None and content.hands.bulletin:
        return Way(bulletin=content.hands.bulletin)
    return Preview(draft=content.raw.encode()) if content.raw else None


def heard(content: Content, outcome: Outcome, present: Present) -> Content:
    """The page with what the hub has answered."""
    if not isinstance(content, Writing):
        return content
    if content.hands is not None and content.hands.bulletin:
        return msgspec.structs.replace(content, state=outcome.state, hubs=outcome.hubs)
    said = said_of(outcome, present)
    return writing.with_said(content, said)


def number(text: str) -> int:
    """The number of a draft or an approval in a path.

    Raises:
        NotHereError: it is none.
    """
    n = whole_of(text)
    if n is None:
        raise NotHereError("there is no such draft here")
    return n


def _blank(asked: Asked, kind: str) -> Writing:
    ways = writing.open_ways(asked, kind) if kind in drafts.DRAFTED else []
    if not ways:
        raise BadRequestError("no grant lets this authority publish a draft of that kind to whom you may see")
    fields = draft_form.begun(kind, draft_form.way(*_usual(ways)[:2]))
    return writing.written(writing.options_of(asked, fields), fields)


def _usual(ways: list[tuple[str, str, int]]) -> tuple[str, str, int]:
    """The way that a form begins with: the narrowest, so that nothing is said too widely by mistake."""
    return ways[-1]


def _again(asked: Asked, what: str, id_: str) -> Writing:
    """The form with the living version of an own bulletin."""
    living = _living(asked, id_)
    try:
        if what == "update":
            draft = drafts.updated(living, asked.now)
        else:
            draft = drafts.withdrawal(living, "-", living.info[0].lang, asked.now)
    except SchemaError as exc:
        raise BadRequestError(str(exc)) from None
    raw = msgspec.json.format(encode(draft), indent=2)
    fields = draft_form.of_draft(raw, "", writing.known_elections(asked))
    if what == "cancel":
        fields["summary"] = ""  # the reason, which its author must write
    return writing.written(writing.options_of(asked, fields), fields)


def _living(asked: Asked, id_: str) -> Bulletin:
    """The living version of the bulletin's thread.

    Raises:
        NotHereError: it is not here, or no own one.
        BadRequestError: it is withdrawn.
    """
    here = _held(asked, id_).bulletin
    if here.issuer.id != asked.hub or here.status not in SPOKEN:
        raise NotHereError("only a bulletin of this authority can be updated or withdrawn here")
    thread = picture.versions.find(asked.db, here.id)
    if thread is None or thread.key.issuer != here.issuer.id:
        return here
    if thread.withdrawn_by is not None:
        raise BadRequestError("it is withdrawn already; to say it again, begin a new draft")
    return _held(asked, thread.living).bulletin if thread.living != here.id else here


def _held(asked: Asked, id_: str) -> Stored:
    return held(msgspec.structs.replace(asked, place={"id": id_}))
