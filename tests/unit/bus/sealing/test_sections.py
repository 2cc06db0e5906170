"""Sealed sections: one bulletin, several audiences, one signature; each part opens in its place and for its readers."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.admission.steps import admit
from bus.errors import AdmissionError, PermitError, SealError
from bus.keys.hpke import seal
from bus.publishing.stamping import SealedPart
from bus.sealing.opening import context_of, open_bulletin
from bus.sealing.sections import open_section, readers, recipients, seal_section
from schemas import rules
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin, Draft
from schemas.codec import MAX_PAYLOAD_BYTES, decode, decode_as, digest, encode
from schemas.errors import SchemaError, TocsinError
from schemas.parts import Info, Observable, PersonalData, SealedSection
from schemas.sections import CONTENT_FIELDS, SECTION_SPEC, SectionContent, SectionDraft
from schemas.vocab import Pap, PersonalFlag, SealPolicy, Tlp
from tests.support.sealed import (
    HUB,
    ISSUER,
    NETWORK,
    READERS,
    file_of,
    inner_bulletin,
    opening_key,
    said,
    sections_world,
    speaking,
    with_parts,
    with_seal_keys,
    world_with,
)
from tests.support.world import DOMAIN, World, draft, make_world, sign

WORDS = (Info(lang="en", headline="Names of the persons concerned", summary="Held by the registry office."),)
SPECIAL = Observable(
    type="person-name", personal=PersonalFlag.SPECIAL_CATEGORY, value_hmac="a" * 64, key_id="k1"
)
BASIS = PersonalData(
    flag=PersonalFlag.SPECIAL_CATEGORY,
    lawful_basis="celex:32016R0679#9.2.g",
    purpose="protection of voters",
    retention_until=dt.date(2027, 12, 31),
)
DATA = SectionDraft(label="personal-data", audience="eu-data", observables=(SPECIAL,), personal_data=BASIS)
TECH = SectionDraft(
    label="indicators",
    audience="eu-tech",
    tlp=Tlp.RED,
    observables=(Observable(type="ip-address", personal=PersonalFlag.NONE, value="192.0.2.77"),),
)


def content_of(section: SectionDraft, **changes: Any) -> SectionContent:
    """The sealed content of a section."""
    fields = {**msgspec.structs.asdict(section), "spec": SECTION_SPEC, "salt": "A" * 43}
    return SectionContent(**{**fields, **changes})


def sealed(
    world: World, bulletin: Bulletin, raw: bytes, label: str, index: int, reader: str = READERS[1]
) -> SealedSection:
    """Any bytes as a section; `seal_section` would not seal all of them."""
    jwe = seal(
        raw, [opening_key(reader).public], context_of(bulletin, DOMAIN, index, label), secrets.token_bytes
    )
    return SealedSection(label=label, recipients=(reader,), jwe=jwe, inner_digest=digest(raw))


def with_sections(world: World, *sections: SectionDraft, base: Bulletin | None = None) -> Bulletin:
    """A bulletin with sections, as a publisher makes it."""
    inner = base or inner_bulletin(world)
    return msgspec.structs.replace(
        inner,
        sections=tuple(
            seal_section(
                inner,
                each,
                index,
                recipients(inner, each, world.registry, world.now),
                world.registry.domain,
                secrets.token_bytes,
            )
            for index, each in enumerate(sections)
        ),
    )


def admitted(world: World, made: Bulletin) -> Bulletin:
    """The bulletin, signed, sent and let in."""
    message = sign(world, made)
    return admit(
        message.subject, message.headers, message.payload, registry=world.registry, now=world.now
    ).bulletin


def opened(world: World, made: Bulletin, index: int = 0, reader: str = READERS[1]) -> SectionContent:
    """The content of a section for a reader."""
    return open_section(admitted(world, made), index, [opening_key(reader)], registry=world.registry)


def test_each_reader_opens_its_own_part_and_all_read_the_rest() -> None:
    """Under one signature; the issuer opens every part, a hub without a key admits, keeps and opens none."""
    world = sections_world()
    made = with_sections(world, DATA, TECH)
    assert [each.recipients for each in made.sections] == [(ISSUER, READERS[1]), (ISSUER, READERS[0])]
    for index, section in enumerate((DATA, TECH)):
        mine = READERS[1 - index]
        for reader in (ISSUER, mine):
            found = opened(world, made, index, reader)
            assert all(getattr(found, name) == getattr(section, name) for name in CONTENT_FIELDS)
            assert (found.label, found.audience, found.tlp) == (section.label, section.audience, section.tlp)
        for stranger in (READERS[index], HUB):
            with pytest.raises(SealError) as refused:
                opened(world, made, index, stranger)
            assert refused.value.reason == "not-a-recipient"


def test_a_digest_outside_does_not_let_others_try_what_is_inside() -> None:
    """The same content twice has two digests."""
    world = sections_world()
    one, other = with_sections(world, DATA, DATA).sections
    assert one.inner_digest != other.inner_digest


def _swapped(world: World) -> Bulletin:
    made = with_sections(world, DATA, msgspec.structs.replace(DATA, label="legal"))
    one, other = made.sections
    mixed = msgspec.structs.replace(one, jwe=other.jwe)
    return msgspec.structs.replace(made, sections=(mixed, msgspec.structs.replace(other, jwe=one.jwe)))


def _ciphertext_swapped(world: World) -> Bulletin:
    made = with_sections(world, DATA, DATA)
    one, other = (json.loads(each.jwe) for each in made.sections)
    one["ciphertext"], one["tag"], one["iv"] = other["ciphertext"], other["tag"], other["iv"]
    return _part(made, jwe=json.dumps(one))


def _arranged(which: slice, *sections: SectionDraft) -> Callable[[World], Bulletin]:
    def make(world: World) -> Bulletin:
        made = with_sections(world, *sections)
        return msgspec.structs.replace(made, sections=made.sections[which])

    return make


def _moved(world: World) -> Bulletin:
    return msgspec.structs.replace(inner_bulletin(world), sections=with_sections(world, DATA).sections)


def _part(made: Bulletin, **changes: Any) -> Bulletin:
    first, *rest = made.sections
    return msgspec.structs.replace(made, sections=(msgspec.structs.replace(first, **changes), *rest))


def _changed(**changes: Any) -> Callable[[World], Bulletin]:
    return lambda world: _part(with_sections(world, DATA), **changes)


def _edited(work: Callable[[dict[str, Any]], object], **changes: Any) -> Callable[[World], Bulletin]:
    def make(world: World) -> Bulletin:
        made = with_sections(world, DATA)
        jwe = json.loads(made.sections[0].jwe)
        work(jwe)
        return _part(made, jwe=json.dumps(jwe), **changes)

    return make


def _holding(
    raw: bytes | Callable[[World], bytes], label: str = "personal-data"
) -> Callable[[World], Bulletin]:
    def make(world: World) -> Bulletin:
        base = inner_bulletin(world)
        part = sealed(world, base, raw if isinstance(raw, bytes) else raw(world), label, 0)
        return msgspec.structs.replace(base, sections=(part,))

    return make


def _whole(world: World) -> Bulletin:
    """The seal of a whole bulletin where a section should be."""
    base = inner_bulletin(world)
    raw = file_of(world, base)
    jwe = seal(raw, [opening_key(READERS[1]).public], context_of(base, DOMAIN), secrets.token_bytes)
    part = SealedSection(label="personal-data", recipients=(READERS[1],), jwe=jwe, inner_digest=digest(raw))
    return msgspec.structs.replace(base, sections=(part,))


GOOD = encode(content_of(DATA))
PLAIN = msgspec.structs.replace(SPECIAL, value="in clear")

BROKEN: dict[str, tuple[Callable[[World], Bulletin], str]] = {
    "two sections exchanged": (_arranged(slice(None, None, -1), DATA, DATA), "wrong-context"),
    "the seals of two sections exchanged": (_swapped, "wrong-context"),
    "moved from another bulletin": (_moved, "wrong-context"),
    "the section before it taken away": (_arranged(slice(1, None), TECH, DATA), "wrong-context"),
    "another label": (_changed(label="indicators"), "wrong-context"),
    "another digest": (_changed(inner_digest="A" * 43), "inner-digest"),
    "the ciphertext of another section": (_ciphertext_swapped, "damaged-seal"),
    "a recipient taken away, named still": (_edited(lambda j: j["recipients"].pop(0)), "recipient-mismatch"),
    "a recipient taken away": (
        _edited(lambda j: j["recipients"].pop(0), recipients=(READERS[1],)),
        "wrong-context",
    ),
    "a recipient not named": (_changed(recipients=(READERS[1],)), "recipient-mismatch"),
    "somebody else named": (_changed(recipients=(HUB, READERS[1])), "recipient-mismatch"),
    "no seal at all": (_changed(jwe="{}"), "malformed-seal"),
    "the seal of a whole bulletin": (_whole, "unsupported-seal"),
    "more than may be sealed": (
        _edited(lambda j: j.update(ciphertext="A" * 174_764), recipients=READERS),
        "too-large",
    ),
    "no content of a section": (_holding(b"{}"), "schema"),
    "a whole bulletin inside": (_holding(lambda w: encode(inner_bulletin(w))), "schema"),
    "a signed file inside": (_holding(lambda w: file_of(w, inner_bulletin(w))), "malformed-payload"),
    "a section inside": (_holding(GOOD[:-1] + b',"sections":[]}'), "schema"),
    "a member twice": (_holding(GOOD[:-1] + b',"label":"personal-data"}'), "duplicate-member"),
    "no salt": (_holding(GOOD.replace(b',"salt":"' + b"A" * 43 + b'"', b"")), "schema"),
    "another label inside": (_holding(encode(content_of(DATA, label="legal"))), "section-label"),
    "a wider marking": (_holding(encode(content_of(DATA, tlp=Tlp.GREEN))), "section-tlp"),
    "an audience it may not speak to": (
        _holding(encode(content_of(DATA, audience="xb-nobody"))),
        "not-permitted",
    ),
    "R6 broken": (_holding(encode(content_of(DATA, personal_data=None))), "rule:R6"),
    "R9 broken": (_holding(encode(content_of(DATA, observables=(PLAIN,)))), "rule:R9"),
}


@pytest.mark.parametrize(("make", "reason"), BROKEN.values(), ids=BROKEN)
def test_what_does_not_belong_there_is_refused(make: Callable[[World], Bulletin], reason: str) -> None:
    """This holds although the bulletin is admitted, kept and forwarded."""
    world = sections_world()
    with pytest.raises((SealError, AdmissionError)) as refused:
        opened(world, make(world))
    assert refused.value.reason == reason


def test_the_seal_of_a_section_does_not_pass_for_a_bulletin() -> None:
    """Nor does the seal of a bulletin pass for a section's: they have different types and bindings."""
    world = sections_world()
    made = with_sections(world, DATA)
    part = made.sections[0]
    body = Sealed(jwe=part.jwe, recipients=part.recipients, inner_digest=part.inner_digest)
    outer = msgspec.structs.replace(made, body=body, sections=())
    with pytest.raises(SealError) as refused:
        open_bulletin(
            admitted(world, outer), [opening_key(READERS[1])], registry=world.registry, now=world.now
        )
    assert refused.value.reason == "unsupported-seal"


def test_nothing_is_closed_but_by_the_types() -> None:
    """Seventeen sections, or a seal beyond its bound, are no bulletin at all."""
    world = sections_world()
    made = with_sections(world, DATA)
    for bad in (
        msgspec.structs.replace(made, sections=made.sections * 17),
        _part(made, jwe="x" * 200_001),
        _part(made, recipients=()),
    ):
        with pytest.raises(SchemaError) as refused:
            decode(encode(bad))
        assert refused.value.reason in ("schema", "too-large")


@settings(max_examples=60)
@given(
    outer=st.sampled_from((Tlp.AMBER_STRICT, Tlp.RED)),
    mine=st.sampled_from((None, *Tlp)),
    flag=st.sampled_from(PersonalFlag),
    declared=st.booleans(),
)
def test_a_section_is_judged_with_its_bulletin(
    outer: Tlp, mine: Tlp | None, flag: PersonalFlag, *, declared: bool
) -> None:
    """It passes exactly if both together would pass as one bulletin to its audience, and if it is not wider."""
    made = inner_bulletin(sections_world(), tlp=outer, pap=Pap.RED)
    seen = Observable(type="person-name", personal=flag, value_hmac="a" * 64, key_id="k1")
    section = msgspec.structs.replace(
        DATA, tlp=mine, observables=(seen,), personal_data=BASIS if declared else None
    )
    narrow = mine is None or mine is outer or mine is Tlp.RED
    together = rules.with_section(made, section)
    stands = narrow and not rules.violations(together)
    try:
        rules.check_section(made, section, 0)
    except SchemaError as exc:
        assert not stands, exc.reason
        assert exc.path.startswith("$.sections[0]")
    else:
        assert stands


# -- the way out ---------------------------------------------------------------------------------------------------


def spoken(*sections: SectionDraft, **changes: Any) -> Draft:
    """A draft for the network with sections."""
    return draft(
        "open part", **{"tlp": Tlp.AMBER_STRICT, "audience": NETWORK, "sections": sections, **changes}
    )


async def test_a_draft_with_sections_goes_out_under_one_signature(tmp_path: Path) -> None:
    """The open part in clear, each section sealed; the rehearsal says the same of who opens what."""
    world = sections_world()
    async with speaking(tmp_path, world, everything=False) as (publisher, outbox):
        rehearsed = await publisher.rehearse(spoken(DATA, TECH))
        kept = await publisher.publish(spoken(DATA, TECH))
        (found,) = await said(world, outbox)
    assert (
        kept.sections
        == rehearsed.sections
        == (
            SealedPart(label="personal-data", sealed_to=(ISSUER, READERS[1])),
            SealedPart(label="indicators", sealed_to=(ISSUER, READERS[0])),
        )
    )
    assert found.bulletin.info[0].headline == "open part"
    assert b"192.0.2.77" not in found.payload
    inside = open_section(found.bulletin, 1, [opening_key(READERS[0])], registry=world.registry)
    assert inside.observables == TECH.observables


async def test_sections_of_a_sealed_bulletin_stand_beside_it(tmp_path: Path) -> None:
    """Under a sealing policy a reader of the bulletin opens its section too, which is judged with the inner bulletin."""
    base = make_world()
    document = with_parts(with_seal_keys(base.registry.document, policy=SealPolicy.ALWAYS))
    world = world_with(document, base)
    async with speaking(tmp_path, world, everything=False) as (publisher, outbox):
        await publisher.publish(spoken(DATA))
        (found,) = await said(world, outbox)
    keys = [opening_key(READERS[1])]
    inner = open_bulletin(found.bulletin, keys, registry=world.registry, now=world.now).bulletin
    assert (found.bulletin.kind, inner.sections, inner.info[0].headline) == ("sealed", (), "open part")
    inside = open_section(found.bulletin, 0, keys, registry=world.registry, inner=inner)
    assert inside.personal_data == BASIS


LONG = msgspec.structs.replace(
    DATA,
    info=tuple(Info(lang=f"{a}{b}", headline="long", summary="é" * 2000) for a in "abcde" for b in "vwxyz"),
)
OPEN = {"tlp": Tlp.CLEAR, "audience": "public"}
LARGE = msgspec.structs.replace(DATA, info=LONG.info[:7], observables=(), personal_data=None)

REFUSED: dict[str, tuple[Draft, str]] = {
    "empty": (spoken(SectionDraft(label="legal", audience="eu-data")), "schema"),
    "out of its bounds": (spoken(msgspec.structs.replace(DATA, label="Not a slug")), "schema"),
    "wider than its bulletin": (spoken(msgspec.structs.replace(DATA, tlp=Tlp.AMBER)), "section-tlp"),
    "an audience it may not speak to": (
        spoken(msgspec.structs.replace(DATA, audience="xb-dpa")),
        "not-permitted",
    ),
    "a rule broken": (spoken(msgspec.structs.replace(DATA, personal_data=None)), "rule:R6"),
    "public": (
        spoken(msgspec.structs.replace(TECH, tlp=None, audience="public"), **OPEN),
        "seal-public",
    ),
    "nobody of the readers reads it": (spoken(TECH, **OPEN), "no-recipient"),
    "too much inside": (spoken(LONG), "too-large"),
    "too much together": (spoken(*[LARGE] * 7), "too-large"),
    "seventeen": (spoken(*[TECH] * 17), "schema"),
}


@pytest.mark.parametrize(("made", "reason"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_sealed_uses_no_number(tmp_path: Path, made: Draft, reason: str) -> None:
    """Publishing and rehearsing refuse it alike, before anything is kept."""
    world = sections_world()
    async with speaking(tmp_path, world, everything=False) as (publisher, outbox):
        for work in (publisher.publish, publisher.rehearse):
            with pytest.raises(TocsinError) as refused:
                await work(made)
            assert refused.value.reason == reason
        assert (await publisher.publish(spoken(DATA))).seq == 1
        assert len(await said(world, outbox)) == 1


async def test_a_reader_without_a_key_is_named(tmp_path: Path) -> None:
    """A section leaves no reader out unnoticed; --without does so on purpose."""
    base = make_world()
    world = world_with(with_parts(with_seal_keys(base.registry.document, keys=(ISSUER, READERS[0]))), base)
    made = spoken(msgspec.structs.replace(TECH, audience=NETWORK))
    async with speaking(tmp_path, world, everything=False) as (publisher, _):
        with pytest.raises(PermitError) as refused:
            await publisher.publish(made)
        assert refused.value.reason == "no-seal-key"
        assert READERS[1] in str(refused.value)
    async with speaking(tmp_path, world, everything=False, without=(READERS[1],)) as (publisher, _):
        kept = await publisher.publish(made)
        with pytest.raises(PermitError) as refused:
            await publisher.publish(spoken())
        assert refused.value.reason == "not-sealed"
    assert [each.sealed_to for each in kept.sections] == [(ISSUER, READERS[0])]


async def test_a_publisher_that_cannot_seal_refuses_sections(tmp_path: Path) -> None:
    """Nothing goes out without the part that was drafted."""
    world = sections_world()
    async with speaking(tmp_path, world, seals=False) as (publisher, _):
        for work in (publisher.publish, publisher.rehearse):
            with pytest.raises(PermitError) as refused:
                await work(spoken(DATA))
            assert refused.value.reason == "must-seal"


def test_who_reads_a_section_is_decided_by_grants_alone() -> None:
    """The readers are those of the bulletin that may read the section's audience at its TLP."""
    world = sections_world()
    made = inner_bulletin(world)
    assert readers(made, DATA, world.registry) == ("xb-dpa", HUB)
    assert readers(made, msgspec.structs.replace(DATA, audience=NETWORK), world.registry) == (*READERS, HUB)
    public = msgspec.structs.replace(made, tlp=Tlp.CLEAR, audience="public")
    assert readers(public, TECH, world.registry) == (HUB,)


def test_the_largest_section_fits() -> None:
    """65 536 bytes for two recipients."""
    world = sections_world()
    assert MAX_PAYLOAD_BYTES > 2 * 65_536
    base = inner_bulletin(world)
    part = sealed(world, base, b"{" * 65_536, "legal", 0)
    assert decode_as(Bulletin, encode(msgspec.structs.replace(base, sections=(part,)))).sections == (part,)


SEALED_ONCE = with_sections(sections_world(), DATA)


@settings(max_examples=150)
@given(place=st.integers(0, len(encode(SEALED_ONCE.sections[0])) - 1), flip=st.integers(1, 127))
def test_no_altered_section_opens_to_something_else(place: int, flip: int) -> None:
    """One character of it changed: refused with a reason, never another content, never a crash."""
    raw = bytearray(encode(SEALED_ONCE.sections[0]))
    raw[place] ^= flip
    try:
        part = decode_as(SealedSection, bytes(raw))
        made = msgspec.structs.replace(SEALED_ONCE, sections=(part,))
        found = open_section(made, 0, [opening_key(READERS[1])], registry=sections_world().registry)
    except TocsinError as exc:
        assert exc.reason
    else:
        assert found.observables == DATA.observables
