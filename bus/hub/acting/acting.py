"""The hub's side of what people do at its console: it has the key, and decides by its own rules what is signed.

Requests come from a process that talks to browsers. So they are bounded in size and number; each deed is on record, with the person who is
said to have done it, before anything is signed; grants, rules and doubts are judged here, as for a command.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from functools import partial

from bus.drafts import judgement, stamped
from bus.hub import exchange
from bus.hub.acting.answering import parts_of
from bus.hub.acting.messages import Acknowledge, Answer, Doubt, Outcome, Request
from bus.policy import RateLimit, RateMeter
from bus.publishing import Publisher
from bus.subscribing import Inbox, bodies, stored
from schemas.answering import answer_to
from schemas.bulletin import Draft
from schemas.errors import TocsinError
from schemas.subject import channel_of

ACTING = RateLimit(burst=120, per_s=1.0)
"""Far more than the people of a desk do; a console that was taken over signs no more than that."""
STORED_S = 3.0
"""So long a deed waits for the bus; it is safe on this disk before."""
Record = Callable[[str, Mapping[str, str]], object]


class Acting:
    """A hub that does what people at its console ask for."""

    def __init__(self, store: Inbox, publisher: Publisher | None, record: Record) -> None:
        """Take the hub's parts.

        Args:
            store: its store.
            publisher: its publisher; None for a hub without a key.
            record: writes an event and its facts into the audit record; it raises where it cannot.
        """
        self._store, self._publisher, self._record = store, publisher, record
        self._meter = RateMeter(ACTING)

    async def do(self, request: Request) -> Outcome:
        """Do what is asked. What cannot be done is a refusal with its reason."""
        publisher = self._publisher
        if publisher is None:
            return _refused("no-key", "this hub has no signing key here, so it can only read")
        now = publisher.clock().timestamp()
        if not self._meter.room(now):
            return _refused("too-many-requests", "this hub has signed much for its console; wait a minute")
        self._meter.spend(1, now)
        try:
            row = await self._store.read(lambda db: _row(db, request.bulletin))
            if row is None:
                return _refused("not-there", "this hub does not hold that bulletin")
            if isinstance(request, Acknowledge):
                return await self._acknowledge(publisher, row, request)
            return await self._answer(publisher, row, request)
        except TocsinError as exc:
            return _refused(exc.reason, str(exc))
        except OSError as exc:
            return _refused("store-failed", f"the audit record cannot be written: {exc}")

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
        if doubts := _doubts(publisher, draft):
            if not request.reviewed:
                words = "a person must look at this once more, and say why it is right all the same"
                return Outcome(state="refused", reason="not-reviewed", notes=(words,), doubts=doubts)
            self._record("override", {"what": "reviewed", "reason": request.reviewed, **facts})
        self._record("answered", facts)
        # The first is what counts; each is kept once, whatever came between.
        kept = [
            await publisher.publish(part, once=f"console/{request.key}/{n}") for n, part in enumerate(parts)
        ]
        return Outcome(id=kept[0].id, state=await publisher.settled(kept[0].digest, STORED_S), notes=notes)


def _row(db: sqlite3.Connection, id_: str) -> sqlite3.Row | None:
    rows = bodies.rows_of(db, id_)
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM admitted WHERE row = ?", rows[:1] or (None,)
    ).fetchone()
    return row


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
