"""An authority that contradicts itself is heard, and ends nothing, until a person has decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.hub.exchange.signed_files import contradictions
from bus.hub.picture import summary
from bus.hub.picture.projection import Projection
from bus.subscribing.contested import CONTESTED, is_frozen
from bus.subscribing.inbox import Inbox
from bus.trust.registry import VerifiedRegistry
from schemas.parts import Ref
from schemas.vocab import MsgType, RefRel, Status, Tlp
from tests.support.hubs import judged
from tests.support.theft import FIRST, NEW, REVOKED, SECOND, THEFT, TWO_KEYS, after
from tests.support.world import NOW, Message, bulletin, chain, draft, shared_world, sign

WORLD = shared_world()
GREEN = "xa-csirt/actual.green.community"
CHAIN = chain(WORLD, 3)
OTHER = sign(WORLD, bulletin(WORLD, seq=2, prev=CHAIN[0].digest, say=draft("another number 2")))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Inbox]:
    """A hub's store with two of a chain in it."""
    async with Inbox.open(tmp_path / "store.db", projector=Projection(), hold_s=0.0) as store:
        await take(store, CHAIN[0], CHAIN[1])
        yield store


async def take(store: Inbox, *messages: Message) -> None:
    """Take in messages as from the bus."""
    await store.settle([judged(each, WORLD.registry, NOW) for each in messages], None, None, NOW)
    await store.release(NOW)


async def contested(store: Inbox) -> list[str]:
    """The digests of what is labelled so."""
    rows = await store.read(
        lambda db: db.execute("SELECT digest, labels FROM admitted ORDER BY row").fetchall()
    )
    return [row["digest"] for row in rows if CONTESTED in row["labels"]]


async def in_force(store: Inbox) -> set[str]:
    """The bulletins in force in the picture."""
    rows = await store.read(lambda db: db.execute("SELECT id FROM actual WHERE ended_by IS NULL").fetchall())
    return {row["id"] for row in rows}


def cancel(target: Message, seq: int, prev: str) -> Message:
    """Its issuer, or who has its key, withdraws it."""
    ref = Ref(id=target.bulletin.id, rel=RefRel.CANCELS)
    return sign(
        WORLD,
        bulletin(
            WORLD, say=draft("Withdrawn", msg_type=MsgType.CANCEL, references=(ref,)), seq=seq, prev=prev
        ),
    )


async def test_what_it_says_after_is_heard_and_labelled(store: Inbox) -> None:
    """Earlier bulletins are unchanged; later ones are admitted with the label, on every channel of that status."""
    public = sign(WORLD, bulletin(WORLD, "xa-emb"))
    await take(store, OTHER, CHAIN[2], public)
    assert await contested(store) == [CHAIN[2].digest]
    assert len(await in_force(store)) == 4
    seen = await store.read(lambda db: summary.picture(db, NOW, WORLD.registry, "xb-hub"))
    assert seen.contested == ("xa-csirt",)
    assert {CONTESTED in item.labels for item in seen.top} == {True, False}
    assert "contested, for they contradict themselves: xa-csirt" in summary.as_text(seen)


FROZEN = {
    "the same channel": (GREEN, True),
    "another of its channels": ("xa-csirt/actual.amber-strict.eu-csirts", True),
    "its exercises": ("xa-csirt/exercise.green.community", False),
    "its heartbeats": ("xa-csirt/system.green.community", False),
    "another authority": ("xb-csirt/actual.green.community", False),
    "one whose id begins alike": ("xa-csirtx/actual.green.community", False),
}


@pytest.mark.parametrize("name", FROZEN)
async def test_it_is_frozen_where_it_speaks_in_earnest(store: Inbox, name: str) -> None:
    """By authority and status."""
    channel, expected = FROZEN[name]
    assert not await store.read(lambda db: is_frozen(db, channel))
    await take(store, OTHER)
    assert await store.read(lambda db: is_frozen(db, channel)) is expected


async def test_an_exercise_that_contradicts_itself_contests_nothing_actual(store: Inbox) -> None:
    """A drill with two of one number is no reason to doubt a warning."""
    way = {"status": Status.EXERCISE, "exercise_id": "dawn"}
    one, two = (sign(WORLD, bulletin(WORLD, say=draft(text, **way))) for text in ("one", "two"))
    await take(store, one, two, CHAIN[2])
    assert await contested(store) == []


async def test_a_thief_withdraws_nothing_once_he_is_found_out(store: Inbox) -> None:
    """A cancel that came before the contradiction counts, a later one does not; a rebuilt picture is the same."""
    first = cancel(CHAIN[0], seq=3, prev=CHAIN[1].digest)
    await take(store, first)
    assert CHAIN[0].bulletin.id not in await in_force(store)
    await take(store, OTHER, cancel(CHAIN[1], seq=4, prev=first.digest))
    assert CHAIN[1].bulletin.id in await in_force(store)
    before = await in_force(store)
    await store.rebuild()
    assert await in_force(store) == before


async def test_a_decision_lets_count_what_was_said_meanwhile(store: Inbox) -> None:
    """No label any more, the withdrawal takes effect, new ones are not labelled; a further contradiction freezes again."""
    withdrawal = cancel(CHAIN[0], seq=3, prev=CHAIN[1].digest)
    await take(store, OTHER, withdrawal)
    assert await store.decide("xa-csirt/actual.clear.public", "xb-hub", "asked", NOW) == (0, True)
    assert await contested(store) == [withdrawal.digest]
    assert await store.decide(GREEN, "xb-hub", "asked by telephone", NOW) == (1, False)
    assert await contested(store) == []
    assert CHAIN[0].bulletin.id not in await in_force(store)
    fourth = sign(WORLD, bulletin(WORLD, seq=4, prev=withdrawal.digest))
    await take(store, fourth)
    assert await contested(store) == []
    third = sign(WORLD, bulletin(WORLD, seq=2, prev=CHAIN[0].digest, say=draft("a third number 2")))
    fifth = sign(WORLD, bulletin(WORLD, seq=5, prev=fourth.digest))
    await take(store, third, fifth)
    assert await contested(store) == [fifth.digest]
    assert await store.decide(GREEN, "xb-hub", "again", NOW) == (1, False)


async def test_two_channels_are_decided_each(store: Inbox) -> None:
    """It stays frozen until nothing is left to decide."""
    one, two = (
        sign(WORLD, bulletin(WORLD, say=draft(text, tlp=Tlp.AMBER_STRICT, audience="eu-csirts")))
        for text in ("one", "two")
    )
    await take(store, OTHER, one, two, CHAIN[2])
    assert await store.decide(GREEN, "xb-hub", "asked", NOW) == (1, True)
    assert CHAIN[2].digest in await contested(store)
    assert await store.decide("xa-csirt/actual.amber-strict.eu-csirts", "xb-hub", "asked", NOW) == (1, False)
    assert await contested(store) == []


AFTER = THEFT + dt.timedelta(hours=1)
THIEF = after(FIRST, "two, says the thief", WORLD.signers["xa-csirt"])
THIRD = after(SECOND, "three, with the new key", NEW)
WITHDRAWN = after(
    THIRD,
    "number 1 is withdrawn",
    NEW,
    msg_type=MsgType.CANCEL,
    references=(Ref(id=FIRST.bulletin.id, rel=RefRel.CANCELS),),
)


@pytest.fixture
async def robbed(tmp_path: Path) -> AsyncIterator[Inbox]:
    """A hub's store with the first bulletin of an authority whose key is stolen later."""
    async with Inbox.open(tmp_path / "store.db", projector=Projection(), hold_s=0.0) as store:
        await heard(store, NOW, FIRST)
        yield store


async def heard(store: Inbox, now: dt.datetime, *messages: Message, by: VerifiedRegistry = TWO_KEYS) -> None:
    """As the bus would bring them, judged by a registry."""
    await store.settle([judged(each, by, now) for each in messages], None, None, now)
    await store.release(now)
    await store.amend(by, now)


async def test_the_end_of_the_key_ends_the_freeze_where_the_honest_one_came_first(robbed: Inbox) -> None:
    """Bulletins by the new key during the freeze count, a cancel too; no decision is open, and the proof stays."""
    await heard(robbed, AFTER, SECOND, THIEF, THIRD, WITHDRAWN)
    assert await contested(robbed) == [THIRD.digest, WITHDRAWN.digest]
    # SECOND came after the theft too: it stands because the new key continues it.
    await robbed.amend(REVOKED, AFTER)
    assert await contested(robbed) == []
    assert FIRST.bulletin.id not in await in_force(robbed)
    assert {SECOND.bulletin.id, THIRD.bulletin.id} <= await in_force(robbed)
    assert await robbed.decide(GREEN, "xb-hub", "asked", AFTER) == (0, False)
    assert len(await robbed.read(lambda db: list(contradictions(db, GREEN)))) == 1


async def test_the_end_of_the_key_ends_the_freeze_where_the_thiefs_came_first(robbed: Inbox) -> None:
    """The thief's bulletin is withdrawn, the honest ones replace it, and bulletins during the freeze count."""
    elsewhere = sign(
        WORLD,
        bulletin(WORLD, say=draft("to the network", tlp=Tlp.AMBER_STRICT, audience="eu-csirts")),
        NEW,
    )
    await heard(robbed, AFTER, THIEF, SECOND, THIRD, WITHDRAWN, elsewhere)
    assert elsewhere.digest in await contested(robbed)
    await robbed.amend(REVOKED, AFTER)
    assert await contested(robbed) == []
    for _ in range(2):
        assert await in_force(robbed) == {each.bulletin.id for each in (SECOND, THIRD, elsewhere)}
        await robbed.rebuild()


async def test_both_heard_before_the_theft_are_for_a_person_to_decide(robbed: Inbox) -> None:
    """The moment of the theft explains nothing then."""
    await heard(robbed, NOW, SECOND, THIEF)
    await heard(robbed, AFTER, THIRD)
    await robbed.amend(REVOKED, AFTER)
    assert await contested(robbed) == [THIRD.digest]
    assert await robbed.decide(GREEN, "xb-hub", "asked", AFTER) == (1, False)


async def test_a_contradiction_by_an_ended_key_freezes_nobody_however_late_it_is_taken_in(
    robbed: Inbox,
) -> None:
    """It was judged before the key ended, and is taken in after."""
    await heard(robbed, AFTER, SECOND)
    on_its_way = judged(THIEF, TWO_KEYS, AFTER)
    await heard(robbed, AFTER, THIRD, by=REVOKED)
    await robbed.settle([on_its_way], None, None, AFTER)
    await robbed.amend(REVOKED, AFTER)
    assert not await robbed.read(lambda db: is_frozen(db, GREEN))
    assert await contested(robbed) == []


async def test_a_new_key_ends_no_freeze_while_the_old_one_is_good(robbed: Inbox) -> None:
    """A thief of several keys could continue with another; a person or the registry decides."""
    await heard(robbed, AFTER, SECOND, THIEF, THIRD)
    assert await robbed.read(lambda db: is_frozen(db, GREEN))
    assert await contested(robbed) == [THIRD.digest]
