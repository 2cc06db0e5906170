"""Drafts that are kept together: judged one by one, signed in batches, written as one."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.admission.steps import Admitted, admit, verify_file
from bus.errors import AdmissionError, OutboxError, PermitError, StoreError
from bus.keys.signatures import CertifiedSigner, FileSigner, Signer, sign_batch
from bus.publishing.outbox import Outbox, Row
from bus.publishing.publisher import GROUP, Publisher
from bus.publishing.signing import sign_chain
from bus.publishing.stamping import Accepted
from bus.sealing.sealer import Sealer
from bus.trust.registry import VerifiedRegistry
from schemas.codec import decode
from schemas.envelope import (
    SIG_HEADER,
    TYP_BULLETIN,
    Batch,
    Context,
    file_form,
    format_header,
    parse_header,
    read_signed,
    write_signed,
)
from schemas.errors import RuleError
from schemas.vocab import MsgType, RefRel, Tlp
from tests.support.places import ROOT
from tests.support.publishers import keeping, publishing
from tests.support.sealed import NETWORK, sealed_world
from tests.support.world import (
    DEFAULTS,
    DOMAIN,
    NOW,
    World,
    draft,
    key_record,
    make_world,
    shared_world,
    signed_registry,
)
from tests.vectors.batch_cases import PAYLOAD, among
from tests.vectors.scene import DOMAIN as VECTORS_DOMAIN
from tests.vectors.scene import KEY

WORLD = shared_world()
VECTORS = ROOT / "schemas" / "vectors"
NARROW: dict[str, Any] = {"tlp": Tlp.AMBER_STRICT, "audience": "eu-csirts"}
NOT_PERMITTED = draft(tlp=Tlp.AMBER)
AGAINST_A_RULE = draft(msg_type=MsgType.UPDATE)


class Counting:
    """A signer that counts what it signs, and may fail."""

    def __init__(self, signer: FileSigner) -> None:
        self.alg, self.kid, self._inner = signer.alg, signer.kid, signer
        self.count = 0
        self.error: Exception | None = None

    def sign(self, data: bytes) -> bytes:
        """Sign, or fail."""
        self.count += 1
        if self.error is not None:
            raise self.error
        return self._inner.sign(data)


async def kept(outbox: Outbox) -> list[Row]:
    """The rows of the outbox, in order."""
    return sorted(await outbox.rows(), key=lambda row: row.n)


def places(rows: Sequence[Row]) -> list[Batch | None]:
    """The place of each in a tree; None if it is signed alone."""
    found = []
    for row in rows:
        batches = {
            entry.batch for entry in parse_header(row.header_map()[SIG_HEADER], Context(TYP_BULLETIN, DOMAIN))
        }
        (batch,) = batches
        found.append(batch)
    return found


def sizes(rows: Sequence[Row]) -> list[int]:
    """The size of the tree of each; 1 if it is signed alone."""
    return [1 if batch is None else batch.size for batch in places(rows)]


def admitted(row: Row, registry: VerifiedRegistry = WORLD.registry, now: dt.datetime = NOW) -> Admitted:
    """A row, as a reader judges it."""
    return admit(row.subject, row.header_map(), row.payload, registry=registry, now=now)


# -- what is written ------------------------------------------------------------------------------------------------------


def test_a_batch_is_written_as_the_vectors_have_it() -> None:
    """Byte for byte: the file form of number 1 of 5, and the header of each good place of every size."""
    written = sign_batch((KEY,), among(PAYLOAD, 5, 1), VECTORS_DOMAIN)[1]
    assert write_signed(PAYLOAD, written) == (VECTORS / "batched.tocsin.json").read_bytes()
    cases = json.loads((VECTORS / "admission_vectors.json").read_text("utf-8"))["testGroups"][0]["tests"]
    expected = {case["comment"]: dict(case["headers"]).get(SIG_HEADER) for case in cases}
    found = {}
    for size in (2, 3, 5, 63, 64):
        for index in range(5) if size == 5 else (0, size - 1):
            comment = "the last" if index and size != 5 else f"number {index}"
            entries = sign_batch((KEY,), among(PAYLOAD, size, index), VECTORS_DOMAIN)[index]
            found[f"{comment} of a batch of {size}"] = format_header(entries)
    assert found == {comment: expected[comment] for comment in found}


@given(st.integers(0, 200))
def test_a_chain_is_cut_into_batches(count: int) -> None:
    """Batches have at most 64, in order; a single last one is signed alone; there are no more signatures than that."""
    signer = Counting(KEY)
    payloads = [f"payload {n}".encode() for n in range(count)]
    entries = list(sign_chain((signer,), [(payload, NOW) for payload in payloads], DOMAIN))
    found = [each.batch for (each,) in entries]
    assert signer.count == -(-count // 64)
    assert [(batch.index, batch.size) if batch else (0, 1) for batch in found] == [
        (n % 64, min(64, count - n // 64 * 64)) for n in range(count)
    ]


@pytest.mark.parametrize("size", [0, 1, 65])
def test_a_batch_of_another_size_is_not_made(size: int) -> None:
    """Readers refuse it."""
    with pytest.raises(ValueError, match="a batch has 2 to 64"):
        sign_batch((KEY,), [b"payload"] * size, DOMAIN)


# -- what is published together ---------------------------------------------------------------------------------------------


async def test_drafts_that_wait_are_signed_in_batches(tmp_path: Path) -> None:
    """One signature for those of one channel, each admitted by itself; the chain is as if each had been published alone."""
    signer = Counting(WORLD.signers["xa-csirt"])
    async with publishing(tmp_path / "o.db", WORLD, signer=signer) as publisher:
        drafts = [draft(f"number {n}", **(NARROW if n % 3 == 2 else {})) for n in range(15)]
        accepted = await publisher.publish_many(drafts)
        rows = await kept(publisher.outbox)
    assert signer.count == 2
    assert sizes(rows) == [10, 10, 5] * 5
    assert [row.digest for row in rows] == [each.digest for each in accepted if isinstance(each, Accepted)]
    assert [admitted(row).bulletin.info[0].headline for row in rows] == [f"number {n}" for n in range(15)]
    for channel in {row.channel for row in rows}:
        chain = [row for row in rows if row.channel == channel]
        assert [row.seq for row in chain] == list(range(1, len(chain) + 1))
        assert [row.prev for row in chain] == [None, *(row.digest for row in chain)][:-1]


async def test_one_that_waits_alone_is_signed_alone(tmp_path: Path) -> None:
    """By either way, and beside others of other channels."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft())
        await publisher.publish_many([draft()])
        await publisher.publish_many([draft(), draft(**NARROW)])
        assert sizes(await kept(outbox)) == [1, 1, 1, 1]


async def test_publish_joins_the_group_under_way(tmp_path: Path) -> None:
    """Drafts published while the outbox is busy go together: one commit, one signature."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        begun, busy = threading.Event(), threading.Event()

        def work(_: object) -> None:
            begun.set()
            busy.wait(60)

        working = asyncio.ensure_future(outbox.write(work))
        await asyncio.to_thread(
            begun.wait
        )  # else it takes those of the five along that come before it begins
        saying = [asyncio.ensure_future(publisher.publish(draft(f"number {n}"))) for n in range(5)]
        await asyncio.sleep(0)  # each has put its draft where the outbox finds it
        busy.set()
        accepted = await asyncio.gather(*saying)
        await working
        rows = await kept(outbox)
    assert [each.seq for each in accepted] == [1, 2, 3, 4, 5]
    assert sizes(rows) == [5] * 5


async def test_groups_that_wait_are_signed_together(tmp_path: Path) -> None:
    """By either way: one chain, one tree, one call of the thread without a savepoint."""
    signer = Counting(WORLD.signers["xa-csirt"])
    async with publishing(tmp_path / "o.db", WORLD, signer=signer) as publisher:
        two, one, three = await held(
            publisher,
            publisher.publish_many([draft("one"), draft("two")]),
            publisher.publish(draft("three")),
            publisher.publish_many([draft("four"), draft("five"), draft("six")]),
        )
        assert [each.seq for each in (*two, one, *three)] == [1, 2, 3, 4, 5, 6]
        assert sizes(await kept(publisher.outbox)) == [6] * 6
    assert signer.count == 1


async def test_a_group_that_fails_hinders_no_other_that_waits(tmp_path: Path) -> None:
    """Its error is raised to its caller and nothing of it is kept; numbers continue as if it had not existed."""
    no_draft: Any = draft("none", body=object())
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        two, one, bad, single, refused = await held(
            publisher,
            publisher.publish_many([draft("one"), draft("two")]),
            publisher.publish(draft("three")),
            publisher.publish_many([draft("lost"), no_draft, draft("lost too")]),
            publisher.publish(no_draft),
            publisher.publish_many([NOT_PERMITTED, draft("four")]),
        )
        assert not isinstance(bad, (list, OutboxError, PermitError))
        assert not isinstance(single, (Accepted, OutboxError, PermitError))
        assert isinstance(refused[0], PermitError)
        assert sorted(each.seq for each in (*two, one, refused[1])) == [1, 2, 3, 4]
        assert {decode(row.payload).info[0].headline for row in await kept(outbox)} == {
            "one",
            "two",
            "three",
            "four",
        }
        assert (await publisher.publish(draft("after"))).seq == 5


async def held(publisher: Publisher, *calls: Any) -> list[Any]:
    """The results or errors of calls that all wait while the outbox is busy."""
    busy = threading.Event()
    before = asyncio.create_task(publisher.outbox.write(lambda _: busy.wait()))
    await asyncio.sleep(0)
    waiting = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    busy.set()
    await before
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_one_that_is_refused_hinders_no_other(tmp_path: Path) -> None:
    """It uses no number and has its place among the results; `on_refused` is called."""
    heard: list[Exception] = []
    async with publishing(tmp_path / "o.db", WORLD, on_refused=heard.append) as publisher:
        outcomes = await publisher.publish_many(
            [NOT_PERMITTED, draft("one"), AGAINST_A_RULE, draft("two"), NOT_PERMITTED]
        )
        rows = await kept(publisher.outbox)
    assert [type(each) for each in outcomes] == [PermitError, Accepted, RuleError, Accepted, PermitError]
    assert [each.seq for each in outcomes if isinstance(each, Accepted)] == [1, 2]
    assert sizes(rows) == [2, 2]
    assert heard == [each for each in outcomes if isinstance(each, Exception)]


async def test_a_key_gives_one_bulletin_within_a_group_too(tmp_path: Path) -> None:
    """The second draft under it is not looked at; its outcome is the first one's bulletin."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        outcomes = await publisher.publish_many(
            [draft("one"), draft("two"), draft("again"), draft("three")], once=["a", None, "a", "b"]
        )
        again = await publisher.publish_many([draft("later")], once=["b"])
        rows = await kept(outbox)
    first, _, second, third = (each for each in outcomes if isinstance(each, Accepted))
    assert second == msgspec.structs.replace(first, state="known")
    assert again == [msgspec.structs.replace(third, state="known")]
    assert [decode(row.payload).info[0].headline for row in rows] == ["one", "two", "three"]


async def test_a_draft_supersedes_one_of_its_own_group(tmp_path: Path) -> None:
    """The last of the same origin, in whichever group; a refused one supersedes nothing and is not superseded."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish_many(
            [draft("one"), NOT_PERMITTED, draft("two"), draft("other"), draft("three")],
            origins=["x", "x", "x", "y", "x"],
        )
        rows = [decode(row.payload) for row in await kept(outbox)]
    one, two, other, three = rows
    assert [[(ref.rel, ref.id) for ref in each.references] for each in rows] == [
        [],
        [(RefRel.SUPERSEDES, one.id)],
        [],
        [(RefRel.SUPERSEDES, two.id)],
    ]
    assert (two.seq, other.seq, three.seq) == (2, 3, 4)


async def test_many_drafts_are_several_groups(tmp_path: Path) -> None:
    """No transaction has more than `GROUP`, and the chain goes on from one to the next."""
    groups = []
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        write = outbox.write_together

        async def counted(handler: Any, group: Any) -> Any:
            groups.append(len(group))
            return await write(handler, group)

        outbox.write_together = counted  # type: ignore[method-assign, assignment]  # to see the groups
        await publisher.publish_many([draft(f"number {n}") for n in range(GROUP + 1)])
        (count,) = await outbox.query("SELECT count(*), max(seq) FROM outbox")
    assert groups == [GROUP, 1]
    assert tuple(count) == (GROUP + 1, GROUP + 1)


async def test_short_work_waits_for_one_full_group(tmp_path: Path) -> None:
    """Full groups of several callers do not stand in the store's queue together: the sender's work comes between them."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox), asyncio.TaskGroup() as tasks:
        for caller in range(3):
            drafts = [draft(f"number {n} of {caller}") for n in range(GROUP)]
            tasks.create_task(publisher.publish_many(drafts))
        await asyncio.sleep(0)
        (count,) = await outbox.write(lambda db: db.execute("SELECT count(*) FROM outbox").fetchone())
        assert count <= GROUP


async def test_nothing_to_say_is_no_fault(tmp_path: Path) -> None:
    """No drafts, no outcomes."""
    async with keeping(tmp_path / "o.db") as (publisher, _):
        assert await publisher.publish_many([]) == []


# -- what may not be batched ------------------------------------------------------------------------------------------------


def test_seals_with_a_certificate_are_single() -> None:
    """JAdES is of one bulletin; and who signs with two keys signs with both the same way."""
    first, second = (FileSigner.generate(), FileSigner.generate())
    signers: tuple[Signer, ...] = (CertifiedSigner(first, "A" * 43), second)
    found = list(sign_chain(signers, [(b"one", NOW), (b"two", NOW)], DOMAIN))
    assert [[entry.batch for entry in entries] for entries in found] == [[None, None]] * 2
    assert [entries[0].header.iat for entries in found] == [int(NOW.timestamp())] * 2


def test_both_of_two_keys_sign_the_same_tree() -> None:
    """A hybrid signature of a batch: one head, one place, one signature of each key."""
    signers = [Counting(FileSigner.generate(alg)) for alg in ("Ed25519", "ML-DSA-65")]
    found = list(sign_chain(signers, [(b"one", NOW), (b"two", NOW), (b"three", NOW)], DOMAIN))
    assert [each.count for each in signers] == [1, 1]
    assert [len({entry.batch for entry in entries}) for entries in found] == [1, 1, 1]
    context = Context(TYP_BULLETIN, DOMAIN)
    assert [parse_header(format_header(entries), context) for entries in found] == found


async def test_the_inside_of_a_seal_is_signed_alone(tmp_path: Path) -> None:
    """The outer bulletins go in a batch; what is inside each has a signature of its own."""
    world = sealed_world()
    outside, inside = (Counting(world.signers["xa-csirt"]) for _ in range(2))
    seal = Sealer((inside,), secrets.token_bytes, everything=True)
    async with publishing(tmp_path / "o.db", world, signer=outside, seal=seal) as publisher:
        outcomes = await publisher.publish_many(
            [draft(f"number {n}", tlp=Tlp.RED, audience=NETWORK) for n in range(3)]
        )
        rows = await kept(publisher.outbox)
    assert [type(each) for each in outcomes] == [Accepted] * 3
    assert sizes(rows) == [3, 3, 3]
    assert {decode(row.payload).kind for row in rows} == {"sealed"}
    assert (outside.count, inside.count) == (1, 3)
    assert [admitted(row, world.registry, world.now).digest for row in rows] == [row.digest for row in rows]


# -- what goes wrong --------------------------------------------------------------------------------------------------------


async def test_a_failed_commit_tells_everybody_and_uses_no_number(tmp_path: Path) -> None:
    """Each of those who wait gets the error; the next draft has the number that the first would have had."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish(draft("before"))
        committing = outbox.heads.committing

        def full(db: sqlite3.Connection) -> None:
            committing(db)
            raise sqlite3.OperationalError("database or disk is full")

        outbox.heads.committing = full  # type: ignore[method-assign]  # the commit fails
        together = await publisher.publish_many([draft("one"), draft("two")])
        single = await asyncio.gather(
            *(publisher.publish(draft(f"number {n}")) for n in range(3)), return_exceptions=True
        )
        outbox.heads.committing = committing  # type: ignore[method-assign]  # it can be written again
        assert [type(each) for each in (*together, *single)] == [StoreError] * 5
        assert (await publisher.publish(draft("after"))).seq == 2
        assert len(await kept(outbox)) == 2


async def test_a_token_that_fails_keeps_nothing_of_the_group(tmp_path: Path) -> None:
    """All of it is undone, and can be published again."""
    signer = Counting(WORLD.signers["xa-csirt"])
    async with publishing(tmp_path / "o.db", WORLD, signer=signer) as publisher:
        signer.error = OutboxError("the token is gone", reason="token-absent")
        drafts, keys = [draft(f"number {n}") for n in range(3)], ["a", "b", "a"]
        outcomes = await publisher.publish_many(drafts, once=keys)
        assert outcomes == [signer.error] * 3
        signer.error = None
        assert await kept(publisher.outbox) == []
        again = await publisher.publish_many(drafts, once=keys)
        assert [each.seq for each in again if isinstance(each, Accepted)] == [1, 2, 1]


async def test_a_fault_of_ours_is_raised_and_keeps_nothing(tmp_path: Path) -> None:
    """What is no error of the bus is not hidden among the outcomes."""
    answers = iter([b"0123456789", b"0123456780"])

    def rng(count: int) -> bytes:
        try:
            return next(answers)
        except StopIteration:
            raise OSError("no randomness") from None

    async with (
        Outbox.open(tmp_path / "o.db") as outbox,
        Publisher.open(
            authority_id="xa-csirt",
            outbox=outbox,
            registry=lambda: WORLD.registry,
            signers=(WORLD.signers["xa-csirt"],),
            endpoint=None,
            defaults=DEFAULTS,
            clock=lambda: NOW,
            rng=rng,
        ) as publisher,
    ):
        with pytest.raises(OSError, match="no randomness"):
            await publisher.publish_many([draft(), draft(), draft()])
        assert await kept(outbox) == []


# -- one of a batch by itself -----------------------------------------------------------------------------------------------


async def test_each_is_judged_as_if_signed_alone_when_the_key_is_revoked(tmp_path: Path) -> None:
    """A bulletin issued before the revocation that is continued stands; one that came after it falls, in a batch or alone."""
    world = make_world()
    async with keeping(tmp_path / "batch.db", world) as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(4)])
        together = await kept(outbox)
    async with keeping(tmp_path / "alone.db", world) as (publisher, outbox):
        for n in range(4):
            await publisher.publish(draft(f"number {n}"))
        alone = await kept(outbox)
    assert (sizes(together), sizes(alone)) == ([4] * 4, [1] * 4)
    signer = world.signers["xa-csirt"]
    for since in (NOW - dt.timedelta(hours=1), NOW + dt.timedelta(hours=1)):
        registry = with_revoked(world, signer, since)
        for continued in (False, True):
            verdicts = [
                [verdict(row, registry, NOW + dt.timedelta(hours=2), continued) for row in rows]
                for rows in (together, alone)
            ]
            assert verdicts[0] == verdicts[1]


def with_revoked(world: World, signer: FileSigner, since: dt.datetime) -> VerifiedRegistry:
    """The world's registry with a key revoked from a moment on."""
    document = world.registry.document
    record = document.authorities["xa-csirt"]
    key = key_record(signer, revoked_since=since)
    authorities = {
        **document.authorities,
        "xa-csirt": msgspec.structs.replace(record, keys={signer.kid: key}),
    }
    changed = msgspec.structs.replace(document, authorities=authorities, version=document.version + 1)
    return VerifiedRegistry.open(signed_registry(changed, world.roots[:2]))


def verdict(row: Row, registry: VerifiedRegistry, now: dt.datetime, continued: bool) -> str:
    """A reader's verdict on a row."""
    try:
        admit(row.subject, row.header_map(), row.payload, registry=registry, now=now, continued=continued)
    except AdmissionError as exc:
        return exc.reason
    return "admitted"


async def test_one_of_a_batch_is_cut_out_and_carried_in_a_file(tmp_path: Path) -> None:
    """The file has its path and needs none of the others; its header comes back from it to the byte."""
    async with keeping(tmp_path / "o.db") as (publisher, outbox):
        await publisher.publish_many([draft(f"number {n}") for n in range(5)])
        row = (await kept(outbox))[3]
    value = row.header_map()[SIG_HEADER]
    raw = file_form(row.payload, value)
    assert verify_file(raw, registry=WORLD.registry, now=NOW).digest == row.digest
    assert format_header(read_signed(raw, Context(TYP_BULLETIN, DOMAIN)).entries) == value
