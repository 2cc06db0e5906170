"""Re-anchoring after a theft or a loss: a person decides which bulletin was the last honest one and which are disowned.

A re-anchor has the number after the last honest bulletin and names its digest. Every reader who knows that the stolen
key is revoked then keeps the bulletins before the anchor and withdraws the thief's branch. A reader who does not know
it yet sees two bulletins at one place. So an anchor is refused here while any standing bulletin contradicts it.

`propose`, `check` and `draft` decide and are pure; `Reanchoring` reads the bus and keeps the re-anchor.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from bus.admission import ReceivedLink
from bus.errors import OutboxError
from bus.publishing import outbox_table as table
from bus.publishing.outbox import Row, RowState
from bus.publishing.own_channels import OwnChannels, Survey
from bus.publishing.publisher import Accepted, Publisher
from bus.publishing.stamping import Asked
from schemas.bodies.system import Head, Reanchor
from schemas.bulletin import Draft
from schemas.parts import Info
from schemas.subject import Channel
from schemas.vocab import Pap

MAX_LOST = 200
NONE = "none"  # no bulletin of the channel is honest


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The bulletin that a channel continues from, and the ends of the foreign branches."""

    from_: Head
    lost: tuple[Head, ...]


def propose(channel: str, survey: Survey, mine: Sequence[Row], from_: str | None = None) -> Anchor:
    """The anchor that bus and outbox suggest, or the one at a digest.

    Args:
        channel: its name, `status.tlp.audience`.
        survey: the content of the bus.
        mine: the outbox's rows of the channel. The last one on the bus is the anchor; if there is none, the standing
            bulletins on the bus decide.
        from_: digest of the last honest bulletin instead; `none` restarts the channel.

    Raises:
        OutboxError: `unknown-anchor`.
    """
    links = [link for link in survey.links if link.channel == channel]
    sent = {row.digest: row.seq for row in mine if row.state == RowState.STORED}
    there = {link.digest: link.seq for link in links} | sent
    honest = sent or {link.digest: link.seq for link in links if link.digest in survey.stands}
    if from_ is None:
        from_ = max(honest, key=honest.__getitem__, default=NONE)
    if from_ != NONE and from_ not in there:
        raise _unknown(channel, from_)
    head = Head(channel=channel, seq=there.get(from_, 0), digest=None if from_ == NONE else from_)
    return Anchor(from_=head, lost=_ends(links, head, _way_back(links, mine, head))[:MAX_LOST])


def _with_lost(anchor: Anchor, lost: Sequence[sqlite3.Row]) -> Anchor:
    """The anchor, which also disowns accepted bulletins after it that are lost for good (`bus.publishing.recovery`)."""
    from_ = anchor.from_
    gone = [
        row for row in lost if row["channel"] == from_.channel and row["seq"] > from_.seq and row["digest"]
    ]
    if not gone:
        return anchor
    end = max(gone, key=lambda row: int(row["seq"]))
    named = Head(channel=from_.channel, seq=end["seq"], digest=end["digest"])
    return Anchor(from_=from_, lost=tuple(dict.fromkeys((named, *anchor.lost)))[:MAX_LOST])


def _ends(links: Sequence[ReceivedLink], from_: Head, way: Mapping[int, str]) -> tuple[Head, ...]:
    """The ends of the branches that contradict an anchor."""
    others = [link for link in links if _is_against(link, from_, way)]
    continued = {link.prev for link in others}
    ends = {link.digest: link.seq for link in others if link.digest not in continued}
    return tuple(Head(channel=from_.channel, seq=seq, digest=digest) for digest, seq in ends.items())


def _is_against(link: ReceivedLink, from_: Head, way: Mapping[int, str]) -> bool:
    return link.seq > from_.seq or way.get(link.seq, link.digest) != link.digest


def check(channel: str, anchor: Anchor, survey: Survey, mine: Sequence[Row]) -> None:
    """Refuse an anchor that readers would take for a contradiction.

    Args:
        channel: its name.
        anchor: the anchor, with the disowned ends.
        survey: the content of the bus.
        mine: the outbox's rows of the channel, without those that are superseded.

    Raises:
        OutboxError: `bad-anchor`, `unknown-anchor`, or `anchor-contradicted`.
    """
    from_ = anchor.from_
    if any(head.channel != channel for head in (from_, *anchor.lost)):
        raise OutboxError(f"every head given must be of the channel {channel}", reason="bad-anchor")
    if (from_.seq == 0) != (from_.digest is None):
        raise OutboxError(
            "an anchor needs a number and a digest together, or neither to restart the channel",
            reason="bad-anchor",
        )
    links = [link for link in survey.links if link.channel == channel]
    there = {(link.seq, link.digest) for link in links}
    there |= {(row.seq, row.digest) for row in mine if row.state == RowState.STORED}
    if from_.seq and (from_.seq, from_.digest) not in there:
        raise _unknown(channel, str(from_.digest))
    way = _way_back(links, mine, from_)
    for link in links:
        if _is_against(link, from_, way) and link.digest in survey.stands:
            raise OutboxError(
                f"number {link.seq} on {channel} stands at every reader: its key {link.kid} is not revoked, or was not yet revoked "
                f"at {link.received_at:%Y-%m-%d %H:%M:%S} UTC, when it arrived. Revoke it from before that time: tocsin key revoke "
                f"{link.kid} --since TIME; or continue from number {link.seq}: tocsin outbox recover",
                reason="anchor-contradicted",
            )
    named = {head.digest for head in anchor.lost}
    for row in mine:
        if row.seq > from_.seq and row.state == RowState.STORED and row.digest not in named:
            raise OutboxError(
                f"number {row.seq} on {channel} is on the bus and comes from this outbox; continue from there, or name it among "
                "`lost`",
                reason="bad-anchor",
            )


def _way_back(links: Sequence[ReceivedLink], mine: Sequence[Row], from_: Head) -> dict[int, str]:
    """The known digests of a head and of the bulletins before it, by number."""
    before = {link.digest: link.prev for link in links} | {row.digest: row.prev for row in mine}
    way: dict[int, str] = {}
    seq, digest = from_.seq, from_.digest
    while digest is not None and seq not in way:
        way[seq] = digest
        seq, digest = seq - 1, before.get(digest)
    return way


def _unknown(channel: str, digest: str) -> OutboxError:
    return OutboxError(
        f"{digest} is not a bulletin on {channel} that this outbox has sent or that the bus holds from this authority",
        reason="unknown-anchor",
    )


def draft(channel: Channel, anchor: Anchor, reason: str, exercise_id: str | None) -> Draft:
    """The draft of the re-anchor, for the readers of the channel itself."""
    after = f"after number {anchor.from_.seq}" if anchor.from_.seq else "from its beginning"
    others = "another branch says" if len(anchor.lost) == 1 else f"{len(anchor.lost)} other branches say"
    disowned = f" What {others} under its name is not its word." if anchor.lost else ""
    return Draft(
        info=(
            Info(
                lang="en",
                headline=f"{channel.issuer} goes on {after}, by decision",
                summary=f"{channel.issuer} continues this channel {after} with another key.{disowned} Reason: {reason}",
            ),
        ),
        body=Reanchor(from_=anchor.from_, lost=anchor.lost, reason=reason),
        status=channel.status,
        tlp=channel.tlp,
        pap=Pap.GREEN,
        audience=channel.audience,
        exercise_id=exercise_id,
    )


class Reanchoring(msgspec.Struct, frozen=True, kw_only=True):
    """Re-anchors channels of one publisher. Use `Reanchoring.open`."""

    publisher: Publisher
    own: OwnChannels

    @classmethod
    @asynccontextmanager
    async def open(cls, publisher: Publisher, timeout: float = 60.0) -> AsyncIterator[Reanchoring]:
        """Pause sending, so that a proposal is still valid after a person's decision.

        Args:
            publisher: the publisher of the channels.
            timeout: seconds to wait for the bus, each time it is read.

        Raises:
            OutboxError: `no-bus`, without an endpoint; `lease-held`, another process sends from this outbox.
        """
        async with publisher.paused("a re-anchor", timeout) as own:
            yield cls(publisher=publisher, own=own)

    async def disowned(self) -> dict[str, Anchor]:
        """The proposed anchor of each channel on which the bus holds foreign bulletins.

        Raises:
            UnreachableError: the bus does not answer.
        """
        survey = await self.own.survey()
        names = sorted({link.channel for link in survey.links if link.digest not in survey.stands})
        anchors = {name: propose(name, survey, await self.own.outbox.chain(name)) for name in names}
        return {name: anchor for name, anchor in anchors.items() if anchor.lost}

    async def proposal(self, channel: str, *, from_: str | None = None) -> Anchor:
        """The proposed anchor of a channel, with the bulletins to disown. Nothing is published.

        Args:
            channel: its name, `status.tlp.audience`.
            from_: digest of the last honest bulletin, or `none`; by default the last that this outbox has sent, or else
                the last standing one on the bus.

        Raises:
            UnreachableError: the bus does not answer.
            OutboxError: as `reanchor` would.
        """
        survey, mine = await self.own.survey(), await self.own.outbox.chain(channel)
        anchor = propose(channel, survey, mine, from_)
        anchor = _with_lost(anchor, await self.own.outbox.lost())
        check(channel, anchor, survey, mine)
        return anchor

    async def reanchor(
        self, channel: str, anchor: Anchor, *, reason: str, exercise_id: str | None = None
    ) -> Accepted:
        """Publish a re-anchor: the channel continues from it. Returns when it is safe on this disk.

        Rows after the anchor that never reached the bus are set aside as `superseded`, in the transaction that keeps
        it.

        Args:
            channel: its name, `status.tlp.audience`.
            anchor: the last honest bulletin (number 0 without a digest for none), and the ends of the foreign branches.
            reason: the reason in words, for the readers.
            exercise_id: the id of the exercise, on a channel of status `exercise`.

        Raises:
            UnreachableError: the bus does not answer.
            SchemaError, RuleError, PermitError, StoreError: as `Publisher.publish`.
            OutboxError: `bad-anchor`, `unknown-anchor`, `anchor-contradicted`.
        """
        publisher = self.publisher
        wording = draft(Channel.parse(f"{publisher.authority_id}/{channel}"), anchor, reason, exercise_id)
        survey = await self.own.survey()
        registry, moment, from_ = publisher.registry(), publisher.clock(), anchor.from_

        def keep(db: sqlite3.Connection) -> Accepted:
            """Check again, set conflicting rows aside, move the head, and stamp."""
            check(channel, anchor, survey, table.after(db, channel, 0))
            publisher.outbox.heads.step_over(db)
            passed_over = table.after(db, channel, from_.seq)
            table.set_aside(
                db,
                passed_over,
                "a re-anchor continued its channel before it; publish it again if it is still true",
            )
            if from_.digest is None:
                table.clear_head(db, channel)
            else:
                table.set_head(db, channel, from_.seq, from_.digest)
            stamping = msgspec.structs.replace(
                publisher.stamping, head=table.head
            )  # a person has decided on it
            return stamping.keep(db, Asked(draft=wording, registry=registry, moment=moment))

        return await self.own.outbox.write(keep)
