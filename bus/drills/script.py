"""Drills: a script of exercise bulletins and the expected answers. Pure.

A drill uses the real path, so nobody must take it for a real event. A draft in a script states that it is an exercise,
and every text for people in it is marked as well. An answer counts only if it is an exercise too, or a heartbeat that
names the communication check.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import Meta, inspect

from bus.errors import PermitError
from schemas.bodies.coordination import Feedback, Rfi
from schemas.bodies.system import ChannelStatus
from schemas.bulletin import Bulletin, Draft
from schemas.parts import Info, Ref
from schemas.scalars import OrgId, Slug, Text160
from schemas.subject import channel_of
from schemas.vocab import FeedbackKind, MsgType, RefRel, Status, Tlp, Urgency

MARK = "EXERCISE: "
MAX_S = 86_400
_SENTENCE = 500  # characters: a text with this bound or more is prose; shorter ones are names and values
_TITLES = frozenset({"headline", "title"})
_NO_PROSE = frozenset({"value"})

Seconds = Annotated[int, Meta(ge=0, le=MAX_S)]


class Expectation(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"by": "from"}
):
    """The authority that should answer, its verdict (None for any), and the seconds allowed after the bulletin."""

    by: OrgId
    within: Annotated[int, Meta(ge=1, le=MAX_S)]
    verdict: FeedbackKind | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"speaker": "as"}):
    """One bulletin of a script: its time, its context, and its draft or the draft's file."""

    at: Seconds
    speaker: Annotated[str, Meta(min_length=1, max_length=64)]
    draft: str | None = None
    say: dict[str, Any] | None = None
    expect: Annotated[tuple[Expectation, ...], Meta(max_length=200)] = ()


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole exercise."""

    exercise: Slug
    title: Text160
    step: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=200)]


class Inject(msgspec.Struct, frozen=True, kw_only=True):
    """A step ready to publish: its draft is read, belongs to the exercise, and is marked."""

    at: int
    speaker: str
    draft: Draft
    expect: tuple[Expectation, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One authority's answer to a bulletin, and the channel that it came on."""

    to: str
    by: str
    verdict: str
    at: dt.datetime
    channel: str


def of_exercise(draft: Draft, exercise: str) -> Draft:
    """The draft as an inject: of this exercise, with every text marked.

    Raises:
        PermitError: `not-an-exercise`, unless the draft itself states that it is an exercise.
    """
    if draft.status is not Status.EXERCISE:
        raise PermitError(
            f'a drill injects exercises only, and this draft is {draft.status}: write status = "exercise" in it',
            reason="not-an-exercise",
        )
    if draft.exercise_id not in (None, exercise):
        raise PermitError(
            f"this draft is of the exercise {draft.exercise_id}, not of {exercise}", reason="not-an-exercise"
        )
    marked: Draft = _marked(msgspec.structs.replace(draft, exercise_id=exercise))
    return marked


def _marked(value: Any) -> Any:
    """A wire struct in which every title and every piece of prose begins with the mark; the same object if it has none."""
    if isinstance(value, tuple):
        marked = tuple(map(_marked, value))
        return value if all(map(operator.is_, marked, value)) else marked
    if not isinstance(value, msgspec.Struct):
        return value
    fields: tuple[inspect.Field, ...] = getattr(inspect.type_info(type(value)), "fields", ())
    changes = {}
    for field in fields:
        content = getattr(value, field.name)
        marked = _prefixed(content) if _is_prose(field) else _marked_texts(field, content)
        if marked is not content:
            changes[field.name] = marked
    return msgspec.structs.replace(value, **changes) if changes else value


def _marked_texts(field: inspect.Field, content: Any) -> Any:
    """Mark the content of a field: structs and lists of them, or a list of prose."""
    if isinstance(content, tuple) and content and isinstance(content[0], str):
        item = next((t.item_type for t in _types(field.type) if isinstance(t, inspect.VarTupleType)), None)
        return tuple(map(_prefixed, content)) if item is not None and _is_long(item) else content
    return _marked(content)


def _is_prose(field: inspect.Field) -> bool:
    if field.name in _NO_PROSE:
        return False
    texts = [type_ for type_ in _types(field.type) if isinstance(type_, inspect.StrType)]
    return any(field.name in _TITLES or _is_long(text) for text in texts)


def _is_long(type_: inspect.Type) -> bool:
    return (
        isinstance(type_, inspect.StrType) and type_.pattern is None and (type_.max_length or 0) >= _SENTENCE
    )


def _types(type_: inspect.Type) -> Iterator[inspect.Type]:
    """The types of a union, or a type, without annotations."""
    if isinstance(type_, inspect.Metadata):
        yield from _types(type_.type)
    elif isinstance(type_, inspect.UnionType):
        for member in type_.types:
            yield from _types(member)
    else:
        yield type_


def _prefixed(text: Any) -> Any:
    return MARK + text if isinstance(text, str) and not text.startswith(MARK) else text


def communication_check(exercise: str, audience: str, tlp: Tlp, now: dt.datetime, within: int) -> Draft:
    """The draft of a communication check to an audience."""
    by = now + dt.timedelta(seconds=within)
    return Draft(
        status=Status.EXERCISE,
        exercise_id=exercise,
        tlp=tlp,
        audience=audience,
        urgency=Urgency.EXPECTED,
        expires=by + dt.timedelta(days=1),
        info=(
            Info(
                lang="en",
                headline=f"Communication check to {audience}",
                summary=f"Acknowledge this bulletin before {by:%Y-%m-%d %H:%M:%S} UTC. Nothing has happened.",
            ),
        ),
        body=Rfi(question="Do you read this? Acknowledge it.", respond_by=by, to=(audience,)),
    )


_ANSWERS = {
    FeedbackKind.ACK: (MsgType.ACK, RefRel.ACKNOWLEDGES),
    FeedbackKind.REJECT: (MsgType.ERROR, RefRel.REJECTS),
}


def answer(to: str, exercise: str, verdict: FeedbackKind, text: str | None) -> Draft:
    """The draft that answers a bulletin of an exercise."""
    msg_type, rel = _ANSWERS.get(verdict, (MsgType.ALERT, RefRel.ANSWERS))
    draft = Draft(
        status=Status.EXERCISE,
        msg_type=msg_type,
        references=(Ref(id=to, rel=rel),),
        info=(Info(lang="en", headline=f"Answer: {verdict}", summary=text or f"Answer to {to}: {verdict}."),),
        body=Feedback(verdict=verdict, text=text),
    )
    return of_exercise(draft, exercise)


def answers_in(bulletin: Bulletin, at: dt.datetime) -> Iterator[Answer]:
    """The answers in a bulletin, received at a moment."""
    body, by, channel = bulletin.body, bulletin.issuer.id, str(channel_of(bulletin))
    if isinstance(body, Feedback) and bulletin.status is Status.EXERCISE:
        for ref in bulletin.references:
            yield Answer(to=ref.id, by=by, verdict=str(body.verdict), at=at, channel=channel)
    elif isinstance(body, ChannelStatus) and bulletin.status is Status.SYSTEM and body.comcheck:
        yield Answer(to=body.comcheck, by=by, verdict=str(FeedbackKind.ACK), at=at, channel=channel)


def first_fitting(expected: Expectation, bulletin_id: str, answers: Sequence[Answer]) -> Answer | None:
    """The first answer that meets an expectation, in time or late."""
    fitting = (
        answer
        for answer in answers
        if (answer.to, answer.by) == (bulletin_id, expected.by) and expected.verdict in (None, answer.verdict)
    )
    return min(fitting, key=attrgetter("at"), default=None)
