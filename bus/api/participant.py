"""What a Python program can do on the bus. `Identity` does it over a broker, `Double` in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from schemas.bodies.coordination import Feedback
from schemas.bulletin import Bulletin, Draft
from schemas.vocab import FeedbackKind, Status

if TYPE_CHECKING:
    from bus.delivery import DeliveryStatus
    from bus.hub.picture import TraceStep
    from bus.publishing import Accepted
    from schemas.errors import TocsinError

AnyDraft = Draft | Mapping[str, object]
"""A draft, or the table that a draft file holds."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin that this identity holds.

    Attributes:
        bulletin: what it says.
        digest: of the signed bytes.
        payload: the signed bytes.
        signature: their signature, as the header `Tocsin-Sig` has it.
        labels: what a reader must know of it, such as `late`; empty for one's own.
        trust: the state of the registry by which it was admitted; empty for one's own.
        admitted_at: when it was verified here; None for one's own.
    """

    bulletin: Bulletin
    digest: str
    payload: bytes
    signature: str
    labels: frozenset[str] = frozenset()
    trust: str = ""
    admitted_at: dt.datetime | None = None


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a bulletin, oldest first; of one's own also which hubs have answered."""

    steps: tuple[TraceStep, ...] = ()
    status: DeliveryStatus | None = None


class Participant(Protocol):
    """One identity on the bus. `bus.connect` yields one; `Double` is one for tests."""

    async def publish(
        self, draft: AnyDraft, *, once: str | None = None, wait: str = "stored", timeout: float = 5.0
    ) -> Accepted:
        """Sign a draft and keep it, then wait until the bus has it.

        Args:
            draft: what to say.
            once: a key under which only one bulletin is ever kept; the first one comes back.
            wait: the state to wait for: `accepted`, `stored`, `received` or `read`.
            timeout: seconds to wait. When they are over the bulletin is safe on this disk and is sent later: do not publish it
                again.

        Returns:
            The bulletin, with the state that it has reached.

        Raises:
            SchemaError, RuleError: the draft is incomplete or contradicts itself.
            PermitError: the registry does not let this identity say this there.
            OutboxError, StoreError: this outbox may not sign now, or the disk fails; nothing was kept.
        """
        ...

    async def publish_many(
        self, drafts: Sequence[AnyDraft], *, wait: str = "stored", timeout: float = 5.0
    ) -> list[Accepted | TocsinError]:
        """Publish drafts in groups. Returns what became of each, in their order; a refused one hinders no other."""
        ...

    async def answer(
        self, wanted: str, verdict: FeedbackKind | Feedback, text: str | None = None, *, timeout: float = 5.0
    ) -> Accepted:
        """Answer a bulletin of another authority that was read here, to its author and to all who may read it.

        An author that does not hear answers there is told by its id, in a second bulletin; the first one is returned.

        Args:
            wanted: an id of any version, the beginning of one, or a digest; the newest version is answered.
            verdict: what is said of it, or a whole body where more belongs to it.
            text: why, or what is asked.
            timeout: seconds to wait until the bus has the answer.

        Raises:
            LookupError: it is not held here.
            SchemaError, RuleError, PermitError: it may not be answered so (`not-answerable`, `wider-marking`).
        """
        ...

    def watch(
        self,
        filter_: str = "",
        *,
        since: dt.timedelta | None = dt.timedelta(0),
        status: Status = Status.ACTUAL,
    ) -> AsyncIterator[Seen]:
        """Bulletins as they are admitted, without end.

        Args:
            filter_: which, in the grammar of `tocsin watch`: `kind:data-breach country:XA priority:p1,p2`.
            since: how far to look back first; None is everything that is held.
            status: at which status; never two.

        Raises:
            FilterError: the filter cannot be read.
        """
        ...

    async def get(self, wanted: str) -> Seen | None:
        """The newest version of a bulletin that this identity has read or published; None when it holds none.

        Args:
            wanted: an id of any version, the beginning of one, or a digest.

        Raises:
            AmbiguousIdError: bulletins of several threads begin so.
        """
        ...

    async def trace(self, wanted: str) -> Life:
        """What became of a bulletin in its newest version, as far as this identity's own files tell."""
        ...
