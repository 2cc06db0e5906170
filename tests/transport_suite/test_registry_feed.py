"""The registry as it travels, on every transport alike."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from bus.subscribing.registry_feed import Heard, RegistryFeed, publish_trust
from bus.transport.connection import Connection
from bus.transport.jetstream import js_api, stream_info
from bus.transport.streams import PROVISIONER, TRUST_STREAM
from tests.support.clocks import RunningClock, utc_now
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


async def test_how_far_the_clock_is_from_the_brokers_is_known_while_it_answers(
    broker: Broker, world: World, tmp_path: Path
) -> None:
    """An hour ahead; nothing is known before the first answer, nor by one that has no clock to compare."""
    held = hold(tmp_path, RunningClock(NOW))

    def early() -> dt.datetime:
        return utc_now() + dt.timedelta(hours=1)

    feed = RegistryFeed(held, broker.endpoint("xb-hub"), every=0.05, clock=early)
    deaf = RegistryFeed(held, broker.endpoint("xb-hub"), every=0.05)
    assert feed.heard == Heard()
    async with running(feed.run()):

        async def measured() -> bool:
            return feed.heard.at_end and feed.heard.ahead_s is not None

        await eventually(measured)
        assert abs((feed.heard.ahead_s or 0.0) - 3600) < 600
    async with running(deaf.run()):

        async def at_end() -> bool:
            return deaf.heard.at_end

        await eventually(at_end)
    assert deaf.heard.ahead_s is None
