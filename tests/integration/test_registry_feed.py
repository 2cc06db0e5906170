"""The registry on the bus: what the registrar or an authority says of it reaches every running program, and only what stands."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
from functools import partial
from pathlib import Path

import pytest

from bus.audit import Fact
from bus.errors import BrokerError, DeniedError, UnreachableError
from bus.keys.signatures import FileSigner
from bus.transport.connection import Connection
from bus.transport.jetstream import js_api, publish
from bus.trust import ceremony
from bus.trust.registry import TrustState
from schemas.subject import REGISTRAR_SUBJECTS, STATEMENT_SUBJECTS, Trust, trust_subject
from tests.support.clocks import RunningClock
from tests.support.stage import Bus, admitted, connected, has, refusals, say
from tests.support.trust import (
    DAY,
    NOW,
    WORLD,
    announce,
    feeding,
    following,
    hold,
    statement,
    version,
)
from tests.support.waiting import eventually, longest
from tests.support.world import bulletin, sign, signed_registry


async def test_a_version_reaches_running_hubs_and_changes_what_they_admit(bus: Bus, tmp_path: Path) -> None:
    """A bulletin by a key that version 2 lists is refused by two hubs before it is published, and admitted when it comes."""
    new = FileSigner.generate()
    early = sign(WORLD, bulletin(WORLD), by=new)
    later = sign(WORLD, bulletin(WORLD, "xa-csirt", seq=2, prev=early.digest), by=new)
    async with (
        following(bus, tmp_path / "a", "xa-hub") as (ours, one),
        following(bus, tmp_path / "b", "xb-hub") as (
            theirs,
            two,
        ),
    ):
        await say(bus, early)
        for store in (ours, theirs):
            await eventually(partial(refusals, store))
            assert await refusals(store) == ["unknown-key"]
        await announce(bus, version(WORLD.registry, xa_csirt=new))
        await eventually(lambda: one().version == two().version == 2)
        await say(bus, later)
        for store in (ours, theirs):
            await eventually(partial(has, store, 2))
            assert [found for _, _, found in await admitted(store)] == [early.digest, later.digest]
            assert await refusals(store) == []
    assert hold(tmp_path / "a", lambda: NOW)().version == 2


async def test_an_authority_ends_its_own_key_alone(bus: Bus, tmp_path: Path) -> None:
    """A statement by the key itself, sent with the authority's own rights, reaches both hubs; its next bulletin is refused."""
    first = sign(WORLD, bulletin(WORLD))
    second = sign(WORLD, bulletin(WORLD, seq=2, prev=first.digest))
    async with (
        following(bus, tmp_path / "a", "xa-hub") as (ours, one),
        following(bus, tmp_path / "b", "xb-hub") as (
            theirs,
            two,
        ),
    ):
        await say(bus, first)
        for store in (ours, theirs):
            await eventually(partial(admitted, store))
        await announce(bus, statement(), identity="xa-csirt")
        await eventually(lambda: one().revoked() and two().revoked())
        await say(bus, second)
        for store in (ours, theirs):
            await eventually(partial(refusals, store))
            assert "key-revoked" in await refusals(store)
            assert second.digest not in {found for _, _, found in await admitted(store)}


async def test_who_was_offline_catches_up(bus: Bus, tmp_path: Path) -> None:
    """Two versions, a statement and a beacon, said while nobody read, are all held a moment after the reader is back."""
    second = version(WORLD.registry)
    after = WORLD.registry.update(second, NOW)
    third = version(after)
    last = after.update(third, NOW)
    beacon = ceremony.new_beacon(last, WORLD.beacon, NOW, DAY)
    await announce(bus, second, statement("xa-dpa"), third, beacon)
    held = hold(tmp_path, RunningClock(NOW))
    async with feeding(bus, held):
        await eventually(lambda: held().state(NOW) is TrustState.FRESH and held().version == 3)
    again = hold(tmp_path, RunningClock(NOW))()
    assert again.version == 3
    assert again.revoked().keys() == {WORLD.signers["xa-dpa"].kid}


async def test_a_version_that_came_too_early_is_taken_when_its_turn_comes(bus: Bus, tmp_path: Path) -> None:
    """Version 3 before version 2, on the bus; and version 4 on the bus before version 3's file would have come."""
    second = version(WORLD.registry)
    after = WORLD.registry.update(second, NOW)
    third = version(after)
    fourth = version(after.update(third, NOW))
    held = hold(tmp_path, RunningClock(NOW))
    async with feeding(bus, held) as feed:
        await announce(bus, fourth, third)
        await eventually(lambda: feed.counts["skip"] == 2)
        held.take(second)  # by a file
        await eventually(lambda: held().version == 4)


async def test_what_is_ahead_of_a_slow_clock_is_taken_when_the_clock_gets_there(
    bus: Bus, tmp_path: Path
) -> None:
    """A version and a statement that seem to be from the future wait; a clock that was put right takes both in."""
    behind = dt.timedelta(hours=1)
    true = RunningClock(NOW)
    held = hold(tmp_path, lambda: true() - behind)
    async with feeding(bus, held) as feed:
        await announce(bus, version(WORLD.registry), statement("xa-dpa"))
        await eventually(lambda: feed.counts["from-the-future"] == 2)
        assert held().version == 1
        behind = dt.timedelta()
        await eventually(lambda: held().version == 2 and held().revoked())


async def test_a_disk_that_takes_nothing_loses_nothing(bus: Bus, tmp_path: Path) -> None:
    """What could not be kept comes again; when the disk takes it, it is held, and what came early after it too."""
    second = version(WORLD.registry)
    third = version(WORLD.registry.update(second, NOW))
    held = hold(tmp_path / "held", RunningClock(NOW))
    blocked = tmp_path / "held" / "revocations"
    blocked.write_text("a file where a folder must be")
    async with feeding(bus, held) as feed:
        await announce(bus, third, statement("xa-dpa"), second)
        await eventually(lambda: feed.problem and feed.counts["skip"])
        assert not held().revoked()
        blocked.unlink()
        await eventually(lambda: held().revoked() and held().version == 3)


async def test_the_stream_is_read_on_after_a_restart_and_anew_when_it_was_lost(
    bus: Bus, tmp_path: Path
) -> None:
    """A killed server is no end; a server that comes back with an empty store is read from its beginning."""
    from bus.server import provision

    second = version(WORLD.registry)
    third = version(WORLD.registry.update(second, NOW))
    held = hold(tmp_path / "held", RunningClock(NOW))
    async with feeding(bus, held) as feed:
        await announce(bus, statement("xa-dpa"), second)
        await eventually(
            lambda: held().version == 2 and feed.counts["taken"] == 2
        )  # two streams, in no order
        bus.server.kill()
        (bus.server.folder / "jetstream").rename(tmp_path / "lost")
        await bus.server.restart()
        await provision(bus.server.url, bus.provisioner[0], WORLD.registry)
        await announce(bus, third)
        await eventually(lambda: held().version == 3)
        assert feed.counts["taken"] == 3


def hostile() -> dict[str, tuple[str, bytes]]:
    """What somebody with rights on TRUST may put there: subject and bytes."""
    thief = FileSigner.generate()
    document = ceremony.next_version(WORLD.registry.document, WORLD.registry.digest, NOW, 90 * DAY)
    signed = version(WORLD.registry)
    registry, beacon, revoke = (trust_subject(each, "provisioner") for each in Trust)
    return {
        "nothing": (registry, b""),
        "no JSON": (registry, b"\x00\xff" * 50),
        "deep": (registry, b"[" * 100_000),
        "an acknowledgement": (registry, b'{"stream":"XA-CSIRT_ACTUAL","seq":1}'),
        "by one root": (registry, signed_registry(document, WORLD.roots[:1])),
        "by a thief": (registry, signed_registry(document, (thief, WORLD.roots[0]))),
        "a bit turned": (registry, signed.replace(b'"payload":"e', b'"payload":"f')),
        "cut": (registry, signed[: len(signed) // 2]),
        "a large beacon": (beacon, b'{"payload":"' + b"e" * 200_000 + b'","signatures":[]}'),
        "a beacon by a thief": (beacon, ceremony.new_beacon(WORLD.registry, thief, NOW, DAY)),
        "a large statement": (registry, b'{"payload":"' + b"e" * 200_000 + b'","signatures":[]}'),
        "a statement by a thief": (revoke, statement("xa-dpa", by=thief)),
        "another's statement": (revoke, statement("xa-dpa", by=WORLD.signers["xb-dpa"])),
    }


async def test_rubbish_and_forgeries_change_nothing_and_stop_nobody(bus: Bus, tmp_path: Path) -> None:
    """After all of them, twice and in random order, the registry is what it was, and the next true version is taken in."""
    files = list(hostile().values()) * 2
    random.Random(7).shuffle(files)
    held = hold(tmp_path, RunningClock(NOW))
    async with (
        feeding(bus, held) as feed,
        Connection.open(bus.owner) as speaker,
    ):
        await speaker.until_connected(longest())
        for subject, raw in files:
            await publish(speaker, subject, raw, {"Status": "503"} if not raw else {}, longest())
        await eventually(lambda: feed.counts.total() == len(files))
        assert (held().digest, dict(held().revoked())) == (WORLD.pin, {})
        assert not feed.counts["taken"]
        assert feed.counts["too-large"] == 2
        await announce(bus, version(WORLD.registry))
        await eventually(lambda: held().version == 2)


async def test_what_is_taken_in_and_what_is_refused_is_told_for_the_record(bus: Bus, tmp_path: Path) -> None:
    """A version and a statement by name; a split view as such; a flood of forgeries once; history and rubbish to come not."""
    held = hold(tmp_path, RunningClock(NOW))
    told: list[tuple[str, dict[str, Fact]]] = []
    raw = version(WORLD.registry)
    second = WORLD.registry.update(raw, NOW)
    other = ceremony.next_version(WORLD.registry.document, WORLD.registry.digest, NOW, 30 * DAY)
    split = WORLD.registry.update(signed_registry(other, WORLD.roots[:2]), NOW)
    thief = FileSigner.generate()
    async with feeding(bus, held, on_news=lambda event, facts: told.append((event, dict(facts)))) as feed:
        await announce(bus, raw, statement("xa-dpa"))
        await eventually(lambda: held().version == 2 and held().revoked())
        await announce(bus, *[statement("xb-dpa", by=WORLD.signers["xb-emb"])] * 3)
        await announce(bus, ceremony.new_beacon(split, WORLD.beacon, NOW, DAY))
        await announce(bus, ceremony.new_beacon(second, thief, NOW, DAY), raw)
        await eventually(
            lambda: feed.counts["fork"] and feed.counts["threshold"] and feed.counts["not-your-key"]
        )
        await eventually(lambda: len(told) >= 4)  # told of when the batch has been heard
    assert (
        "registry-accepted",
        {"domain": "test", "version": 2, "digest": second.digest, "by": "bus"},
    ) in told
    assert [facts["authority"] for event, facts in told if event == "revocation-accepted"] == ["xa-dpa"]
    refused = [(facts["what"], facts["reason"]) for event, facts in told if event == "trust-refused"]
    assert sorted(refused) == [("beacon", "fork"), ("revoke", "not-your-key")]


async def test_two_processes_of_one_identity_both_follow(bus: Bus, tmp_path: Path) -> None:
    """They share a consumer and disturb each other, and still each has every version soon."""
    second = version(WORLD.registry)
    third = version(WORLD.registry.update(second, NOW))
    one, two = hold(tmp_path / "a", RunningClock(NOW)), hold(tmp_path / "b", RunningClock(NOW))
    async with feeding(bus, one), feeding(bus, two):
        await announce(bus, second)
        await eventually(lambda: one().version == two().version == 2)
        await announce(bus, third)
        await eventually(lambda: one().version == two().version == 3)


SPEAKERS = ("xa-csirt", "xb-emb")
PLACES = [trust_subject(kind, speaker) for kind in Trust for speaker in (*SPEAKERS, "xa-hub", "provisioner")]


@pytest.mark.parametrize("identity", [*SPEAKERS, "xa-hub"])
async def test_only_the_provisioner_speaks_for_the_registrars(bus: Bus, identity: str) -> None:
    """Whoever has keys, a hub too, may say that they ended, on its own subject, and nothing else."""
    allowed = []
    subjects = [
        *dict.fromkeys(PLACES),
        "tocsin.trust.v1",
        "tocsin.trust.v1.revoke",
        f"tocsin.trust.v1.revoke.{identity}.x",
        f"tocsin.trust.v2.revoke.{identity}",
    ]
    async with connected(bus.endpoint(identity)) as connection:
        for subject in subjects:
            with contextlib.suppress(DeniedError, UnreachableError, BrokerError):
                await publish(connection, subject, statement(), {}, longest())
                allowed.append(subject)
    assert allowed == [trust_subject(Trust.REVOKE, identity)]


async def test_trust_is_never_deleted_from_nor_read_by_anothers_consumer(bus: Bus) -> None:
    """No identity but the provisioner purges, deletes, creates or resets what is not its own; nor may it purge."""
    await announce(bus, statement(), version(WORLD.registry))
    calls: dict[str, dict[str, object] | None] = {}
    for stream in ("TRUST", "STATEMENTS"):
        calls |= {
            f"STREAM.PURGE.{stream}": None,
            f"STREAM.MSG.DELETE.{stream}": {"seq": 1},
            f"STREAM.MSG.GET.{stream}": {"seq": 1},
            f"STREAM.UPDATE.{stream}": {"name": stream, "subjects": []},
            f"STREAM.DELETE.{stream}": None,
            f"CONSUMER.RESET.{stream}.xb-hub": {"seq": 1},
            f"CONSUMER.RESET.{stream}.provisioner": {"seq": 1},
            f"CONSUMER.DELETE.{stream}.xa-csirt": None,
            f"CONSUMER.CREATE.{stream}.mine": {"stream_name": stream, "config": {"durable_name": "mine"}},
        }
    answered = []
    async with connected(bus.endpoint("xa-csirt")) as connection:
        for call, body in calls.items():
            with contextlib.suppress(BrokerError, UnreachableError):
                answered.append(await js_api(connection, call, body, 0.15))
    assert answered == []
    async with connected(bus.owner) as provisioner:
        for stream, subjects in (("TRUST", list(REGISTRAR_SUBJECTS)), ("STATEMENTS", [STATEMENT_SUBJECTS])):
            for call in (f"STREAM.PURGE.{stream}", f"STREAM.MSG.DELETE.{stream}"):
                with pytest.raises(BrokerError):
                    await js_api(provisioner, call, {"seq": 1})
            info = await js_api(provisioner, f"STREAM.INFO.{stream}")
            assert info["state"]["messages"] == 1
            assert info["config"]["subjects"] == subjects
