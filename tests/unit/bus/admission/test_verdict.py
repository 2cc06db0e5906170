"""The verdict of admission on a message from a stream: the bulletin, or the refusal with all readable facts."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from bus.admission.steps import admit
from bus.admission.verdict import Judged, Message, Refused, decide
from bus.errors import Place, Proof
from schemas.subject import channel_of
from tests.support.world import NOW, bulletin, chain, shared_world, sign
from tests.support.world import Message as Signed

WORLD = shared_world()
KID = WORLD.signers["xa-csirt"].kid


def message(signed: Signed) -> Message:
    """A signed bulletin as a stream delivers it."""
    return Message(
        subject=signed.subject,
        headers=signed.headers,
        payload=signed.payload,
        stream="ACTUAL",
        stream_seq=7,
        digest=signed.digest,
    )


def test_what_stands_is_judged_with_its_message() -> None:
    """The verdict holds the message as it came and the bulletin as admission gives it."""
    signed = chain(WORLD, 2)[1]
    expected = admit(signed.subject, signed.headers, signed.payload, registry=WORLD.registry, now=NOW)
    assert decide(message(signed), WORLD.registry, NOW) == Judged(message=message(signed), admitted=expected)


def test_a_refusal_has_reason_sentence_and_place() -> None:
    """A bulletin that its issuer signed without permission keeps its place, with the keys that signed it."""
    signed = sign(WORLD, bulletin(WORLD, seq=3, prev="p" * 43, audience="eu-dsc"))
    refused = decide(message(signed), WORLD.registry, NOW)
    assert refused == Refused(
        message=message(signed),
        reason="not-permitted",
        detail="xa-csirt has no grant to publish actual.green.eu-dsc (actual, TLP:GREEN, to eu-dsc); "
        "ask your registrar",
        channel="xa-csirt/actual.green.eu-dsc",
        seq=3,
        prev="p" * 43,
        id=signed.bulletin.id,
        kids=(KID,),
        proof=Proof(
            subject=signed.subject, headers=tuple(signed.headers), kids=(KID,), voices=(KID,), awaits=False
        ),
        issued=signed.bulletin.issued,
        believed=True,
    )


def test_who_is_proven_to_have_said_it_is_its_speaker() -> None:
    """A refused bulletin with a place also has a speaker; one without a place has none."""
    stands = decide(message(chain(WORLD, 1)[0]), WORLD.registry, NOW)
    refused = decide(message(sign(WORLD, bulletin(WORLD, audience="eu-dsc"))), WORLD.registry, NOW)
    unproven = decide(
        message(msgspec.structs.replace(chain(WORLD, 1)[0], payload=b"{}")), WORLD.registry, NOW
    )
    assert [each.speaker for each in (stands, refused, unproven)] == ["xa-csirt", "xa-csirt", ""]
    assert [each.proof is None for each in (stands, refused, unproven)] == [False, False, True]


def test_the_subject_it_came_on_is_judged_too() -> None:
    """A bulletin published on another subject is refused, and has no place."""
    signed = message(sign(WORLD, bulletin(WORLD)))
    elsewhere = msgspec.structs.replace(signed, subject="tocsin.v1.elsewhere")
    refused = decide(elsewhere, WORLD.registry, NOW)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.message, refused.channel) == ("misaddressed", elsewhere, None)


def test_a_bulletin_from_the_future_says_when_to_judge_it_again() -> None:
    """Five minutes before its issue, beside its place."""
    ahead = NOW + dt.timedelta(hours=1)
    refused = decide(message(sign(WORLD, bulletin(WORLD, issued=ahead))), WORLD.registry, NOW)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.retry_at) == ("from-the-future", ahead - dt.timedelta(minutes=5))
    assert refused.seq == 1


def test_bytes_that_say_nothing_have_no_place() -> None:
    """A refusal before the payload is read gives the reason alone."""
    empty = Message(subject="s", headers=(), payload=b"", stream="ACTUAL", stream_seq=1, digest="d")
    assert decide(empty, WORLD.registry, NOW) == Refused(
        message=empty, reason="empty", detail="there are no bytes"
    )


@pytest.mark.parametrize("retry_at", [None, NOW])
@pytest.mark.parametrize("placed", [False, True])
def test_a_refusal_takes_over_all_it_is_given(placed: bool, retry_at: dt.datetime | None) -> None:
    """Place and time may each be given or not, independently."""
    signed = message(sign(WORLD, bulletin(WORLD)))
    channel = channel_of(bulletin(WORLD))
    place = (
        Place(channel=channel, seq=4, digest="d", prev="p", id="i", kids=("k",), issued=NOW)
        if placed
        else None
    )
    refused = Refused.of(signed, "rule:R5", "a sentence", place, retry_at)
    assert (refused.message, refused.reason, refused.detail) == (signed, "rule:R5", "a sentence")
    assert refused.retry_at == retry_at
    told = (refused.channel, refused.seq, refused.prev, refused.id, refused.kids)
    assert told == ((str(channel), 4, "p", "i", ("k",)) if placed else (None, None, None, None, ()))
