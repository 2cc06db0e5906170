"""The double says and hears as the bus does, without one."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools

import pytest

from bus.api import Double, Participant
from schemas.bulletin import Defaults
from schemas.errors import RuleError, SchemaError
from schemas.vocab import FeedbackKind, Pap, Tlp
from tests.support.world import NOW, bulletin, draft, shared_world

GIVEN = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")


@pytest.fixture
def double() -> Double:
    """The CSIRT of XA, at one moment; ids are counted."""
    ids = itertools.count(1)
    return Double(
        shared_world().registry.issuer("xa-csirt"),
        clock=lambda: NOW,
        rng=lambda size: next(ids).to_bytes(size, "big"),
        defaults=GIVEN,
    )


async def test_what_is_published_is_numbered_chained_and_watched(double: Double) -> None:
    """As on a channel: numbers from 1, each naming the one before it; in order to who watches."""
    me: Participant = double
    first, second = await me.publish(draft("One")), await me.publish(draft("Two"))
    assert (first.seq, second.seq) == (1, 2)
    watched = me.watch("domain:cyber", since=None)
    seen = [await anext(watched), await anext(watched)]
    assert [each.bulletin.headline for each in seen] == ["One", "Two"]
    assert seen[1].bulletin.prev == first.digest
    assert await me.get(second.digest) == seen[1]
    assert [step.what for step in (await me.trace(first.id)).steps] == ["accepted"]


async def test_who_watches_waits_for_what_comes(double: Double) -> None:
    """What another says is admitted with its labels, and only what is asked for is shown."""
    watched = double.watch("country:XB")
    waiting = asyncio.ensure_future(anext(watched))
    await double.publish(draft())
    said = bulletin(shared_world(), issuer="xb-csirt")
    await double.hear(said, "late")
    seen = await waiting
    assert (seen.bulletin, seen.labels) == (said, frozenset({"late"}))


async def test_a_draft_is_held_to_every_rule(double: Double) -> None:
    """Refused with the error of the bus, and without a number."""
    with pytest.raises(RuleError):
        await double.publish(draft(expires=NOW + dt.timedelta(days=4000)))
    outcomes = await double.publish_many([{"kind": "nonsense"}, draft()])
    assert isinstance(outcomes[0], SchemaError)
    assert getattr(outcomes[1], "seq", None) == 1
    assert len(double.seen) == 1


async def test_a_key_is_said_once(double: Double) -> None:
    """The second call gives the first bulletin."""
    first = await double.publish(draft(), once="ticket-7")
    assert await double.publish(draft("Other"), once="ticket-7") == first
    assert len(double.seen) == 1


async def test_what_was_heard_is_answered_and_what_one_said_is_not(double: Double) -> None:
    """The answer goes the way of the bulletin."""
    seen = await double.hear(bulletin(shared_world(), issuer="xb-csirt"))
    said = await double.answer(seen.bulletin.id[:13], FeedbackKind.DISPUTE, "It is not so.")
    answered = await double.get(said.id)
    assert answered is not None
    assert [ref.id for ref in answered.bulletin.references] == [seen.bulletin.id]
    with pytest.raises(LookupError):
        await double.answer(said.id, FeedbackKind.SIGHTING)
