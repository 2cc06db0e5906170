"""The actions of a Python program on the bus. `Identity` performs them over a broker, `Double` in memory."""

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
"""A draft, or the table of a draft file."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin that this identity holds.

    Attributes:
        bulletin: its content.
        digest: of the signed bytes.
        payload: the signed bytes.
        signature: their signature, in the form of the header `Tocsin-Sig`.
        labels: facts that a reader must know, such as `late`; empty for an own bulletin.
        trust: the state of the registry at its admission; empty for an own bulletin.
        admitted_at: time of its admission here; None for an own bulletin.
    """

    bulletin: Bulletin
    digest: str
    payload: bytes
    signature: str
    labels: frozenset[str] = frozenset()
    trust: str = ""
    admitted_at: dt.datetime | None = None


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """The events in the life of a bulletin, oldest first; for an own one, also which hubs have answered."""

    steps: tuple[TraceStep, ...] = ()
    status: DeliveryStatus | None = None


class Participant(Protocol):
    """One identity on the bus. `bus.connect` yields one; `Double` is one for tests."""

    async def publish(
        self, draft: AnyDraft, *, once: str | None = None, wait: str = "stored", timeout: float = 5.0
    ) -> Accepted:
        """Sign a draft and keep it, then wait until the bus has it.

        Args:
            draft: the content.
            once: a key for at most one bulletin; a second call returns the first bulletin.
            wait: the state to wait for: `accepted`, `stored`, `received` or `read`.
            timeout: seconds to wait. After them the bulletin is safe on this disk and is sent later: do not publish
                it again.

        Returns:
            The bulletin, with the state that it has reached.

        Raises:
            SchemaError, RuleError: the draft is incomplete or contradicts itself.
            PermitError: this identity has no grant to publish this there.
            OutboxError, StoreError: this outbox may not sign now, or the disk fails; nothing was kept.
        """
        ...

    async def publish_many(
        self, drafts: Sequence[AnyDraft], *, wait: str = "stored", timeout: float = 5.0
    ) -> list[Accepted | TocsinError]:
        """Publish drafts in groups. Returns the outcome of each, in their order; a refused draft does not stop the others."""
        ...

    async def answer(
        self, wanted: str, verdict: FeedbackKind | Feedback, text: str | None = None, *, timeout: float = 5.0
    ) -> Accepted:
        """Answer a bulletin of another authority that this identity has read. Its author and all its readers get the answer.

        An author that does not hear answers there is told by its id, in a second bulletin; the first one is returned.

        Args:
            wanted: an id of any version, the beginning of one, or a digest; the newest version is answered.
            verdict: the verdict, or a whole body if the answer needs further fields.
            text: the reason, or the question.
            timeout: seconds to wait until the bus has the answer.

        Raises:
            LookupError: this identity does not hold the bulletin.
            SchemaError, RuleError, PermitError: this answer is not allowed (`not-answerable`, `wider-marking`).
        """
        ...

    def watch(
        self,
        filter_: str = "",
        *,
        since: dt.timedelta | None = dt.timedelta(0),
        status: Status = Status.ACTUAL,
    ) -> AsyncIterator[Seen]:
        """Yield bulletins as they are admitted, without end.

        Args:
            filter_: the selection, in the grammar of `tocsin watch`: `kind:data-breach country:XA priority:p1,p2`.
            since: how far to look back first; None is all that is held.
            status: the one status to watch.

        Raises:
            FilterError: the filter is malformed.
        """
        ...

    async def get(self, wanted: str) -> Seen | None:
        """The newest version of a bulletin that this identity has read or published; None when it holds none.

        Args:
            wanted: an id of any version, the beginning of one, or a digest.

        Raises:
            AmbiguousIdError: ids of several threads have this beginning.
        """
        ...

    async def trace(self, wanted: str) -> Life:
        """The life of the newest version of a bulletin, from this identity's own files."""
        ...
