"""A group goes pass by pass, with the same result as its drafts one by one."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.errors import PermitError
from bus.keys.signatures import FileSigner
from bus.publishing.drafted import Drawn
from bus.publishing.outbox import Row
from bus.publishing.outbox_rows import Signed, new_row, sum_of
from bus.publishing.publisher import Publisher
from bus.publishing.signing import sign_chain, signature_values
from bus.publishing.stamping import Accepted, Stamping
from bus.transport.client import lines_of
from schemas.codec import digest, encode
from schemas.envelope import SIG_HEADER, format_header, hints
from schemas.errors import TocsinError
from schemas.parts import Action, ElectionRef, Info, Ref
from schemas.subject import channel_of, subject_for
from schemas.vocab import ElectionType, MsgType, Phase, RefRel, SealPolicy, Status, Tlp
from tests.support.publishers import publishing
from tests.support.sealed import NETWORK, with_seal_keys, world_with
from tests.support.world import DOMAIN, NOW, bulletin, draft, make_world, shared_world

WORLD = shared_world()
PLACES: tuple[dict[str, Any], ...] = (
    {},
    {"tlp": Tlp.AMBER_STRICT, "audience": "eu-csirts"},
    {"status": Status.EXERCISE, "exercise_id": "xa-drill"},
    {"tlp": Tlp.AMBER},  # not permitted
    {"msg_type": MsgType.UPDATE},  # against a rule
    {"labels": ("no label",)},  # no reader could decode it
    {"actions": (Action(kind="investigate", to=("xa-nobody",), text="Look."),)},  # against the registry
)
USUAL: tuple[dict[str, Any], ...] = (
    {},
    {"election": ElectionRef(id="xa-parl-2027", type=ElectionType.PARLIAMENTARY, phase=Phase.CAMPAIGN)},
    {"labels": ("topic:roll",)},
    {
        "msg_type": MsgType.UPDATE,
        "references": (Ref(id="0196fe2f-9be0-7000-8000-00000000000a", rel=RefRel.SUPERSEDES),),
    },
    {"info": (Info(lang="el", headline="Ψευδές φυλλάδιο", summary="Δόθηκε διόρθωση."),)},
    {"actions": (Action(kind="block-indicator", to=("xb-csirt",), text="Block it."),)},
)
STAND = st.integers(0, 2)
ANY = st.one_of(STAND, STAND, STAND, st.integers(0, len(PLACES) - 1))
NAME = st.sampled_from([None, None, None, "a", "b"])
GROUPS = st.lists(st.lists(st.tuples(ANY, NAME, NAME), min_size=1, max_size=7), max_size=4)


def told(outcome: Accepted | Exception) -> object:
    """An outcome, to be compared."""
    if isinstance(outcome, Accepted):
        return msgspec.structs.replace(outcome, id="", digest="")
    return type(outcome), getattr(outcome, "reason", ""), str(outcome)


def as_told(row: Row) -> object:
    """A row, but for what hangs on its id; the digest and the sum do."""
    same = {"id": "", "digest": "", "prev": bool(row.prev), "payload": b"", "headers": "", "sum": ""}
    return msgspec.structs.replace(row, **same)


async def published(
    folder: Path, groups: list[list[tuple[int, str | None, str | None]]], *, is_fast: bool
) -> tuple[list[object], list[object]]:
    """The outcomes and the rows of some groups, by either way."""
    outcomes: list[object] = []
    async with publishing(folder / f"{is_fast}.db", WORLD) as opened:
        stamping = opened.stamping if is_fast else slow(opened)
        publisher = msgspec.structs.replace(opened, stamping=stamping)
        for group in groups:
            found = await publisher.publish_many(
                [draft(f"number {n}", **PLACES[place]) for n, (place, *_) in enumerate(group)],
                once=[once for _, once, _ in group],
                origins=[origin for *_, origin in group],
            )
            outcomes += map(told, found)
        rows = sorted(await publisher.outbox.rows(), key=lambda row: row.n)
    assert all(row.is_whole for row in rows)
    return outcomes, [as_told(row) for row in rows]


class _OneByOne(Stamping, frozen=True, kw_only=True):
    """A stamping that never goes pass by pass."""

    def at_a_glance(self, *_: object) -> None:
        return None


def slow(publisher: Publisher) -> Stamping:
    """The stamping of a publisher, draft by draft."""
    return made(_OneByOne, publisher)


def made(kind: type[Stamping], publisher: Publisher) -> Stamping:
    """The stamping of a publisher, of another kind."""
    names = Stamping.__struct_fields__
    return kind(**{name: getattr(publisher.stamping, name) for name in names})


@settings(max_examples=25, deadline=None)
@given(GROUPS)
def test_both_ways_have_the_same_outcomes_and_rows(
    groups: list[list[tuple[int, str | None, str | None]]],
) -> None:
    """For any drafts, keys and origins the refusals, reasons, numbers and columns are equal."""
    with tempfile.TemporaryDirectory() as name:
        fast = asyncio.run(published(Path(name), groups, is_fast=True))
        assert fast == asyncio.run(published(Path(name), groups, is_fast=False))


class _AtOnce(Stamping, frozen=True, kw_only=True):
    """A stamping that never goes draft by draft."""

    def _one_by_one(self, *_: object) -> list[Accepted | Exception]:
        raise AssertionError("the group was taken apart")


async def test_what_is_usual_stays_together(tmp_path: Path) -> None:
    """Elections, labels, references, actions and words of any language take no group apart."""
    async with publishing(tmp_path / "outbox.db", WORLD) as opened:
        publisher = msgspec.structs.replace(opened, stamping=made(_AtOnce, opened))
        found = await publisher.publish_many(
            [msgspec.structs.replace(draft("said"), **change) for change in USUAL]
        )
    assert [type(each) for each in found] == [Accepted] * len(USUAL)


@given(st.integers(1, 70), st.integers(1, 2))
def test_a_signature_is_written_as_its_entries_are(count: int, signers: int) -> None:
    """What all of a batch share is written once, and to the byte what `format_header` writes."""
    keys = KEYS[:signers]
    payloads = [b"payload %d" % n for n in range(count)]
    chain = [drawn(payload) for payload in payloads]
    found = list(signature_values(keys, chain, DOMAIN))
    told = [(payload, NOW) for payload in payloads]
    assert [each.value for each in found] == [
        format_header(entries) for entries in sign_chain(keys, told, DOMAIN)
    ]


KEYS = (FileSigner.generate(), FileSigner.generate())
SOME = bulletin(WORLD)


def drawn(payload: bytes) -> Drawn:
    """A bulletin with such a payload."""
    hashed = hashlib.sha256(payload).digest()
    return Drawn(SOME, payload, hashed, digest(payload), "actual.green.community", "subject", NOW, None, None)


TEXTS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=6)


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, min_size=1))
def test_headers_are_written_from_their_json_or_not_at_all(headers: dict[str, str]) -> None:
    """Without being read: the lines that `lines_of` writes of the mapping, or nothing, and then they are read."""
    row = new_row(1, drawn(b"{}"), Signed("", "signature"))
    row = msgspec.structs.replace(row, headers=msgspec.json.encode(headers).decode())
    assert row.header_lines() in (b"", lines_of(headers))
    plain = not any(letter in text for text in (*headers, *headers.values()) for letter in '\\"')
    assert bool(row.header_lines()) == plain


IDS = st.uuids(version=None).map(str)


@given(
    st.sampled_from([None, "A" * 43, "_-" * 21 + "x"]),
    st.integers(1, 2**53 - 1),
    IDS,
    st.binary(max_size=20),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.text(st.sampled_from("Az09-_.,~"), min_size=1, max_size=90),
    st.integers(0, 90),
)
def test_a_new_row_is_to_the_letter_what_its_parts_give(
    prev: str | None, seq: int, id_: str, payload: bytes, issued: dt.datetime, signature: str, cut: int
) -> None:
    """Headers and sum are written at once: to the letter what `hints` and `sum_of` give."""
    said = msgspec.structs.replace(SOME, prev=prev, seq=seq, id=id_, issued=issued)
    each = Drawn.of(said, payload, issued, None, None)
    row = new_row(1, each, Signed(signature[:cut], signature[cut:]))
    assert list(row.header_map().items()) == list({SIG_HEADER: signature, **hints(each.digest)}.items())
    assert row.headers == msgspec.json.encode(row.header_map()).decode()
    assert row.sum == sum_of(msgspec.structs.asdict(row), row.header_map())
    assert row.is_whole


def test_whether_a_bulletin_must_be_sealed_is_asked_for_each_policy(tmp_path: Path) -> None:
    """Once for each channel and kind of a group, with the answer of `must_seal`; a group with one that must goes no fast way."""
    world = make_world()
    world = world_with(with_seal_keys(world.registry.document, policy=SealPolicy.ALWAYS), world)
    plain, sealed = draft("plain"), draft("sealed", tlp=Tlp.AMBER_STRICT, audience=NETWORK)

    async def work() -> list[Accepted | TocsinError]:
        async with publishing(tmp_path / "o.db", world) as publisher:
            return await publisher.publish_many([plain, sealed, plain, sealed])

    outcomes = asyncio.run(work())
    assert [getattr(each, "reason", "kept") for each in outcomes] == [
        "kept",
        "must-seal",
        "kept",
        "must-seal",
    ]


def test_a_new_row_has_its_headers_as_they_are_written() -> None:
    """Each that this process signs; and the one of which the message id was dropped."""
    row = new_row(1, drawn(encode(SOME)), Signed("", "signature"))
    assert row.header_lines() == lines_of(row.header_map())
    assert row.is_whole


def test_what_is_permitted_is_remembered_with_its_registry() -> None:
    """A registry says the same of a bulletin as `permit`, the second time too, and never a wrong yes."""
    registry = WORLD.registry.forgetting(is_forgetful=True).forgetting(is_forgetful=False)
    said = [
        bulletin(WORLD, **changes)
        for changes in ({}, {"tlp": Tlp.AMBER}, {"audience": "nobody"}, {"status": Status.TEST})
    ]
    for each in (*said, *said):
        try:
            registry.permit(each)
        except PermitError:
            assert registry.permitted(each) is None
        else:
            assert registry.permitted(each) == (channel_of(each), subject_for(each))
