"""The effects of one hub's requests and copies on another."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bus.hub.exchange import missing, requests
from bus.hub.exchange.helper import PeerHelper
from bus.hub.picture.projection import open_store
from bus.publishing.publisher import Publisher
from bus.storage.allowances import Allowance
from bus.subscribing.inbox import Inbox
from schemas.bodies.system import Copy, Request, Wanted
from schemas.codec import decode
from schemas.vocab import Status
from tests.support.hubs import judged
from tests.support.publishers import publishing
from tests.support.world import NOW, Message, chain, draft, goes_on, shared_world

WORLD = shared_world()
CHAIN = chain(WORLD, 60)


class Hub:
    """The hub of XA with what it holds, and what it has said."""

    def __init__(self, store: Inbox, publisher: Publisher) -> None:
        self.store, self.publisher = store, publisher
        self.helper = PeerHelper(store, publisher)
        self._said: list[Message] = []

    async def hears(self, body: Any, now: dt.datetime) -> None:
        """The hub of XB says something to it, and it is heeded."""
        say = draft(body=body, status=Status.SYSTEM, audience="xa-hub")
        self._said = goes_on(WORLD, self._said, [say], "xb-hub", issued=now)
        await self.store.settle([judged(self._said[-1], now=now)], "W", None, now)
        await self.helper.process()

    async def copies(self) -> int:
        """The number of copies that it has made."""
        rows = await self.publisher.outbox.rows(status="system")
        return sum(isinstance(decode(row.payload).body, Copy) for row in rows)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """It holds sixty bulletins of an author."""
    async with (
        open_store(tmp_path / "store.db", hold_s=0.0) as store,
        publishing(tmp_path / "outbox.db", WORLD, "xa-hub") as publisher,
    ):
        await store.settle([judged(each) for each in CHAIN], "W", None, NOW)
        yield Hub(store, publisher)


def asks(numbers: Sequence[int]) -> Request:
    """A request for these of the author."""
    return Request(items=tuple(Wanted(channel="xa-csirt/actual.green.community", seq=n) for n in numbers))


async def test_a_request_beyond_the_allowance_is_answered_in_part_and_the_rest_is_not_looked_at(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as its bytes last; what follows costs one question."""
    monkeypatch.setattr(missing, "COPIES_ONE", Allowance(burst=20_000, per_day=100))
    looked: list[int] = []
    plain: Callable[..., Any] = missing.held_at

    def noting(*arguments: Any) -> Any:
        looked.append(arguments[2])
        return plain(*arguments)

    monkeypatch.setattr(missing, "held_at", noting)
    await hub.hears(asks(range(1, 61)), NOW)
    first = await hub.copies()
    assert 0 < first < 10
    assert len(looked) == first + 1
    await hub.hears(asks(range(30, 61)), NOW)
    assert await hub.copies() == first
    assert len(looked) == first + 2


async def test_a_copy_is_not_verified_where_nothing_was_asked_for(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unasked copies cost a hub no signature."""

    def verified(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(requests, "handed", verified)
    await hub.hears(Copy(file="{}"), NOW)
    assert await hub.copies() == 0
