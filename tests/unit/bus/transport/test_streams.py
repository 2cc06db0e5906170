"""Which streams and consumers a registry asks for."""

from __future__ import annotations

import msgspec
import pytest

from bus.transport import consumers, permissions_of, reader_streams, streams, streams_of
from bus.transport.streams import ANSWERS_SHARE
from bus.trust import VerifiedRegistry
from schemas.registry import AuthorityRecord
from schemas.subject import PREFIX, tlp_token
from schemas.vocab import TALK, Status, Tlp
from tests.support.world import NOW, deaf_world, shared_world, signed_registry

SAID = (Status.ACTUAL, Status.SYSTEM)


def without_exercises() -> VerifiedRegistry:
    """A registry by which everybody may read everything, and nobody may say anything at exercise or test."""
    world = shared_world()

    def only_said(record: AuthorityRecord) -> AuthorityRecord:
        grants = [
            msgspec.structs.replace(grant, statuses=kept)
            for grant in record.publish
            if (kept := tuple(status for status in grant.statuses if status in SAID))
        ]
        return msgspec.structs.replace(record, publish=tuple(grants))

    document = world.registry.document
    authorities = {name: only_said(record) for name, record in document.authorities.items()}
    changed = msgspec.structs.replace(document, authorities=authorities)
    return VerifiedRegistry.open(signed_registry(changed, world.roots[:2]))


def test_a_status_at_which_nobody_may_speak_has_no_world() -> None:
    """A stream without subjects and sources would be given some by the server; nobody reads what is not there."""
    registry = without_exercises()
    assert {status for status, _, _ in registry.read_prefixes("xa-hub")} > {*SAID, Status.BEAT}
    worlds = {spec.name for spec in streams_of(registry) if spec.name.startswith("WORLD_")}
    assert worlds == {"WORLD_ACTUAL", "WORLD_BEAT", "WORLD_SYSTEM"}
    assert {stream for stream, _ in reader_streams(registry, "xa-hub")} == worlds
    assert {spec.stream for spec in consumers(registry)} <= {spec.name for spec in streams_of(registry)}


def test_who_may_only_answer_has_the_subjects_of_answers_and_less_room() -> None:
    """A hub of the tests' world speaks to people with feedback alone, where it reads."""
    registry = shared_world().registry
    mine = [each for each in permissions_of(registry, "xa-hub").publish if ".xa.hub." in each]
    to_people = [each for each in mine if each.split(".")[2] not in TALK]
    assert to_people
    assert {each.split(".", 7)[7] for each in to_people} == {"coord.feedback.>"}
    assert not [each for each in permissions_of(registry, "xb-hub").publish if "eu-dpas.xb.hub" in each]
    room = {spec.name: spec.max_bytes for spec in streams_of(registry)}
    assert room["XA-CSIRT_ACTUAL"] // room["XA-HUB_ACTUAL"] == ANSWERS_SHARE
    assert room["XA-CSIRT_SYSTEM"] == room["XA-HUB_SYSTEM"]


def test_authorities_that_only_answer_share_a_tenth_of_the_room_however_many_they_are() -> None:
    """A registrar who adds readers takes nothing from those who warn."""
    speaking = ["xa-csirt", "xa-emb", *(f"xa-reader{n}" for n in range(300))]
    room = streams._room_of(1_000_000, speaking, frozenset(speaking[2:]))
    assert room["xa-csirt"] == room["xa-emb"] == 450_000
    assert {room[name] for name in speaking[2:]} == {333}
    assert sum(room.values()) <= 1_000_000
    alone = streams._room_of(1_000_000, speaking[2:], frozenset(speaking[2:]))
    assert set(alone.values()) == {3333}


def test_an_author_is_given_the_answers_where_it_speaks_and_nothing_else() -> None:
    """An office of the tests' world reads nothing, and no filter of its consumer covers another."""
    registry = shared_world().registry
    filters = [each for spec in consumers(registry) if spec.name == "xa-csirt" for each in spec.filters]
    bulletins = [each for each in filters if each.startswith(PREFIX)]
    assert bulletins
    assert all(each.split(".")[5:] == ["*", "*", "*", "feedback", ">"] for each in bulletins)
    assert {each.split(".")[4] for each in bulletins} == {"community", "eu-csirts"}


@pytest.mark.parametrize("tlp", [Tlp.AMBER_STRICT, Tlp.RED])
def test_an_author_that_may_not_hear_the_others_is_told_by_its_id(tlp: Tlp) -> None:
    """A reader may say answers to it there; its consumer has what is said to its id, and nothing else of that marking."""
    registry = deaf_world(NOW, tlp).registry
    token = tlp_token(tlp)
    kind = "x" if tlp is Tlp.RED else "feedback"
    said = permissions_of(registry, "xa-hub").publish
    assert f"{PREFIX}.actual.{token}.xa-csirt.xa.hub.coord.{kind}.>" in said
    filters = [each for spec in consumers(registry) if spec.name == "xa-csirt" for each in spec.filters]
    heard = {each.split(".")[4] for each in filters if each.startswith(f"{PREFIX}.actual.{token}.")}
    assert "xa-csirt" in heard
    assert "eu-advisers" not in heard
    others = [each for spec in consumers(registry) if spec.name == "xb-emb" for each in spec.filters]
    assert not [each for each in others if ".xa-csirt." in each]
