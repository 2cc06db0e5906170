"""An agency publishes from the console beside its own outbox: over a real broker, through the pair of sockets, to the other country's hub."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bus import desk
from bus.console.doing import Hub
from bus.hub.acting import Acting
from bus.subscribing import Inbox
from schemas.codec import decode
from tests.integration.test_receipts import hub, tracked
from tests.support.consoles import EVERYTHING, client, fill, form_of, numbers, sign_in
from tests.support.households import Household, world_of_now
from tests.support.signing import Deaf, line_to
from tests.support.stage import Bus, reading, serving
from tests.support.waiting import eventually, eventually_sync
from tests.unit.bus.console.test_publish import Person

OFFICE = "xa-csirt"


@asynccontextmanager
async def office(
    bus: Bus, folder: Path, between: Callable[[Hub], Hub] = lambda line: line
) -> AsyncIterator[tuple[Callable[[str], Awaitable[Person]], Inbox]]:
    """The console of an agency, whose outbox is on the bus; gives what signs somebody in, and the store of the other country's hub."""
    async with AsyncExitStack() as stack:
        author, tracker = await stack.enter_async_context(tracked(bus, folder / "author.db", OFFICE))
        await fill(folder / "office.db", (), bus.world.now, bus.world.registry)
        held = await stack.enter_async_context(desk.Desk.open(folder / "desk.db", numbers(3)))
        reader = await stack.enter_async_context(hub(bus, folder, "xb-hub"))
        acting = Acting(reader.store, author, lambda event, facts: None, standing=tracker.standing)
        line = between(await stack.enter_async_context(line_to(acting)))

        async def person(name: str) -> Person:
            opened: httpx.AsyncClient = await stack.enter_async_context(
                client(
                    folder / "office.db",
                    EVERYTHING,
                    clock=lambda: bus.world.now,
                    registry=bus.world.registry,
                    roles=("publisher", "approver"),
                    held=held,
                    hub=line,
                    authority=OFFICE,
                )
            )
            await sign_in(opened, name)
            return Person(opened)

        yield person, reader.store


@pytest.mark.parametrize("lost", [(), ("before", "after")])
async def test_what_two_people_say_reaches_the_other_hub_once(
    bus: Bus, tmp_path: Path, lost: tuple[str, ...]
) -> None:
    """Drafted, checked, approved, published, admitted there; and its author sees that the hub has it. Lost answers change nothing."""
    async with office(bus, tmp_path, lambda line: Deaf(line, *lost)) as (person, store):
        mara, jonas = await person("Mara"), await person("Jonas")
        n = await mara.save()
        assert (await mara.page(f"/publish/{n}"))["said"]["faults"] == 0
        await jonas.approve(await mara.ask(n))
        for _ in lost:
            assert (await mara.publish(n)).status_code == 503
        assert (await mara.publish(n)).status_code == 303
        id_ = (await mara.page(f"/publish/{n}"))["hands"]["bulletin"]

        async def admitted() -> list[str]:
            rows = await store.read(lambda db: db.execute("SELECT payload FROM admitted").fetchall())
            return [
                b.id
                for b in (decode(bytes(row[0])) for row in rows)
                if b.issuer.id == OFFICE and b.kind == "cyber-threat"
            ]

        await eventually(admitted)

        async def is_told() -> bool:
            page = await mara.page(f"/publish/{n}")
            return any(each["hub"] == "xb-hub" and each["received"] for each in page["hubs"] or ())

        await eventually(is_told)
        assert (await mara.page(f"/publish/{n}"))["state"] == "stored"
        assert await admitted() == [id_]


class Programs:
    """An agency whose `tocsin hub run` serves a console, as programs."""

    def __init__(self, house: Household) -> None:
        self.house = house
        self.hub: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def start(self) -> str:
        """Start it. Returns where the console answers."""
        self.hub = self.house.start(
            OFFICE, "hub", "run", "--console", "127.0.0.1:0", env={"TOCSIN_CONSOLE": ""}
        )
        self._starts += 1

        def said() -> list[str]:
            return re.findall(r"console: (http://127\.0\.0\.1:\d+)/", self.house.log(OFFICE).read_text())

        eventually_sync(
            lambda: len(said()) == self._starts, describe=lambda: self.house.log(OFFICE).read_text()
        )
        return said()[-1]

    def invite(self, place: str, name: str, role: str) -> None:
        """Add a person, who sets a password."""
        added = self.house.told(OFFICE, "people", "add", name, "--name", name.title(), "--role", role)
        assert added.code == 0, added.err
        token = re.findall(
            r"[A-Za-z0-9_-]{20,}", self.house.told(OFFICE, "people", "token", name, "--json").out
        )[-1]
        with httpx.Client(base_url=place) as opened:
            form = form_of(opened.get(f"/set-password?token={token}").text)
            sent = opened.post(
                "/set-password", data={"form": form, "token": token, "password": PASSWORD, "again": PASSWORD}
            )
            assert sent.status_code == 303, sent.text


def is_handed_on(file: Path) -> bool:
    """Whether a desk has handed a draft to its hub."""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        return bool(db.execute("SELECT count(*) FROM handed_on").fetchone()[0])


PASSWORD = "seven lamps over the quiet harbour"


async def entered(stack: AsyncExitStack, place: str, name: str) -> Person:
    """Somebody who has signed in with the password."""
    opened = await stack.enter_async_context(httpx.AsyncClient(base_url=place, timeout=30))
    form = form_of((await opened.get("/sign-in")).text)
    sent = await opened.post("/sign-in", data={"form": form, "name": name, "password": PASSWORD})
    assert sent.status_code == 303, sent.text
    return Person(opened)


@pytest.mark.slow
@pytest.mark.short_faults
async def test_a_hub_killed_between_the_desk_and_the_signature_publishes_once(tmp_path: Path) -> None:
    """As programs: the hub dies as soon as the approval is used; started again, the same button leads to one bulletin."""
    world = world_of_now(OFFICE)
    async with (
        serving(tmp_path / "server", world) as bus,
        reading(bus, tmp_path / "xb-hub.db", "xb-hub") as (store, _),
        AsyncExitStack() as stack,
    ):
        house = Household(tmp_path, world, bus.server.url, OFFICE)
        programs = Programs(house)
        try:
            place = await asyncio.to_thread(programs.start)
            for name, role in (("mara", "publisher"), ("jonas", "approver")):
                await asyncio.to_thread(programs.invite, place, name, role)
            mara, jonas = await entered(stack, place, "mara"), await entered(stack, place, "jonas")
            n = await mara.save()
            alone = await mara.publish(n)
            assert (alone.status_code, "approval-needed" in alone.text) == (409, True)
            assert (await jonas.approve(await mara.ask(n))).status_code == 303
            digest = (await mara.page(f"/publish/{n}"))["digest"]
            form = form_of((await mara.to.get("/publish")).text)
            sending = asyncio.create_task(
                mara.to.post(f"/publish/{n}/publish", data={"form": form, "digest": digest})
            )
            desk_file = house.state(OFFICE) / "desk.db"
            await eventually(lambda: asyncio.to_thread(is_handed_on, desk_file))
            assert programs.hub is not None
            programs.hub.kill()
            await asyncio.to_thread(programs.hub.wait)
            await asyncio.gather(sending, return_exceptions=True)
            place = await asyncio.to_thread(programs.start)
            mara = await entered(stack, place, "mara")
            page = await mara.page(f"/publish/{n}")
            assert page["hands"]["request"]["state"] == "spent"
            for _ in range(2):
                assert (await mara.publish(n)).status_code == 303
            id_ = (await mara.page(f"/publish/{n}"))["hands"]["bulletin"]

            async def admitted() -> list[str]:
                rows = await store.read(lambda db: db.execute("SELECT payload FROM admitted").fetchall())
                return [b.id for b in (decode(bytes(row[0])) for row in rows) if b.kind == "cyber-threat"]

            await eventually(admitted)
            assert await admitted() == [id_]
            record = (house.state(OFFICE) / "audit.jsonl").read_text()
            assert '"approved_by":"jonas"' in record.replace(" ", "")
        finally:
            await asyncio.to_thread(house.close)
