"""An expert's straightforward signed version: nats-py, msgspec, Ed25519, explicit acknowledgements; nothing else."""

from __future__ import annotations

import base64
import datetime as dt

import msgspec
import nats
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, StorageType, StreamConfig

from tests.bench.role import Role, document, main

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Area(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place."""

    code: str
    name: str


class Indicator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An indicator."""

    type: str
    value: str
    confidence: int
    first_seen: dt.datetime


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link."""

    kind: str
    url: str


class Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bulletin."""

    id: str
    seq: int
    issuer: str
    severity: str
    tlp: str
    status: str
    issued: dt.datetime
    expires: dt.datetime
    headline: str
    description: str
    areas: list[Area]
    indicators: list[Indicator]
    references: list[Reference]


async def producer(role: Role) -> None:
    """Validate, encode, sign, publish."""
    js = (await nats.connect(role.url)).jetstream()
    documents = [document(n) for n in range(role.n)]
    role.go()
    for n, each in enumerate(documents):
        await role.pace(n)
        payload = msgspec.json.encode(msgspec.convert(each, Plain))
        headers = {"Sig": base64.b64encode(KEY.sign(payload)).decode()}
        await js.publish_async("bench.plain", payload, headers=headers)
    await js.publish_async_completed()
    role.done()


async def consumer(role: Role) -> None:
    """Fetch, decode, verify, acknowledge each."""
    js = (await nats.connect(role.url)).jetstream()
    await js.add_stream(StreamConfig(name="BENCH", subjects=["bench.>"], storage=StorageType.FILE))
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=20_000)
    subscription = await js.pull_subscribe("bench.>", durable="hub", config=config)
    decoder, public = msgspec.json.Decoder(Plain), KEY.public_key()
    role.go()
    while len(role.stamps) < role.n:
        try:
            batch = await subscription.fetch(min(500, role.n - len(role.stamps)), timeout=5)
        except NatsTimeoutError:
            continue
        for message in batch:
            decoder.decode(message.data)
            public.verify(base64.b64decode((message.headers or {})["Sig"]), message.data)
            await message.ack()
            role.got()
    role.done()


if __name__ == "__main__":
    main(producer, consumer)
