"""Faults of the machine: a disk that is full, and a network that is not there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bus.errors import StoreError
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Accepted
from bus.server import ServerError, ServerSettings, tend
from tests.faults import history as told
from tests.faults import world
from tests.support.disks import disk_or_skip, fill
from tests.support.places import ROOT
from tests.support.publishers import publishing
from tests.support.stage import serving, speaking
from tests.support.waiting import eventually, eventually_sync, longest
from tests.support.world import draft, shared_world


async def test_a_full_disk_of_the_outbox_refuses_and_keeps_nothing_half(tmp_path: Path) -> None:
    """`publish` says `store-full`, what was accepted stays, and with room again the channel goes on without a hole."""
    with disk_or_skip(tmp_path / "disk") as disk:
        async with publishing(disk / "outbox.db", shared_world()) as publisher:
            ballast = fill(disk, 200_000)
            accepted: list[Accepted] = []
            reason = ""
            while not reason:
                try:
                    accepted.append(await publisher.publish(draft(f"number {len(accepted)}")))
                except StoreError as exc:
                    reason = exc.reason
            assert reason == "store-full"
            ballast.unlink()
            accepted.append(await publisher.publish(draft("with room again")))
            assert [each.seq for each in accepted] == list(range(1, len(accepted) + 1))
        async with Outbox.open(disk / "outbox.db") as again:
            kept = [each.digest for each in reversed(await again.rows())]
            assert kept == [each.digest for each in accepted]


@pytest.mark.faults
async def test_a_full_disk_of_the_broker_delays_and_loses_nothing(tmp_path: Path) -> None:
    """While it is full, publishers queue and say so; with room again the broker is to be begun anew, and stores everything."""
    with disk_or_skip(tmp_path / "disk") as disk:
        settings = ServerSettings(store_dir=disk / "jetstream")
        async with (
            serving(tmp_path / "server", shared_world(), settings) as bus,
            speaking(bus, tmp_path / "outbox.db") as publisher,
        ):
            assert await publisher.ready(longest())
            ballast = fill(disk, 300_000)
            accepted = [await publisher.publish(draft(f"number {n}")) for n in range(600)]

            async def complains() -> str:
                return (await publisher.health()).problem

            await eventually(complains)
            assert (await publisher.health()).counts["kept"] > 0
            looked_after = asyncio.create_task(tend(bus.server, room=1024**2, every=0.05))
            await asyncio.wait({looked_after}, timeout=1.0)
            assert not looked_after.done()
            ballast.unlink()
            with pytest.raises(ServerError) as told:
                await looked_after
            assert told.value.reason == "cannot-store"
            await bus.server.stop()
            await bus.server.restart()
            assert await publisher.idle(longest())
            assert (await publisher.health()).counts["stored"] == len(accepted)


@pytest.mark.slow
def test_a_cold_start_without_any_network_accepts(tmp_path: Path) -> None:
    """In a machine with no network at all, not even to itself, a publisher accepts and a hub stands by."""
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("this machine makes no network namespaces")
    folder = tmp_path / "run"
    country = world.founded(folder)
    programs = []
    try:
        for role, name in (("publisher", "xa-csirt"), ("hub", "xa-hub")):
            place = world.Place(
                identity=name,
                url="nats://127.0.0.1:4222",
                nkeys={name: country.world.nkeys[name][0]},
                folder=folder,
            )
            file = folder / f"{name}.json"
            file.write_bytes(msgspec.json.encode(place, enc_hook=str))
            command = ["unshare", "-n", sys.executable, "-m", "tests.faults.program", role, str(file)]
            programs.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
        history = folder / "history" / "xa-csirt.jsonl"

        def accepts() -> bool:
            assert [each.poll() for each in programs] == [None, None]
            return (
                history.exists()
                and sum(isinstance(each, told.Accepted) for each in told.read([history])) >= 10
            )

        def stands_by() -> bool:
            assert programs[1].poll() is None
            return (folder / "xa-hub.store.db").exists()

        eventually_sync(accepts)
        eventually_sync(stands_by)
    finally:
        for each in programs:
            each.kill()
            each.wait()
