"""A publisher that seals: real outbox, real keys; inner and outer bulletin stamped as one."""

from __future__ import annotations

import datetime as dt
import secrets
from functools import partial
from pathlib import Path

import msgspec
import pytest

from bus.errors import PermitError
from bus.publishing.recovery import _adopt
from bus.sealing.opening import open_bulletin
from bus.sealing.sealer import Sealer
from schemas.bulletin import Draft
from schemas.parts import Handling, Info, PersonalData
from schemas.passing_on import last_day
from schemas.vocab import PersonalFlag, SealPolicy, Tlp
from tests.support.publishers import publishing
from tests.support.sealed import (
    ISSUER,
    NETWORK,
    READERS,
    opening_key,
    said,
    sealed_world,
    speaking,
    with_seal_keys,
    world_with,
)
from tests.support.world import DOMAIN, draft, make_world


def secret(text: str = "for the network") -> Draft:
    """A draft for the sealed network."""
    return draft(text, tlp=Tlp.RED, audience=NETWORK)


async def test_what_is_sealed_goes_out_in_its_place(tmp_path: Path) -> None:
    """Sealed drafts are numbered and chained like others, and inside is what was drafted."""
    world = sealed_world()
    async with speaking(tmp_path, world) as (publisher, outbox):
        kept = [await publisher.publish(secret(f"number {n}")) for n in (1, 2)]
        outers = await said(world, outbox)
    assert [each.digest for each in outers] == [each.digest for each in kept]
    assert [each.bulletin.seq for each in outers] == [1, 2]
    assert outers[1].bulletin.prev == outers[0].digest
    for outer, words in zip(outers, ("number 1", "number 2"), strict=True):
        assert outer.subject.split(".")[8:11] == ["x", "x", "x"]
        assert words.encode() not in outer.payload
        for reader in (ISSUER, *READERS):
            inner = open_bulletin(
                outer.bulletin, [opening_key(reader)], registry=world.registry, now=world.now
            ).bulletin
            assert (inner.info[0].headline, inner.prev) == (words, outer.bulletin.prev)


async def test_the_outside_says_until_when_it_is_held_and_kept(tmp_path: Path) -> None:
    """A reader without a key holds the embargo, and erases by the last day of what is inside, personal data counted."""
    world = sealed_world()
    until, day = world.now + dt.timedelta(days=2), world.now.date() + dt.timedelta(days=40)
    personal = PersonalData(
        flag=PersonalFlag.PERSONAL,
        lawful_basis="celex:32016R0679#6.1.e",
        purpose="p",
        retention_until=day,
    )
    handling = Handling(embargo_until=until, retention_days=90, anonymise_source=True)
    drafts = [
        msgspec.structs.replace(secret(), handling=handling),
        msgspec.structs.replace(secret(), handling=handling, personal_data=personal),
        secret(),
    ]
    async with speaking(tmp_path, world) as (publisher, outbox):
        for each in drafts:
            await publisher.publish(each)
        outside = [each.bulletin for each in await said(world, outbox)]
    assert [each.handling for each in outside] == [
        Handling(embargo_until=until, retention_days=90),
        Handling(embargo_until=until, retention_days=40),
        Handling(),
    ]
    assert [last_day(each) for each in outside] == [world.now.date() + dt.timedelta(days=90), day, None]


@pytest.mark.parametrize("policy", list(SealPolicy))
async def test_the_audience_s_policy_is_followed_unasked(tmp_path: Path, policy: SealPolicy) -> None:
    """Nobody forgets to seal, and nothing else is sealed."""
    base = make_world()
    world = world_with(with_seal_keys(base.registry.document, policy=policy), base)
    async with speaking(tmp_path, world, everything=False) as (publisher, outbox):
        await publisher.publish(secret())
        await publisher.publish(draft())
        kinds = [each.bulletin.kind for each in await said(world, outbox)]
    assert kinds == ["cyber-threat" if policy is SealPolicy.NEVER else "sealed", "cyber-threat"]


async def test_what_cannot_be_sealed_uses_no_number(tmp_path: Path) -> None:
    """Each refusal comes before anything is kept, and the rehearsal says the same."""
    base = make_world()
    world = world_with(with_seal_keys(base.registry.document, keys=(ISSUER, READERS[0])), base)
    long = tuple(
        Info(lang=lang, headline="long", summary="x" * 2000)
        for lang in (f"{a}{b}" for a in "abcde" for b in "vwxyz")
    )
    async with speaking(tmp_path, world) as (publisher, outbox):
        cases = (
            (secret(), "no-seal-key"),
            (draft(tlp=Tlp.CLEAR, audience="public"), "seal-public"),
        )
        for each, reason in cases:
            for work in (publisher.publish, publisher.rehearse):
                with pytest.raises(PermitError) as refused:
                    await work(each)
                assert refused.value.reason == reason
    async with speaking(tmp_path, world, without=(READERS[1],)) as (publisher, outbox):
        with pytest.raises(PermitError) as refused:
            await publisher.publish(draft(tlp=Tlp.RED, audience=NETWORK, info=long))
        assert refused.value.reason == "too-large"
        assert (await publisher.publish(secret())).seq == 1
        assert len(await said(world, outbox)) == 1


class Untouched:
    """A key that must not be used: the public half is known, signing fails."""

    alg = "Ed25519"

    def __init__(self, kid: str) -> None:
        self.kid = kid

    def sign(self, data: bytes) -> bytes:
        """Nobody should have asked."""
        raise AssertionError("a dry run signs nothing")


async def test_a_rehearsal_says_to_whom_and_uses_no_key(tmp_path: Path) -> None:
    """Under a policy that seals it names who could open it, gives the outer subject, and neither signs nor keeps."""
    base = make_world()
    world = world_with(with_seal_keys(base.registry.document, policy=SealPolicy.ALWAYS), base)
    key = Untouched(world.signers[ISSUER].kid)
    sealer = Sealer((key,), secrets.token_bytes)
    async with publishing(tmp_path / "outbox.db", world, ISSUER, signer=key, seal=sealer) as publisher:
        sealed, clear = await publisher.rehearse(secret()), await publisher.rehearse(draft())
        assert await publisher.outbox.rows() == []
    assert (sealed.state, sealed.digest) == ("dry-run", "")
    assert set(sealed.sealed_to) == {ISSUER, *READERS}
    assert sealed.subject.split(".")[8:11] == ["x", "x", "x"]
    assert (clear.sealed_to, clear.subject.split(".")[8]) == ((), "cyber-threat")


async def test_a_publisher_that_cannot_seal_refuses_what_must_be(tmp_path: Path) -> None:
    """A forgotten sealer never sends a bulletin unsealed."""
    base = make_world()
    world = world_with(with_seal_keys(base.registry.document, policy=SealPolicy.ALWAYS), base)
    async with speaking(tmp_path, world, seals=False) as (publisher, _):
        for work in (publisher.publish, publisher.rehearse):
            with pytest.raises(PermitError) as refused:
                await work(secret())
            assert refused.value.reason == "must-seal"
        assert (await publisher.publish(draft())).seq == 1


async def test_recovery_does_not_number_a_sealed_bulletin_anew(tmp_path: Path) -> None:
    """Its number is inside too. It is set aside for a person, and unsealed bulletins continue after the found head."""
    world = sealed_world()
    async with speaking(tmp_path, world, everything=False) as (publisher, _):
        await publisher.publish(secret("open"))
    async with speaking(tmp_path, world) as (publisher, outbox):
        await publisher.publish(secret("sealed"))
        counted = await outbox.write(
            lambda db: _adopt(
                db,
                partial(publisher.stamping.sign_and_keep, domain=DOMAIN),
                {f"actual.red.{NETWORK}": (7, "A" * 43)},
                world.now,
            )
        )
        rows = await outbox.rows(limit=10)
        left = await said(world, outbox)
    assert counted == (1, 1)
    assert sorted((row.state, row.seq) for row in rows) == [("kept", 8), ("superseded", 2)]
    assert [(each.bulletin.seq, each.bulletin.kind) for each in left] == [(8, "cyber-threat")]
