"""An authority reads back what is said in its name: its own channels on the bus.

What its outbox holds is recognised by the digest of its bytes; only what is unknown there is verified. A bulletin by a
key that has ended counts as a reader would count it who had been there all the time (`bus.admission.branches`): it is the
authority's word if it came before its key ended, or if one that stands continues it; else it is a thief's.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence

import msgspec

from bus.admission import ReceivedLink, admit, standing
from bus.errors import AdmissionError
from bus.publishing.outbox import Outbox, Settled
from bus.transport import MARGIN_S, MAX_AGE_S, Connection, Endpoint, Received, own_streams, read_back
from bus.trust import VerifiedRegistry
from schemas.codec import digest
from schemas.subject import Channel


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """All that the bus holds under an authority's name.

    Attributes:
        links: every signed bulletin's place, by the name of its channel, in the order of the streams.
        stands: the digests of those that are the authority's word, by the keys as they are now.
        arrived: what the outbox did not know to be on the bus.
        cursors: how far each stream was read.
    """

    links: tuple[ReceivedLink, ...]
    stands: frozenset[str]
    arrived: tuple[Settled, ...]
    cursors: dict[str, int]


async def survey(
    endpoint: Endpoint,
    outbox: Outbox,
    registry: VerifiedRegistry,
    clock: Callable[[], dt.datetime],
    timeout: float,
) -> Survey:
    """Read all own channels from their beginning; nothing is changed.

    Args:
        endpoint: the authority's place on the bus.
        outbox: its outbox.
        registry: what its bulletins are verified with.
        clock: the present, aware.
        timeout: seconds to wait for the bus.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    unsure = await outbox.unsettled()
    arrived: list[Settled] = []
    links: list[ReceivedLink] = []
    cursors: dict[str, int] = {}
    async with Connection.open(endpoint) as connection:
        await connection.until_connected(timeout)
        for stream, consumer in own_streams(registry, endpoint.authority_id):
            cursors[stream] = 0
            async for batch in read_back(connection, stream, consumer, 1):
                cursors[stream] = batch[-1].stream_seq
                links += await asyncio.to_thread(placed, batch, registry, clock())
                arrived += [
                    Settled(n=unsure[held], stream=stream, stream_seq=message.stream_seq)
                    for message in batch
                    if (held := digest(message.payload)) in unsure
                ]
    stands = standing(links, registry.ended(clock())).stands
    return Survey(links=tuple(links), stands=stands, arrived=tuple(arrived), cursors=cursors)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """An outbox beside what a stream holds under its authority's name.

    Attributes:
        strange: how many bulletins there the outbox cannot account for.
        lost: the row numbers of those that the stream had acknowledged and does not hold any more.
    """

    strange: int
    lost: tuple[int, ...]


async def compare(
    connection: Connection,
    outbox: Outbox,
    registry: VerifiedRegistry,
    stream: str,
    consumer: str,
    clock: Callable[[], dt.datetime],
    *,
    whole: bool = False,
) -> Comparison:
    """Compare an outbox with its own channels on a stream, from where they were read to last, or whole.

    A bulletin is accounted for when the outbox holds it, or when a recovery has adopted a head after it. One that
    stands where the outbox has another bulletin is not: two outboxes have spoken on one channel, or a thief has.

    The last bulletin read is looked at again: where it does not stand any more the stream is another, or was rewound,
    and is compared whole.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    authority_id = connection.endpoint.authority_id
    cursor = 0 if whole else (await outbox.own_cursors()).get(stream, 0)
    allowed = {
        Channel(issuer=authority_id, status=status, tlp=tlp, audience=audience).name
        for status, tlp, audience in registry.publish_prefixes(authority_id)
    }
    # What is no longer granted is no longer read back either, and what was too old the stream has let go.
    since = clock().timestamp() - MAX_AGE_S + MARGIN_S
    held = await outbox.stored_from(stream, cursor, allowed, since)
    expected = dict(held.rows)
    strange: list[ReceivedLink] = []
    last: int | None = None
    async for batch in read_back(connection, stream, consumer, (held.start or cursor + 1) if cursor else 1):
        last = batch[-1].stream_seq
        digests = {digest(message.payload): message for message in batch}
        for found in digests:
            expected.pop(found, None)
        unknown = [digests[found] for found in await outbox.unknown(list(digests))]
        strange += placed(unknown, registry, clock())
        if not strange:
            await outbox.move_own_cursor(stream, last)
    if expected and cursor:
        return await compare(connection, outbox, registry, stream, consumer, clock, whole=True)
    stands = standing(strange, registry.ended(clock())).stands
    missing = 0
    for link in strange:
        if link.digest in stands and not await outbox.accounts_for(link.channel, link.seq):
            missing += 1
    if last is not None and not missing:
        await outbox.move_own_cursor(stream, last)
    return Comparison(strange=missing, lost=tuple(sorted(expected.values())))


async def scrub(
    endpoint: Endpoint,
    outbox: Outbox,
    registry: VerifiedRegistry,
    clock: Callable[[], dt.datetime],
    timeout: float,
) -> int:
    """Compare an outbox with all of its own channels, and offer again what a stream has lost; how many.

    Raises:
        UnreachableError, BrokerError: from the broker.
    """
    lost: list[int] = []
    async with Connection.open(endpoint) as connection:
        await connection.until_connected(timeout)
        for stream, consumer in own_streams(registry, endpoint.authority_id):
            lost += (await compare(connection, outbox, registry, stream, consumer, clock, whole=True)).lost
    await outbox.mark_unsent(lost)
    return len(lost)


def placed(messages: Sequence[Received], registry: VerifiedRegistry, now: dt.datetime) -> list[ReceivedLink]:
    """The places of those that the authority's keys have signed; the others were put there by somebody else.

    What a reader refuses and yet leaves its place in the chain has it here too. When each came is the broker's word,
    which at worst makes an outbox refuse; readers go by their own clocks.
    """
    ended = registry.ended(now)
    found: list[ReceivedLink] = []
    for message in messages:
        try:
            admitted = admit(
                message.subject, message.headers, message.payload, registry=registry, now=now, continued=True
            )
        except AdmissionError as exc:
            if exc.place is None:
                continue
            channel, seq, prev, kids = exc.place.channel, exc.place.seq, exc.place.prev, exc.place.kids
        else:
            channel, kids = admitted.channel, admitted.signer_kids
            seq, prev = admitted.bulletin.seq, admitted.bulletin.prev
        found.append(
            ReceivedLink(
                channel=channel.name,
                seq=seq,
                digest=digest(message.payload),
                prev=prev,
                kid=min(kids, key=lambda each: ended.get(each, now)),  # the one that ended first decides
                received_at=dt.datetime.fromtimestamp(message.stored_ns / 1e9, dt.UTC),
            )
        )
    return found
