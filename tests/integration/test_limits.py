"""What one identity may take of a broker and of its readers: each limit tried over a real server, and others go on."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError

from bus.errors import DeniedError, UnreachableError
from bus.policy.rates import RateLimit
from bus.publishing.outbox import Outbox
from bus.publishing.sender import Sender
from bus.server import ServerSettings, provision
from bus.server.binary import ServerError
from bus.server.checks import check, must_be_sound
from bus.server.config import LOG_FILES, render_conf
from bus.transport.client import HardenedClient, headers_of
from bus.transport.connection import NatsConnection
from bus.transport.interface import Outgoing
from bus.transport.jetstream import js_api, publish
from bus.transport.pull_consumer import PullConsumer
from bus.transport.streams import MAX_MESSAGE_BYTES, PULL_BYTES, PULL_EXPIRES_S, PULL_MESSAGES, PULL_WAITING
from tests.support.stage import Bus, admitted, connected, reading, running, say, send, serving, speaking
from tests.support.waiting import eventually, longest
from tests.support.world import bulletin, chain, draft, shared_world, sign

WORLD = shared_world()
SMALL = ServerSettings(max_connections=64, max_each=16, max_subscriptions=20)


async def found(bus: Bus) -> dict[str, tuple[bool, bool, str]]:
    """What `server check` says: ok, hard, detail."""
    checks = await check(
        url=bus.server.url,
        monitor_url=bus.server.monitor_url,
        provisioner_seed=bus.provisioner[0],
        registry=bus.world.registry,
        conf_file=bus.server.folder / "nats-server.conf",
        binary=bus.server.binary,
        probe_seeds=bus.probes,
        settings=bus.settings,
    )
    with contextlib.suppress(ServerError):
        must_be_sound(checks)
        assert all(each.ok for each in checks if each.hard)
    return {each.name: (each.ok, each.hard, each.detail) for each in checks}


async def goes_on(bus: Bus) -> None:
    """Another authority publishes, now."""
    async with connected(bus.endpoint("xb-emb")) as other:
        message = sign(WORLD, bulletin(WORLD, "xb-emb"))
        await send(other, message)


async def test_connections_and_subscriptions_end_at_their_limits(tmp_path: Path) -> None:
    """One too many is refused with the server's word for it; those that stand stay, and the checks name the limits."""
    async with serving(tmp_path, WORLD, SMALL) as bus, contextlib.AsyncExitStack() as stack:
        async with connected(bus.endpoint("xa-csirt")) as greedy:

            async def ignore(_: Msg) -> None:
                pass

            for n in range(SMALL.max_subscriptions + 2):
                with contextlib.suppress(Exception):
                    await greedy.client().subscribe(f"_INBOX_xa-csirt.{n}", cb=ignore)
            await eventually(lambda: greedy.epoch > 1)  # the server has cut it, and it is back
        assert (await found(bus))["max_subscriptions"] == (True, True, "20, wanted 20 to 1000")
        standing = [
            await stack.enter_async_context(connected(bus.endpoint("xa-csirt")))
            for _ in range(SMALL.max_each)
        ]
        async with NatsConnection.at(bus.endpoint("xa-csirt")) as late:
            await eventually(lambda: "connections exceeded" in bus.server.log_file.read_text())
            with pytest.raises((UnreachableError, DeniedError)):
                await late.until_connected(0.5)
            # Its own limit, and nobody else's: another gets in.
            await goes_on(bus)
        assert all(each.connected and each.epoch == 1 for each in standing)


async def test_a_stranger_fills_no_disk_through_the_log(tmp_path: Path) -> None:
    """Logins without a key are logged; of the log so much is kept and no more, for its owner alone."""
    small = ("logfile_size_limit: 16777216", "logfile_size_limit: 4096")
    async with serving(tmp_path, WORLD, ServerSettings(), small) as bus:
        place = urlsplit(bus.server.url)

        async def strangers() -> bool:
            for _ in range(20):
                reader, writer = await asyncio.open_connection(place.hostname, place.port)
                login = {"user": "u" * 800, "pass": "x"}
                writer.write(b"CONNECT " + json.dumps(login).encode() + b"\r\nPING\r\n")
                await reader.read()
                writer.close()
            return len(_logs(tmp_path)) > 2

        await eventually(strangers)
        for _ in range(10):
            await strangers()
        logs = _logs(tmp_path)
        assert len(logs) <= LOG_FILES + 1
        assert all(each.stat().st_mode & 0o077 == 0 for each in logs)


@pytest.mark.parametrize(
    ("added", "named"),
    [
        ('lame_duck_duration: "31s"', {"users"}),
        ('leafnodes { listen: "127.0.0.1:-1", no_advertise: true }', {"users", "other doors"}),
        ('websocket { listen: "127.0.0.1:-1", no_tls: true }', {"users", "other doors"}),
    ],
    ids=["any setting", "leafnodes", "websocket"],
)
async def test_a_setting_before_the_accounts_that_lets_others_in_is_found(
    tmp_path: Path, added: str, named: set[str]
) -> None:
    """The whole file is compared, and what the running server opens."""
    async with serving(
        tmp_path, WORLD, None, ('ports_file_dir: "."', f'ports_file_dir: "."\n{added}')
    ) as bus:
        checks = await found(bus)
        assert {name for name, (ok, hard, _) in checks.items() if hard and not ok} == named


async def test_an_account_of_nobody_in_the_running_server_is_found(tmp_path: Path) -> None:
    """The file may have been written anew since; the server says which accounts it has."""
    other = ("accounts {", "accounts {\n  GUEST { users: [] }")
    async with serving(tmp_path, WORLD, None, other) as bus:
        sound = render_conf(
            WORLD.registry, settings=bus.settings or SMALL, provisioner_nkey=bus.provisioner[1]
        )
        (tmp_path / "nats-server.conf").write_text(sound)
        checks = await found(bus)
        assert checks["users"][0]
        assert not checks["other accounts"][0]
        assert not checks["configuration"][0]


def _logs(folder: Path) -> list[Path]:
    return list(folder.glob("nats-server.log*"))


async def test_a_message_that_is_too_large_ends_its_sender_alone(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forced past the client, it is not stored, and the connection is cut."""
    message = sign(WORLD, bulletin(WORLD))
    async with connected(bus.endpoint("xa-csirt")) as sender:
        client = sender.client()
        assert isinstance(client, HardenedClient)
        too_large = Outgoing(subject=message.subject, payload=b"x" * (MAX_MESSAGE_BYTES + 1), headers={})
        with pytest.raises(MaxPayloadError):
            await client.publish_all([too_large])
        monkeypatch.setattr(client, "_max_payload", 2 * MAX_MESSAGE_BYTES)
        await client.publish_all([too_large])
        await eventually(lambda: sender.epoch == 2)
    await goes_on(bus)
    async with connected(bus.owner) as provisioner:
        assert (await js_api(provisioner, "STREAM.INFO.XA-CSIRT_ACTUAL"))["state"]["messages"] == 0


TOO_MUCH = {
    "messages": {"batch": PULL_MESSAGES + 1},
    "bytes": {"batch": 1, "max_bytes": PULL_BYTES + 1},
    "time": {"batch": 1, "expires": (PULL_EXPIRES_S + 1) * 1_000_000_000},
}


async def test_a_reader_asks_for_so_much_and_no_more(bus: Bus) -> None:
    """Messages, bytes and time of a request, and requests at once: beyond the consumer's limits each is refused."""
    said: list[str] = []

    async def hear(message: Msg) -> None:
        said.append(f"{headers_of(message).status} {headers_of(message).description}")

    async with connected(bus.endpoint("xb-hub")) as reader:
        client = reader.client()
        await client.subscribe("_INBOX_xb-hub.asked", cb=hear)

        async def ask(request: dict[str, int]) -> None:
            await client.publish(
                "$JS.API.CONSUMER.MSG.NEXT.WORLD_ACTUAL.xb-hub",
                json.dumps(request).encode(),
                reply="_INBOX_xb-hub.asked",
            )

        for request in TOO_MUCH.values():
            await ask(request)
        await eventually(lambda: len(said) == len(TOO_MUCH))
        assert all(each.startswith("409 Exceeded MaxRequest") for each in said)
        for _ in range(PULL_WAITING + 1):
            await ask({"batch": 1, "expires": 20_000_000_000})
        await eventually(lambda: "409 Exceeded MaxWaiting" in said)


async def test_a_reader_that_takes_nothing_is_cut_and_nobody_waits_for_it(bus: Bus) -> None:
    """It asks for 30 MB and reads none of it: the server lets it go; another reader has everything meanwhile."""
    place, count = sign(WORLD, bulletin(WORLD)).subject, 130
    async with connected(bus.endpoint("xa-csirt")) as speaker:
        for start in range(0, count, 10):
            await asyncio.gather(
                *(
                    publish(speaker, place, bytes([n]) * 260_000, {}, longest())
                    for n in range(start, start + 10)
                )
            )
    async with connected(bus.endpoint("xb-hub")) as deaf, connected(bus.endpoint("xa-hub")) as reader:
        client = deaf.client()
        writer: Any = client._transport
        transport = writer._io_writer.transport
        await client.subscribe("_INBOX_xb-hub.deaf")
        await client.flush()
        transport.pause_reading()
        for _ in range(PULL_WAITING):
            request = json.dumps({"batch": 100, "expires": 20_000_000_000}).encode()
            await client.publish(
                "$JS.API.CONSUMER.MSG.NEXT.WORLD_ACTUAL.xb-hub", request, reply="_INBOX_xb-hub.deaf"
            )
        got = 0
        async with PullConsumer.attach(reader, "WORLD_ACTUAL", "xa-hub", 1) as pull:
            while got < count:
                got += len(await pull.next(100, 10))

        async def cut() -> bool:
            varz = await asyncio.to_thread(bus.server.monitor, "varz")
            return bool(varz["slow_consumers"])

        await eventually(cut)
        transport.resume_reading()


THEIR_TIME = """
UPDATE deferred SET retry_at = place
FROM (SELECT digest AS found, row_number() OVER (ORDER BY retry_at) AS place FROM deferred) WHERE digest = found
"""


async def test_what_is_beyond_a_readers_budget_waits_and_nobody_waits_with_it(
    bus: Bus, tmp_path: Path
) -> None:
    """Of ten at once three are admitted, with another authority's that came last; the rest when their time comes."""
    now = [WORLD.now]
    century = 100 * 365 * 86_400.0
    said, (last,) = chain(WORLD, 10), chain(WORLD, 1, "xb-emb")
    await say(bus, *said)
    await say(bus, last)
    allowance = RateLimit(burst=3, per_s=1 / century)
    async with reading(bus, tmp_path / "store.db", clock=lambda: now[0], allowance=allowance) as (store, _):

        async def digests() -> list[str]:
            return [found for _, _, found in await admitted(store)]

        async def in_order() -> list[str]:
            # The other's, said last, is there too; between two countries' streams there is no order.
            found = await digests()
            assert last.digest in found
            return [each for each in found if each != last.digest]

        async def waiting() -> int:
            return int(str((await store.status())["waiting_for_its_time"]))

        async def both() -> bool:
            return len(await digests()) == 4 and await waiting() == 7

        await eventually(both)
        assert await in_order() == [each.digest for each in said[:3]]
        assert (await store.status())["refused"] == {}
        # Their time comes, in the order they were given.
        await store.read(lambda db: db.execute(THEIR_TIME))

        async def all_() -> bool:
            return len(await digests()) == 11

        await eventually(all_)
        assert await in_order() == [each.digest for each in said]


async def test_a_sender_holds_to_its_budget_and_loses_nothing(bus: Bus, tmp_path: Path) -> None:
    """Of twenty kept while the bus was away, five go at once, and the others when there is room again."""
    path = tmp_path / "outbox.db"
    address = bus.server.url
    bus.server.kill()
    async with speaking(bus, path) as publisher:
        for n in range(20):
            await publisher.publish(draft(f"number {n}"))
    await bus.server.restart()
    assert bus.server.url == address
    async with Outbox.open(path) as outbox:
        sender = Sender(
            authority_id="xa-csirt",
            outbox=outbox,
            endpoint=bus.endpoint("xa-csirt"),
            registry=lambda: WORLD.registry,
            clock=lambda: WORLD.now + dt.timedelta(seconds=60),
            allowance=RateLimit(burst=5, per_s=4.0),
        )
        got: list[int] = []
        began = time.time_ns()
        async with (
            running(sender.run()),
            connected(bus.endpoint("xb-hub")) as reader,
            PullConsumer.attach(reader, "WORLD_ACTUAL", "xb-hub", 1) as pull,
        ):
            await eventually(lambda: "goes out slowly" in sender.problem)
            while len(got) < 20:
                got += [each.stored_ns for each in await pull.next(20, 5)]
        # The broker stamps by this machine's clock: 15 of them come at 4 a second, however long each takes.
        assert got[-1] - began >= 15 / 4 * 1e9


LOOSE = [
    (f"\nmax_payload: {MAX_MESSAGE_BYTES}", "\nmax_payload: 900000"),
    ("max_pending: 16777216", "max_pending: 67108864"),
    ("max_control_line: 1024", "max_control_line: 65536"),
    ("\nmax_connections: 4096\nmax_subscriptions: 200", "\nmax_connections: 70000\nmax_subscriptions: 0"),
    ("sync_interval: always", 'sync_interval: "2m"'),
]


async def test_each_limit_that_is_loosened_is_found_and_such_a_broker_is_not_run(tmp_path: Path) -> None:
    """Every changed setting fails by its name, hard; streams and consumers too."""
    async with serving(tmp_path, WORLD, ServerSettings(), *LOOSE) as bus:
        async with connected(bus.owner) as provisioner:
            info = await js_api(provisioner, "STREAM.INFO.STATEMENTS")
            wider = {**info["config"], "max_msgs_per_subject": 1000, "max_msg_size": 100_000}
            await js_api(provisioner, "STREAM.UPDATE.STATEMENTS", wider)
            config = (await js_api(provisioner, "CONSUMER.INFO.WORLD_ACTUAL.xb-hub"))["config"]
            config["max_batch"] = 10_000
            body = {"stream_name": "WORLD_ACTUAL", "config": config}
            await js_api(provisioner, "CONSUMER.CREATE.WORLD_ACTUAL.xb-hub", body)
        checks = await found(bus)
        failed = {name for name, (ok, hard, _) in checks.items() if hard and not ok}
        assert failed >= {
            "max_payload",
            "max_pending",
            "max_control_line",
            "max_connections",
            "max_subscriptions",
            "sync_interval",
            "stream STATEMENTS",
            "consumers",
        }
        assert "max_batch" in checks["consumers"][2]
        assert "max_msgs_per_subject" in checks["stream STATEMENTS"][2]
        await provision(bus.server.url, bus.provisioner[0], WORLD.registry)  # mends what can be mended
        mended = await found(bus)
        assert mended["stream STATEMENTS"][0]
        assert mended["consumers"][0]
        with pytest.raises(ServerError, match="sync_interval"):
            must_be_sound(
                await check(
                    url=bus.server.url,
                    monitor_url=bus.server.monitor_url,
                    provisioner_seed=bus.provisioner[0],
                    registry=WORLD.registry,
                )
            )
