"""`bus.connect` against a real broker: what one identity says is read by another, looked up and traced."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import bus
from bus.errors import ConfigError, KeyFileError, PermitError
from schemas.vocab import FeedbackKind, Tlp
from tests.support.households import Household, world_of_now
from tests.support.places import ROOT
from tests.support.stage import serving
from tests.support.waiting import eventually, longest
from tests.support.world import deaf_world, draft

EXAMPLES = ROOT / "examples" / "python"
READER = "xb-csirt"
TO_ALL = {"tlp": "green", "audience": "community"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Household]:
    """A home with contexts, beside a broker."""
    world = world_of_now(READER)
    async with serving(tmp_path / "server", world) as broker:
        made = Household(tmp_path / "house", world, broker.server.url, "xa-csirt", READER, "xa-hub", **TO_ALL)
        yield made
        made.close()


async def test_what_one_says_the_other_sees_gets_and_traces(house: Household) -> None:
    """Published, watched by topic, looked up by id at both ends, and its life told."""
    env = house.env()
    async with (
        asyncio.timeout(longest()),
        bus.connect("xa-csirt", env=env) as me,
        bus.connect(READER, env=env) as other,
    ):
        said = await me.publish(draft(), timeout=longest())
        assert said.state == "stored"
        seen = await anext(other.watch("domain:cyber", since=None))
        assert seen.bulletin.id == said.id
        assert seen.digest == said.digest
        assert seen.trust == "fresh"
        held, own = await other.get(said.id), await me.get(said.digest)
        assert held is not None
        assert own is not None
        assert (held.payload, held.signature) == (own.payload, own.signature)
        assert [step.what for step in (await other.trace(said.id)).steps] == ["issued", "admitted"]
        life = await me.trace(said.id)
        assert [step.what for step in life.steps] == ["accepted", "sent", "stored"]
        assert life.status is not None
        assert await me.get("nothing") is None
        answer = await other.answer(said.id[:13], FeedbackKind.SIGHTING, "Seen here too.", timeout=longest())
        assert answer.state == "stored"
        heard = await anext(me.watch("kind:feedback", since=None))
        assert (heard.bulletin.issuer.id, heard.bulletin.references[0].id) == (READER, said.id)
        with pytest.raises(LookupError):
            await me.answer(said.id, FeedbackKind.SIGHTING)


async def test_an_author_that_does_not_read_there_is_told_by_its_id(tmp_path: Path) -> None:
    """At AMBER+STRICT and at RED; what another says there does not come to it."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=1)
    world = deaf_world(now, Tlp.AMBER_STRICT, Tlp.RED)
    async with serving(tmp_path / "server", world) as broker:
        house = Household(tmp_path / "house", world, broker.server.url, "xa-csirt", READER, **TO_ALL)
        env = house.env()
        async with (
            asyncio.timeout(longest()),
            bus.connect("xa-csirt", env=env) as me,
            bus.connect(READER, env=env) as other,
        ):
            reads, hears = (
                other.watch("audience:eu-advisers", since=None),
                me.watch("kind:feedback", since=None),
            )
            for tlp in (Tlp.AMBER_STRICT, Tlp.RED):
                said = await me.publish(draft("For few", tlp=tlp, audience="eu-advisers"), timeout=longest())
                while (await anext(reads)).bulletin.id != said.id:
                    pass
                await other.answer(said.id, FeedbackKind.DISPUTE, "It is not so.", timeout=longest())
                heard = (await anext(hears)).bulletin
                assert (heard.audience, heard.tlp, heard.references[0].id) == ("xa-csirt", tlp, said.id)
        house.close()


async def test_one_that_is_refused_hinders_no_other_and_is_recorded(house: Household) -> None:
    """Each outcome stands at the place of its draft; a table that is no draft is one of them."""
    env = house.env()
    async with asyncio.timeout(longest()), bus.connect("xa-csirt", env=env) as me:
        with pytest.raises(PermitError):
            await me.publish(draft(tlp=Tlp.GREEN, audience="xb-dpa"))
        outcomes = await me.publish_many([draft("One"), {"kind": "nonsense"}, draft("Two")], wait="accepted")
        assert [getattr(each, "seq", None) for each in outcomes] == [1, None, 2]
    record = (house.state("xa-csirt") / "audit.jsonl").read_text()
    assert "refused" in record


async def test_what_is_known_under_a_key_is_said_once(house: Household) -> None:
    """The second call gives the first bulletin."""
    env = house.env()
    async with asyncio.timeout(longest()), bus.connect("xa-csirt", env=env) as me:
        first = await me.publish(draft(), once="ticket-7", timeout=longest())
        assert (await me.publish(draft(), once="ticket-7", timeout=longest())).id == first.id


async def test_a_hub_that_nobody_feeds_is_not_read_into(house: Household) -> None:
    """A hub's store is fed by `hub run` alone: watching takes no lease."""
    env = house.env()
    async with bus.connect("xa-hub", env=env) as me:
        watching = asyncio.ensure_future(anext(me.watch(since=None)))
        await eventually((house.state("xa-hub") / "store.db").exists)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching


async def test_a_context_that_is_not_there_is_told(house: Household) -> None:
    """With the ones that are."""
    with pytest.raises(ConfigError, match="xa-csirt"):
        async with bus.connect("xa-csirts", env=house.env()):
            pass


async def test_a_part_that_cannot_be_opened_is_told_to_who_asked(house: Household) -> None:
    """A missing key stops publishing, not reading."""
    (house.home / "xa-csirt.pem").unlink()
    async with bus.connect("xa-csirt", env=house.env()) as me:
        for _ in range(2):
            with pytest.raises(KeyFileError):
                await me.publish(draft())
        assert await me.get("nothing") is None


async def test_the_examples_publish_and_watch(house: Household) -> None:
    """As two processes, with the settings of the environment."""
    program = [sys.executable, str(EXAMPLES / "watch.py"), "domain:cyber"]
    file = ROOT / "examples" / "drafts" / "cyber.toml"
    watching = await asyncio.create_subprocess_exec(
        *program, env=house.env({"TOCSIN_CONTEXT": READER}), stdout=subprocess.PIPE
    )
    try:
        telling = await asyncio.create_subprocess_exec(
            sys.executable,
            str(EXAMPLES / "publish.py"),
            str(file),
            env=house.env({"TOCSIN_CONTEXT": "xa-csirt"}),
            stdout=subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(telling.communicate(), longest())
        assert out.startswith(b"stored xa-csirt/")
        assert watching.stdout is not None
        line = await asyncio.wait_for(watching.stdout.readline(), longest())
        assert line.startswith(b"xa-csirt ")
    finally:
        watching.kill()
        await watching.wait()


def test_importing_the_door_loads_neither_broker_nor_cryptography() -> None:
    """Decision of the API: `import bus` is cheap."""
    code = "import bus, sys; bad = {'nats', 'cryptography', 'structlog', 'msgspec'} & {m.split('.')[0] for m in sys.modules}; sys.exit(str(bad) if bad else 0)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ)).returncode == 0
