"""The sending process and its lease: a row that another process may have sent in between is not new any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bus.publishing.outbox import Outbox
from bus.publishing.own_channels import Comparison
from bus.publishing.sender import Sender
from bus.storage import LEASE_S, Lease
from bus.transport.memory import MemoryBroker
from tests.support.clocks import Clock
from tests.support.publishers import keeping
from tests.support.world import draft, shared_world
from tests.unit.bus.publishing.test_handover import claimed, handing, in_the_table

WORLD = shared_world()


def sender_of(outbox: Outbox, clock: Clock) -> Sender:
    """What sends an outbox; the test is its loop."""
    return Sender(
        authority_id="xa-csirt",
        outbox=outbox,
        endpoint=MemoryBroker().endpoint("xa-csirt"),
        registry=lambda: WORLD.registry,
        clock=clock,
    )


class Connected:
    """A connection that stands, and over which nothing may go."""

    connected = True
    problem = ""
    epoch = 1


async def test_while_a_lease_lasts_what_waits_is_new(tmp_path: Path) -> None:
    """Renewing it changes nothing."""
    clock = Clock(WORLD.now)
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        sender: Any = sender_of(outbox, clock)
        assert await sender._leads()
        outbox.handover.is_open = True
        await publisher.publish(draft())
        clock.pass_(LEASE_S - 1)
        assert await sender._leads()
        assert [row.attempted_at for row in await claimed(outbox)] == [None]


async def test_what_waited_while_a_lease_had_run_out_is_not_new_any_more(tmp_path: Path) -> None:
    """Another process may have sent it in between and ended; a duplicate in the stream is then no alarm."""
    clock = Clock(WORLD.now)
    async with handing(tmp_path / "o.db") as (publisher, outbox):
        sender: Any = sender_of(outbox, clock)
        assert await sender._leads()
        outbox.handover.is_open = True
        await publisher.publish(draft())
        clock.pass_(LEASE_S + 1)
        assert await sender._leads()
        outbox.handover.is_open = True
        assert await claimed(outbox) == await in_the_table(outbox)


async def test_after_a_comparison_that_outlasts_the_lease_the_other_process_sends(tmp_path: Path) -> None:
    """That process has taken the lease: nothing is claimed here, and nothing goes over the connection."""
    clock, path = Clock(WORLD.now), tmp_path / "o.db"
    async with handing(path) as (publisher, outbox), keeping(path) as (_, theirs):
        sender: Any = sender_of(outbox, clock)

        class Slow:
            """The own channels, at a broker that takes its time."""

            async def compare(self, *_: object) -> Comparison:
                """Last longer than a lease."""
                clock.pass_(LEASE_S + 1)
                await Lease(theirs, clock).is_ours()
                return Comparison(strange=0, lost=())

        sender.own = Slow()
        outbox.handover.is_open = False
        await publisher.publish(draft())
        assert await sender._turn(Connected()) is False
        assert [row.attempted_at for row in await in_the_table(outbox)] == [None]
