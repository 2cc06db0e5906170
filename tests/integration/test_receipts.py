"""Receipts over a real broker: hubs answer, the author sees, a withdrawal reaches every holder."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bus import deadlines
from bus.connection import Connection
from bus.hub.answering import Answering
from bus.hub.projection import Projection
from bus.hub.run import HubService
from bus.inbox import Inbox
from bus.ladder import Rung, Standing
from bus.outbox import Outbox
from bus.publisher import Publisher
from bus.receipts import draft as receipt_draft
from schemas.bodies.system import ReceiptItem
from schemas.parts import Ref
from schemas.vocab import MsgType, ReceiptStage, RefRel, Status, Tlp
from tests.integration.conftest import Bus
from tests.integration.test_subscriber import until
from tests.worlds import DEFAULTS, bulletin, draft, sign


@asynccontextmanager
async def voice(bus: Bus, path: Path, identity: str, *, reads: bool = False) -> AsyncIterator[Publisher]:
    """Somebody's publisher; with `reads` it reads receipts."""
    async with (
        Outbox.open(path) as outbox,
        Publisher.open(
            authority_id=identity,
            outbox=outbox,
            registry=lambda: bus.world.registry,
            signers=(bus.world.signers[identity],),
            endpoint=bus.endpoint(identity),
            defaults=DEFAULTS,
            clock=lambda: bus.world.now,
            rng=secrets.token_bytes,
            deadlines=deadlines.DEFAULTS if reads else None,
        ) as publisher,
    ):
        yield publisher


@asynccontextmanager
async def hub(bus: Bus, folder: Path, identity: str) -> AsyncIterator[tuple[Inbox, Answering]]:
    """A hub that reads and answers, over files that outlive it."""
    folder.mkdir(exist_ok=True)
    async with (
        Inbox.open(folder / "store.db", projector=Projection(), hold_s=1.0) as store,
        voice(bus, folder / "outbox.db", identity) as publisher,
    ):
        common = {"authority_id": identity, "store": store, "registry": lambda: bus.world.registry}
        common["clock"] = lambda: bus.world.now
        service = HubService(endpoint=bus.endpoint(identity), **common)
        answering = Answering(publisher=publisher, **common)
        tasks = [asyncio.create_task(service.run()), asyncio.create_task(answering.run(0.05))]
        try:
            yield store, answering
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def test_an_author_sees_who_has_received_and_who_withdrew(bus: Bus, tmp_path: Path) -> None:
    """Received once every hub has answered; a withdrawal is confirmed by each that held the original."""
    async with voice(bus, tmp_path / "author.db", "xa-csirt", reads=True) as author:
        said = await author.publish(draft())
        async with hub(bus, tmp_path / "a", "xa-hub"):
            await until(lambda: _received(author, said.digest, ["xa-hub"]))
            found = await author.standing(said.id)
            assert found is not None
            assert (found.state, found.missing) == (Rung.STORED, ("xb-hub",))
            async with hub(bus, tmp_path / "b", "xb-hub"):
                reached = await author.reached(said.digest, Rung.RECEIVED, 10)
                assert reached is not None
                assert (reached.state, reached.missing) == (Rung.RECEIVED, ("xa-hub", "xb-hub"))
                ref = Ref(id=said.id, rel=RefRel.CANCELS)
                await author.publish(draft("Withdrawn", msg_type=MsgType.CANCEL, references=(ref,)))
                await until(lambda: _unconfirmed(author, said.digest, ()))


async def _received(author: Publisher, digest: str, who: list[str]) -> bool:
    found = await author.standing(digest)
    return found is not None and [each.reader for each in found.readers if each.received] == who


async def _unconfirmed(author: Publisher, digest: str, who: tuple[str, ...]) -> bool:
    found = await author.standing(digest)
    return found is not None and found.said.is_cancelled and found.unconfirmed == who
