"""What somebody with nothing but read grants can make a reader take in: answers, at a rate of their own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec

from bus.hub.picture.projection import open_store
from bus.policy.rates import ANSWERING, RateLimit
from bus.subscribing.budget import Budget, answers
from bus.subscribing.subscriber import charges
from bus.transport.cursor import Cursor
from bus.transport.pull_consumer import Received
from schemas.vocab import FeedbackKind
from tests.support.hubs import STREAM, judged
from tests.support.world import NOW, Message, shared_world
from tests.unit.bus.hub.picture.test_situation import Channel
from tests.unit.bus.subscribing.test_bounds import placed

WORLD = shared_world()
FEW = RateLimit(burst=5, per_s=1 / 60)


def received(message: Message, place: int) -> Received:
    """The message as the stream took it just now."""
    of: dict[str, Any] = dict.fromkeys(Received.__struct_fields__)
    return Received(
        **{
            **of,
            "subject": message.subject,
            "payload": message.payload,
            "stored_ns": int(NOW.timestamp() * 1e9),
        }
    )


def flood(count: int) -> list[Message]:
    """So many answers of a hub, each to the same bulletin."""
    about = Channel().say("A flood", age_s=600.0)
    hub = Channel("xa-hub")
    return [hub.answer(about, FeedbackKind.DISPUTE) for _ in range(count)]


async def test_answers_that_no_grant_names_wait_their_turn(tmp_path: Path) -> None:
    """A few at once, then one each minute; what waits holds up nobody else, and the picture has one row."""
    said, other = flood(40), Channel("xb-csirt")
    other.say("Something else")
    mixed = [*said, *other.made]
    verdicts = [placed(judged(each), place) for place, each in enumerate(mixed, 1)]
    batch = [received(each, place) for place, each in enumerate(mixed, 1)]
    budget = Budget(RateLimit(burst=1000, per_s=50.0), FEW)
    async with open_store(tmp_path / "s.db") as store:
        charged = charges(budget, batch, verdicts, WORLD.registry)
        counts = await store.settle(verdicts, STREAM, Cursor(), NOW, charges=charged)
        assert counts == {"admitted": 6, "over_budget": 35}
        assert len(await store.due_future(NOW + dt.timedelta(seconds=61))) == 1
        assert len(await store.query("SELECT * FROM answered")) == 1


def test_who_pays_for_an_answer() -> None:
    """Who says it by a grant pays as for everything; whoever left the registry, too."""
    office, hub = Channel("xb-csirt"), Channel("xa-hub")
    about = Channel().say("A flood", age_s=600.0)
    made = [office.answer(about, FeedbackKind.DISPUTE), hub.answer(about, FeedbackKind.DISPUTE), about]
    verdicts = [judged(each) for each in made]
    batch = [received(each, place) for place, each in enumerate(made, 1)]
    assert charges(Budget(FEW), batch, verdicts, WORLD.registry)._payers == {1: answers("xa-hub")}
    document = WORLD.registry.document
    left = {name: record for name, record in document.authorities.items() if name != "xa-hub"}
    without = object.__new__(type(WORLD.registry))
    without.__dict__.update(
        WORLD.registry.__dict__, document=msgspec.structs.replace(document, authorities=left)
    )
    assert charges(Budget(FEW), batch, verdicts, without)._payers == {}
    assert ANSWERING.burst < 1000
