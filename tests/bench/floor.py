"""The floor of the design: what remains of `publish_many` and the hub without their promises.

The same bulletins, signatures, server and syncs: a producer stamps, encodes, reads back, hashes, signs once for 64 and commits
once for 512; a consumer verifies, decodes and commits once for 500. Both use tocsin's own transport, which costs less than
nats-py. There are no rules, no registry, no checked chain, no states of rows, no budgets and no picture.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from hashlib import sha256
from pathlib import Path

from bus.admission.plain_lane import _signers, _value
from bus.keys import Signer
from bus.keys.files import load_signer
from bus.publishing.drafted import Drawn
from bus.publishing.signing import signature_values
from bus.storage import insert_rows
from bus.transport import (
    Connection,
    Endpoint,
    NatsConnection,
    Outgoing,
    PullConsumer,
    publish,
    publish_burst,
    world_stream,
)
from bus.trust.registry import VerifiedRegistry
from schemas.bulletin import Draft, new_id, stamp
from schemas.codec import as_written, digest_text, encode
from schemas.envelope import MESSAGE_ID, SIG_HEADER
from schemas.subject import channel_of, subject_for
from schemas.vocab import Status
from tests.bench.ours import GROUP, draft, now, opened_world
from tests.bench.role import Role, main
from tests.support.world import DEFAULTS

MOST = 500
"""As many at once as a reader of ours takes."""
WAIT_S = 10.0


async def producer(role: Role) -> None:
    """One batch is on its way while the next is prepared."""
    folder, registry, nkeys = opened_world(role)
    signer, db = load_signer(folder / "xa-csirt.pem", b"bench"), _opened(folder)
    drafts = [draft(n) for n in range(role.n)]
    author = Endpoint(url=role.url, authority_id="xa-csirt", nkey_seed=nkeys["xa-csirt"], name="bench")
    async with NatsConnection.open(author) as connection:
        await connection.until_connected(10)
        role.go()
        sending, last = None, None
        for start in range(0, role.n, GROUP):
            for n in range(start, min(start + GROUP, role.n)):
                await role.pace(n)
            messages, last = _kept(db, drafts[start : start + GROUP], last, registry, signer)
            if sending is not None:
                await sending
            sending = asyncio.create_task(_sent(connection, messages))
            await asyncio.sleep(0)
        if sending is not None:
            await sending
        role.done()


async def _sent(connection: Connection, messages: list[Outgoing]) -> None:
    burst = await publish_burst(connection, messages, WAIT_S)
    if burst.failure is not None:
        raise burst.failure
    for each in messages[len(burst.acks) :]:  # too few for a batch
        await publish(connection, each.subject, each.payload, each.headers, WAIT_S)


def _kept(
    db: sqlite3.Connection,
    drafts: list[Draft],
    last: Drawn | None,
    registry: VerifiedRegistry,
    signer: Signer,
) -> tuple[list[Outgoing], Drawn | None]:
    """The messages of a group, after the commit, and its last bulletin."""
    moment, noise, drawn = now(), secrets.token_bytes(10 * len(drafts)), []
    issuer, channel, subject = registry.issuer("xa-csirt"), "", ""
    for n, each in enumerate(drafts):
        seq, prev = (1, None) if last is None else (last.bulletin.seq + 1, last.digest)
        id_ = new_id(moment, noise[10 * n : 10 * n + 10])
        made = stamp(each, id=id_, seq=seq, prev=prev, issuer=issuer, issued=moment, defaults=DEFAULTS)
        channel = channel or channel_of(made).name
        subject = subject or subject_for(made)
        payload = encode(made)
        hashed = sha256(payload).digest()
        last = Drawn(made, payload, hashed, digest_text(hashed), channel, subject, moment, None, None)
        drawn.append(last)
    if None in [as_written(each.payload) for each in drawn]:
        raise ValueError("a bulletin that cannot be read back")
    messages, rows = [], []
    for one, signed in zip(drawn, signature_values((signer,), drawn, registry.domain), strict=True):
        lines = f"{SIG_HEADER}: {signed.value}\r\n{MESSAGE_ID}: {one.digest}\r\n"
        headers = {SIG_HEADER: signed.value, MESSAGE_ID: one.digest}
        messages.append(Outgoing(subject=subject, payload=one.payload, headers=headers, lines=lines.encode()))
        rows.append((one.bulletin.seq, one.digest, signed.value, bytearray(one.payload)))
    _keep(db, rows)
    return messages, last


async def consumer(role: Role) -> None:
    """One batch after the other."""
    folder, registry, nkeys = opened_world(role)
    db, place = _opened(folder), (world_stream(Status.ACTUAL), "xb-hub")
    reader = Endpoint(url=role.url, authority_id="xb-hub", nkey_seed=nkeys["xb-hub"], name="bench")
    async with NatsConnection.open(reader) as connection:
        await connection.until_connected(10)
        async with PullConsumer.attach(connection, *place, 1) as pull:
            role.go()
            while len(role.stamps) < role.n:
                batch = await pull.next(MOST, WAIT_S)
                hashes = [sha256(each.payload).digest() for each in batch]
                values = [_value(each.block) for each in batch]
                keys = _signers(values, hashes, batch, registry)
                read = [as_written(each.payload) for each in batch]
                if None in keys or None in read:
                    raise ValueError("a message that was not signed and written here")
                rows = [
                    (each.stream_seq, digest_text(hashed), value, bytearray(each.payload))
                    for each, hashed, value in zip(batch, hashes, values, strict=True)
                ]
                _keep(db, rows)
                role.got(len(batch))
            role.done()


def _opened(folder: Path) -> sqlite3.Connection:
    db = sqlite3.connect(folder / f"floor-{secrets.token_hex(4)}.db", isolation_level=None)
    for setting in ("page_size = 8192", "journal_mode = WAL", "synchronous = FULL"):
        db.execute(f"PRAGMA {setting}")
    db.execute("CREATE TABLE kept (n INTEGER PRIMARY KEY, digest TEXT, signature TEXT, payload BLOB)")
    return db


def _keep(db: sqlite3.Connection, rows: list[tuple[int, str, str, bytearray]]) -> None:
    db.execute("BEGIN")
    insert_rows(db, "INSERT INTO kept", "(?, ?, ?, ?)", rows)
    db.execute("COMMIT")


if __name__ == "__main__":
    main(producer, consumer)
