"""The keeper: one step at a time, with a clock that a test moves, and a bus that may be gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from bus.errors import TrustError, UnreachableError
from bus.health import Facts, Level, StateFile, read_states
from bus.keys.signatures import FileSigner
from bus.subscribing.registry_feed import Heard
from bus.trust import ceremony
from bus.trust.registry import TrustState
from bus.trust.store import RegistryStore
from bus.upkeep.conditions import keeper_conditions
from bus.upkeep.endings import Term
from bus.upkeep.keeper import Keeper
from bus.upkeep.role import must_have_role
from schemas.envelope import read_claims
from schemas.registry import MAX_BEACON_BYTES, Beacon
from tests.support.clocks import Clock
from tests.support.trust import NOW, WORLD, hold, version
from tests.support.world import key_record, signed_registry

HOUR = 3600.0
LIFE = dt.timedelta(hours=6)


class Bus:
    """What a keeper needs of a connection: a stream of beacons, or nobody there."""

    class Endpoint:
        """Its identity."""

        authority_id = "provisioner"

    endpoint = Endpoint()

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.is_there = True
        self.answers = True
        self.ahead_s: float | None = None

    def heard(self) -> Heard:
        """As the feed says."""
        return Heard(at_end=self.is_there, beacon=self.said[-1] if self.said else None, ahead_s=self.ahead_s)

    async def until_connected(self, timeout: float) -> None:
        """As a connection does."""
        if not self.is_there:
            raise UnreachableError("the bus does not answer")

    async def request(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None, timeout: float
    ) -> dict[str, Any]:
        """One more message."""
        self.said.append(payload)
        if not self.answers:
            raise UnreachableError("no answer")
        return {"stream": "TRUST", "seq": len(self.said)}


class Desk:
    """A keeper over its own files, at one bus with others."""

    def __init__(
        self, folder: Path, bus: Bus, clock: Clock, signer: FileSigner = WORLD.beacon, jitter: float = 0.0
    ) -> None:
        self.clock = clock
        self.bus = bus
        self.folder = folder
        self.held = hold(folder, clock)
        self.keeper = Keeper(
            self.held,
            signer,
            cast("Any", bus.endpoint),
            bus.heard,
            life=LIFE,
            clock=clock,
            rng=lambda: jitter,
        )

    async def look(self) -> None:
        """One step, whatever waits."""
        for wait in self.keeper._waits.values():
            wait.until = 0.0
        self.keeper._compare_at = self.keeper._warn_at = 0.0
        await self.keeper.look(cast("Any", self.bus))

    async def hear(self) -> None:
        """Take in what the bus says last, as the feed does."""
        if self.bus.said:
            try:
                self.held.take(self.bus.said[-1])
            except TrustError as exc:
                assert exc.reason == "rollback"

    @property
    def state(self) -> TrustState:
        """The trust state of a program that starts now with these files."""
        return hold(self.folder, self.clock)().state(self.clock())


def said(raw: bytes) -> Beacon:
    """The beacon in a message."""
    return msgspec.json.decode(read_claims(raw, max_bytes=MAX_BEACON_BYTES).payload, type=Beacon)


async def test_a_day_is_kept_fresh_with_few_beacons(tmp_path: Path) -> None:
    """Looked at every ten minutes of a day: fresh at every look, and one beacon in two hours of a life of six."""
    clock = Clock(NOW)
    desk = Desk(tmp_path, Bus(), clock)
    for _ in range(24 * 6):
        await desk.look()
        assert desk.held().state(clock()) is TrustState.FRESH
        clock.pass_(600)
    assert desk.keeper.renewed == len(desk.bus.said) == 12
    assert desk.state is TrustState.FRESH
    assert all(said(raw).expires - said(raw).issued == LIFE for raw in desk.bus.said)


async def test_a_new_version_is_named_at_once(tmp_path: Path) -> None:
    """Not when the old beacon would have been renewed."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    await desk.look()
    desk.clock.pass_(60)
    desk.held.take(version(WORLD.registry))
    await desk.look()
    assert [said(raw).version for raw in desk.bus.said] == [1, 2]
    assert desk.state is TrustState.FRESH


async def test_without_a_bus_the_disk_is_kept_fresh_and_the_bus_is_told_later(tmp_path: Path) -> None:
    """A dead bus for seven hours: files are fresh all the time, and the newest beacon is sent when it is back."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    desk.bus.is_there = False
    for _ in range(7 * 6):
        await desk.look()
        desk.clock.pass_(600)
        assert desk.held().state(desk.clock()) is TrustState.FRESH
    assert desk.keeper.problems == {"bus": "the bus does not answer"}
    desk.bus.is_there = True
    await desk.look()
    assert desk.keeper.problems == {}
    assert desk.bus.said == [desk.held.beacon()]


async def test_without_a_disk_the_bus_is_kept_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beacon that cannot be written is still sent, is not made again at each look, and is written later."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    real = desk.held.take

    def full(raw: bytes) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.held, "take", full)
    for _ in range(60):
        await desk.look()
        desk.clock.pass_(1)
    assert (len(desk.bus.said), desk.keeper.renewed, "disk" in desk.keeper.problems) == (1, 1, True)
    assert desk.state is TrustState.STALE
    monkeypatch.setattr(desk.held, "take", real)
    await desk.look()
    assert (desk.keeper.problems, desk.state) == ({}, TrustState.FRESH)


async def test_a_restart_makes_no_beacon_and_sends_what_was_not_sent(tmp_path: Path) -> None:
    """Killed between disk and bus: the next one sends the same bytes, and a third one sends nothing."""
    bus, clock = Bus(), Clock(NOW)
    first = Desk(tmp_path, bus, clock)
    bus.is_there = False
    await first.look()
    bus.is_there = True
    for _ in range(3):
        again = Desk(tmp_path, bus, clock)
        await again.look()
        assert again.keeper.renewed == 0
    assert bus.said == [first.held.beacon()]


async def test_a_beacon_whose_answer_was_lost_is_not_sent_twice(tmp_path: Path) -> None:
    """The next look finds it on the bus."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    desk.bus.answers = False
    await desk.look()
    assert desk.keeper.problems == {"bus": "no answer"}
    await desk.look()
    assert (len(desk.bus.said), desk.keeper.problems) == (1, {})


async def test_what_the_bus_has_lost_is_sent_again(tmp_path: Path) -> None:
    """A recreated stream has no beacon; the held one is sent at once."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    await desk.look()
    desk.bus.said.clear()
    await desk.look()
    assert desk.bus.said == [desk.held.beacon()]


async def test_rubbish_or_an_old_beacon_on_the_bus_is_answered(tmp_path: Path) -> None:
    """If no valid beacon as new as ours is there, ours is sent once."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    await desk.look()
    desk.clock.pass_(60)
    desk.bus.said.append(b"rubbish")
    for _ in range(3):
        await desk.look()
    assert desk.bus.said[2:] == [desk.held.beacon()]


async def test_two_keepers_share_the_work(tmp_path: Path) -> None:
    """Each hears the other, as two machines do: a day has as many beacons as with one, and both are fresh throughout."""
    bus, clock = Bus(), Clock(NOW)
    desks = [Desk(tmp_path / "a", bus, clock, jitter=0.2), Desk(tmp_path / "b", bus, clock, jitter=0.7)]
    for _ in range(24 * 6):
        for desk in desks:
            await desk.look()
            for other in desks:
                await other.hear()
        clock.pass_(600)
        assert {desk.held().state(clock()) for desk in desks} == {TrustState.FRESH}
    assert len(bus.said) == sum(desk.keeper.renewed for desk in desks) <= 12


async def test_two_keepers_that_do_not_hear_each_other_do_no_harm(tmp_path: Path) -> None:
    """A reader of both is fresh throughout: it takes the newer one and passes over the other."""
    bus, clock = Bus(), Clock(NOW)
    desks = [Desk(tmp_path / "a", bus, clock, jitter=0.2), Desk(tmp_path / "b", bus, clock, jitter=0.7)]
    reader = hold(tmp_path / "reader", clock)
    heard = 0
    for _ in range(24 * 6):
        for desk in desks:
            await desk.look()
        for raw in bus.said[heard:]:
            _take(reader, raw)
        heard = len(bus.said)
        clock.pass_(600)
        assert reader().state(clock()) is TrustState.FRESH
    assert all(desk.keeper.renewed <= 12 for desk in desks)


def _take(reader: RegistryStore, raw: bytes) -> None:
    try:
        reader.take(raw)
    except TrustError as exc:
        assert exc.reason == "rollback"


async def test_a_keeper_that_is_behind_says_nothing_against_the_other(tmp_path: Path) -> None:
    """It knows of a beacon for version 2 and holds version 1: it waits for version 2, and says so."""
    bus, clock = Bus(), Clock(NOW)
    ahead, behind = Desk(tmp_path / "a", bus, clock), Desk(tmp_path / "b", bus, clock)
    ahead.held.take(version(WORLD.registry))
    await ahead.look()
    await behind.hear()
    clock.pass_(3 * HOUR)
    await behind.look()
    assert (behind.keeper.renewed, "beacon" in behind.keeper.problems, len(bus.said)) == (0, True, 1)
    behind.held.take(version(WORLD.registry))
    await behind.look()
    assert (behind.keeper.renewed, behind.keeper.problems) == (1, {})


async def test_a_clock_that_was_put_back_is_said_and_passes(tmp_path: Path) -> None:
    """A beacon of the future is held: a new version cannot be named before the clock is there again; then it is."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    await desk.look()
    desk.clock.pass_(-60)
    desk.held.take(version(WORLD.registry))
    await desk.look()
    assert desk.keeper.renewed == 1
    desk.clock.pass_(66)
    await desk.look()
    assert (desk.keeper.renewed, desk.keeper.problems, desk.state) == (2, {}, TrustState.FRESH)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"keys": {}}, "no-beacon-role"),
        ({"revoked_since": NOW}, "key-revoked"),
        ({"not_after": NOW}, "key-not-valid"),
        ({"not_before": NOW + dt.timedelta(days=1)}, "key-not-valid"),
        ({"threshold": 2}, "threshold"),
    ],
)
async def test_a_key_that_has_lost_its_role_signs_nothing(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    """A version takes it away while the keeper runs: it ends with the reason, and the last beacon was for the old one."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    await desk.look()
    other = FileSigner.generate()
    keys = {other.kid: key_record(other)}
    threshold = changes.pop("threshold", 1)
    if "keys" not in changes:
        keys[WORLD.beacon.kid] = key_record(WORLD.beacon, **changes)
    document = ceremony.next_version(
        WORLD.registry.document, WORLD.registry.digest, NOW, dt.timedelta(days=90)
    )
    role = msgspec.structs.replace(document.beacon, keys=keys, threshold=threshold)
    desk.held.take(signed_registry(msgspec.structs.replace(document, beacon=role), WORLD.roots[:2]))
    with pytest.raises(TrustError) as lost:
        await desk.look()
    assert (lost.value.reason, len(desk.bus.said), desk.keeper.renewed) == (reason, 1, 1)
    with pytest.raises(TrustError):
        must_have_role(desk.held(), WORLD.beacon.kid, NOW)


async def test_a_beacon_ends_with_its_key(tmp_path: Path) -> None:
    """One made an hour before its key ends is good for an hour."""
    left = dt.timedelta(hours=1)
    desk = Desk(
        tmp_path, Bus(), Clock(WORLD.registry.document.beacon.keys[WORLD.beacon.kid].not_after - left)
    )
    await desk.look()
    (raw,) = desk.bus.said
    assert said(raw).expires - said(raw).issued == left


async def test_what_ends_is_said_once_a_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not at every look."""
    clock = Clock(NOW + dt.timedelta(days=70))
    desk = Desk(tmp_path, Bus(), clock)
    for _ in range(10):
        await desk.look()
    assert capsys.readouterr().out.count("ends_soon") == 1


async def test_a_clock_that_was_wrong_for_a_moment_ends_no_renewing(tmp_path: Path) -> None:
    """A beacon of next month was made and kept: all other readers have a fresh one while the keeper runs."""
    bus, right, keepers = Bus(), Clock(NOW), Clock(NOW)
    desk, reader = Desk(tmp_path / "keeper", bus, keepers), hold(tmp_path / "reader", right)
    await desk.look()
    keepers.pass_(30 * 24 * HOUR)
    await desk.look()
    keepers.pass_(-30 * 24 * HOUR)
    assert desk.held().state(keepers()) is TrustState.STALE
    heard = 0
    for _ in range(24 * 6):
        await desk.look()
        for raw in bus.said[heard:]:
            if said(raw).issued <= right():
                _take(reader, raw)
        heard = len(bus.said)
        assert {reader().state(right()), desk.held().state(keepers())} == {TrustState.FRESH}
        for clock in (right, keepers):
            clock.pass_(600)
    assert len(bus.said) <= 14


async def test_a_disk_that_is_full_when_the_clock_is_right_again_makes_no_flood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The beacon of the future is still the one that is held; what was made since then counts nevertheless."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    desk.clock.pass_(30 * 24 * HOUR)
    await desk.look()
    desk.clock.pass_(-30 * 24 * HOUR)

    def full(_: bytes) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.held, "take", full)
    for _ in range(20):
        await desk.look()
        desk.clock.pass_(1)
    assert desk.keeper.renewed == 2


async def test_no_beacon_is_made_that_every_reader_would_refuse(tmp_path: Path) -> None:
    """The clock is further ahead of the broker's than readers allow: this is logged, and its end too."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    desk.bus.ahead_s = 301.0
    await desk.look()
    assert (desk.keeper.renewed, list(desk.keeper.problems)) == (0, ["clock"])
    desk.bus.ahead_s = 299.0
    await desk.look()
    assert (desk.keeper.renewed, desk.keeper.problems) == (1, {})


async def test_a_clock_that_is_behind_is_said_and_renews(tmp_path: Path) -> None:
    """A beacon that ends too soon is better than none."""
    desk = Desk(tmp_path, Bus(), Clock(NOW))
    desk.bus.ahead_s = -7200.0
    await desk.look()
    assert (desk.keeper.renewed, list(desk.keeper.problems)) == (1, ["clock"])
    (told,) = keeper_conditions(desk.keeper.problems, ())
    assert (told.name, told.code, told.level) == ("clock", "clock-off", Level.BAD)


def test_a_large_registry_of_which_all_ends_fits_into_a_state_file(tmp_path: Path) -> None:
    """Three thousand keys of authorities, and the registry itself: that is told, and how many more there are."""
    keys = [
        Term(
            what="signing-key",
            whose=f"xa-authority-{number}",
            name="k" * 43,
            ends=NOW,
            level="bad",
            remedy="registry rotate",
        )
        for number in range(3000)
    ]
    registry = Term(what="registry", whose="test", name="1", ends=NOW, level="bad", remedy="registry renew")
    told = keeper_conditions({}, (*keys, registry))
    StateFile(tmp_path, "keeper", clock=lambda: NOW).write(Facts(identity="test", more=told))
    assert read_states(tmp_path).unread == ()
    assert told[0].level is Level.BAD
    assert told[-1].detail.startswith("2901 more")


async def test_a_bus_that_is_gone_from_the_start_is_said(tmp_path: Path) -> None:
    """Also while the beacon that is held needs no renewing, and whether the bus has it is not known."""
    clock = Clock(NOW)
    await Desk(tmp_path, Bus(), clock).look()
    desk = Desk(tmp_path, Bus(), clock)
    desk.bus.is_there = False
    await desk.look()
    assert list(desk.keeper.problems) == ["bus"]
    desk.bus.is_there = True
    await desk.look()
    assert (desk.keeper.problems, len(desk.bus.said)) == ({}, 1)
