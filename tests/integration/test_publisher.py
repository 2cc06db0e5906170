"""The way out over a real broker: nothing accepted is lost, whatever dies."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bus.publishing.recovery import Recovery
from bus.transport.jetstream import publish
from schemas.codec import digest
from tests.support.stage import Bus, connected, speaking, stored
from tests.support.waiting import longest
from tests.support.world import bulletin, draft, sign


async def test_an_accepted_bulletin_is_stored(bus: Bus, tmp_path: Path) -> None:
    """With the bus there, `stored` follows `accepted` at once."""
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        accepted = await publisher.publish(draft())
        assert await publisher.settled(accepted.digest, longest()) == "stored"
    assert [m.subject for m in await stored(bus, 1)] == [accepted.subject]


async def test_a_thousand_survive_the_death_of_the_server_in_their_midst(bus: Bus, tmp_path: Path) -> None:
    """Kill -9 of the server in the middle of 1000 publishes loses, doubles and reorders nothing."""
    accepted = []
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        for n in range(1000):
            accepted.append(await publisher.publish(draft(f"number {n}")))
            if n == 400:
                bus.server.kill()
            if n == 700:
                await bus.server.restart()
        assert await publisher.idle(longest())
    found = await stored(bus, 1000)
    assert [a.subject for a in accepted] == [m.subject for m in found]
    assert [a.digest for a in accepted] == [dict(m.headers)["Nats-Msg-Id"] for m in found]


async def test_publish_does_not_wait_for_a_dead_bus(bus: Bus, tmp_path: Path) -> None:
    """With the server gone, `publish` accepts at once, and a later server gets it all."""
    bus.server.kill()
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        accepted = await publisher.publish(draft())  # there is no server that could answer
        assert await publisher.settled(accepted.digest, 0.2) == "accepted"
        await bus.server.restart()
        assert await publisher.settled(accepted.digest, longest()) == "stored"


async def test_a_lost_outbox_refuses_until_it_has_recovered(bus: Bus, tmp_path: Path) -> None:
    """An empty outbox over a channel that is not empty sends nothing, and goes on after recovery."""
    from bus.errors import OutboxError

    async with speaking(bus, tmp_path / "first.db") as publisher:
        last = [await publisher.publish(draft(f"number {n}")) for n in range(3)][-1]
        assert await publisher.settled(last.digest, longest()) == "stored"
    async with speaking(bus, tmp_path / "second.db") as publisher:
        unsent = await publisher.publish(draft("kept before it knew"))
        assert unsent.seq == 1
        with pytest.raises(OutboxError, match="outbox recover"):
            await publisher.ready(longest())
        with pytest.raises(OutboxError, match="outbox recover"):
            await publisher.publish(draft())
        assert await publisher.settled(unsent.digest, 0) == "accepted"
        found = await publisher.recover()
        assert found == Recovery(read=3, adopted=1, restamped=1, superseded=0)
        after = await publisher.publish(draft("goes on"))
        assert after.seq == 5
        assert await publisher.settled(after.digest, longest()) == "stored"
    assert len(await stored(bus, 5)) == 5


@pytest.mark.parametrize("count", [1, 12], ids=["one", "a burst"])
async def test_a_message_id_used_up_beforehand_suppresses_nothing(
    bus: Bus, tmp_path: Path, count: int
) -> None:
    """Who has its transport key spends the ids of what waits in an outbox; all of it is stored, with an alarm."""
    bus.server.kill()
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        accepted = [await publisher.publish(draft(f"number {n}")) for n in range(count)]
    await bus.server.restart()
    other = sign(bus.world, bulletin(bus.world, "xa-csirt"))
    spent = accepted[:: max(1, count // 2)]
    async with connected(bus.endpoint("xa-csirt")) as thief, connected(bus.endpoint("xa-emb")) as neighbour:
        beside = sign(bus.world, bulletin(bus.world, "xa-emb")).subject
        for each in spent:
            await publish(thief, other.subject, b"spent", {"Nats-Msg-Id": each.digest}, longest())
        for each in accepted:  # another's stream has a window of its own
            await publish(neighbour, beside, b"spent", {"Nats-Msg-Id": each.digest}, longest())
    with capture_logs() as said:
        async with speaking(bus, tmp_path / "outbox.db") as publisher:
            assert await publisher.idle(longest())
    alarms = [each["digest"] for each in said if each["event"] == "duplicate_on_first_attempt"]
    assert sorted(alarms) == sorted(each.digest for each in spent)
    found = await stored(bus, 2 * count + len(spent))
    mine = [digest(each.payload) for each in found if each.payload != b"spent"]
    assert sorted(mine) == sorted(each.digest for each in accepted)


async def test_what_the_broker_forbids_is_parked_and_told(bus: Bus, tmp_path: Path) -> None:
    """A broker whose permissions are narrower than the registry parks the bulletin as refused-by-broker."""
    from bus.server import ServerSettings, render_conf

    conf = render_conf(bus.world.registry, settings=ServerSettings(), provisioner_nkey=bus.provisioner[1])
    narrow = conf.replace('"tocsin.v1.actual.green.community.xa.csirt.>", "', '"')
    assert narrow != conf
    await bus.server.reload(narrow)
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        accepted = await publisher.publish(draft())
        assert await publisher.settled(accepted.digest, longest()) == "parked"
