"""Raw JetStream over nats-py: pipelined publishes, no schema, no signature."""

from __future__ import annotations

import json

import nats
from nats.js.api import AckPolicy, ConsumerConfig, StorageType, StreamConfig

from tests.bench.role import Role, document, main


async def producer(role: Role) -> None:
    """Publish as fast as acknowledgements allow."""
    js = (await nats.connect(role.url)).jetstream()
    payloads = [json.dumps(document(n), separators=(",", ":")).encode() for n in range(role.n)]
    role.go()
    answers = []
    for n, payload in enumerate(payloads):
        await role.pace(n)
        answers.append(await js.publish_async("bench.raw", payload))
    await js.publish_async_completed()
    role.done()


async def consumer(role: Role) -> None:
    """Take everything."""
    js = (await nats.connect(role.url)).jetstream()
    await js.add_stream(StreamConfig(name="BENCH", subjects=["bench.>"], storage=StorageType.FILE))
    config = ConsumerConfig(ack_policy=AckPolicy.ALL, max_ack_pending=20_000)
    subscription = await js.subscribe("bench.>", durable="hub", config=config, manual_ack=True)
    role.go()
    while len(role.stamps) < role.n:
        message = await subscription.next_msg(timeout=60)
        role.got()
        if not len(role.stamps) % 100:
            await message.ack()
    role.done()


if __name__ == "__main__":
    main(producer, consumer)
