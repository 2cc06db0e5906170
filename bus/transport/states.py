"""What JetStream answers: acknowledgements and states, decoded with bounds. A broker may say anything; what does not fit is none."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, TypeVar

import msgspec

from bus.errors import BrokerError

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, msgspec.Meta(max_length=256)]
_Subject = Annotated[str, msgspec.Meta(max_length=1024)]
Aware = Annotated[dt.datetime, msgspec.Meta(tz=True)]
MAX_NAMES = 100_000
ALL_SUBJECTS = ">"
T = TypeVar("T")


class _ConsumerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of a consumer's settings."""

    filter_subject: _Subject | None = None
    filter_subjects: Annotated[list[_Subject], msgspec.Meta(max_length=MAX_NAMES)] | None = None


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that another one copies."""

    name: Name


class _StreamConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of a stream's settings."""

    max_bytes: Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)] = -1
    sources: Annotated[list[_Source], msgspec.Meta(max_length=MAX_NAMES)] | None = None


def _check(config: dict[str, Any], shape: type[msgspec.Struct]) -> None:
    msgspec.convert(config, shape)


class PubAck(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's durable acknowledgement."""

    stream: Name
    seq: Count
    duplicate: bool = False


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """How far a consumer has delivered: in its own count since it was set, and in the stream."""

    consumer_seq: Count
    stream_seq: Count


class ConsumerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How a consumer stands.

    Attributes:
        config: its settings, as the server tells them.
        delivered: how far it has delivered.
        num_pending: how many messages of the stream it has still to deliver.
        num_waiting: how many pull requests wait at it.
        ts: the broker's own time when it answered.
    """

    config: dict[str, Any]
    delivered: Delivered
    num_pending: Count = 0
    num_waiting: Count = 0
    ts: Aware | None = None

    def __post_init__(self) -> None:
        """Refuse settings that are used and are not what they should be; msgspec makes it a `ValidationError`."""
        _check(self.config, _ConsumerConfig)

    @property
    def filters(self) -> frozenset[str]:
        """The subjects it delivers."""
        return frozenset(
            self.config.get("filter_subjects") or [self.config.get("filter_subject") or ALL_SUBJECTS]
        )


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream holds."""

    messages: Count
    bytes: Count
    first_seq: Count
    last_seq: Count
    num_subjects: Count = 0


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream has copied another: up to which of its messages."""

    name: Name
    seq: Count = 0


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream stands; `config` are its settings, as the server tells them, `copied` how far it has its sources."""

    config: dict[str, Any]
    state: StreamState
    copied: tuple[SourceInfo, ...] = msgspec.field(default=(), name="sources")

    def __post_init__(self) -> None:
        """As `ConsumerInfo.__post_init__`."""
        _check(self.config, _StreamConfig)

    @property
    def max_bytes(self) -> int:
        """The room that it has, in bytes."""
        return int(self.config.get("max_bytes", -1))

    @property
    def sources(self) -> frozenset[str]:
        """The names of the streams that it copies."""
        return frozenset(source["name"] for source in self.config.get("sources") or ())


def decoded(answer: object, shape: type[T], what: str) -> T:
    """An answer in its shape; `what` it should be is for the error.

    Raises:
        BrokerError: it is no such thing.
    """
    try:
        return msgspec.convert(answer, shape)
    except (msgspec.ValidationError, RecursionError) as exc:
        raise BrokerError(f"not {what} ({exc})") from None
