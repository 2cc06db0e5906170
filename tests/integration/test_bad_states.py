"""Nine bad states of a hub, each made for real, with programs as processes: every view tells the same truth of each.

The tenth, a hub that lags, takes longer: `tests/faults/test_lag.py`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import signal
from pathlib import Path

import msgspec
import pytest

from bus.trust import new_statement
from tests.support.disks import disk_or_skip, fill
from tests.support.households import Household, Told, world_of_now
from tests.support.places import ROOT
from tests.support.stage import serving
from tests.support.views import HUB, NOT_RELIABLE, Hub, all_say, played
from tests.support.waiting import longest
from tests.support.world import World, key_record, signed_registry

pytestmark = pytest.mark.short_faults
DRAFT = str(ROOT / "examples" / "drafts" / "cyber.json")


def revocation(world: World, authority: str) -> bytes:
    """An authority ends its own key, now."""
    signer, now = world.signers[authority], dt.datetime.now(dt.UTC)
    return new_statement(
        domain=world.registry.domain,
        authority=authority,
        kids=(signer.kid,),
        since=now,
        reason="key-compromise",
        signer=signer,
        now=now,
    )


async def test_a_revoked_key(tmp_path: Path) -> None:
    """By a statement that comes while the hub runs."""

    def play(hub: Hub) -> None:
        world = hub.bus.world
        hub.reads()
        raw = revocation(world, HUB)
        (hub.house.folder / "revoke.tocsin.json").write_bytes(raw)
        done = hub.house.told(HUB, "registry", "accept", "revoke.tocsin.json")
        assert done.code == 0, done
        all_say(hub, "revoked key", "key-revoked")
        # A hub whose only key is revoked cannot answer either, and each view knows it.
        assert all("no-receipts" in view.codes for view in hub.views().values())

    await played(tmp_path, play)


async def test_an_expired_key(tmp_path: Path) -> None:
    """It ended a minute ago."""
    world = world_of_now()
    ended = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=1)
    document = world.registry.document
    record = document.authorities[HUB]
    signer = world.signers[HUB]
    keys = {signer.kid: key_record(signer, world.now, not_after=ended)}
    authorities = {**document.authorities, HUB: msgspec.structs.replace(record, keys=keys)}
    raw = signed_registry(msgspec.structs.replace(document, authorities=authorities), world.roots[:2])
    registry = type(world.registry).open(raw)
    changed = msgspec.structs.replace(world, raw=raw, registry=registry, pin=registry.digest)

    def play(hub: Hub) -> None:
        hub.begin()
        all_say(hub, "expired key", "key-not-valid")

    await played(tmp_path, play, changed)


async def test_a_dead_broker(tmp_path: Path) -> None:
    """Killed while the hub reads."""

    def play(hub: Hub) -> None:
        hub.reads()
        hub.bus.server.kill()
        all_say(hub, "dead broker", "unreachable")
        all_say(hub, "dead broker, later", "not-reading")

    await played(tmp_path, play)


async def test_a_stopped_hub(tmp_path: Path) -> None:
    """It has ended in order; its port is closed, and nobody is accused."""

    def play(hub: Hub) -> None:
        process = hub.reads()
        process.terminate()
        process.wait(longest())
        all_say(hub, "stopped hub", "not-reading", silent=True)
        told = hub.house.told(HUB, "picture")
        assert told.out.startswith("NOT READING since ")
        shown = hub.house.told(HUB, "channels", "--json")
        assert {row["state"] for row in shown.json()} == {"unknown"}
        assert shown.code == NOT_RELIABLE
        # How much waits at the bus nobody knows.
        assert hub.house.told(HUB, "hub", "status", "--json").json()["behind"] is None

    await played(tmp_path, play)


async def test_a_hub_that_was_killed(tmp_path: Path) -> None:
    """As one that has ended, and worse."""

    def play(hub: Hub) -> None:
        process = hub.reads()
        process.kill()
        process.wait(longest())
        all_say(hub, "killed hub", "program-died", silent=True)

    await played(tmp_path, play)


async def test_a_full_disk(tmp_path: Path) -> None:
    """The hub waits it out, and every view says what is wrong."""
    with disk_or_skip(tmp_path / "disk") as disk:
        async with serving(tmp_path / "server", world_of_now()) as bus:

            def scene() -> None:
                house = Household(tmp_path / "house", bus.world, bus.server.url, HUB, state=str(disk / HUB))
                try:
                    hub = Hub(house, bus)
                    hub.reads()
                    ballast = fill(disk, 0)
                    all_say(hub, "full disk", "store-full")
                    assert "file" not in hub.views()["doctor"].codes
                    ballast.unlink()
                    hub.until(lambda view: "store-full" not in view.codes)
                finally:
                    house.close()

            await asyncio.to_thread(scene)


async def test_a_restored_outbox(tmp_path: Path) -> None:
    """An old copy is put back while the hub is down; it has said more since."""

    def play(hub: Hub) -> None:
        state = hub.house.state(HUB)
        kept = hub.house.folder / "kept"

        def once() -> None:
            process = hub.reads()
            process.send_signal(signal.SIGTERM)
            process.wait(longest())

        once()
        shutil.copytree(state, kept)
        assert hub.house.told(HUB, "heartbeat", "once").code == 0
        for path in state.glob("outbox*"):
            path.unlink()
        for path in kept.glob("outbox*"):
            shutil.copy2(path, state / path.name)
        hub.begin()
        all_say(hub, "restored outbox", "outbox-behind")

    await played(tmp_path, play)


async def test_a_wrong_clock(tmp_path: Path) -> None:
    """The machine is two hours ahead of the broker's."""

    def play(hub: Hub) -> None:
        hub.house.ahead_s = 7200.0
        hub.begin()
        all_say(hub, "wrong clock", "clock-off")

    await played(tmp_path, play)


async def test_a_lost_lease(tmp_path: Path) -> None:
    """A hub that was stopped for a while finds that another has taken over, and stands by: said, and nothing is bad."""

    def play(hub: Hub) -> None:
        first = hub.reads()
        at = hub.at
        hub.begin()
        first.send_signal(signal.SIGSTOP)
        hub.until(lambda view: view.code == 200 and "reading" in str(view.report))
        second, hub.at = hub.at, at
        first.send_signal(signal.SIGCONT)
        all_say(hub, "lost lease", "lease-lost", level="warning")
        hub.at = second
        assert hub.healthz().code == 200

    await played(tmp_path, play)


async def test_stale_trust(tmp_path: Path) -> None:
    """The beacon ended an hour ago."""

    def play(hub: Hub) -> None:
        hub.house.beacon(dt.timedelta(hours=1), hub.bus.world.now - dt.timedelta(hours=2))
        hub.begin()
        all_say(hub, "stale trust", "trust-stale")

    world = msgspec.structs.replace(world_of_now())
    await played(tmp_path, play, world)


async def test_doctor_needs_no_program_to_judge_as_publish_does(tmp_path: Path) -> None:
    """An authority whose programs are all down: an old copy of its outbox, then a revoked key, each with the code of publish."""

    def scene(house: Household, world: World) -> None:
        name = "xa-csirt"

        def publish() -> Told:
            return house.told(
                name,
                "publish",
                DRAFT,
                "--again",
                "--tlp",
                "green",
                "--audience",
                "community",
                "--wait",
                "stored=30",
                "--json",
            )

        def doctor() -> tuple[int, set[str]]:
            told = house.told(name, "doctor", "--json", "--timeout", "5")
            return told.code, {each["code"] for each in told.json()["conditions"] if each["level"] == "bad"}

        state, kept = house.state(name), house.folder / "kept"
        assert publish().code == 0
        assert doctor() == (0, set())
        shutil.copytree(state, kept)
        assert publish().code == 0
        for path in state.glob("outbox*"):
            path.unlink()
        for path in kept.glob("outbox*"):
            shutil.copy2(path, state / path.name)
        assert doctor() == (NOT_RELIABLE, {"outbox-behind"})
        (house.folder / "revoke.tocsin.json").write_bytes(revocation(world, name))
        assert house.told(name, "registry", "accept", "revoke.tocsin.json").code == 0
        code, codes = doctor()
        assert code == NOT_RELIABLE
        assert "key-revoked" in codes

    async with serving(tmp_path / "server", world_of_now()) as bus:
        house = Household(tmp_path / "house", bus.world, bus.server.url, "xa-csirt")
        await asyncio.to_thread(scene, house, bus.world)
