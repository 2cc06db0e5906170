"""Checks a hub's store against itself and against the streams: damaged, missing, and lost bulletins.

It digests every payload and verifies every signature again, also those of keys revoked since. It reads every granted
stream whole. Missing bulletins are taken in as usual. Bulletins that the streams have lost are named, so that their
authors can send them again. Nothing is deleted.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack

import msgspec

from bus.admission import Judged, Message, Refused, decide
from bus.keys import check_entries
from bus.storage import Lease
from bus.subscribing import Inbox, bodies, message_from
from bus.transport import MARGIN_S, Connection, Endpoint, keeps_all, kept_s, read_back, reader_streams
from bus.trust import VerifiedRegistry
from schemas.codec import decode, digest
from schemas.envelope import TYP_BULLETIN, Context, parse_header
from schemas.errors import EnvelopeError
from schemas.subject import Channel, channel_of, subject_for


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin in the store that has changed since admission."""

    channel: str
    seq: int
    id: str
    what: str


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A stream compared with the store: the number of its bulletins for this hub, of new ones, and of lost ones by channel."""

    stream: str
    held: int
    taken: int
    lost: dict[str, int]


# -- the store by itself --------------------------------------------------------------------------------------------------


def damaged(db: sqlite3.Connection, registry: VerifiedRegistry) -> Iterator[Damage]:
    """The changed bulletins: bytes with another digest, a signature that does not verify, a place without its bulletin.

    A signature by a key that the registry no longer lists cannot be judged and is skipped.
    """
    for row in db.execute(
        "SELECT channel, seq, id, digest, subject, until, kid, signature, payload FROM admitted ORDER BY row"
    ):
        if what := _wrong(row, registry):
            yield Damage(channel=row["channel"] or "", seq=row["seq"], id=row["id"] or "", what=what)
    for row in db.execute(_EMPTY_PLACES):
        yield Damage(channel=row["channel"], seq=row["seq"], id=row["id"], what="its bulletin is missing")


def _wrong(row: sqlite3.Row, registry: VerifiedRegistry) -> str:
    if row["digest"] is None:
        return "its place is missing"
    if digest(row["payload"]) != row["digest"]:
        return "its bytes have changed"
    said = decode(row["payload"])
    if (str(channel_of(said)), said.seq) != (row["channel"], row["seq"]):
        return "it names another place"
    if row["subject"] != subject_for(said):
        return "it names another subject"
    if row["until"] != bodies.last_day(said):
        return "it names another last day"
    if row["kid"] is None:
        return "its key is missing"
    key = registry.key(row["kid"])
    if key is None:
        return ""
    context = Context(TYP_BULLETIN, registry.domain)
    try:
        entries = parse_header(row["signature"], context)
    except EnvelopeError:
        return "its signature cannot be read"
    known = {row["kid"]: key.public}
    checked = next(check_entries(entries, row["payload"], context, known.get), None)
    if checked is None:
        return "its signature cannot be read"
    return "its signature does not verify" if checked.fault else ""


_EMPTY_PLACES = """
SELECT l.channel, l.seq, l.id FROM links l WHERE NOT EXISTS (SELECT 1 FROM admitted a WHERE a.row = l.row)
AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.digest = l.digest)
AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.digest = l.digest) ORDER BY l.channel, l.seq
"""


# -- beside the streams ---------------------------------------------------------------------------------------------------


async def compare(
    endpoint: Endpoint,
    store: Inbox,
    registry: VerifiedRegistry,
    clock: Callable[[], dt.datetime],
    timeout: float,
) -> tuple[Compared, ...] | None:
    """Compare every granted stream whole with the store; returns None, and does nothing, while another process reads into it.

    Args:
        endpoint: the hub's endpoint.
        store: its store.
        registry: who may read what.
        clock: the present, aware.
        timeout: seconds to wait for the bus.

    Raises:
        UnreachableError, BrokerError: from the broker.
        StoreError: the disk is full or fails; `lease-held`, another process has taken over.
    """
    lease = Lease(store, clock)
    if not await lease.is_ours():
        return None
    compared = []
    async with AsyncExitStack() as stack:
        stack.push_async_callback(lease.drop)
        connection = await stack.enter_async_context(Connection.open(endpoint))
        await connection.until_connected(timeout)
        for stream, consumer in reader_streams(registry, endpoint.authority_id):
            expected = await store.read(lambda db, s=stream: _expected(db, s, registry, endpoint, clock()))  # type: ignore[misc]  # bound now
            held = taken = 0
            async for batch in read_back(connection, stream, consumer, 1):
                messages = [message_from(stream, raw) for raw in batch]
                held += len(messages)
                for message in messages:
                    expected.pop(message.digest, None)
                await lease.renew()
                now = clock()
                judged = await asyncio.to_thread(_judged, messages, registry, now)
                outcome = await store.settle(judged, None, None, now)
                taken += sum(count for name, count in outcome.items() if name != "duplicate")
            await store.release(clock())
            lost = dict(Counter(expected.values()))
            compared.append(Compared(stream=stream, held=held, taken=taken, lost=lost))
    return tuple(compared)


def _judged(
    messages: Sequence[Message], registry: VerifiedRegistry, now: dt.datetime
) -> list[Judged | Refused]:
    return [decide(message, registry, now) for message in messages]


def _expected(
    db: sqlite3.Connection, stream: str, registry: VerifiedRegistry, endpoint: Endpoint, now: dt.datetime
) -> dict[str, str]:
    """The bulletins from a stream that it must still have, by digest: young enough and readable now.

    Of heartbeats only the newest are kept; missing older ones are normal.
    """
    if not keeps_all(stream):
        return {}
    sql = "SELECT digest, channel FROM admitted WHERE stream = ? AND admitted_at >= ?"
    found = db.execute(sql, (stream, now.timestamp() - kept_s(stream) + MARGIN_S)).fetchall()
    rows = [
        row for row in found if row["digest"] is not None
    ]  # the others are damaged and are reported as such
    readable = {
        name
        for name in {row["channel"] for row in rows}
        if registry.may_read(endpoint.authority_id, Channel.parse(name))
    }
    return {row["digest"]: row["channel"] for row in rows if row["channel"] in readable}
