"""Answers: which count, whatever the order in which they come; and what nobody can do to another with them."""

from __future__ import annotations

import datetime as dt
import random
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.admission.verdict import Refused
from bus.hub.picture import answers
from bus.hub.picture.answers import About, Said, counted, disputed, disputers, label, to_one
from bus.hub.picture.projection import Projection
from schemas.bodies.coordination import Feedback
from schemas.parts import Ref
from schemas.vocab import FeedbackKind, MsgType, RefRel, Status, Tlp
from tests.support.hubs import judged
from tests.support.world import NOW, Message, bulletin, draft, shared_world, sign
from tests.unit.bus.hub.picture.test_situation import Channel, admitted, dump

WORLD = shared_world()
DISPUTE, ENDORSE, SIGHTING = FeedbackKind.DISPUTE, FeedbackKind.ENDORSE, FeedbackKind.SIGHTING
Words = set[tuple[str, str]]


def said(found: Sequence[Said]) -> Words:
    """Who gives which verdict."""
    return {(each.by, each.verdict) for each in found}


def counting(messages: Sequence[Message], about: Message, **of: Any) -> Words:
    """What counts of an answer to a bulletin, taken in in this order."""
    with admitted([judged(each) for each in messages]) as (db, rows):
        Projection().apply_many(db, rows)
        return said(to_one(db, About.of(about.bulletin), of.get("registry")))


def scene() -> tuple[Message, list[Message]]:
    """A bulletin, and what three authorities and its author answer, withdraw and correct about it."""
    author, hub, dpa, emb = Channel(), Channel("xa-hub"), Channel("xb-dpa"), Channel("xb-emb")
    about = author.say("A flood", age_s=600.0)
    author.say(
        "own",
        references=(Ref(id=about.bulletin.id, rel=RefRel.ANSWERS),),
        body=Feedback(verdict=ENDORSE, text="We say so."),
    )  # nobody endorses himself
    withdrawn = hub.answer(about, DISPUTE, age_s=30.0)
    hub.answer(about, SIGHTING, age_s=20.0)
    hub.take_back(withdrawn)
    first = dpa.answer(about, DISPUTE, age_s=40.0)
    refs = (
        Ref(id=first.bulletin.id, rel=RefRel.SUPERSEDES),
        Ref(id=about.bulletin.id, rel=RefRel.ANSWERS, issuer="xa-csirt"),
    )
    again = Feedback(verdict=ENDORSE, text="We looked again.")
    dpa.say("update", msg_type=MsgType.UPDATE, references=refs, body=again, age_s=5.0)
    for n in range(6):
        emb.answer(about, DISPUTE, age_s=60.0 - n)
    return about, [*author.made, *hub.made, *dpa.made, *emb.made]


ABOUT, SAID = scene()
EXPECTED: Words = {("xa-hub", "sighting"), ("xb-dpa", "endorse"), ("xb-emb", "dispute")}


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(len(SAID))), st.integers(1, 9))
def test_what_counts_does_not_depend_on_the_order_of_arrival(order: list[int], size: int) -> None:
    """Answers before the bulletin, withdrawals before what they withdraw; in any batches, and after the picture is made anew."""
    picture = Projection()
    with admitted([judged(SAID[n]) for n in order]) as (db, rows):
        for start in range(0, len(rows), size):
            picture.apply_many(db, rows[start : start + size])
        assert said(to_one(db, About.of(ABOUT.bulletin))) == EXPECTED
        before = dump(db)["answered"]
        picture.clear(db)
        picture.apply_many(db, rows)
        assert dump(db)["answered"] == before


@pytest.mark.parametrize("seed", range(3))
def test_the_newest_of_each_answerer_and_verdict_is_all_that_is_kept(seed: int) -> None:
    """A hub that answers one bulletin 200 times, of 10 000 in all, has one row for it and counts once."""
    author, hub = Channel(), Channel("xa-hub")
    about = author.say("A flood", age_s=600.0)
    for n in range(200):
        hub.answer(about, DISPUTE, age_s=float(n))
    verdicts = [judged(each) for each in hub.made]
    with admitted([judged(about), *verdicts]) as (db, rows):
        random.Random(seed).shuffle(rows)
        for _ in range(50):
            answers.take_in(db, rows)
        assert [tuple(each) for each in db.execute("SELECT verdict, id FROM answered").fetchall()] == [
            ("dispute", hub.made[0].bulletin.id)
        ]


def _elsewhere(**place: Any) -> tuple[Message, list[Message]]:
    """A bulletin at AMBER+STRICT to a network, and a dispute of it that is said elsewhere."""
    author = Channel(tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    about = author.say("For few", age_s=600.0)
    other = Channel("xb-csirt", **place)
    other.answer(about, DISPUTE)
    return about, [about, *other.made]


def _named(issuer: str | None) -> tuple[Message, list[Message]]:
    """A bulletin of one authority, and a dispute that names it as another's."""
    author, other = Channel(), Channel("xb-dsc")
    about = author.say("A flood", age_s=600.0)
    refs = (Ref(id=about.bulletin.id, rel=RefRel.ANSWERS, issuer=issuer),)
    other.say("no", references=refs, body=Feedback(verdict=DISPUTE, text="No."))
    return about, [about, *other.made]


ATTACKS: dict[str, tuple[tuple[Message, list[Message]], bool]] = {
    "where the bulletin is": (_elsewhere(tlp=Tlp.AMBER_STRICT, audience="eu-csirts"), True),
    "at a wider marking, to another audience": (_elsewhere(), False),
    "that names its issuer": (_named("xa-csirt"), True),
    "that names nobody": (_named(None), True),
    "that names another issuer": (_named("xb-emb"), False),
}


@pytest.mark.parametrize(("said_so", "counts"), ATTACKS.values(), ids=ATTACKS)
def test_an_answer_counts_where_it_belongs(said_so: tuple[Message, list[Message]], counts: bool) -> None:
    """And nowhere else, whoever signed it."""
    about, messages = said_so
    assert bool(counting(messages, about)) is counts


def test_an_answer_at_a_wider_marking_does_not_count() -> None:
    """Also to the same audience: it would tell more readers what the bulletin tells few."""
    about = About.of(_elsewhere()[0].bulletin)
    assert answers.why_not("xb-csirt/actual.green.eu-csirts", "", about) == "its marking is wider"
    assert answers.why_not("xb-csirt/actual.red.eu-csirts", "", about) is None
    assert answers.why_not("xb-csirt/test.amber-strict.eu-csirts", "", about) == "it was said elsewhere"
    assert answers.why_not("nonsense", "", about) is not None


def test_an_answer_that_its_author_is_told_by_its_id_counts() -> None:
    """Said to the author alone; said to another by its id it does not count."""
    about = About.of(_elsewhere()[0].bulletin)
    assert answers.why_not("xb-csirt/actual.amber-strict.xa-csirt", "", about) is None
    assert answers.why_not("xb-csirt/actual.green.xa-csirt", "", about) == "its marking is wider"
    assert answers.why_not("xb-csirt/actual.amber-strict.xa-dpa", "", about) == "it was said elsewhere"


def test_an_answer_of_who_may_not_read_the_bulletin_does_not_count() -> None:
    """Whatever grant to publish it has there: a hub from which a network is withheld, and an office that reads nothing."""
    about, registry = _of("xa-dpa", "eu-dpas"), WORLD.registry
    for by in ("xb-hub", "xb-dpa"):
        why = answers.why_not(f"{by}/actual.amber-strict.eu-dpas", "", about, registry)
        assert why == f"{by} may not read it"
    assert answers.why_not("xa-hub/actual.amber-strict.eu-dpas", "", about, registry) is None
    assert answers.why_not("xa-left/actual.amber-strict.eu-dpas", "", about, registry) is None


def _of(issuer: str, audience: str) -> About:
    channel = msgspec.structs.replace(
        About.of(ABOUT.bulletin).channel, issuer=issuer, audience=audience, tlp=Tlp.AMBER_STRICT
    )
    return About(id=ABOUT.bulletin.id, channel=channel)


def test_answers_to_answers_in_a_loop_are_each_counted_once() -> None:
    """Two answers that name each other by ids that were chosen."""
    ids = [f"0197a1b0-0000-7000-8000-00000000000{n}" for n in (1, 2)]
    made = []
    for by, mine, other in (("xa-dsc", ids[0], ids[1]), ("xb-dsc", ids[1], ids[0])):
        refs = (Ref(id=other, rel=RefRel.ANSWERS),)
        text = draft("no", references=refs, body=Feedback(verdict=DISPUTE, text="No."))
        made.append(sign(WORLD, msgspec.structs.replace(bulletin(WORLD, by, say=text), id=mine)))
    with admitted([judged(each) for each in made]) as (db, rows):
        Projection().apply_many(db, rows)
        assert [said(to_one(db, About.of(each.bulletin))) for each in made] == [
            {("xb-dsc", "dispute")},
            {("xa-dsc", "dispute")},
        ]


def test_a_dispute_shows_until_it_is_withdrawn_or_the_bulletin_is_ended() -> None:
    """By its author, or by the issuer's update or withdrawal (decision 41)."""
    author, first, second = Channel(), Channel("xa-hub"), Channel("xb-dpa")
    about, other = author.say("A flood", age_s=600.0), author.say("Another", age_s=600.0)
    withdrawn = first.answer(about, DISPUTE)
    second.answer(about, DISPUTE)
    second.answer(other, DISPUTE)
    moment = NOW.timestamp()
    before = [*author.made, *first.made, *second.made]
    first.take_back(withdrawn)
    after = [first.made[-1], author.revise(MsgType.UPDATE, other)]
    with admitted([judged(each) for each in (*before, *after)]) as (db, rows):
        Projection().apply_many(db, rows[: len(before)])
        assert disputed(db, moment) == {
            about.bulletin.id: ("xa-hub", "xb-dpa"),
            other.bulletin.id: ("xb-dpa",),
        }
        Projection().apply_many(db, rows[len(before) :])
        assert disputed(db, moment) == {about.bulletin.id: ("xb-dpa",)}
        assert disputed(db, (about.bulletin.expires + dt.timedelta(seconds=1)).timestamp()) == {}


def test_who_is_contested_disputes_nothing() -> None:
    """What is shown and has no effect is no answer."""
    with admitted([judged(each) for each in SAID]) as (db, rows):
        for row in rows:
            Projection().show(db, row)
        assert to_one(db, About.of(ABOUT.bulletin)) == ()


def test_what_a_view_says_beside_a_bulletin() -> None:
    """Who disputes it, first, and the other answers, counted."""
    with admitted([judged(each) for each in SAID]) as (db, rows):
        Projection().apply_many(db, rows)
        every = to_one(db, About.of(ABOUT.bulletin))
        assert list(counted(every)) == ["dispute", "endorse", "sighting"]
        assert disputers(every) == ("xb-emb",)
        assert label(every) == ("disputed by xb-emb", "1 endorse", "1 sighting")


def test_answers_that_count_for_nothing_push_no_other_out_of_sight() -> None:
    """Neither to ids that nobody has said nor to what was said elsewhere; and of one's own as many are shown as are asked for."""
    author, other, hub, flood = Channel(), Channel("xb-dpa"), Channel("xa-hub"), Channel("xb-csirt")
    narrow = Channel(tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    about, theirs = author.say("A flood", age_s=600.0), other.say("A leak", age_s=500.0)
    hub.answer(about, DISPUTE, age_s=60.0)
    hub.answer(theirs, ENDORSE, age_s=50.0)
    flood.answer(narrow.say("For few", age_s=600.0), DISPUTE, age_s=40.0)
    refs = tuple(Ref(id=f"0197a1b0-0000-7000-8000-{n:012x}", rel=RefRel.ANSWERS) for n in range(50))
    flood.say("rubbish", references=refs, body=Feedback(verdict=SIGHTING, text="Seen."), age_s=1.0)
    made = [each for channel in (author, other, narrow, hub, flood) for each in channel.made]
    with admitted([judged(each) for each in made]) as (db, rows):
        Projection().apply_many(db, rows)
        assert answers.lately(db, (), 1) == [About.of(theirs.bulletin)]
        assert answers.lately(db, (), 9) == [About.of(theirs.bulletin), About.of(about.bulletin)]
        assert answers.lately(db, (), 1, by="xa-csirt") == [About.of(about.bulletin)]


def test_what_is_erased_leaves_the_last_word() -> None:
    """Where a withdrawn answer is not kept any more, the one before it does not come back, made anew or not."""
    author, hub = Channel(), Channel("xa-hub")
    about = author.say("A flood", age_s=600.0)
    hub.answer(about, DISPUTE, age_s=20.0)
    last = hub.answer(about, DISPUTE, age_s=10.0)
    picture = Projection()
    with admitted([judged(each) for each in (about, *hub.made)]) as (db, rows):
        picture.apply_many(db, rows)
        gone = next(row.rowid for row in rows if row.id == last.bulletin.id)
        db.execute("DELETE FROM actual WHERE row = ?", (gone,))
        db.execute("DELETE FROM bodies WHERE row = ?", (gone,))
        db.execute("UPDATE places SET row = NULL WHERE row = ?", (gone,))
        assert to_one(db, About.of(about.bulletin)) == ()
        picture.clear(db)
        picture.apply_many(db, [row for row in rows if row.rowid != gone])
        assert to_one(db, About.of(about.bulletin)) == ()


def test_a_store_of_before_has_its_answers() -> None:
    """What it has admitted is noted when the table is made."""
    with admitted([judged(each) for each in SAID]) as (db, rows):
        Projection().apply_many(db, rows)
        expected = dump(db)["answered"]
        db.execute("DROP TABLE answered")
        for statement in _statements(answers.LAYOUT.schema):
            db.execute(statement)
        assert dump(db)["answered"] == expected


def _statements(sql: str) -> list[str]:
    found, rest = [], ""
    for part in sql.split(";"):
        rest += f"{part};"
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found


def test_exercises_are_answered_among_themselves() -> None:
    """An answer at another status than the bulletin's counts for nothing."""
    drill, hub = (
        Channel(status=Status.EXERCISE, exercise_id="ce-2027"),
        Channel("xa-hub", status=Status.EXERCISE, exercise_id="ce-2027"),
    )
    about = drill.say("inject", age_s=600.0)
    hub.answer(about, SIGHTING)
    aside = Channel("xb-hub").answer(about, SIGHTING)
    assert counting([about, *hub.made, aside], about) == {("xa-hub", "sighting")}


def test_an_answer_with_a_future_time_waits_until_then() -> None:
    """It pushes out no other of its own author before that, and none of anybody else ever."""
    about, hub, other = Channel().say("A flood", age_s=600.0), Channel("xa-hub"), Channel("xb-hub")
    now = hub.answer(about, DISPUTE)
    theirs = other.answer(about, DISPUTE, age_s=60.0)
    ahead = judged(hub.answer(about, DISPUTE, age_s=-3600.0))
    assert isinstance(ahead, Refused)
    assert ahead.reason == "from-the-future"
    assert ahead.retry_at is not None
    assert counting([about, now, theirs], about) == {("xa-hub", "dispute"), ("xb-hub", "dispute")}


def test_answers_to_ids_that_nobody_holds_are_kept_up_to_a_bound_for_each_authority() -> None:
    """The newest of each authority stay; what is said of a bulletin that is held stays whatever else its author invents."""
    author, loud, calm = Channel(), Channel("xa-hub"), Channel("xb-dpa")
    about = author.say("A flood", age_s=600.0)
    loud.answer(about, DISPUTE, age_s=500.0)
    for n in range(6):
        invented = Ref(id=f"0197a1b0-0000-7000-8000-{n:012d}", rel=RefRel.ANSWERS)
        loud.say(
            f"l{n}", references=(invented,), body=Feedback(verdict=SIGHTING, text="Here."), age_s=400.0 - n
        )
        if n < 2:
            calm.say(
                f"c{n}", references=(invented,), body=Feedback(verdict=SIGHTING, text="Here."), age_s=300.0
            )
    messages = [*author.made, *loud.made, *calm.made]
    with admitted([judged(each) for each in messages]) as (db, rows):
        Projection().apply_many(db, rows)
        assert answers.forget_unknown(db, 3) == 3
        left = db.execute("SELECT by, target FROM answered ORDER BY by, target").fetchall()
        invented_left = [
            f"{row['by']} {row['target'][-1]}" for row in left if row["target"] != about.bulletin.id
        ]
        assert invented_left == ["xa-hub 3", "xa-hub 4", "xa-hub 5", "xb-dpa 0", "xb-dpa 1"]
        assert said(to_one(db, About.of(about.bulletin))) == {("xa-hub", "dispute")}
        assert answers.forget_unknown(db, 3) == 0
