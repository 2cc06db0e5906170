"""The errors of the bus, by class and reason code. The command line maps them to exit codes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import TocsinError

if TYPE_CHECKING:
    from schemas.subject import Channel


class BusError(TocsinError):
    """Base class of the errors below; used alone for a plain failure."""


class ConfigError(BusError):
    """A setting is missing, unknown or ill-typed."""

    reason = "config"


class FilterError(BusError):
    """A filter is malformed, or names an unknown word."""

    reason = "filter-malformed"


class KeyFileError(BusError):
    """A key file is missing, exposed, weakly encrypted or damaged."""

    reason = "key-file"


class TrustError(BusError):
    """A registry, beacon, key or signature is not valid."""

    reason = "trust"


class PermitError(BusError):
    """The registry gives this authority no grant for this bulletin; found before signing."""

    reason = "not-permitted"


class VersionError(PermitError):
    """An update or cancel names a bulletin that is not the living version of its thread; found before signing.

    Attributes:
        living: the id of the living version; for a withdrawn thread, of the withdrawn version.
        cancelled_by: the id of the cancel that withdrew the thread; None if it is not withdrawn.
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
    """Several bulletins have ids with this beginning.

    Attributes:
        candidates: their ids, or the first ones.
    """

    reason = "ambiguous-id"

    def __init__(self, detail: str, *, candidates: tuple[str, ...]) -> None:
        super().__init__(detail, remedy="type more characters of the id")
        self.candidates = candidates


class Proof(NamedTuple):
    """What the signatures of a bulletin prove, without other headers.

    Attributes:
        subject: its subject, from its content.
        headers: the headers for publishing it: the valid signatures, and hints from its content.
        kids: the issuer's keys that signed it.
        voices: those, and the keys of named co-issuers that signed it.
        awaits: whether it also has a signature by a key that the registry does not list.
    """

    subject: str
    headers: tuple[tuple[str, str], ...]
    kids: tuple[str, ...]
    voices: tuple[str, ...]
    awaits: bool


class Place:
    """The place in a chain of a refused but signed bulletin, and the issuer's keys that signed it."""

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
    """Received bytes are refused; `bus.admission.steps.REASONS` lists the codes.

    Attributes:
        place: its place in a chain, if the signature is valid and the place readable.
        retry_at: time to try again; only for `from-the-future`.
        awaits: whether the next version of the registry may admit it.
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
    """A seal cannot be opened, or its content does not match the outer bulletin."""

    reason = "malformed-seal"


class UnreachableError(BusError):
    """The broker does not answer."""

    reason = "unreachable"


class BrokerError(BusError):
    """The broker answered with an error.

    Attributes:
        code: JetStream's error code; 0 if there is none.
    """

    reason = "broker"

    def __init__(self, detail: str, *, reason: str | None = None, code: int = 0) -> None:
        super().__init__(detail, reason=reason)
        self.code = code


class DeniedError(BusError):
    """The broker's permissions forbid it."""

    reason = "refused-by-broker"


class StoreError(BusError):
    """A SQLite store is damaged, full or in use."""

    reason = "store"

    @property
    def is_passing(self) -> bool:
        """Whether a retry may succeed: the disk or memory is full, or another process uses the file."""
        return self.reason in ("store-full", "store-busy", "store-memory")

    @property
    def is_final(self) -> bool:
        """Whether every retry fails: the store has failed, is missing, or is closed."""
        return self.reason in ("store-failed", "store-closed", "store-corrupt", "store-replaced")


class OutboxError(BusError):
    """An outbox must not publish in its present state."""

    reason = "outbox"
