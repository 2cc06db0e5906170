"""Proof of a contradiction by a file of two signed bulletins, and files that prove none."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import pytest

from bus.admission.contradiction import judge_proof
from bus.admission.steps import verify_file
from bus.errors import AdmissionError
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import Head
from schemas.envelope import file_form, read_contradiction, write_contradiction
from schemas.errors import EnvelopeError
from tests.support.hubs import beat
from tests.support.world import NOW, Message, bulletin, chain, draft, shared_world, sign

WORLD = shared_world()
FIRST, SECOND = chain(WORLD, 2)
OTHER = sign(WORLD, bulletin(WORLD, say=draft("the opposite")))
FOREIGN = sign(WORLD, bulletin(WORLD, "xb-csirt", say=draft("somebody else's number one")))
BROKEN = sign(WORLD, bulletin(WORLD, say=draft("breaks a rule"), expires=NOW - dt.timedelta(days=1)))
THIEF = sign(WORLD, bulletin(WORLD, say=draft("not by its key")), by="xb-csirt")


def file(message: Message) -> bytes:
    """A message as a signed file."""
    return file_form(message.payload, dict(message.headers)["Tocsin-Sig"])


def says(digest: str, seq: int = 1, channel: str = "actual.green.community") -> Message:
    """A heartbeat that names a head."""
    return beat(Head(channel=channel, seq=seq, digest=digest))


PROVED: dict[str, tuple[Message, Message]] = {
    "two at one place": (FIRST, OTHER),
    "in the other order": (OTHER, FIRST),
    "a heartbeat that names another": (FIRST, says(OTHER.digest)),
    "the heartbeat first": (says(OTHER.digest), FIRST),
    "one of them breaks a rule": (FIRST, BROKEN),
}
NOT: dict[str, tuple[Message, Message, str]] = {
    "the same twice": (FIRST, FIRST, "no-fork"),
    "one after the other": (FIRST, SECOND, "no-fork"),
    "two authorities": (FIRST, FOREIGN, "no-fork"),
    "a heartbeat that agrees": (FIRST, says(FIRST.digest), "no-fork"),
    "a heartbeat about another place": (FIRST, says(OTHER.digest, 7), "no-fork"),
    "a heartbeat about another channel": (
        FIRST,
        says(OTHER.digest, 1, "exercise.green.community"),
        "no-fork",
    ),
    "one that its issuer did not sign": (FIRST, THIEF, "wrong-issuer"),
}


def reason(raw: bytes, registry: VerifiedRegistry = WORLD.registry) -> str:
    """Why a file proves nothing."""
    with pytest.raises(AdmissionError) as refused:
        judge_proof(raw, registry=registry, now=NOW)
    return refused.value.reason


@pytest.mark.parametrize("name", PROVED)
def test_a_contradiction_is_proved_by_two_signatures(name: str) -> None:
    """Which of the two comes first, and what else is wrong with one of them, does not matter."""
    one, other = PROVED[name]
    found = judge_proof(write_contradiction(file(one), file(other)), registry=WORLD.registry, now=NOW)
    assert (str(found.channel), found.seq) == ("xa-csirt/actual.green.community", 1)
    assert {side.digest for side in found.sides} == {one.digest, other.digest}
    assert all(side.kids == (WORLD.signers["xa-csirt"].kid,) for side in found.sides)


@pytest.mark.parametrize("name", NOT)
def test_nobody_is_accused_without_proof(name: str) -> None:
    """Two bulletins that may both stand, or that another authority signed, are no contradiction."""
    one, other, expected = NOT[name]
    assert reason(write_contradiction(file(one), file(other))) == expected


def test_it_is_proof_after_the_key_has_ended() -> None:
    """The contradiction stays proven after the key is revoked or expired."""
    year = NOW + dt.timedelta(days=400)
    raw = write_contradiction(file(FIRST), file(OTHER))
    with pytest.raises(AdmissionError, match="expired"):
        verify_file(file(FIRST), registry=WORLD.registry, now=year)
    assert judge_proof(raw, registry=WORLD.registry, now=year).seq == 1


def altered(raw: bytes) -> bytes:
    """With one byte of a payload changed."""
    text = json.loads(raw)
    payload = text["contradiction"][1]["payload"]
    text["contradiction"][1]["payload"] = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    return json.dumps(text).encode()


WHOLE = write_contradiction(file(FIRST), file(OTHER))
DAMAGED: dict[str, tuple[bytes, str]] = {
    "altered": (altered(WHOLE), "bad-signature"),
    "cut": (WHOLE[:-30], "malformed-envelope"),
    "one alone": (b'{"contradiction":[' + file(FIRST).strip() + b"]}", "malformed-envelope"),
    "three": (WHOLE[:-3] + b"," + file(SECOND).strip() + b"]}", "malformed-envelope"),
    "another member": (WHOLE[:-2] + b',"x":1}', "malformed-envelope"),
    "a member twice": (WHOLE[:-2] + b',"contradiction":[]}', "malformed-envelope"),
    "not files": (b'{"contradiction":[1,2]}', "malformed-envelope"),
    "empty": (b'{"contradiction"', "malformed-envelope"),
    "no json": (b"\xff\xfe", "malformed-envelope"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_proves_nothing(name: str) -> None:
    """Each fault has its reason."""
    raw, expected = DAMAGED[name]
    assert reason(raw) == expected


@pytest.mark.parametrize("change", [bytes.strip, lambda raw: b" \n" + raw], ids=["stripped", "indented"])
def test_the_two_files_come_out_as_they_went_in(change: Callable[[bytes], bytes]) -> None:
    """Each is again a file that `verify` takes by itself."""
    assert read_contradiction(change(WHOLE)) == (file(FIRST).strip(), file(OTHER).strip())
    with pytest.raises(EnvelopeError):
        read_contradiction(file(FIRST))


NO_OBJECT = (
    "not a file of two signed bulletins: a JSON object must begin with { and end with }, "
    "with nothing around it"
)


def test_each_refusal_says_what_is_wrong() -> None:
    """No proof, no file, and the fault of one of the two, in a sentence."""
    for raw, sentence in (
        (write_contradiction(file(FIRST), file(FIRST)), "the two bulletins do not contradict each other"),
        (write_contradiction(file(FIRST), file(THIEF)), "xa-csirt did not sign it"),
        (
            b"no",
            NO_OBJECT,
        ),
    ):
        with pytest.raises(AdmissionError) as refused:
            judge_proof(raw, registry=WORLD.registry, now=NOW)
        assert str(refused.value) == sentence


HEARTBEATS: dict[str, tuple[Message, Message, bool]] = {
    "that names no digest": (FIRST, beat(Head(channel="actual.green.community", seq=1, digest=None)), False),
    "of another authority": (FOREIGN, says(OTHER.digest), False),
    "whose second head is it": (
        FIRST,
        beat(
            Head(channel="actual.green.community", seq=7, digest=OTHER.digest),
            Head(channel="actual.green.community", seq=1, digest=OTHER.digest),
        ),
        True,
    ),
}


@pytest.mark.parametrize(("said", "heartbeat", "proved"), HEARTBEATS.values(), ids=HEARTBEATS)
def test_a_heartbeat_accuses_only_its_own_author_of_a_digest_it_names(
    said: Message, heartbeat: Message, proved: bool
) -> None:
    """Any head in it may contradict, except one without a digest or of another authority."""
    raw = write_contradiction(file(said), file(heartbeat))
    if not proved:
        assert reason(raw) == "no-fork"
        return
    proof = judge_proof(raw, registry=WORLD.registry, now=NOW)
    assert (str(proof.channel), proof.seq) == ("xa-csirt/actual.green.community", 1)
    assert tuple(side.digest for side in proof.sides) == (said.digest, heartbeat.digest)


def test_the_proof_holds_both_bulletins_as_they_were_read() -> None:
    """Each side has its channel, its bulletin and its digest, in the order of the file."""
    proof = judge_proof(write_contradiction(file(FIRST), file(BROKEN)), registry=WORLD.registry, now=NOW)
    assert [side.bulletin for side in proof.sides] == [FIRST.bulletin, BROKEN.bulletin]
    assert [side.digest for side in proof.sides] == [FIRST.digest, BROKEN.digest]
    assert {str(side.channel) for side in proof.sides} == {"xa-csirt/actual.green.community"}
