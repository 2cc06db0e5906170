"""What a server says of itself (INFO), as far as the client acts on it. Pure.

It says it first of all, and again whenever it likes. The library takes each member as it stands: a size that is no number, or
an address that is none, would end the reader of a connection that goes on to seem well.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
from nats.errors import ProtocolError

MAX_ANNOUNCED_BYTES = 4 * 1024**2
"""The largest message that is taken: ours are far smaller, an answer of the server about itself may be larger."""


class _ServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The members of INFO that count."""

    max_payload: Annotated[int, msgspec.Meta(ge=1)] = 1024 * 1024
    nonce: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    headers: bool = False
    auth_required: bool = False
    tls_required: bool = False


def read(raw: bytes) -> dict[str, Any]:
    """What a line of it says.

    Raises:
        ProtocolError: it is no such thing.
    """
    try:
        return checked(json.loads(raw))
    except (ValueError, RecursionError):
        raise ProtocolError from None


def checked(document: object) -> dict[str, Any]:
    """What the server says of itself, as far as the client acts on it: nothing else gets through, so nothing else is trusted.

    Its addresses of other servers are left out: a connection goes where its owner has said.

    Raises:
        ProtocolError: it is no such thing.
    """
    try:
        said = msgspec.convert(document, _ServerInfo)
    except (msgspec.ValidationError, RecursionError):
        raise ProtocolError from None
    known = {name: value for name, value in msgspec.structs.asdict(said).items() if value is not None}
    return {**known, "max_payload": min(said.max_payload, MAX_ANNOUNCED_BYTES)}
