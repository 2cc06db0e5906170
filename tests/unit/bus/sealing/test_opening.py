"""Inside and outside of a sealed bulletin: both signed, both admitted, and saying the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import AdmissionError, SealError
from bus.sealing.cover import cover
from bus.sealing.opening import context_of, open_bulletin
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin
from schemas.codec import decode, encode
from schemas.parts import Area, ElectionRef, Info, Observable, Ref, SealedSection
from schemas.rules import violations
from schemas.subject import channel_of, priority, subject_for
from schemas.vocab import (
    Certainty,
    ElectionType,
    MsgType,
    PersonalFlag,
    Phase,
    RefRel,
    Severity,
    Status,
    Tlp,
    Urgency,
)
from tests.support.sealed import (
    HUB,
    NETWORK,
    READERS,
    admitted,
    file_of,
    inner_bulletin,
    opening_key,
    outer_of,
    sealed_to,
    sealed_world,
)
from tests.support.world import DOMAIN, World, bulletin, draft

ID = "0196fe2f-9be0-7000-8000-00000000000"


def opened(world: World, outer: Bulletin, reader: str = READERS[0]) -> Bulletin:
    """The inner bulletin for a reader."""
    found = open_bulletin(
        admitted(world, outer).bulletin, [opening_key(reader)], registry=world.registry, now=world.now
    )
    return found.bulletin


def test_a_recipient_reads_what_the_issuer_signed() -> None:
    """Every recipient, and with every label and check of an ordinary bulletin."""
    world = sealed_world()
    inner = inner_bulletin(world)
    for reader in READERS:
        assert opened(world, outer_of(world, inner), reader) == inner


def test_a_hub_without_a_key_admits_what_it_cannot_read() -> None:
    """It verifies, chains and forwards; opening says that it is no recipient."""
    world = sealed_world()
    outer = outer_of(world, inner_bulletin(world))
    assert admitted(world, outer).bulletin.kind == "sealed"
    with pytest.raises(SealError) as refused:
        opened(world, outer, HUB)
    assert refused.value.reason == "not-a-recipient"


def around(**changes: object) -> Callable[[World], Bulletin]:
    """An outer bulletin whose inner one differs in some fields; the seal itself is made for the outer one."""

    def make(world: World) -> Bulletin:
        inner = inner_bulletin(world)
        other = msgspec.structs.replace(inner, **changes)
        return outer_of(world, inner, file_of(world, other))

    return make


def _by_another(world: World) -> Bulletin:
    inner = inner_bulletin(world)
    fields = {name: getattr(inner, name) for name in ("tlp", "audience", "seq", "prev", "id", "issued")}
    other = bulletin(world, "xb-csirt", **{**fields, "tlp": Tlp.GREEN, "audience": "community"})
    return outer_of(world, inner, file_of(world, other))


def _nested(world: World) -> Bulletin:
    inner = inner_bulletin(world)
    return outer_of(world, inner, file_of(world, outer_of(world, inner)))


def _section(world: World) -> Bulletin:
    part = SealedSection(label="legal", recipients=READERS, jwe="{}", inner_digest="A" * 43)
    return around(sections=(part,))(world)


def _moved(world: World) -> Bulletin:
    """The seal of one bulletin in another one."""
    body = outer_of(world, inner_bulletin(world)).body
    assert isinstance(body, Sealed)
    return cover(inner_bulletin(world), body)


def _forged(world: World) -> Bulletin:
    inner = inner_bulletin(world)
    return outer_of(world, inner, file_of(world, inner, world.signers["xb-csirt"]))


def _edited(work: Callable[[dict[str, object]], object]) -> Callable[[World], Bulletin]:
    def make(world: World) -> Bulletin:
        outer = outer_of(world, inner_bulletin(world))
        assert isinstance(outer.body, Sealed)
        jwe = json.loads(outer.body.jwe)
        work(jwe)
        body = msgspec.structs.replace(outer.body, jwe=json.dumps(jwe))
        return msgspec.structs.replace(outer, body=body)

    return make


def _body(**changes: Any) -> Callable[[World], Bulletin]:
    return lambda world: outer_of(world, inner_bulletin(world), **changes)


CANCELS = (Ref(id=ID + "1", rel=RefRel.CANCELS),)

BROKEN: dict[str, tuple[Callable[[World], Bulletin], str]] = {
    "not sealed": (inner_bulletin, "not-sealed"),
    "moved from another bulletin": (_moved, "wrong-context"),
    "another issuer inside": (_by_another, "inner-issuer"),
    "another marking inside": (around(tlp=Tlp.RED), "inner-tlp"),
    "another marking and audience inside": (around(tlp=Tlp.GREEN, audience="community"), "inner-tlp"),
    "another status inside": (around(status=Status.EXERCISE, exercise_id="drill"), "inner-status"),
    "another number inside": (around(seq=2, prev="A" * 43), "inner-seq"),
    "another id inside": (around(id=ID + "9"), "inner-id"),
    "a cancellation only inside": (around(msg_type=MsgType.CANCEL, references=CANCELS), "inner-references"),
    "a seal inside": (_nested, "nested-seal"),
    "a sealed section inside": (_section, "nested-seal"),
    "another signer inside": (_forged, "wrong-issuer"),
    "another digest outside": (_body(inner_digest="A" * 43), "inner-digest"),
    "a recipient not named": (_body(recipients=READERS[:1]), "recipient-mismatch"),
    "recipients in another order": (_body(recipients=READERS[::-1]), "recipient-mismatch"),
    "somebody else named": (_body(recipients=(READERS[0], HUB)), "recipient-mismatch"),
    "a recipient taken away": (_edited(lambda jwe: jwe["recipients"].pop()), "recipient-mismatch"),  # type: ignore[attr-defined]
    "no seal at all": (_body(jwe="{}"), "malformed-seal"),
    "no bulletin inside": (
        lambda world: outer_of(world, inner_bulletin(world), b"{}"),
        "malformed-envelope",
    ),
    "an inner rule broken": (
        around(references=(), msg_type=MsgType.UPDATE),
        "rule:R1",
    ),
}


@pytest.mark.parametrize(("make", "reason"), BROKEN.values(), ids=BROKEN)
def test_what_does_not_belong_together_is_refused(make: Callable[[World], Bulletin], reason: str) -> None:
    """This holds although the outside is admitted."""
    world = sealed_world()
    with pytest.raises((SealError, AdmissionError)) as refused:
        opened(world, make(world))
    assert refused.value.reason == reason


def test_place_and_time_inside_are_those_outside() -> None:
    """Two numbers with one predecessor, and two times of issue, differ each for its own reason."""
    world = sealed_world()
    inner = inner_bulletin(world, seq=2, prev="A" * 43)
    for changes, reason in (({"prev": "B" * 43}, "inner-prev"), ({"seq": 3}, "inner-seq")):
        other = msgspec.structs.replace(inner, **changes)
        with pytest.raises(SealError) as refused:
            opened(world, outer_of(world, inner, file_of(world, other)))
        assert refused.value.reason == reason
    later = inner_bulletin(world, issued=world.now.replace(minute=1))
    same_id = msgspec.structs.replace(inner_bulletin(world), id=later.id)
    with pytest.raises(SealError) as refused:
        opened(world, outer_of(world, later, file_of(world, same_id)))
    assert refused.value.reason == "inner-issued"


def test_an_audience_of_the_same_marking_is_compared_too() -> None:
    """An issuer with grants for two networks cannot show one of them inside what the other reads."""
    world = sealed_world()
    inner = inner_bulletin(world)
    other = msgspec.structs.replace(inner, audience="eu-csirts")
    with pytest.raises(SealError) as refused:
        opened(world, outer_of(world, inner, file_of(world, other)))
    assert refused.value.reason == "inner-audience"


def test_a_retraction_is_followed_by_those_who_cannot_read_it() -> None:
    """The outside names its retractions too, but no other references."""
    world = sealed_world()
    inner = inner_bulletin(
        world,
        msg_type=MsgType.CANCEL,
        references=(*CANCELS, Ref(id=ID + "2", rel=RefRel.SAME_INCIDENT)),
    )
    outer = outer_of(world, inner)
    assert (outer.msg_type, outer.references) == (MsgType.CANCEL, CANCELS)
    assert opened(world, outer) == inner


SECRETS = (b"results.example", b"Flood", b"192.0.2", b"malware", b"Harbour", b"xb-sen-2027")


@given(
    severity=st.sampled_from(Severity),
    urgency=st.sampled_from(Urgency),
    certainty=st.sampled_from(Certainty),
    tlp=st.sampled_from((Tlp.AMBER_STRICT, Tlp.RED)),
)
def test_a_cover_says_what_its_subject_says_and_no_more(
    severity: Severity, urgency: Urgency, certainty: Certainty, tlp: Tlp
) -> None:
    """Priority, countries and election stay as in the subject; words, places and observables go."""
    world = sealed_world()
    inner = inner_bulletin(
        world,
        say=draft("Flood in Harbour"),
        tlp=tlp,
        severity=severity,
        urgency=urgency,
        certainty=certainty,
        areas=(Area(scope="municipality", country="XB", code="XB001", name="Harbour"),),
        election=ElectionRef(id="xb-sen-2027", type=ElectionType.UPPER_HOUSE, phase=Phase.POLLING),
        observables=(
            Observable(type="domain-name", personal=PersonalFlag.NONE, value="malware.results.example"),
        ),
        info=(Info(lang="en", headline="Flood", summary="From 192.0.2.7"),),
    )
    body = sealed_to(b"{}", context_of(inner, DOMAIN))
    outer = cover(inner, body)
    assert not violations(outer)
    assert decode(encode(outer)) == outer
    assert priority(outer) == priority(inner)
    kinds = (f".{inner.kind}.", ".sealed.")
    assert subject_for(outer) == subject_for(inner).replace(*kinds)
    shown = encode(outer)
    hidden = SECRETS if tlp is Tlp.RED else SECRETS[:-1]
    assert not [word for word in hidden if word in shown]
    assert (b'"XB"' in shown) == (tlp is not Tlp.RED)


def test_the_largest_seal_fits_a_bulletin() -> None:
    """65 536 bytes for 64 recipients with the longest names, under a marking that shows all it may."""
    inner = inner_bulletin(sealed_world())
    names = tuple(f"xa-{n:024d}-{'z' * 12}" for n in range(64))
    outer = cover(inner, sealed_to(b"{" * 65_536, context_of(inner, DOMAIN), names))
    assert decode(encode(outer)) == outer
    assert not violations(outer)


def test_the_network_is_the_one_these_tests_mean() -> None:
    """The scene: who reads it, who holds keys."""
    registry = sealed_world().registry
    assert registry.readers(channel_of(inner_bulletin(sealed_world()))) == (*READERS, HUB)
    assert registry.document.audiences[NETWORK].members == ("xa-csirt", *READERS, HUB)
