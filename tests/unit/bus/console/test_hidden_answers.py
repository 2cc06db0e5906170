"""What a bulletin's page says of others is limited too: answers, later versions and what ended it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from bus.policy import Clearance
from bus.trust import VerifiedRegistry
from schemas.parts import Area, Ref
from schemas.registry import PublishGrant, ReadGrant
from schemas.vocab import FeedbackKind, MsgType, RefRel, Status, Tlp
from tests.support import consoles
from tests.support.consoles import AUDIENCES, WORLD, Speaker, signed_in
from tests.support.world import DOMAIN, NOW, found

GREEN = Clearance(ceiling=Tlp.GREEN, audiences=AUDIENCES)
AREA = (Area(scope="national", country="XA"),)
WORDS = "Only for those who may read amber"

wide, narrow = Speaker("xa-csirt", areas=AREA), Speaker("xa-csirt", areas=AREA, tlp=Tlp.AMBER)
other = Speaker("xb-csirt", tlp=Tlp.AMBER)
drill = Speaker("xa-csirt", status=Status.EXERCISE, exercise_id="quiet-2027")
replies = Speaker("xb-csirt", status=Status.EXERCISE, exercise_id="quiet-2027", tlp=Tlp.AMBER)
ROOT = wide.say("A flood at the portal", 9000)
ENDED = wide.say("A flood elsewhere", 8900)
ANSWER = other.answer(ROOT, FeedbackKind.DISPUTE, WORDS, 800)
LATER = narrow.say(
    "The flood elsewhere has a name",
    700,
    msg_type=MsgType.UPDATE,
    references=(Ref(id=ENDED.bulletin.id, rel=RefRel.SUPERSEDES),),
)
INJECT = drill.say("A forged notice", 600)
REPLY = replies.answer(INJECT, FeedbackKind.SIGHTING, "Seen.", 500)
HIDDEN = {ANSWER.bulletin.id, LATER.bulletin.id, REPLY.bulletin.id, WORDS}


def registry() -> VerifiedRegistry:
    """That of the tests, where two teams also speak at AMBER to the community."""
    held, records = (Status.ACTUAL, Status.EXERCISE), dict(WORLD.registry.document.authorities)
    says = PublishGrant(
        statuses=held, tlps=(Tlp.AMBER,), audiences=("community",), kinds=("*",), areas=("*",)
    )
    hears = ReadGrant(statuses=held, tlps=(Tlp.GREEN, Tlp.AMBER), audiences=("community",))
    for name in ("xa-csirt", "xb-csirt", "xa-hub"):
        mine = records[name]
        grants = (*mine.publish, says) if name != "xa-hub" else mine.publish
        records[name] = msgspec.structs.replace(mine, publish=grants, read=(*mine.read, hears))
    return found(
        DOMAIN,
        records,
        WORLD.registry.document.audiences,
        signers=WORLD.signers,
        transport=WORLD.nkeys,
        now=NOW,
    ).registry


REGISTRY = registry()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests of this module, which only read."""
    path = tmp_path_factory.mktemp("hidden") / "store.db"
    said = [message for each in (wide, narrow, other, drill, replies) for message in each.made]
    asyncio.run(consoles.fill(path, said, registry=REGISTRY))
    return path


def read(
    store: Path, path: str, clearance: Clearance, roles: tuple[str, ...] = consoles.ALL_OF_CONTENT
) -> str:
    """A page as somebody reads it."""

    async def go() -> str:
        async with signed_in(store, clearance, registry=REGISTRY, roles=roles) as c:
            answer = await c.get(path)
            assert answer.status_code == 200, (path, answer.text[:400])
            return answer.text

    return asyncio.run(go())


@pytest.mark.parametrize("end", ["", ".json"])
def test_an_answer_above_the_reader_is_not_told(store: Path, end: str) -> None:
    """Neither who has answered, nor what, nor that anybody has."""
    path = f"/b/{ROOT.bulletin.id}{end}"
    assert "xb-csirt" in read(store, path, consoles.EVERYTHING)
    # Who may answer chooses from all who read it, by the registry, to hand it over.
    told = read(store, path, GREEN, roles=("reader",))
    assert not [each for each in (*HIDDEN, "xb-csirt") if each in told]
    assert not [each for each in HIDDEN if each in read(store, path, GREEN)]


@pytest.mark.parametrize("end", ["", ".json"])
def test_a_version_above_the_reader_is_not_named(store: Path, end: str) -> None:
    """A bulletin that a narrower one supersedes is superseded, and by what is not told."""
    path = f"/b/{ENDED.bulletin.id}{end}"
    assert LATER.bulletin.id in read(store, path, consoles.EVERYTHING)
    told = read(store, path, GREEN)
    assert not [each for each in HIDDEN if each in told]
    assert "superseded" in told


def test_an_answer_above_the_reader_counts_in_no_drill(store: Path) -> None:
    """A drill counts the answers that its reader may read."""
    assert '"answers":1' in read(store, "/drills.json", consoles.EVERYTHING)
    assert '"answers":0' in read(store, "/drills.json", GREEN)
    assert "xb-csirt" not in read(store, "/drills/quiet-2027.json", GREEN)


def test_a_page_bears_the_narrowest_marking_of_what_it_shows(store: Path) -> None:
    """The page of a wide bulletin with a narrow answer is as narrow as the answer."""
    assert '"marking":"amber"' in read(store, f"/b/{ROOT.bulletin.id}.json", consoles.EVERYTHING)
    assert '"marking":"amber"' in read(store, "/drills.json", consoles.EVERYTHING)
    assert '"marking":"green"' in read(store, f"/b/{ROOT.bulletin.id}.json", GREEN)
