"""What JetStream answers: a durable acknowledgement, or a refusal mapped to ours."""

from __future__ import annotations

from typing import Any

import msgspec

from bus.errors import BrokerError

STREAM_FULL = frozenset({10023, 10077})


class PubAck(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's durable acknowledgement."""

    stream: str
    seq: int
    duplicate: bool = False


def ack_of(found: dict[str, Any]) -> PubAck:
    """The acknowledgement in an answer.

    Raises:
        BrokerError: it is a refusal, or none of both.
    """
    if "error" in found:
        raise refusal_of(found["error"])
    try:
        return msgspec.convert(found, PubAck)
    except msgspec.ValidationError:
        raise BrokerError("not an acknowledgement") from None


def refusal_of(error: dict[str, Any]) -> BrokerError:
    """The error that JetStream's own stands for: `hub-full`, `no-stream`, or what the server said."""
    code = int(error.get("err_code", 0))
    text = str(error.get("description", "the broker refuses"))
    if code in STREAM_FULL:
        return BrokerError(f"the hub is full: {text}", reason="hub-full", code=code)
    if error.get("code") == 503:
        return BrokerError(text, reason="no-stream", code=code)
    return BrokerError(text, code=code)
