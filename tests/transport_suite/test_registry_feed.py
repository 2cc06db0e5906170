"""The registry as it travels, on every transport alike."""

from __future__ import annotations

from pathlib import Path

from bus.subscribing.registry_feed import RegistryFeed, publish_trust
from bus.transport.connection import Connection
from bus.transport.jetstream import js_api, stream_info
from bus.transport.streams import PROVISIONER, TRUST_STREAM
from tests.support.clocks import RunningClock
from tests.support.stage import running
from tests.support.trust import NOW, hold, statement, version
from tests.support.waiting import eventually, longest
from tests.support.world import World
from tests.transport_suite.conftest import Broker


async def announce(broker: Broker, raw: bytes) -> None:
    """Say something of trust, as the registrars do."""
    async with Connection.open(broker.endpoint(PROVISIONER)) as speaker:
        await speaker.until_connected(longest())
        await publish_trust(speaker, raw)


async def test_what_is_said_of_trust_is_taken_in_from_whatever_stream(
    broker: Broker, world: World, tmp_path: Path
) -> None:
    """A version and a statement; and the next version from a stream that was made anew, shorter than what was read."""
    held = hold(tmp_path, RunningClock(NOW))
    feed = RegistryFeed(held, broker.endpoint("xb-hub"), every=0.05)
    second = version(world.registry)
    async with running(feed.run()):
        await announce(broker, second)
        await announce(broker, statement("xa-dpa"))

        async def followed() -> bool:
            return held().version == 2 and bool(held().revoked())

        await eventually(followed)
        third = version(held())
        async with Connection.open(broker.endpoint(PROVISIONER)) as owner:
            await owner.until_connected(longest())
            stream = (await stream_info(owner, TRUST_STREAM)).config
            consumer = (await js_api(owner, f"CONSUMER.INFO.{TRUST_STREAM}.xb-hub"))["config"]
            await js_api(owner, f"STREAM.DELETE.{TRUST_STREAM}")
            await js_api(owner, f"STREAM.CREATE.{TRUST_STREAM}", stream)
            body = {"stream_name": TRUST_STREAM, "config": consumer}
            await js_api(owner, f"CONSUMER.CREATE.{TRUST_STREAM}.xb-hub", body)
        await announce(broker, third)

        async def went_on() -> bool:
            return held().version == 3

        await eventually(went_on)
