"""Revocation statements have a stream of their own: whoever fills its room in it takes room from nobody else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bus.errors import BrokerError
from bus.keys.signatures import FileSigner
from bus.subscribing.registry_feed import publish_trust
from bus.transport.connection import Connection
from bus.transport.jetstream import js_api, publish
from bus.transport.streams import MAX_STATEMENT_BYTES, STATEMENTS_EACH, STATEMENTS_STREAM, TRUST_STREAM
from bus.trust import ceremony
from bus.trust.revocations import new_statement
from schemas.subject import REGISTRAR_SUBJECTS, Trust, trust_subject
from tests.support.clocks import RunningClock
from tests.support.stage import Bus, connected, running
from tests.support.trust import DAY, NOW, WORLD, announce, feeding, hold, statement, version
from tests.support.waiting import eventually, longest
from tests.support.world import signed_registry

THIEF = "xa-csirt"
PLACE = trust_subject(Trust.REVOKE, THIEF)


async def flood(connection: Connection, count: int) -> None:
    """Rubbish of the largest size, on the thief's own subject."""
    for n in range(count):
        await publish(
            connection, PLACE, n.to_bytes(4, "big") * (MAX_STATEMENT_BYTES // 4 - 16), {}, longest()
        )


async def test_rubbish_to_the_limit_takes_room_from_nobody_else(bus: Bus, tmp_path: Path) -> None:
    """A thief fills its room many times over, before and while others speak: all they say arrives, before and after."""
    held = hold(tmp_path, RunningClock(NOW))
    await announce(bus, statement("xb-dpa"), identity="xb-dpa")
    async with connected(bus.endpoint(THIEF)) as thief:
        await flood(thief, STATEMENTS_EACH * 3)
        with pytest.raises(BrokerError):
            await publish(thief, PLACE, b"x" * (MAX_STATEMENT_BYTES + 1), {}, longest())
        async with running(flood(thief, 100_000)), feeding(bus, held) as feed:
            await announce(bus, version(WORLD.registry))
            await announce(bus, statement("xa-dpa"), identity="xa-dpa")
            await eventually(lambda: held().version == 2 and len(held().revoked()) == 2)
            assert feed.counts["taken"] == 3
    async with connected(bus.owner) as provisioner:
        info = await js_api(provisioner, f"STREAM.INFO.{STATEMENTS_STREAM}", {"subjects_filter": ">"})
    assert info["state"]["subjects"] == {
        PLACE: STATEMENTS_EACH,
        trust_subject(Trust.REVOKE, "xa-dpa"): 1,
        trust_subject(Trust.REVOKE, "xb-dpa"): 1,
    }


async def test_who_was_flooded_out_says_it_again_and_is_heard(bus: Bus, tmp_path: Path) -> None:
    """The thief has the authority's transport key and pushed its statement out; said again, it is taken in."""
    held = hold(tmp_path, RunningClock(NOW))
    async with connected(bus.endpoint(THIEF)) as speaker:
        await publish_trust(speaker, statement(THIEF))
        await flood(speaker, STATEMENTS_EACH)
        async with feeding(bus, held) as feed:
            await eventually(lambda: feed.counts.total() >= STATEMENTS_EACH)
            assert not held().revoked()
            await publish_trust(speaker, statement(THIEF))
            await eventually(lambda: held().revoked())


async def test_a_statement_by_a_key_of_a_later_version_waits_for_it(bus: Bus, tmp_path: Path) -> None:
    """Statements are read first; one whose key comes with version 2 and is gone with version 3 counts in between."""
    new = FileSigner.generate()
    second = version(WORLD.registry, xa_csirt=new)
    after = WORLD.registry.update(second, NOW)
    document = ceremony.next_version(after.document, after.digest, NOW, 90 * DAY)
    records = {**document.authorities, THIEF: WORLD.registry.authority(THIEF)}
    third = signed_registry(msgspec.structs.replace(document, authorities=records), WORLD.roots[:2])
    ends = new_statement(
        domain="test",
        authority=THIEF,
        kids=(new.kid,),
        since=NOW,
        reason="key-compromise",
        signer=new,
        now=NOW,
    )
    await announce(bus, ends, identity=THIEF)
    await announce(bus, second, third)
    held = hold(tmp_path, RunningClock(NOW))
    async with feeding(bus, held):
        await eventually(lambda: held().version == 3)
        assert [each.kids for each in held().revocations] == [(new.kid,)]


async def test_what_was_said_on_trust_before_is_read_on(bus: Bus, tmp_path: Path) -> None:
    """A broker of before, with statements among the versions, is made over by `provision` while readers go on."""
    old = [*REGISTRAR_SUBJECTS, "tocsin.trust.v1.revoke"]
    async with connected(bus.owner) as provisioner:
        async with bus.machine() as machine:
            await js_api(machine, f"STREAM.DELETE.{STATEMENTS_STREAM}")
        info = await js_api(provisioner, f"STREAM.INFO.{TRUST_STREAM}")
        await js_api(provisioner, f"STREAM.UPDATE.{TRUST_STREAM}", {**info["config"], "subjects": old})
        for name in ("xb-hub", "xa-csirt"):
            config = (await js_api(provisioner, f"CONSUMER.INFO.{TRUST_STREAM}.{name}"))["config"]
            config.pop("filter_subject", None)
            await js_api(
                provisioner,
                f"CONSUMER.CREATE.{TRUST_STREAM}.{name}",
                {"stream_name": TRUST_STREAM, "config": {**config, "filter_subjects": old}},
            )
        before = bus.server.conf
        beacon, spoken = old[1], old[2]
        wider = before.replace(f'"{beacon}", "', f'"{beacon}", "{spoken}", "')  # the allow list
        for line in [each for each in wider.splitlines() if each.lstrip().startswith("{ service:")]:
            if f'"{beacon}"' in line:  # what is exported, and what is imported
                wider = wider.replace(line, f"{line}\n{line.replace(beacon, spoken)}")
        await bus.server.reload(wider)
        await publish(provisioner, old[2], statement("xa-dpa"), {}, longest())
        await bus.server.reload(before)
    held, late = hold(tmp_path / "a", RunningClock(NOW)), hold(tmp_path / "b", RunningClock(NOW))
    async with feeding(bus, held) as feed:
        await eventually(lambda: held().revoked() and feed.problem)  # there is no STATEMENTS to read yet
        await bus.provision()
        await announce(bus, statement("xb-dpa"), identity="xb-dpa")
        await announce(bus, version(WORLD.registry))
        await eventually(lambda: held().version == 2 and len(held().revoked()) == 2)
    async with feeding(bus, late):
        await eventually(lambda: late().version == 2 and len(late().revoked()) == 2)
