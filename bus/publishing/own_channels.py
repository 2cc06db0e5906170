"""Reads back the bulletins published in an authority's name: its own channels on the bus.

Bulletins of its outbox are recognised by digest; only unknown ones are verified. A bulletin by a revoked or expired key
is judged as by a reader that was always connected (`bus.admission.branches`): it is the authority's if it came before
its key was revoked or expired, or if a bulletin that stands continues it. Otherwise it is a thief's.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence

import msgspec

from bus.admission import ReceivedLink, admit, keys_met, standing
from bus.errors import AdmissionError
from bus.publishing import damage
from bus.publishing import outbox_table as table
from bus.publishing.acknowledged import stored_from
from bus.publishing.learned import Heard, heard_in
from bus.publishing.named_heads import announced, beats_in, named_by, newest_in
from bus.publishing.outbox import Outbox, Settled
from bus.transport import (
    MARGIN_S,
    Connection,
    Endpoint,
    Received,
    keeps_all,
    kept_s,
    own_heads,
    own_streams,
    publish_channels,
    read_back,
)
from bus.trust import VerifiedRegistry
from schemas.bodies.system import Head
from schemas.codec import digest


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """All bulletins that the bus holds under an authority's name.

    Attributes:
        links: every signed bulletin's place, with the name of its channel, in the order of the streams; last those kept
            only as the newest of their subjects.
        stands: the digests of the authority's own bulletins, by the present keys.
        cursors: the sequence up to which each stream was read.
        announced: the highest number and digest of a channel in standing heartbeats, by its name.
        doubtful: the channels without a standing bulletin at the highest number whose newest messages, or the
            heartbeats that would name their heads, include a foreign message: it may have displaced the head.
        heard: the authority's own bulletins among them, as far as threads need them.
    """

    links: tuple[ReceivedLink, ...]
    stands: frozenset[str]
    cursors: dict[str, int]
    announced: dict[str, tuple[int, str]] = msgspec.field(default_factory=dict)
    doubtful: frozenset[str] = frozenset()
    heard: tuple[Heard, ...] = ()

    def heads(self) -> dict[str, tuple[int, str]]:
        """The highest proven number with its digest, by channel."""
        heads = dict(self.announced)
        for link in self.links:
            if link.digest in self.stands and link.seq > heads.get(link.channel, (0, ""))[0]:
                heads[link.channel] = (link.seq, link.digest)
        return heads


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of an outbox with a stream's bulletins under its authority's name.

    Attributes:
        strange: the number of bulletins there that the outbox cannot account for.
        lost: the row numbers of bulletins that the stream acknowledged and no longer holds.
    """

    strange: int
    lost: tuple[int, ...]


class OwnChannels(msgspec.Struct, frozen=True, kw_only=True):
    """The own channels of one authority, read back to compare them with its outbox.

    Attributes:
        endpoint: the authority's endpoint.
        outbox: its outbox.
        registry: gives the current registry, which verifies its bulletins.
        clock: the present, aware.
        timeout: seconds to wait for the bus.
    """

    endpoint: Endpoint
    outbox: Outbox
    registry: Callable[[], VerifiedRegistry]
    clock: Callable[[], dt.datetime]
    timeout: float = 60.0

    async def survey(self) -> Survey:
        """Read all channels from their beginning, and settle in the outbox the rows that it did not know to be on the bus.

        Raises:
            UnreachableError, BrokerError: from the broker; the outbox is unchanged.
        """
        registry = self.registry()
        unsure = await self.outbox.unsettled()
        arrived: list[Settled] = []
        links: list[ReceivedLink] = []
        cursors: dict[str, int] = {}
        beats: dict[str, tuple[Head, ...]] = {}
        newest: list[tuple[str, str]] = []
        heard: list[Heard] = []
        async with Connection.open(self.endpoint) as connection:
            await connection.until_connected(self.timeout)
            for stream, consumer in own_streams(registry, self.endpoint.authority_id):
                cursors[stream] = 0
                async for batch in read_back(connection, stream, consumer, 1):
                    beats |= await asyncio.to_thread(beats_in, batch)
                    if not keeps_all(stream):
                        newest += newest_in(batch)
                    cursors[stream] = batch[-1].stream_seq
                    found = await asyncio.to_thread(placed, batch, registry, self.clock())
                    links += found
                    heard += await asyncio.to_thread(heard_in, batch, {link.digest for link in found})
                    arrived += [
                        Settled(n=unsure[name], stream=stream, stream_seq=message.stream_seq)
                        for message in batch
                        if (name := digest(message.payload)) in unsure
                    ]
            # The newest message of a subject that no heartbeat names is kept for good, even after its stream has
            # dropped it.
            known = {link.digest for link in links}
            for stream, consumer in own_heads(registry, self.endpoint.authority_id):
                async for batch in read_back(connection, stream, consumer, 1):
                    beats |= await asyncio.to_thread(beats_in, batch)
                    newest += newest_in(batch)
                    older = [message for message in batch if digest(message.payload) not in known]
                    found = await asyncio.to_thread(placed, older, registry, self.clock())
                    links += found
                    heard += await asyncio.to_thread(heard_in, older, {link.digest for link in found})
        stands = standing(links, registry.ended(self.clock())).stands
        await self.outbox.settle(arrived, self.clock().timestamp())
        survey = Survey(
            links=tuple(links),
            stands=stands,
            cursors=cursors,
            announced=announced(beats, stands),
            heard=tuple(each for each in heard if each.digest in stands),
        )
        heads = survey.heads()
        unproven = {channel for channel, name in newest if name not in stands}
        unproven |= named_by(unproven, publish_channels(registry, self.endpoint.authority_id))
        doubtful = {channel for channel in unproven if heads.get(channel, (0, ""))[1] not in known}
        return msgspec.structs.replace(survey, doubtful=frozenset(doubtful))

    async def scrub(self) -> int:
        """Compare all channels with the outbox, and send again bulletins that a stream has lost. Returns their number.

        Raises:
            UnreachableError, BrokerError: from the broker.
        """
        lost: list[int] = []
        async with Connection.open(self.endpoint) as connection:
            await connection.until_connected(self.timeout)
            for stream, consumer in own_streams(self.registry(), self.endpoint.authority_id):
                lost += (await self.compare(connection, stream, consumer, whole=True)).lost
        await self.outbox.mark_unsent(lost)
        return len(lost)

    async def compare(
        self, connection: Connection, stream: str, consumer: str, *, whole: bool = False
    ) -> Comparison:
        """Compare the outbox with the own channels on a stream, from the last cursor on, or whole.

        A bulletin is accounted for if the outbox holds it, or if a recovery has adopted a head after it. It is not if
        the outbox has another bulletin at its place: then two outboxes, or a thief, have published on the channel.

        The last bulletin read is checked again: if it is no longer there, the stream is another or was rewound, and is
        compared whole.

        Raises:
            UnreachableError, BrokerError: from the broker.
        """
        registry, outbox = self.registry(), self.outbox
        whole = whole or not keeps_all(stream)  # it is small, and drops messages between those that it keeps
        cursor = 0 if whole else (await outbox.own_cursors()).get(stream, 0)
        allowed = {channel.name for channel in publish_channels(registry, self.endpoint.authority_id)}
        # Without a grant a channel is not read back, and the stream has dropped messages beyond its age limit.
        since = self.clock().timestamp() - kept_s(stream) + MARGIN_S
        # A lost heartbeat is no loss, so nobody asks for all that were ever sent.
        stored = await outbox.read(lambda db: stored_from(db, stream, cursor)) if keeps_all(stream) else []
        expected = {
            row["digest"]: row["n"]
            for row in stored
            if row["channel"] in allowed and (row["stored_at"] or 0.0) >= since
        }
        start = 1 if not cursor else stored[0]["stream_seq"] if stored else cursor + 1
        strange: list[ReceivedLink] = []
        last: int | None = None
        async for batch in read_back(connection, stream, consumer, start):
            last = batch[-1].stream_seq
            messages = {digest(message.payload): message for message in batch}
            for name in messages:
                expected.pop(name, None)
            if whole:
                await self._heal(messages, registry)
            unknown = [messages[name] for name in await outbox.unknown(list(messages))]
            strange += placed(unknown, registry, self.clock())
            if not strange:
                await outbox.move_own_cursor(stream, last)
        if expected and cursor:
            return await self.compare(connection, stream, consumer, whole=True)
        stands = standing(strange, registry.ended(self.clock())).stands
        missing = await outbox.read(
            lambda db: sum(
                link.digest in stands and not table.accounts_for(db, link.channel, link.seq)
                for link in strange
            )
        )
        if last is not None and not missing:
            await outbox.move_own_cursor(stream, last)
        return Comparison(strange=missing, lost=tuple(sorted(expected.values())))

    async def _heal(self, messages: Mapping[str, Received], registry: VerifiedRegistry) -> None:
        """Restore changed rows of the outbox from a stream, each by its digest, with the signatures that verify."""
        outbox = self.outbox
        bad = await outbox.read(lambda db: damage.damaged(db, messages))
        whole = [
            messages[row.digest]
            for row in bad
            if placed([messages[row.digest]], registry, self.clock()) and messages[row.digest].payload
        ]
        if whole:
            await outbox.write(
                lambda db: damage.heal_all(db, [(each.payload, dict(each.headers)) for each in whole])
            )


def placed(messages: Sequence[Received], registry: VerifiedRegistry, now: dt.datetime) -> list[ReceivedLink]:
    """The places of the messages that the authority's keys have signed; other messages are left out.

    A bulletin that readers refuse but keep in the chain has its place here too. The time of arrival is the broker's; a
    wrong one at worst makes an outbox refuse to publish, because readers use their own clocks. Likewise it is assumed
    that readers had each bulletin before they knew of any statement.
    """
    links: list[ReceivedLink] = []
    for message in messages:
        try:
            admitted = admit(
                message.subject, message.headers, message.payload, registry=registry, now=now, continued=True
            )
        except AdmissionError as exc:
            if exc.place is None:
                continue
            channel, seq, prev, kids = exc.place.channel, exc.place.seq, exc.place.prev, exc.place.kids
            issued = exc.place.issued
        else:
            channel, kids = admitted.channel, admitted.signer_kids
            seq, prev, issued = admitted.bulletin.seq, admitted.bulletin.prev, admitted.bulletin.issued
        links.append(
            ReceivedLink(
                channel=channel.name,
                seq=seq,
                digest=digest(message.payload),
                prev=prev,
                kid=kids[0],
                meets=keys_met(kids, channel.issuer, registry),
                believed=True,
                issued=issued,
                received_at=dt.datetime.fromtimestamp(message.stored_ns / 1e9, dt.UTC),
            )
        )
    return links
