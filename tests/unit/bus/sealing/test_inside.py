"""A recipient holds the opened inside, signed by its author: it never counts as a second bulletin of that author."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bus.admission.contradiction import judge_proof
from bus.admission.steps import admit, verify_file
from bus.errors import AdmissionError, SealError
from bus.hub.exchange.requests import handed
from bus.hub.picture.projection import Projection
from bus.keys.hpke import open_sealed
from bus.keys.signatures import sign_entry
from bus.sealing.opening import context_of, open_bulletin
from bus.subscribing.inbox import Inbox
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin
from schemas.codec import decode, digest, encode
from schemas.envelope import (
    SIG_HEADER,
    TYP_BULLETIN,
    TYP_SEALED_BULLETIN,
    file_form,
    format_header,
    read_claims,
    write_contradiction,
    write_signed,
)
from schemas.parts import Ref
from schemas.subject import subject_for
from schemas.vocab import MsgType, RefRel, Tlp
from tests.support.hubs import judged
from tests.support.sealed import (
    ISSUER,
    NETWORK,
    READERS,
    file_of,
    inner_bulletin,
    opening_key,
    outer_of,
    sealed_to,
    sealed_world,
)
from tests.support.world import DOMAIN, Message, World, bulletin, sign, within

WORLD = sealed_world()
INNER = inner_bulletin(WORLD)
OUTER = sign(WORLD, outer_of(WORLD, INNER))


def inside() -> bytes:
    """The inside that a recipient opens with its own key."""
    assert isinstance(OUTER.bulletin.body, Sealed)
    context = context_of(OUTER.bulletin, DOMAIN)
    return open_sealed(OUTER.bulletin.body.jwe, [opening_key(READERS[1])], context)


def as_message(raw: bytes) -> Message:
    """The inside as a message on its own subject."""
    file = read_claims(raw, max_bytes=100_000)
    made = decode(file.payload)
    return Message(
        subject=subject_for(made),
        headers=((SIG_HEADER, format_header(file.entries)),),
        payload=file.payload,
        bulletin=made,
        digest=digest(file.payload),
    )


def outer_file() -> bytes:
    """The outside as a file."""
    return file_form(OUTER.payload, dict(OUTER.headers)[SIG_HEADER])


def _message(raw: bytes) -> object:
    message = as_message(raw)
    return admit(message.subject, message.headers, message.payload, registry=WORLD.registry, now=WORLD.now)


GIVEN: dict[str, Callable[[bytes], object]] = {
    "as a bulletin on the bus": _message,
    "as a bulletin in a file": lambda raw: verify_file(raw, registry=WORLD.registry, now=WORLD.now),
    "as a copy": lambda raw: handed(raw.decode(), registry=WORLD.registry, now=WORLD.now),
    "as a contradiction of its outside": lambda raw: judge_proof(
        write_contradiction(outer_file(), raw), registry=WORLD.registry, now=WORLD.now
    ),
    "as a contradiction, first": lambda raw: judge_proof(
        write_contradiction(raw, outer_file()), registry=WORLD.registry, now=WORLD.now
    ),
}


@pytest.mark.parametrize("how", GIVEN)
def test_the_inside_is_no_bulletin(how: str) -> None:
    """Its signature says that it was inside, and no other verifier takes it."""
    with pytest.raises(AdmissionError) as refused:
        GIVEN[how](inside())
    assert refused.value.reason == "unknown-type"


@pytest.mark.parametrize("first", ["outside", "inside"])
async def test_nobody_is_framed_by_the_inside(tmp_path: Path, first: str) -> None:
    """Given to a hub before or after the outside it takes no place, contests nobody, and its author's cancel counts."""
    messages = [OUTER, as_message(inside())]
    cancel = sign(
        WORLD,
        bulletin(
            WORLD,
            ISSUER,
            seq=2,
            prev=OUTER.digest,
            tlp=Tlp.AMBER_STRICT,
            audience=NETWORK,
            msg_type=MsgType.CANCEL,
            references=(Ref(id=INNER.id, rel=RefRel.CANCELS),),
        ),
    )
    async with Inbox.open(tmp_path / "s.db", projector=Projection(), hold_s=0.0) as store:
        for message in (messages if first == "outside" else messages[::-1]) + [cancel]:
            await store.settle([judged(message, WORLD.registry, WORLD.now)], "WORLD_ACTUAL", None, WORLD.now)
        rows = await store.query("SELECT digest, labels FROM admitted ORDER BY seq")
        refused = await store.query("SELECT reason, channel FROM quarantine")
        links = await store.query("SELECT digest FROM links ORDER BY seq")
        ended = await store.query("SELECT ended_how FROM actual WHERE id = ?", INNER.id)
    assert (
        [row["digest"] for row in rows] == [row["digest"] for row in links] == [OUTER.digest, cancel.digest]
    )
    assert not any("contested" in row["labels"] for row in rows)
    assert [tuple(row) for row in refused] == [("unknown-type", None)]
    assert [row["ended_how"] for row in ended] == ["cancelled"]


def test_a_bulletin_is_no_inside() -> None:
    """A recipient cannot seal what its author said in the open, as if it had been sealed; nor what was sealed elsewhere."""
    bulletin_file = file_of(WORLD, INNER, typ=TYP_BULLETIN)
    payload = encode(INNER)
    abroad = sign_entry(WORLD.signers[ISSUER], payload, within(TYP_SEALED_BULLETIN, "elsewhere"))
    for raw, reason in (
        (bulletin_file, "unknown-type"),
        (write_signed(payload, (abroad,)), "wrong-domain"),
    ):
        with pytest.raises(AdmissionError) as refused:
            opened(WORLD, outer_of(WORLD, INNER, raw))
        assert refused.value.reason == reason


def test_a_seal_of_another_federation_does_not_open() -> None:
    """Its header says so; under a changed header the wrapped key does not open."""
    context = msgspec.structs.replace(context_of(INNER, DOMAIN), domain="elsewhere")
    sealed = sealed_to(file_of(WORLD, INNER), context)
    outer = msgspec.structs.replace(outer_of(WORLD, INNER), body=sealed)
    with pytest.raises(SealError) as refused:
        opened(WORLD, outer)
    assert refused.value.reason == "wrong-domain"


def opened(world: World, outer: Bulletin) -> Bulletin:
    """The inner bulletin for a reader."""
    keys = [opening_key(READERS[0])]
    return open_bulletin(outer, keys, registry=world.registry, now=world.now).bulletin
