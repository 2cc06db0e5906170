"""What is not known: who asked, who owns it, until when, and what answers it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from bus.hub.picture import questions as module
from bus.hub.picture.projection import Projection
from bus.hub.picture.questions import Question, is_of, questions
from bus.trust import VerifiedRegistry
from schemas.bodies.coordination import Feedback, Rfi
from schemas.registry import ReadGrant
from schemas.vocab import FeedbackKind, MsgType, Tlp
from tests.support.hubs import judged
from tests.support.world import NOW, Message, shared_world, signed_registry
from tests.unit.bus.hub.picture.test_situation import Channel, admitted

WORLD = shared_world()
HOUR = dt.timedelta(hours=1)
ASKS = Rfi(question="Which servers are hit?", respond_by=NOW + HOUR, to=("xb-csirt", "dpa"))


def reading() -> VerifiedRegistry:
    """The tests' world, where offices read what they say to the community."""
    document = WORLD.registry.document
    read = (ReadGrant(statuses=("actual",), tlps=(Tlp.GREEN,), audiences=("community",)),)  # type: ignore[arg-type]
    authorities = {
        name: record if record.kind == "hub" else msgspec.structs.replace(record, read=read)
        for name, record in document.authorities.items()
    }
    changed = msgspec.structs.replace(document, authorities=authorities)
    return VerifiedRegistry.open(signed_registry(changed, WORLD.roots[:2]))


REGISTRY = reading()


def asked(messages: Sequence[Message], now: dt.datetime = NOW, **of: Any) -> tuple[Question, ...]:
    """The questions of a store that has taken these in."""
    with admitted([judged(each, REGISTRY) for each in messages]) as (db, rows):
        Projection().apply_many(db, rows)
        return questions(db, now, REGISTRY, **of)


def test_a_request_has_words_an_owner_and_a_time() -> None:
    """It is open until then, and overdue after."""
    author = Channel()
    made = author.say(body=ASKS, age_s=600.0)
    (found,) = asked([made])
    assert (found.id, found.question, found.asked_by) == (made.bulletin.id, ASKS.question, "xa-csirt")
    assert (found.owner, found.due, found.state) == (ASKS.to, ASKS.respond_by, "open")
    (late,) = asked([made], NOW + 2 * HOUR)
    assert late.state == "overdue"
    assert asked([made], made.bulletin.expires + HOUR) == ()
    assert len(asked([made], made.bulletin.expires + HOUR, every=True)) == 1


ANSWERS: dict[str, tuple[str, FeedbackKind, str]] = {
    "what was asked, by an owner": ("xb-csirt", FeedbackKind.REPLY, "answered"),
    "what was asked, by one of the kind": ("xb-dpa", FeedbackKind.REPLY, "answered"),
    "what was done about it": ("xb-csirt", FeedbackKind.ACTION_TAKEN, "answered"),
    "that it was heard": ("xb-csirt", FeedbackKind.ACK, "open"),
    "another question": ("xb-csirt", FeedbackKind.QUESTION, "open"),
    "somebody who was not asked": ("xb-emb", FeedbackKind.REPLY, "open"),
}


@pytest.mark.parametrize(("by", "verdict", "state"), ANSWERS.values(), ids=ANSWERS)
def test_what_an_owner_says_closes_a_request(by: str, verdict: FeedbackKind, state: str) -> None:
    """And nothing else does; the withdrawal of the answer opens it again."""
    author, other = Channel(), Channel(by)
    made = author.say(body=ASKS, age_s=600.0)
    changes: dict[str, Any] = {"msg_type": MsgType.ACK} if verdict is FeedbackKind.ACK else {}
    said = other.answer(made, verdict, **changes)
    found = {each.id: each for each in asked([made, said], every=True)}[made.bulletin.id]
    assert found.state == state
    assert found.answered_by == ((by,) if state == "answered" else ())
    if state == "answered":
        assert found.answered == said.bulletin.issued
        (again,) = asked([made, said, other.take_back(said)])
        assert again.state == "open"


def test_a_question_in_an_answer_is_for_who_said_the_bulletin() -> None:
    """Also where the bulletin has not come; a reply to the question closes it, not one to the bulletin."""
    author, other = Channel(), Channel("xb-csirt")
    about = author.say("A flood", age_s=600.0)
    question = other.answer(about, FeedbackKind.QUESTION, age_s=60.0)
    for messages in ([about, question], [question]):
        (found,) = asked(messages)
        assert (found.asked_by, found.owner, found.about) == ("xb-csirt", ("xa-csirt",), about.bulletin.id)
        assert (found.question, found.due, found.state) == ("So we see it.", None, "open")
    reply = author.answer(question, FeedbackKind.REPLY)
    assert asked([about, question, reply]) == ()
    (closed,) = asked([about, question, reply], every=True)
    assert closed.answered_by == ("xa-csirt",)


def test_who_asks_much_pushes_no_others_question_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few are looked at, the newest of each who asks is among them."""
    monkeypatch.setattr(module, "MOST", 3)
    author, other, flood = Channel(), Channel("xb-csirt"), Channel("xb-emb")
    about = [author.say(f"number {n}", age_s=600.0) for n in range(6)]
    one = other.answer(about[0], FeedbackKind.QUESTION, age_s=60.0)
    for n in range(6):
        flood.answer(about[n], FeedbackKind.QUESTION, age_s=6.0 - n)
    found = asked([*about, one, *flood.made])
    assert [each.asked_by for each in found].count("xb-emb") == 2
    assert one.bulletin.id in {each.id for each in found}


def test_a_question_that_does_not_count_is_for_nobody() -> None:
    """It was said where others read it than the bulletin that it is about."""
    narrow = Channel(tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    about = narrow.say("For few", age_s=600.0)
    assert asked([about, Channel("xb-csirt").answer(about, FeedbackKind.QUESTION)]) == ()


def test_a_handover_gives_a_question_to_another() -> None:
    """By an owner alone; the new owner's reply closes it, the old one's does not."""
    author, owner, other = Channel(), Channel("xb-csirt"), Channel("xb-emb")
    made = author.say(body=msgspec.structs.replace(ASKS, to=("xb-csirt",)), age_s=600.0)
    body = Feedback(verdict=FeedbackKind.HANDOVER, handover_to="xb-emb", text="It is theirs.")
    stolen = Channel("xb-dsc").answer(made, FeedbackKind.HANDOVER, body=body)
    (found,) = asked([made, stolen])
    assert found.owner == ("xb-csirt",)
    given = owner.answer(made, FeedbackKind.HANDOVER, body=body, age_s=60.0)
    (found,) = asked([made, given])
    assert (found.owner, found.state) == (("xb-emb",), "open")
    assert asked([made, given, other.answer(made, FeedbackKind.REPLY)]) == ()


def test_the_first_due_comes_first_and_those_without_a_time_last() -> None:
    """Whatever the order in which they came."""
    author, other = Channel(), Channel("xb-csirt")
    late = author.say(body=msgspec.structs.replace(ASKS, respond_by=NOW + 2 * HOUR), age_s=600.0)
    soon = author.say(body=ASKS, age_s=500.0)
    back = other.answer(late, FeedbackKind.QUESTION)
    assert [each.id for each in asked([late, soon, back])] == [
        each.bulletin.id for each in (soon, late, back)
    ]


def test_who_is_among_those_that_words_name() -> None:
    """An authority, a kind, an audience; nobody else."""
    assert is_of("xb-dpa", ("dpa",), REGISTRY)
    assert is_of("xb-dpa", ("community",), REGISTRY)
    assert not is_of("xb-dpa", ("csirt", "eu-csirts"), REGISTRY)
    assert is_of("xz-left", ("xz-left",), REGISTRY)
