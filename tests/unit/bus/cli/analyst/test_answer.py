"""`tocsin answer`, `answers` and `questions`: what a desk says to a bulletin of another, and what it sees of that."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.bodies.coordination import Feedback, Rfi
from schemas.parts import Ref
from schemas.vocab import FeedbackKind, RefRel, Tlp
from tests.support.clocks import utc_now
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.office import Desk
from tests.support.world import Message, World, bulletin, deaf_world, draft, make_world, sign

NOBODY = "0197a1b0-0000-7000-8000-000000000001"
HOUR = dt.timedelta(hours=1)


class Scene:
    """A hub that holds a bulletin to all, one to a network, and a request for information; and its author's desk."""

    def __init__(self, desk: Desk, world: World) -> None:
        self.desk = desk
        narrow = draft("For few", tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
        asks = draft(
            "A question to all",
            body=Rfi(question="Which servers?", respond_by=world.now + HOUR, to=("community",)),
        )
        says = [(draft("A flood"), 1, None), (narrow, 1, None)]
        self.flood, self.narrow = (
            sign(world, bulletin(world, say=say, seq=seq, prev=prev)) for say, seq, prev in says
        )
        self.asks = sign(world, bulletin(world, say=asks, seq=2, prev=self.flood.digest))
        dispute = draft(
            "No",
            body=Feedback(verdict=FeedbackKind.DISPUTE, text="It is not so."),
            references=(Ref(id=self.flood.bulletin.id, rel=RefRel.ANSWERS, issuer="xa-csirt"),),
        )
        self.dispute = sign(world, bulletin(world, "xb-hub", say=dispute))
        for name in ("xa-hub", "xa-csirt"):
            every = [self.flood, self.narrow, self.asks, self.dispute]
            asyncio.run(take_in(store_of(desk.folder, name), world, every))

    def answer(self, to: Message | str, *arguments: str, code: int = 0) -> str:
        """The hub answers."""
        named = to if isinstance(to, str) else to.bulletin.id
        return self.desk.run(
            "answer", named, *arguments, "--wait", "accepted", "--context", "xa-hub", code=code
        )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Made once: no test needs an empty store."""
    world = make_world(utc_now().replace(microsecond=0))
    with pytest.MonkeyPatch.context() as patch:
        desk = hub_desk(tmp_path_factory.mktemp("answers") / "here", patch, world, "xa-hub", "xa-csirt")
        yield Scene(desk, world)


def test_a_hub_answers_where_the_bulletin_is_without_a_grant(scene: Scene) -> None:
    """At its marking, to its audience, naming its id and its issuer; by the beginning of its id, too."""
    for to in (scene.narrow, scene.narrow.bulletin.id):
        scene.answer(to, "--sighting", "Two of ours, too.", "--seen", "2")
    last = json.loads(
        scene.desk.run("bulletin", "list", "--mine", "--context", "xa-hub", "--limit", "1", "--json")
    )
    assert (last["tlp"], last["audience"], last["status"]) == ("amber+strict", "eu-csirts", "actual")
    told = json.loads(scene.desk.run("bulletin", "show", last["id"], "--context", "xa-hub", "--json"))
    assert told["references"] == [{"id": scene.narrow.bulletin.id, "rel": "answers", "issuer": "xa-csirt"}]
    assert (told["body"]["verdict"], told["body"]["seen_count"]) == ("sighting", 2)


REFUSED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "nothing": ((), 2, "choose one"),
    "two things": (("--dispute", "--endorse", "No."), 2, "choose one"),
    "a dispute without a reason": (("--dispute",), 2, "--dispute needs a sentence"),
    "a handover to nobody": (("--handover",), 2, "--handover needs --to"),
    "a marking that is not named": (("--relax-marking",), 2, "--relax-marking needs --marking"),
    "a marking that is no wider": (("--relax-marking", "--marking", "green"), 2, "as wide as green"),
    "what belongs elsewhere": (("--endorse", "--seen", "2"), 2, "--seen goes with --sighting"),
    "an action without a word": (("--action-taken",), 2, "--action-taken needs"),
    "a wider marking": (("--dispute", "No.", "--tlp", "clear"), 5, "[wider-marking]"),
    "a marking at which others are deaf": (
        ("--dispute", "No.", "--tlp", "red"),
        2,
        "could not read the answer",
    ),
    "what was not said": (("--withdraw", "--handover"), 3, "no such answer"),
}


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_said_in_a_sentence(
    scene: Scene, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """With what is missing, or too much."""
    assert words in scene.answer(scene.flood, *arguments, code=code)


def test_an_author_that_does_not_read_there_is_told_by_its_id(tmp_path: Path) -> None:
    """In a second bulletin to it alone; both are taken back at once."""
    world = deaf_world(utc_now().replace(microsecond=0), Tlp.RED)
    with pytest.MonkeyPatch.context() as patch:
        desk = hub_desk(tmp_path / "here", patch, world, "xa-hub", "xa-csirt")
        say = draft("For few", tlp=Tlp.RED, audience="eu-advisers")
        about = sign(world, bulletin(world, say=say))
        asyncio.run(take_in(store_of(desk.folder, "xa-hub"), world, [about]))
        given = (about.bulletin.id, "--wait", "accepted", "--context", "xa-hub")
        desk.run("answer", *given, "--dispute", "It is not so.")
        listed = ("bulletin", "list", "--mine", "--context", "xa-hub", "--json")
        said = [json.loads(line) for line in desk.run(*listed).splitlines()]
        assert sorted(each["audience"] for each in said) == ["eu-advisers", "xa-csirt"]
        assert {each["tlp"] for each in said} == {"red"}
        desk.run("answer", *given, "--withdraw")
        said = [json.loads(line) for line in desk.run(*listed).splitlines()]
        assert sorted(each["audience"] for each in said) == ["eu-advisers"] * 2 + ["xa-csirt"] * 2


def test_what_is_not_held_is_not_answered(scene: Scene) -> None:
    """Nor is what one has said oneself."""
    assert "does not hold" in scene.answer(NOBODY, "--endorse", code=3)
    mine = scene.dispute.bulletin.id
    own = scene.desk.run("answer", scene.flood.bulletin.id, "--endorse", "--context", "xa-csirt", code=2)
    assert "nobody can answer their own" in own
    assert "accepted" in scene.answer(mine, "--question", "Why?", "--within", "2h")


def test_who_said_the_bulletin_sees_the_answers(scene: Scene) -> None:
    """In every view; also one that reads nothing else, as the offices of the tests' world."""
    flood = scene.flood.bulletin.id
    at = ("--context", "xa-csirt")
    (told,) = scene.desk.run("answers", "--offline", *at, "--json").splitlines()
    found = json.loads(told)
    assert (found["about"], found["by"], found["verdict"], found["text"]) == (
        flood,
        "xb-hub",
        "dispute",
        "It is not so.",
    )
    assert (found["tlp"], found["audience"], found["status"]) == ("green", "community", "actual")
    for name in (flood, scene.flood.digest):
        assert flood in scene.desk.run("answers", name, "--offline", *at)
        assert flood in scene.desk.run("answers", name, "--offline", "--context", "xa-hub")
    assert "dispute by xb-hub" in scene.desk.run("trace", flood, *at)
    assert "disputed 1" in scene.desk.view("picture", *at)
    assert "disputed by xb-hub" in scene.desk.view(
        "watch", "--no-follow", "--since", "all", "--topic", "feedback", *at
    )
    shown = scene.desk.look("bulletin", "show", flood, *at)
    assert "DISPUTED by xb-hub" in shown.out
    assert "It is not so." in shown.out
    assert "xb-hub" in shown.out.partition("ANSWERS")[2]
    assert "disputed" in shown.out.partition("ANSWERS")[2]


def test_a_sheet_of_ones_own_bulletin_has_its_answers(tmp_path: Path) -> None:
    """From the outbox and what has come in, with as of when; without anything that came in it names the command that reads the bus."""
    world = make_world(utc_now().replace(microsecond=0))
    with pytest.MonkeyPatch.context() as patch:
        desk = hub_desk(tmp_path / "here", patch, world, "xa-csirt", "xa-hub")
        file = tmp_path / "draft.json"
        file.write_bytes(msgspec.json.encode(draft("A flood", tlp=Tlp.GREEN, audience="community")))
        at = ("--context", "xa-csirt")
        desk.run("publish", str(file), "--wait", "accepted", *at)
        said = json.loads(desk.run("bulletin", "list", "--mine", "--json", *at))["id"]
        shown = desk.look("bulletin", "show", said, *at).out.partition("ANSWERS")[2]
        assert f"tocsin answers {said}" in " ".join(shown.split())
        assert "None has come" not in shown
        newer = json.loads(
            desk.run("bulletin", "update", said, str(file), "--wait", "accepted", "--json", *at)
        )
        both = desk.look("bulletin", "show", said, "--exact", *at).out.partition("VERSIONS")[2]
        assert both.index(f"{said}: alert (this one)") < both.index(newer["id"])
        said = newer["id"]
        dispute = draft(
            "No",
            body=Feedback(verdict=FeedbackKind.DISPUTE, text="It is not so."),
            references=(Ref(id=said, rel=RefRel.ANSWERS, issuer="xa-csirt"),),
        )
        came = sign(world, bulletin(world, "xb-hub", say=dispute))
        asyncio.run(take_in(store_of(desk.folder, "xa-csirt"), world, [came]))
        seen = desk.look("bulletin", "show", said, *at)
        assert "DISPUTED by xb-hub" in seen.out
        assert "It is not so." in seen.out.partition("ANSWERS")[2]
        assert "As of 20" in seen.out.partition("ANSWERS")[2]


def test_what_is_not_known_is_a_view(scene: Scene) -> None:
    """With who asks, who owns it and until when; what is for others is left out with --mine."""
    (told,) = [
        json.loads(each)
        for each in scene.desk.run("questions", "--offline", "--context", "xa-hub", "--json").splitlines()
        if json.loads(each)["id"] == scene.asks.bulletin.id
    ]
    assert (told["question"], told["asked_by"], told["owner"]) == (
        "Which servers?",
        "xa-csirt",
        ["community"],
    )
    assert (told["state"], told["answered_by"]) == ("open", [])
    listed = scene.desk.run("questions", "--offline", "--mine", "--context", "xa-hub")
    assert scene.asks.bulletin.id in listed
    assert "TLP:GREEN community" in listed
    assert scene.desk.run("questions", "--offline", "--overdue", "--context", "xa-hub") == ""


def test_an_answer_is_taken_back(scene: Scene) -> None:
    """One of them, or all; once."""
    scene.answer(scene.asks, "--reply", "None of ours.")
    scene.answer(scene.asks, "--endorse")
    assert scene.answer(scene.asks, "--withdraw", "--reply").count("accepted") == 1
    assert scene.answer(scene.asks, "--withdraw").count("accepted") == 1
    assert "no such answer" in scene.answer(scene.asks, "--withdraw", code=3)
