"""Drills: nothing but exercises, marked in every text, and a score that says what came, when, and what did not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.drills.kept import FOLDER, MOST, keep_report, reports_of
from bus.drills.score import GRACE, Board, as_text
from bus.drills.script import (
    MARK,
    Answer,
    Expectation,
    Inject,
    answer,
    answers_in,
    communication_check,
    of_exercise,
)
from bus.errors import PermitError
from schemas import rules
from schemas.bodies import KINDS
from schemas.bodies.electoral import ElectionIncident
from schemas.bodies.system import ChannelStatus
from schemas.bulletin import Draft
from schemas.codec import decode, encode
from schemas.parts import Action, Info, Observable
from schemas.vocab import ChannelState, FeedbackKind, PersonalFlag, Phase, Posture, Status, Tlp
from tests.support.world import NOW, bulletin, draft, shared_world
from tests.unit.schemas.shapes import struct

WORLD = shared_world()
ID = "0196fe2f-9be0-7000-8000-000000000001"
SECOND = dt.timedelta(seconds=1)
CHANNEL = "xb-csirt/exercise.green.community"


@pytest.mark.parametrize("status", [each for each in Status if each is not Status.EXERCISE])
def test_what_is_no_exercise_is_refused(status: Status) -> None:
    """Actual, system and test alike, and a draft that leaves it open, which is actual."""
    with pytest.raises(PermitError) as refused:
        of_exercise(draft(status=status, exercise_id="xa-drill"), "xa-drill")
    assert refused.value.reason == "not-an-exercise"


def test_what_is_of_another_exercise_is_refused() -> None:
    """Two drills at once do not mix either."""
    with pytest.raises(PermitError):
        of_exercise(draft(status=Status.EXERCISE, exercise_id="xb-drill"), "xa-drill")


def test_every_text_that_people_read_is_marked_and_no_value_is() -> None:
    """Headline, summary, public line, instruction, prose of the body and of actions; never an observable or a code."""
    made = of_exercise(
        Draft(
            status=Status.EXERCISE,
            info=(Info(lang="en", headline="a", summary="b", public_line="c", instruction="d"),),
            body=ElectionIncident(
                category="false-voting-information",
                stage=Phase.POLLING,
                description="e",
                correct_information="f",
                log_events=("10:00 x",),
            ),
            actions=(Action(kind="publish-correction", to=("emb",), text="g"),),
            observables=(Observable(type="domain", personal=PersonalFlag.NONE, value="results.example"),),
        ),
        "xa-drill",
    )
    body = made.body
    assert isinstance(body, ElectionIncident)
    info = made.info[0]
    texts = [info.headline, info.summary, info.public_line, info.instruction, body.description]
    texts += [body.correct_information, made.actions[0].text]
    assert texts == [f"{MARK}{letter}" for letter in "abcdefg"]
    assert (made.observables[0].value, body.category, body.log_events) == (
        "results.example",
        "false-voting-information",
        ("10:00 x",),
    )
    assert made.exercise_id == "xa-drill"


@settings(max_examples=20)
@given(st.sampled_from(sorted(KINDS)).flatmap(lambda kind: struct(KINDS[kind])))
def test_marking_touches_nothing_but_texts(body: Any) -> None:
    """This holds for any body: removing the mark restores the text; marking twice equals marking once."""
    before = draft(body=body, status=Status.EXERCISE, exercise_id="xa-drill")
    once = of_exercise(before, "xa-drill")
    assert of_exercise(once, "xa-drill") == once
    bare, mark = msgspec.json.encode(before), MARK.encode()
    assert msgspec.json.encode(once).replace(mark, b"") == bare.replace(mark, b"")


def test_what_a_drill_makes_itself_keeps_the_rules() -> None:
    """The communication check and every answer: valid exercises."""
    made = [of_exercise(communication_check("xa-drill", "community", Tlp.GREEN, NOW, 300), "xa-drill")]
    made += [
        answer(ID, "xa-drill", verdict, "seen here")
        for verdict in FeedbackKind
        if verdict is not FeedbackKind.HANDOVER
    ]
    for each in made:
        said = decode(encode(bulletin(WORLD, say=each)))
        rules.check(said)
        assert said.status is Status.EXERCISE


def test_only_exercises_and_heartbeats_answer() -> None:
    """The same feedback, said in earnest, answers no drill; a heartbeat that names the check does."""
    said = bulletin(WORLD, "xb-csirt", say=answer(ID, "xa-drill", FeedbackKind.ACK, None))
    assert [(a.to, a.by, a.verdict) for a in answers_in(said, NOW)] == [(ID, "xb-csirt", "ack")]
    earnest = msgspec.structs.replace(said, status=Status.ACTUAL)
    assert not list(answers_in(earnest, NOW))
    beat = ChannelStatus(
        state=ChannelState.UP,
        posture=Posture.BASELINE,
        interval_s=60,
        last_seq=1,
        duty="on-call",
        comcheck=ID,
    )
    system = bulletin(WORLD, "xb-dsc", say=draft(body=beat), status=Status.SYSTEM)
    assert [(a.by, a.verdict) for a in answers_in(system, NOW)] == [("xb-dsc", "ack")]


def board(*expect: Expectation) -> Board:
    """One inject, said at NOW."""
    inject = Inject(at=0, speaker="xa-csirt", draft=draft(), expect=expect)
    made = Board(exercise="xa-drill", title="t", conducted_by="xa-hub", injects=[inject], started=NOW)
    made.said[0].id, made.said[0].at, made.said[0].state = ID, NOW, "stored"
    return made


EXPECTED = Expectation(by="xb-csirt", within=60, verdict=FeedbackKind.ACK)
ANSWERS: dict[str, tuple[list[tuple[str, str, str, float]], bool, float | None]] = {
    # to, by, verdict, seconds after the bulletin; met; after how long
    "nothing": ([], False, None),
    "at once": ([(ID, "xb-csirt", "ack", 0)], True, 0),
    "before its speaker knows that it is kept": ([(ID, "xb-csirt", "ack", -0.2)], True, 0),
    "in the last moment": ([(ID, "xb-csirt", "ack", 60)], True, 60),
    "too late": ([(ID, "xb-csirt", "ack", 60.5)], False, 60.5),
    "somebody else": ([(ID, "xb-dsc", "ack", 5)], False, None),
    "to something else": ([(ID[:-1] + "2", "xb-csirt", "ack", 5)], False, None),
    "another verdict": ([(ID, "xb-csirt", "reject", 5)], False, None),
    "another verdict, then the right one": (
        [(ID, "xb-csirt", "dispute", 5), (ID, "xb-csirt", "ack", 9)],
        True,
        9,
    ),
    "twice, the later one first heard": (
        [(ID, "xb-csirt", "ack", 70), (ID, "xb-csirt", "ack", 9)],
        True,
        9,
    ),
}


@pytest.mark.parametrize(("came", "met", "after"), ANSWERS.values(), ids=ANSWERS)
def test_the_score_is_what_came_in_time(
    came: list[tuple[str, str, str, float]], met: bool, after: float | None
) -> None:
    """It has the authority, the bulletin, the verdict and the time of each; the text says the same."""
    made = board(EXPECTED)
    made.answers += [
        Answer(to=to, by=by, verdict=word, at=NOW + s * SECOND, channel=CHANNEL) for to, by, word, s in came
    ]
    report = made.report(NOW + 100 * SECOND)
    (found,) = report.steps[0].expected
    assert (found.met, found.after_s, report.passed, report.met) == (met, after, met, int(met))
    text = "\n".join(as_text(report))
    assert ("NOT MET" in text) is not met
    assert ("did not come" in text) is (after is None)


def test_it_waits_no_longer_than_something_may_come() -> None:
    """Until the last deadline, and not at all when everything has come."""
    made = board(EXPECTED, Expectation(by="xb-dsc", within=90))
    assert made.waits_until(NOW) == NOW + 90 * SECOND + GRACE
    made.answers.append(Answer(to=ID, by="xb-dsc", verdict="ack", at=NOW, channel=CHANNEL))
    assert made.waits_until(NOW) == NOW + 60 * SECOND + GRACE
    assert made.waits_until(NOW + 60 * SECOND + GRACE) is None
    made.answers.append(Answer(to=ID, by="xb-csirt", verdict="ack", at=NOW, channel=CHANNEL))
    assert made.waits_until(NOW) is None


def test_a_bulletin_that_did_not_get_out_fails_the_drill() -> None:
    """Even when nothing was expected in answer to it."""
    made = board()
    assert made.report(NOW).passed
    made.said[0].state = "accepted"
    assert not made.report(NOW).passed


def test_reports_are_kept_by_exercise_the_newest_of_all(tmp_path: Path) -> None:
    """Of one exercise in their order; a file that is none, and one beyond the number, are left out."""
    for n in range(MOST + 2):
        report = board(EXPECTED).report(NOW)
        keep_report(
            tmp_path, msgspec.structs.replace(report, started=NOW + n * SECOND, exercise=f"drill-{n % 2}")
        )
    mine = [each.started for each in reports_of(tmp_path, {"drill-1"})]
    assert mine == [NOW + n * SECOND for n in range(3, MOST + 2, 2)]
    assert len(list((tmp_path / FOLDER).iterdir())) == MOST
    for path in (tmp_path / FOLDER).iterdir():
        path.write_bytes(b'{"exercise": "drill-1"}')
    assert list(reports_of(tmp_path, {"drill-1"})) == []
    assert list(reports_of(tmp_path / "none", {"drill-1"})) == []
