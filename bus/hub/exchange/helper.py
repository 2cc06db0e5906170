"""A hub requests the bulletins it lacks, takes in copies, and answers the requests of others.

It sends its own bulletins again. Of other issuers' bulletins it sends a copy, if the asker may read them. It takes a copy
in only if it requested it; the copy then goes through admission and chain like any message.
"""

from __future__ import annotations

import sqlite3
from functools import partial

import msgspec

from bus.admission import decide
from bus.errors import AdmissionError, BusError, StoreError
from bus.hub.exchange import missing, requests
from bus.hub.exchange.requests import Lack
from bus.hub.watch import holdings
from bus.logs import logger
from bus.publishing import Publisher, resend_asked
from bus.subscribing import Inbox, Stored
from schemas.bodies.system import MAX_WANTED, Copy, Request, Wanted
from schemas.errors import SchemaError
from schemas.subject import Channel
from schemas.vocab import Tlp

PATIENCE_S = 10.0
COPY_OVERHEAD_BYTES = 2048  # the bulletin around a copy, its signature, and the stream's overhead
ROWS = 100  # a copy has 250 kB, and these are in memory at a time

log = logger()


class PeerHelper(msgspec.Struct, frozen=True):
    """Asks and helps, for one hub.

    Attributes:
        store: the hub's store.
        publisher: the hub's; its authority, registry and clock are the hub's too.
        patience_s: seconds for which an alarm must stand before a peer is asked; the stream is read again first.
    """

    store: Inbox
    publisher: Publisher
    patience_s: float = PATIENCE_S

    async def help(self) -> None:
        """Answer the others, then ask them; as `process` and `ask`."""
        await self.process()
        await self.ask()

    # -- asking -----------------------------------------------------------------------------------------------------

    async def ask(self) -> None:
        """Request the missing bulletins that are due.

        Raises:
            PermitError, StoreError: as `Publisher.publish`; the request is made later.
        """
        moment = self.publisher.clock().timestamp()
        registry = self.publisher.registry()
        lacking, before, has_come = await self.store.read(
            lambda db: (
                missing.lacks(db, registry, self.publisher.authority_id, moment - self.patience_s),
                missing.asked(db),
                missing.has_come(db),
            )
        )
        groups: dict[tuple[str, Tlp], list[Lack]] = {}
        for lack in requests.due(lacking, before, moment):
            last = before.get(requests.place(lack))
            addressee = requests.whom(lack, last, registry, self.publisher.authority_id)
            if addressee is not None:
                groups.setdefault((addressee, lack.channel.tlp), []).append(lack)
        for (addressee, tlp), lacks in groups.items():
            named = lacks[:MAX_WANTED]
            charge = partial(missing.may_ask, whom=addressee, count=len(named), moment=moment)
            if not await self.store.write(charge):
                continue
            await self.publisher.publish(requests.request(addressee, tlp, named))
            await self.store.write(partial(missing.note_asked, lacking=named, whom=addressee, moment=moment))
            log.info("asked_for", whom=addressee, count=len(named), first=str(named[0].channel))
        if has_come:
            await self.store.write(missing.forget_asked)

    # -- helping ----------------------------------------------------------------------------------------------------

    async def process(self) -> None:
        """Process the requests and copies that came since the last time.

        Raises:
            StoreError: the disk is full or fails.
        """
        after, newest = await self.store.read(lambda db: (missing.processed_upto(db), missing.newest(db)))
        while after < newest:
            upto = min(newest, after + ROWS)
            said = partial(missing.said_to, me=self.publisher.authority_id, after=after, upto=upto)
            for row in await self.store.read(said):
                if isinstance(row.bulletin.body, Request):
                    await self._help(row, row.bulletin.body)
                elif isinstance(row.bulletin.body, Copy):
                    await self._take(row.bulletin.issuer.id, row.bulletin.body)
            await self.store.write(partial(missing.note_processed, row=upto))
            after = upto

    async def _help(self, row: Stored, body: Request) -> None:
        """Send own bulletins again and copies of others', within the asker's allowance; it requests the rest again."""
        asker, registry = row.bulletin.issuer.id, self.publisher.registry()
        moment = self.publisher.clock().timestamp()
        await self.publisher.outbox.write(
            lambda db: resend_asked(db, self.publisher.authority_id, registry, asker, body.items, moment)
        )
        for n, item in enumerate(body.items):
            channel = holdings.readable(registry, asker, item.channel)
            if channel is None or channel.issuer == self.publisher.authority_id:
                continue
            held = await self.store.read(partial(_due, item=item, asker=asker, moment=moment))
            if held is None:
                continue
            size = len(held.file) + COPY_OVERHEAD_BYTES
            if not await self.store.write(
                partial(missing.may_hand_on, reader=asker, size=size, moment=moment)
            ):
                # Requests beyond its allowance are not examined.
                left = len(body.items) - n
                log.warning("not_handed_on", reader=asker, count=left, problem="beyond its allowance")
                return
            await self._hand_on(row.id, asker, channel, item.seq, held, moment)

    async def _hand_on(
        self, asked: str, asker: str, channel: Channel, seq: int, held: missing.StoredFile, moment: float
    ) -> None:
        """Publish a copy to the issuer of the request `asked`, unless it may not be sent."""
        try:
            copy = requests.copy(asker, channel, seq, held.file)
            await self.publisher.publish(copy, once=f"copy/{asked}/{held.digest}")
        except StoreError:
            raise
        except (BusError, SchemaError) as exc:  # no grant for it, or too large to be handed on
            log.warning("not_handed_on", reader=asker, channel=str(channel), seq=seq, problem=str(exc))
            return
        await self.store.write(lambda db: missing.note_handed_on(db, held.digest, asker, moment))
        log.info("handed_on", reader=asker, channel=str(channel), seq=seq)

    async def _take(self, holder: str, body: Copy) -> None:
        registry, now = self.publisher.registry(), self.publisher.clock()
        if not await self.store.read(missing.has_asked):  # verify only copies that were requested
            log.warning("copy_disregarded", holder=holder, reason="not-asked-for")
            return
        try:
            handed = requests.handed(body.file, registry=registry, now=now)
        except AdmissionError as exc:
            log.error("copy_disregarded", holder=holder, reason=exc.reason, problem=str(exc))
            return
        channel, message = handed.channel, handed.message
        wanted = await self.store.read(
            lambda db: missing.was_asked(db, str(channel), handed.seq, message.digest)
        )
        if not wanted or not registry.may_read(self.publisher.authority_id, channel):
            log.warning("copy_disregarded", holder=holder, reason="not-asked-for", channel=str(channel))
            return
        outcome = await self.store.settle([decide(message, registry, now)], None, None, now)
        log.warning("copy_taken", holder=holder, channel=str(channel), seq=handed.seq, outcome=dict(outcome))


def _due(db: sqlite3.Connection, item: Wanted, asker: str, moment: float) -> missing.StoredFile | None:
    """The requested bulletin, if it is held and the asker got no copy of it in the last REST_S seconds."""
    held = missing.held_at(db, item.channel, item.seq, item.digest)
    return held if held and missing.is_rested(db, held.digest, asker, moment) else None
