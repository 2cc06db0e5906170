"""The hub's side of what people do at its console: it has the key, and decides by its own rules what is signed.

Requests come from a process that talks to browsers. So they are bounded in size and number; each deed is on record, with the person who is
said to have done it, before anything is signed; grants, rules and doubts are judged here, as for a command.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from bus.drafts import Remembered, judgement, stamped
from bus.hub import exchange, picture
from bus.hub.acting import speaking
from bus.hub.acting.answering import WITHDRAWN, parts_of, standing
from bus.hub.acting.messages import (
    Acknowledge,
    Answer,
    Doubt,
    Held,
    Outcome,
    Preview,
    Publish,
    Request,
    TakeBack,
    Way,
)
from bus.hub.acting.speaking import STORED_S, Record
from bus.policy import RateLimit, RateMeter
from bus.publishing import Publisher, outbox_table
from bus.subscribing import Inbox, bodies, stored
from schemas.answering import answer_to, taken_back
from schemas.bodies.coordination import Feedback
from schemas.bulletin import Bulletin, Draft
from schemas.codec import decode
from schemas.errors import TocsinError
from schemas.subject import channel_of
from schemas.vocab import MsgType

ACTING = RateLimit(burst=120, per_s=1.0)
"""Far more than the people of a desk do; a console that was taken over signs no more than that."""
OF_ONE = RateLimit(burst=40, per_s=0.5)
"""Of one person, so that nobody uses up what the hub signs for colleagues."""
MOST_PEOPLE = 500
LOOKING = RateLimit(burst=60, per_s=4.0)
"""Previews of drafts while people write, which cost the hub's time and no signature."""
COSTS = 8 * 1024
"""A draft counts once more for each so many bytes: the largest takes a third of a second."""


class Reader(Protocol):
    """A hub that must have a bulletin, as those who follow receipts know it."""

    @property
    def reader(self) -> str:
        """Its id."""
        ...

    @property
    def received(self) -> dt.datetime | None:
        """Since when it has it."""
        ...

    @property
    def read(self) -> dt.datetime | None:
        """Since when a person there has read it."""
        ...

    @property
    def mute(self) -> bool:
        """Whether it cannot say so."""
        ...


class Delivered(Protocol):
    """How far a bulletin has come (`bus.delivery.DeliveryStatus`)."""

    @property
    def readers(self) -> Sequence[Reader]:
        """The hubs that must have it."""
        ...


Standing = Callable[[str], Awaitable[Delivered | None]]


class Acting:
    """A hub that does what people at its console ask for."""

    def __init__(
        self,
        store: Inbox,
        publisher: Publisher | None,
        record: Record,
        *,
        remembered: Remembered | None = None,
        standing: Standing | None = None,
    ) -> None:
        """Take the hub's parts.

        Args:
            store: its store.
            publisher: its publisher; None for a hub without a key.
            record: writes an event and its facts into the audit record; it raises where it cannot.
            remembered: the drafts that were sent lately.
            standing: tells which hubs must have a bulletin of this hub, and which have it; None where nobody follows receipts.
        """
        self._store, self._publisher, self._record = store, publisher, record
        self._remembered, self._standing = remembered, standing
        self._meter, self._looks = RateMeter(ACTING), RateMeter(LOOKING)
        self._of_one: OrderedDict[str, RateMeter] = OrderedDict()

    async def do(self, request: Request) -> Outcome:
        """Do what is asked. What cannot be done is a refusal with its reason."""
        publisher = self._publisher
        if publisher is None:
            return _refused("no-key", "this hub has no signing key here, so it can only read")
        now = publisher.clock().timestamp()
        meters = (
            (self._looks,)
            if isinstance(request, Preview | Way)
            else (self._meter, self._meter_of(request.by))
        )
        cost = 1 + len(request.draft) // COSTS if isinstance(request, Preview) else 1
        if not all(meter.room(now) >= cost for meter in meters):
            return _refused(
                "too-many-requests", "this hub has done much for its console; wait a minute, then try again"
            )
        for meter in meters:
            meter.spend(cost, now)
        try:
            if isinstance(request, Preview):
                return await speaking.preview(publisher, request, self._remembered)
            if isinstance(request, Publish):
                return await speaking.publish(publisher, request, self._record, self._remembered)
            if isinstance(request, Way):
                return await self._way(publisher, request)
            row = await self._store.read(lambda db: bodies.admitted_row(db, request.bulletin))
            if row is None:
                return _refused("not-there", "this hub does not hold that bulletin")
            if isinstance(request, Acknowledge):
                return await self._acknowledge(publisher, row, request)
            return await (
                self._take_back(publisher, row, request)
                if isinstance(request, TakeBack)
                else self._answer(publisher, row, request)
            )
        except TocsinError as exc:
            return _refused(exc.reason, str(exc))
        except OSError as exc:
            return _refused("store-failed", f"the audit record cannot be written: {exc}")

    def _meter_of(self, who: str) -> RateMeter:
        """The rate of one person; those of the people who acted last are kept."""
        meter = self._of_one.pop(who, None) or RateMeter(OF_ONE)
        self._of_one[who] = meter
        while len(self._of_one) > MOST_PEOPLE:
            self._of_one.popitem(last=False)
        return meter

    async def _way(self, publisher: Publisher, request: Way) -> Outcome:
        row = await publisher.outbox.get(request.bulletin)
        if row is None:
            return _refused("not-there", "the outbox of this hub does not hold that bulletin")
        followed = None if self._standing is None else await self._standing(row.id)
        hubs = None
        if followed is not None:
            hubs = tuple(
                Held(hub=each.reader, received=each.received, read=each.read, mute=each.mute)
                for each in followed.readers
            )
        return Outcome(id=row.id, state=await publisher.settled(row.digest, 0.0), hubs=hubs)

    async def _acknowledge(self, publisher: Publisher, row: sqlite3.Row, request: Acknowledge) -> Outcome:
        facts = {"id": row["id"], "digest": row["digest"], "by": request.by}
        before = partial(self._record, "acknowledged", facts)
        done = await exchange.acknowledge(self._store, publisher, row, before)
        if not done.is_signed:
            return Outcome(state="waiting")
        return Outcome(state="stored" if await publisher.idle(STORED_S) else "accepted")

    async def _answer(self, publisher: Publisher, row: sqlite3.Row, request: Answer) -> Outcome:
        original, registry, me = stored(row).bulletin, publisher.registry(), publisher.authority_id
        if original.issuer.id == me:
            return _refused(
                "not-answerable", "nobody answers a bulletin of their own; update or withdraw it instead"
            )
        draft = answer_to(original, request.body, publisher.clock(), lang=request.lang)
        parts, notes = parts_of(draft, original, channel_of(original), registry, me)
        facts = {
            "id": original.id, "verdict": str(request.body.verdict), "key": request.key, "by": request.by,
        }  # fmt: skip
        # The first is what counts; each is kept once, whatever came between.
        said = {str(n): part for n, part in enumerate(parts)}
        return await self._said(publisher, said, "answered", facts, request, notes)

    async def _take_back(self, publisher: Publisher, row: sqlite3.Row, request: TakeBack) -> Outcome:
        original, now = stored(row).bulletin, publisher.clock()
        thread = await self._store.read(lambda db: _versions(db, original.id))
        rows = await publisher.outbox.read(lambda db: outbox_table.naming(db, thread, str(original.status)))
        named = [decode(each.payload) for each in rows]
        found = list(standing(named, original.issuer.id, thread, (request.verdict,), request.upto))
        if not found:
            return await _taken_back_before(publisher, named, request)
        said = {each.id: taken_back(each, now, request.why or WITHDRAWN, request.lang) for each in found}
        facts = {
            "id": original.id, "verdict": str(request.verdict), "key": request.key, "by": request.by,
        }  # fmt: skip
        return await self._said(publisher, said, "answer-withdrawn", facts, request)

    async def _said(
        self,
        publisher: Publisher,
        said: Mapping[str, Draft],
        event: str,
        facts: Mapping[str, str],
        request: Answer | TakeBack,
        notes: tuple[str, ...] = (),
    ) -> Outcome:
        """Publish drafts of an answer, each once under its name; on record before they are signed."""
        doubts = tuple(doubt for draft in said.values() for doubt in _doubts(publisher, draft))
        if doubts:
            if not request.reviewed:
                words = "a person must look at this once more, and say why it is right all the same"
                return Outcome(state="refused", reason="not-reviewed", notes=(words,), doubts=doubts)
            self._record("override", {"what": "reviewed", "reason": request.reviewed, **facts})
        self._record(event, facts)
        kept = [
            await publisher.publish(draft, once=f"console/{request.key}/{name}")
            for name, draft in said.items()
        ]
        return Outcome(id=kept[0].id, state=await publisher.settled(kept[0].digest, STORED_S), notes=notes)


def _versions(db: sqlite3.Connection, id_: str) -> tuple[str, ...]:
    """The ids of all versions of a bulletin: an answer to one counts for all."""
    thread = picture.versions.find(db, id_)
    others = () if thread is None else picture.versions.in_thread(db, thread)
    return tuple(dict.fromkeys((id_, *(each.id for each in others))))


async def _taken_back_before(publisher: Publisher, named: Sequence[Bulletin], request: TakeBack) -> Outcome:
    """What became of an earlier withdrawal of the same answers; a refusal where there was none."""
    for each in named:
        if (
            each.msg_type is MsgType.CANCEL
            and isinstance(each.body, Feedback)
            and each.body.verdict is request.verdict
        ):
            kept = await publisher.outbox.get(each.id)
            if kept is not None:
                return Outcome(id=kept.id, state=await publisher.settled(kept.digest, STORED_S))
    return _refused("not-there", "this authority has no such answer to that bulletin in force")


def _doubts(publisher: Publisher, draft: Draft) -> tuple[Doubt, ...]:
    """What of a draft needs judgement.

    Raises:
        SchemaError: it breaks a rule.
    """
    registry, now = publisher.registry(), publisher.clock()
    bulletin = stamped(draft, registry.issuer(publisher.authority_id), publisher.stamping.defaults, now)
    return tuple(Doubt(each.path, each.text) for each in judgement(draft, bulletin, registry).doubts)


def _refused(reason: str, words: str) -> Outcome:
    return Outcome(state="refused", reason=reason, notes=(words,))
