"""The broker's walls: what a grant does not name cannot be said or read, whatever call is tried."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator

import msgspec
import pytest

from bus.errors import BrokerError, DeniedError, UnreachableError
from bus.keys import nkeys
from bus.transport.connection import NatsConnection
from bus.transport.jetstream import js_api, publish
from bus.transport.pull_consumer import PullConsumer, Received
from schemas.vocab import Tlp
from tests.support.stage import Bus, connected, send
from tests.support.waiting import eventually, longest
from tests.support.world import bulletin, chain, draft, sign

SECRET = "tocsin.v1.actual.amber-strict.eu-dpas.>"
WORLD = "WORLD_ACTUAL"


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """A bus that holds one bulletin that xb-hub may not read, and the two who may try."""

    bus: Bus
    payload: bytes
    snooper: NatsConnection
    heard: list[bytes]


@pytest.fixture
async def withheld(bus: Bus) -> AsyncIterator[Withheld]:
    """An AMBER+STRICT bulletin of the data-protection network, stored."""
    message = sign(
        bus.world,
        bulletin(
            bus.world, "xa-dpa", say=draft("only for eu-dpas", tlp=Tlp.AMBER_STRICT, audience="eu-dpas")
        ),
    )
    async with connected(bus.endpoint("xa-dpa")) as speaker:
        await send(speaker, message)
    async with connected(bus.endpoint("xb-hub")) as snooper:
        heard: list[bytes] = []

        async def hear(found: object) -> None:
            heard.append(getattr(found, "data", b""))

        await snooper.client().subscribe("_INBOX_xb-hub.snoop", cb=hear)
        yield Withheld(bus=bus, payload=message.payload, snooper=snooper, heard=heard)


def consumer(**config: object) -> dict[str, object]:
    """The body of a consumer request."""
    return {"stream_name": WORLD, "config": {"ack_policy": "none", **config}}


CALLS: dict[str, tuple[str, dict[str, object] | None]] = {
    "a new durable": (f"CONSUMER.CREATE.{WORLD}.mine", consumer(durable_name="mine")),
    "a new durable with filter": (
        f"CONSUMER.CREATE.{WORLD}.mine.{SECRET}",
        consumer(durable_name="mine", filter_subject=SECRET),
    ),
    "its own, wider": (
        f"CONSUMER.CREATE.{WORLD}.xb-hub",
        consumer(durable_name="xb-hub", filter_subjects=["tocsin.>"]),
    ),
    "its own, another filter": (
        f"CONSUMER.CREATE.{WORLD}.xb-hub.{SECRET}",
        consumer(durable_name="xb-hub", filter_subject=SECRET),
    ),
    "an ephemeral": (f"CONSUMER.CREATE.{WORLD}", consumer()),
    "the old durable call": (f"CONSUMER.DURABLE.CREATE.{WORLD}.mine", consumer(durable_name="mine")),
    "a push consumer": (
        f"CONSUMER.CREATE.{WORLD}.push",
        consumer(name="push", deliver_subject="_INBOX_xb-hub.snoop"),
    ),
    "a message by number": (f"STREAM.MSG.GET.{WORLD}", {"seq": 1}),
    "the last by subject": (f"STREAM.MSG.GET.{WORLD}", {"last_by_subj": SECRET}),
    "directly": (f"DIRECT.GET.{WORLD}", {"seq": 1}),
    "directly, by subject": (f"DIRECT.GET.{WORLD}.{SECRET}", None),
    "from the origin stream": ("STREAM.MSG.GET.XA-CSIRT_ACTUAL", {"seq": 1}),
    "the stream's subjects": (f"STREAM.INFO.{WORLD}", {"subjects_filter": ">"}),
    "the names of streams": ("STREAM.NAMES", None),
    "another reader's consumer": (f"CONSUMER.INFO.{WORLD}.xa-hub", None),
    "another reader's reset": (f"CONSUMER.RESET.{WORLD}.xa-hub", {"seq": 1}),
    "another reader's messages": (f"CONSUMER.MSG.NEXT.{WORLD}.xa-hub", {"batch": 10}),
    "a stream of its own": ("STREAM.CREATE.MINE", {"name": "MINE", "subjects": ["tocsin.>"]}),
    "a mirror": ("STREAM.CREATE.MINE", {"name": "MINE", "mirror": {"name": WORLD}}),
    "a source": ("STREAM.CREATE.MINE", {"name": "MINE", "sources": [{"name": WORLD}]}),
    "the stream's end": (f"STREAM.DELETE.{WORLD}", None),
    "the account": ("INFO", None),
}


async def test_no_call_reads_what_is_withheld(withheld: Withheld) -> None:
    """Every JetStream call outside the reader's own few is refused by the broker."""
    answered = []
    for name, (call, body) in CALLS.items():
        with contextlib.suppress(UnreachableError, BrokerError):
            answered.append((name, await js_api(withheld.snooper, call, body, 0.15)))
    assert answered == []
    assert withheld.payload not in withheld.heard


async def test_its_own_calls_read_only_its_grants(withheld: Withheld) -> None:
    """A filter smuggled into the reset changes nothing, and a wide pull brings only what is granted."""
    own = f"{WORLD}.xb-hub"
    await js_api(
        withheld.snooper,
        f"CONSUMER.RESET.{own}",
        {"seq": 1, "filter_subject": "tocsin.>", "config": {"filter_subjects": ["tocsin.>"]}},
    )
    client = withheld.snooper.client()
    await client.publish(
        f"$JS.API.CONSUMER.MSG.NEXT.{own}",
        json.dumps({"batch": 10, "no_wait": True}).encode(),
        reply="_INBOX_xb-hub.snoop",
    )
    await eventually(lambda: withheld.heard)
    assert withheld.heard == [b""]  # no messages


async def test_others_inboxes_and_the_bus_itself_are_closed(withheld: Withheld) -> None:
    """Subscribing to bulletins, to all, or to others' replies is refused."""
    client = withheld.snooper.client()

    async def hear(found: object) -> None:
        withheld.heard.append(getattr(found, "data", b""))

    for subject in (
        "tocsin.>",
        SECRET,
        ">",
        "_INBOX.>",
        "_INBOX_xa-hub.>",
        "_INBOX_xa-dpa.>",
        "$JS.>",
        "$SYS.>",
    ):
        await client.subscribe(subject, cb=hear)
    await client.flush()
    message = sign(withheld.bus.world, bulletin(withheld.bus.world, "xa-csirt"))
    async with connected(withheld.bus.endpoint("xa-csirt")) as speaker:
        await send(speaker, message)
    await client.flush()
    assert withheld.heard == []


async def test_what_another_has_sent_to_an_inbox_is_not_read(withheld: Withheld) -> None:
    """Whoever knew a reader's inbox could have the server deliver there, from a consumer of his own: it is passed over."""
    world, reader = withheld.bus.world, withheld.bus.endpoint("xa-hub")
    messages = chain(world, 3)
    async with connected(withheld.bus.endpoint("xa-csirt")) as speaker:
        for each in messages:
            await send(speaker, each)
    async with connected(reader) as connection, PullConsumer.attach(connection, WORLD, "xa-hub", 1) as pull:
        client = withheld.snooper.client()
        for subject, body in (
            (f"$JS.API.CONSUMER.MSG.NEXT.{WORLD}.xb-hub", b'{"batch": 10, "no_wait": true}'),
            (f"$JS.API.CONSUMER.INFO.{WORLD}.xb-hub", b""),
        ):
            await client.publish(subject, body, reply=pull.reply)
        await client.flush()
        found: list[Received] = []
        while len(found) < 4:
            found += await pull.next(10, 5.0)
        assert not await pull.next(10, 0.3)
    assert [each.consumer_seq for each in found] == [1, 2, 3, 4]
    assert [each.payload for each in found] == [withheld.payload, *(each.payload for each in messages)]


async def test_nobody_speaks_as_another(bus: Bus) -> None:
    """An authority's message on another's subject, forced past the client, is refused by the broker."""
    forged = sign(bus.world, bulletin(bus.world, "xa-emb"), by="xa-csirt")
    denied: list[str] = []
    async with connected(bus.endpoint("xa-csirt"), on_denied=denied.append) as speaker:
        for subject in (
            forged.subject,
            "tocsin.v1.actual.clear.public.xa.csirt.cyber.cyber-threat.xa.none.p4",
            "$JS.API.STREAM.NAMES",
        ):
            with pytest.raises(DeniedError):
                await publish(speaker, subject, forged.payload, dict(forged.headers), longest())
    assert denied[0] == forged.subject


async def test_an_unknown_key_is_sent_away(bus: Bus) -> None:
    """A transport key that the registry does not name gets a clear refusal."""
    stranger = msgspec.structs.replace(bus.endpoint("xa-csirt"), nkey_seed=nkeys.generate()[0])
    async with NatsConnection.at(stranger) as connection:
        await eventually(lambda: connection.denied)
        with pytest.raises(DeniedError, match="refuses"):
            await connection.until_connected(0.1)
