"""JetStream's answers, acknowledgements and states, decoded with bounds. A broker may send anything; a bad shape is refused."""

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
    """The settings of a consumer that are used."""

    filter_subject: _Subject | None = None
    filter_subjects: Annotated[list[_Subject], msgspec.Meta(max_length=MAX_NAMES)] | None = None


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that another one copies."""

    name: Name


class _StreamConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a stream that are used."""

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
    """How far a consumer has delivered: in its own count since its reset, and in the stream."""

    consumer_seq: Count
    stream_seq: Count


class ConsumerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a consumer.

    Attributes:
        config: its settings, as the server reports them.
        delivered: how far it has delivered.
        num_pending: the number of the stream's messages that it has still to deliver.
        num_waiting: the number of open pull requests.
        ts: the broker's time at the answer.
    """

    config: dict[str, Any]
    delivered: Delivered
    num_pending: Count = 0
    num_waiting: Count = 0
    ts: Aware | None = None

    def __post_init__(self) -> None:
        """Refuse bad values of the settings that are used; msgspec makes it a `ValidationError`."""
        _check(self.config, _ConsumerConfig)

    @property
    def filters(self) -> frozenset[str]:
        """The subjects it delivers."""
        return frozenset(
            self.config.get("filter_subjects") or [self.config.get("filter_subject") or ALL_SUBJECTS]
        )


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a stream: counts and sequences."""

    messages: Count
    bytes: Count
    first_seq: Count
    last_seq: Count
    num_subjects: Count = 0


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The sequence up to which a stream has copied another."""

    name: Name
    seq: Count = 0


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a stream: `config` has its settings as the server reports them, `copied` how far it has copied its sources."""

    config: dict[str, Any]
    state: StreamState
    copied: tuple[SourceInfo, ...] = msgspec.field(default=(), name="sources")

    def __post_init__(self) -> None:
        """As `ConsumerInfo.__post_init__`."""
        _check(self.config, _StreamConfig)

    @property
    def max_bytes(self) -> int:
        """Its bound in bytes."""
        return int(self.config.get("max_bytes", -1))

    @property
    def sources(self) -> frozenset[str]:
        """The names of the streams that it copies."""
        return frozenset(source["name"] for source in self.config.get("sources") or ())


def decoded(answer: object, shape: type[T], what: str) -> T:
    """An answer decoded to its type; `what` names it in the error.

    Raises:
        BrokerError: the answer has another shape.
    """
    try:
        return msgspec.convert(answer, shape)
    except (msgspec.ValidationError, RecursionError) as exc:
        raise BrokerError(f"not {what} ({exc})") from None
