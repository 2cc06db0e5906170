"""Catching up on what five authors have stored: a hub with everything on, beside the least that a careful reader does.

The yardstick is nats-py's fetch, then the gate for foreign bytes, the decoder and every rule, and one commit for each batch,
fsynced (`synchronous=FULL`). It verifies no signature, asks no registry, and keeps no chain and no picture.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import sqlite3
import sys

from nats.aio.client import Client

from bus.hub.picture.projection import open_store
from bus.hub.service import HubService
from bus.keys.files import load_signer
from bus.keys.nkeys import public_of, signature
from bus.publishing import signing
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.transport.connection import Endpoint
from bus.transport.streams import inbox_prefix, world_stream
from schemas import rules
from schemas.codec import decode, gate
from schemas.vocab import Status
from tests.bench.ours import GROUP, draft, now, opened_world
from tests.bench.role import Role, main
from tests.support.world import DEFAULTS

AUTHORS = ("xa-csirt", "xb-csirt", "xa-emb", "xa-dsc", "xa-dpa")
"""A sender keeps to 20 000 at once, so five store 100 000 without a pause."""
MOST = 500
"""As many at once as a reader of ours asks for."""


async def producer(role: Role) -> None:
    """Each author in turn stores its share; `single` signs each bulletin alone."""
    folder, registry, nkeys = opened_world(role)
    if role.way == "single":
        setattr(signing, "MAX_SIZE", 1)  # noqa: B010 (no setting of the product, which signs in batches what waits)
    role.go()
    share = role.n // len(AUTHORS)
    for author in AUTHORS:
        endpoint = Endpoint(url=role.url, authority_id=author, nkey_seed=nkeys[author], name="bench")
        async with (
            Outbox.open(folder / f"outbox-{author}.db") as outbox,
            Publisher.open(
                authority_id=author,
                outbox=outbox,
                registry=lambda: registry,
                signers=(load_signer(folder / f"{author}.pem", b"bench"),),
                endpoint=endpoint,
                defaults=DEFAULTS,
                clock=now,
                rng=secrets.token_bytes,
            ) as publisher,
        ):
            await publisher.ready(30)
            for start in range(0, share, GROUP):
                drafts = [draft(n) for n in range(start, min(start + GROUP, share))]
                for outcome in await publisher.publish_many(drafts):
                    if isinstance(outcome, Exception):
                        raise outcome
            if not await publisher.idle(600):
                sys.exit(f"{author} has stored nothing more for ten minutes")
    role.done()


async def consumer(role: Role) -> None:
    """A new hub, or the yardstick, from an empty store to the last bulletin."""
    await (_yardstick if role.way == "yardstick" else _hub)(role)
    role.done()


async def _hub(role: Role) -> None:
    folder, registry, nkeys = opened_world(role)
    endpoint = Endpoint(url=role.url, authority_id="xb-hub", nkey_seed=nkeys["xb-hub"], name="bench")
    role.go()
    async with (
        open_store(folder / f"store-{secrets.token_hex(4)}.db") as store,
        HubService.open(
            authority_id="xb-hub", store=store, registry=lambda: registry, endpoint=endpoint, clock=now
        ) as service,
    ):
        while service.subscriber.counts["admitted"] < role.n:
            await asyncio.sleep(0.02)
        role.done()


async def _yardstick(role: Role) -> None:
    folder, _, nkeys = opened_world(role)
    stream, durable = world_stream(Status.ACTUAL), "xa-hub"
    seed = nkeys[durable]
    db = sqlite3.connect(folder / f"yardstick-{secrets.token_hex(4)}.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE kept (n INTEGER PRIMARY KEY, id TEXT, subject TEXT, sig TEXT, payload BLOB)")
    client = Client()
    client._public_nkey = public_of(
        seed
    )  # what nats-py sets from a seed itself, where a package of that name is there
    await client.connect(
        role.url,
        signature_cb=lambda nonce: base64.b64encode(signature(seed, nonce.encode())),
        inbox_prefix=inbox_prefix(durable).encode(),
    )
    answer = await client.request(
        f"$JS.API.CONSUMER.RESET.{stream}.{durable}", json.dumps({"seq": 1}).encode(), timeout=30
    )
    if "error" in (said := json.loads(answer.data)):
        sys.exit(f"the consumer is not reset: {said['error']}")
    subscription = await client.jetstream().pull_subscribe_bind(durable, stream=stream)
    role.go()
    taken = 0
    while taken < role.n:
        batch = await subscription.fetch(MOST, timeout=20)
        rows = []
        for message in batch:
            gate(message.data)
            bulletin = decode(message.data)
            rules.check(bulletin)
            taken += 1
            sig = (message.headers or {}).get("Tocsin-Sig", "")
            rows.append((taken, bulletin.id, message.subject, sig, message.data))
        db.execute("BEGIN")
        db.executemany("INSERT INTO kept VALUES (?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")


if __name__ == "__main__":
    main(producer, consumer)
