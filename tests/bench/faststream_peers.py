"""FastStream with a pydantic model: unsigned, or as the body of a compact JWS, made and checked with joserfc."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import nats
from faststream.nats import JStream, NatsBroker
from joserfc import jws
from joserfc.jwk import OKPKey
from nats.js.api import AckPolicy, ConsumerConfig
from pydantic import AwareDatetime, BaseModel, ConfigDict

from tests.bench.role import Role, document, main

KEY = OKPKey.import_key(
    {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg",
        "d": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    }
)
ALGORITHMS = ["Ed25519"]


class Closed(BaseModel):
    """No unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Area(Closed):
    """A place."""

    code: str
    name: str


class Indicator(Closed):
    """An indicator."""

    type: str
    value: str
    confidence: int
    first_seen: AwareDatetime


class Reference(Closed):
    """A link."""

    kind: str
    url: str


class Plain(Closed):
    """The bulletin."""

    id: str
    seq: int
    issuer: str
    severity: str
    tlp: str
    status: str
    issued: AwareDatetime
    expires: AwareDatetime
    headline: str
    description: str
    areas: list[Area]
    indicators: list[Indicator]
    references: list[Reference]


async def producer(role: Role) -> None:
    """Validate, sign where it is asked for, publish; two hundred on their way at once."""
    broker = NatsBroker(role.url, logger=None)
    await broker.start()
    documents = [document(n) for n in range(role.n)]
    role.go()

    async def unsigned(each: dict[str, Any]) -> None:
        await broker.publish(Plain.model_validate(each), subject="bench.plain", stream="BENCH", timeout=30)

    async def signed(each: dict[str, Any]) -> None:
        payload = Plain.model_validate(each).model_dump_json().encode()
        token = jws.serialize_compact({"alg": "Ed25519"}, payload, KEY, algorithms=ALGORITHMS)
        await broker.publish(token, subject="bench.jws", stream="BENCH", timeout=30)

    one = signed if role.way == "jws" else unsigned
    pending: set[asyncio.Task[None]] = set()
    for n, each in enumerate(documents):
        await role.pace(n)
        pending.add(task := asyncio.create_task(one(each)))
        task.add_done_callback(pending.discard)
        if len(pending) >= 200:
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*pending)
    role.done()


async def consumer(role: Role) -> None:
    """Validate each, and verify it first where it is signed."""
    client = await nats.connect(role.url)
    await client.jetstream().add_stream(name="BENCH", subjects=["bench.>"])
    broker = NatsBroker(role.url, logger=None)
    finished = asyncio.Event()
    # A push consumer: in both forms it costs less than one that pulls. It warns that a second one needs a queue.
    warnings.simplefilter("ignore", RuntimeWarning)
    subscriber = broker.subscriber(
        "bench.>",
        stream=JStream(name="BENCH", subjects=["bench.>"]),
        durable="hub",
        config=ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=20_000),
    )

    def took() -> None:
        role.got()
        if len(role.stamps) >= role.n:
            finished.set()

    if role.way == "jws":

        @subscriber
        async def handle_signed(body: str) -> None:
            token = jws.deserialize_compact(body, KEY, algorithms=ALGORITHMS)
            Plain.model_validate_json(token.payload)
            took()
    else:

        @subscriber
        async def handle(body: Plain) -> None:
            took()

    await broker.start()
    role.go()
    await finished.wait()
    role.done()


if __name__ == "__main__":
    main(producer, consumer)
