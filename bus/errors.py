"""What can go wrong on the bus, by class and reason; with which code the program ends is for the command line to say."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import TocsinError

if TYPE_CHECKING:
    from schemas.subject import Channel


class BusError(TocsinError):
    """Anything below; by itself a plain failure."""


class ConfigError(BusError):
    """A setting that is missing, unknown or ill-typed."""

    reason = "config"


class FilterError(BusError):
    """A filter that cannot be read, or names what there is not."""

    reason = "filter-malformed"


class KeyFileError(BusError):
    """A key file that is missing, exposed, weakly encrypted or damaged."""

    reason = "key-file"


class TrustError(BusError):
    """A registry, beacon, key or signature that does not stand."""

    reason = "trust"


class PermitError(BusError):
    """The registry does not let this authority say this, to them, here; found before anything is signed."""

    reason = "not-permitted"


class VersionError(PermitError):
    """An update or cancel of what is not the living version of its thread; found before anything is signed.

    Attributes:
        living: the id of the version to act on; of a withdrawn thread the one that was withdrawn.
        cancelled_by: the id of the cancel that withdrew the thread; None where it stands.
    """

    reason = "already-superseded"

    def __init__(
        self,
        detail: str,
        *,
        reason: str,
        living: str,
        cancelled_by: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(detail, reason=reason, remedy=remedy)
        self.living = living
        self.cancelled_by = cancelled_by


class AmbiguousIdError(BusError):
    """The beginning of an id that several bulletins have.

    Attributes:
        candidates: their ids, or the first of them.
    """

    reason = "ambiguous-id"

    def __init__(self, detail: str, *, candidates: tuple[str, ...]) -> None:
        super().__init__(detail, remedy="type more of it")
        self.candidates = candidates


class Proof(NamedTuple):
    """What the signatures of a bulletin prove, without anything that came beside it.

    Attributes:
        subject: its own.
        headers: those with which it may be published: the signatures that hold, and the hints that follow from its content.
        kids: the keys of its issuer.
        voices: those, and the keys of the co-issuers it names, so far as they stand behind it.
        awaits: whether a signature by a key that the registry does not list came with it.
    """

    subject: str
    headers: tuple[tuple[str, str], ...]
    kids: tuple[str, ...]
    voices: tuple[str, ...]
    awaits: bool


class Place:
    """Where in a chain a refused but signed bulletin stands, and with which keys its issuer signed it."""

    __slots__ = ("channel", "digest", "id", "issued", "kids", "prev", "proof", "seq")

    def __init__(
        self,
        *,
        channel: Channel,
        seq: int,
        digest: str,
        prev: str | None,
        id: str,  # noqa: A002
        kids: tuple[str, ...],
        issued: dt.datetime,
        proof: Proof | None = None,
    ) -> None:
        self.proof = proof
        self.kids = kids
        self.issued = issued
        self.channel = channel
        self.seq = seq
        self.digest = digest
        self.prev = prev
        self.id = id


class AdmissionError(BusError):
    """Received bytes that are refused; `bus.admission.steps.REASONS` lists the codes.

    Attributes:
        place: its place in a chain, when the signature stood and that much could be read.
        retry_at: when to try again; only for `from-the-future`.
        awaits: whether the next version of the registry may say otherwise.
    """

    reason = "refused"

    def __init__(
        self,
        detail: str,
        *,
        reason: str,
        remedy: str | None = None,
        place: Place | None = None,
        retry_at: dt.datetime | None = None,
    ) -> None:
        super().__init__(detail, reason=reason, remedy=remedy)
        self.place = place
        self.retry_at = retry_at
        self.awaits = False


class SealError(BusError):
    """A seal that does not open, or what is in it is not what the outside says."""

    reason = "malformed-seal"


class UnreachableError(BusError):
    """The broker does not answer."""

    reason = "unreachable"


class BrokerError(BusError):
    """The broker answered with an error.

    Attributes:
        code: JetStream's error code, 0 when there is none.
    """

    reason = "broker"

    def __init__(self, detail: str, *, reason: str | None = None, code: int = 0) -> None:
        super().__init__(detail, reason=reason)
        self.code = code


class DeniedError(BusError):
    """The broker's permissions forbid it."""

    reason = "refused-by-broker"


class StoreError(BusError):
    """A SQLite store that is damaged, full or in use."""

    reason = "store"

    @property
    def is_passing(self) -> bool:
        """Whether the same work may succeed later: disk or memory are full, or another process uses the file."""
        return self.reason in ("store-full", "store-busy", "store-memory")

    @property
    def is_final(self) -> bool:
        """Whether the same work fails again, however long one waits: the store has failed, is not there any more, or is closed."""
        return self.reason in ("store-failed", "store-closed", "store-corrupt", "store-replaced")


class OutboxError(BusError):
    """An outbox that must not publish as it is."""

    reason = "outbox"
