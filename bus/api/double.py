"""A participant for tests: it needs no broker, keys or registry, and applies every rule of a bulletin."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from bus import filters
from bus.api.drafts import as_draft, body_of
from bus.api.participant import AnyDraft, Life, Seen
from bus.delivery import DeliveryState
from bus.hub.picture import TraceStep
from bus.publishing import Accepted
from schemas import rules
from schemas.answering import answer_to
from schemas.bodies.coordination import Feedback
from schemas.bulletin import Bulletin, Defaults, new_id, stamp
from schemas.codec import decode, digest, encode
from schemas.errors import TocsinError
from schemas.parts import Authority
from schemas.subject import channel_of, subject_for
from schemas.vocab import FeedbackKind, Status


class Double:
    """Publishes and reads in memory. `watch`, `get` and `trace` see its own bulletins and those passed to `hear`.

    A draft is stamped, encoded, decoded and checked by every rule as on the bus. Grants are not checked.
    """

    def __init__(
        self,
        authority: Authority,
        *,
        clock: Callable[[], dt.datetime],
        rng: Callable[[int], bytes],
        defaults: Defaults | None = None,
    ) -> None:
        """Prepare.

        Args:
            authority: the issuer.
            clock: the present, aware.
            rng: random bytes, for ids.
            defaults: values for fields that drafts leave out.
        """
        self.seen: list[Seen] = []
        self._authority = authority
        self._clock = clock
        self._rng = rng
        self._defaults = defaults or Defaults()
        self._numbers: Counter[str] = Counter()
        self._heads: dict[str, str] = {}
        self._once: dict[str, Accepted] = {}
        self._news = asyncio.Condition()

    async def publish(
        self,
        draft: AnyDraft,
        *,
        once: str | None = None,
        wait: str = "stored",
        timeout: float = 5.0,  # noqa: ARG002 (there is nothing to wait for)
    ) -> Accepted:
        """See `Participant.publish`; the bulletin reaches the wanted state at once."""
        if once is not None and once in self._once:
            return self._once[once]
        now = self._clock()
        made = stamp(
            as_draft(draft, now),
            id=new_id(now, self._rng(10)),
            seq=1,
            prev=None,
            issuer=self._authority,
            issued=now,
            defaults=self._defaults,
        )
        channel = str(channel_of(made))
        seq = self._numbers[channel] + 1
        payload = encode(msgspec.structs.replace(made, seq=seq, prev=self._heads.get(channel)))
        bulletin = decode(payload)
        rules.check(bulletin)
        self._numbers[channel], self._heads[channel] = seq, digest(payload)
        accepted = Accepted(
            id=bulletin.id,
            channel=channel,
            seq=seq,
            digest=digest(payload),
            subject=subject_for(bulletin),
            state=str(DeliveryState(wait)),
        )
        if once is not None:
            self._once[once] = accepted
        await self._take(Seen(bulletin=bulletin, digest=accepted.digest, payload=payload, signature=""))
        return accepted

    async def publish_many(
        self, drafts: Sequence[AnyDraft], *, wait: str = "stored", timeout: float = 5.0
    ) -> list[Accepted | TocsinError]:
        """See `Participant.publish_many`."""
        outcomes: list[Accepted | TocsinError] = []
        for draft in drafts:
            try:
                outcomes.append(await self.publish(draft, wait=wait, timeout=timeout))
            except TocsinError as exc:
                outcomes.append(exc)
        return outcomes

    async def hear(self, bulletin: Bulletin, *labels: str) -> Seen:
        """Admit another authority's bulletin, with these labels."""
        payload = encode(bulletin)
        seen = Seen(
            bulletin=bulletin,
            digest=digest(payload),
            payload=payload,
            signature="",
            labels=frozenset(labels),
            trust="fresh",
            admitted_at=self._clock(),
        )
        await self._take(seen)
        return seen

    async def answer(
        self, wanted: str, verdict: FeedbackKind | Feedback, text: str | None = None, *, timeout: float = 5.0
    ) -> Accepted:
        """See `Participant.answer`."""
        seen = await self.get(wanted)
        if seen is None or seen.admitted_at is None:
            raise LookupError(
                f"{self._authority.id} has read no bulletin {wanted}; it must read a bulletin before it answers"
            )
        return await self.publish(
            answer_to(seen.bulletin, body_of(verdict, text), self._clock()), timeout=timeout
        )

    async def watch(
        self,
        filter_: str = "",
        *,
        since: dt.timedelta | None = dt.timedelta(0),
        status: Status = Status.ACTUAL,
    ) -> AsyncIterator[Seen]:
        """See `Participant.watch`."""
        selection = filters.of_text(filter_)
        start = self._clock() - since if since is not None else None
        place = 0
        while True:
            async with self._news:
                await self._news.wait_for(lambda: len(self.seen) > place)  # noqa: B023 (awaited here)
            one, place = self.seen[place], place + 1
            at = one.admitted_at or one.bulletin.issued
            is_due = start is None or at >= start
            if is_due and one.bulletin.status is status and selection.matches(one.bulletin, self._clock()):
                yield one

    async def get(self, wanted: str) -> Seen | None:
        """See `Participant.get`; it returns the named version, not the newest."""
        return next(
            (one for one in self.seen if one.bulletin.id.startswith(wanted) or one.digest == wanted), None
        )

    async def trace(self, wanted: str) -> Life:
        """See `Participant.trace`."""
        one = await self.get(wanted)
        if one is None:
            return Life()
        what = "admitted" if one.admitted_at else "accepted"
        return Life(steps=(TraceStep(one.admitted_at or one.bulletin.issued, what),))

    async def _take(self, seen: Seen) -> None:
        async with self._news:
            self.seen.append(seen)
            self._news.notify_all()
