"""The server's description of itself (INFO), reduced to the members that the client uses. Pure.

The server sends it first, and again at any time. The library takes each member unchecked: a size that is not a number,
or an invalid address, would end the reader although the connection still looks well.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
from nats.errors import ProtocolError

MAX_ANNOUNCED_BYTES = 4 * 1024**2
"""Bytes of the largest message taken: ours are far smaller, an answer of the server about itself may be larger."""


class _ServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The members of INFO that the client uses."""

    max_payload: Annotated[int, msgspec.Meta(ge=1)] = 1024 * 1024
    nonce: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    headers: bool = False
    auth_required: bool = False
    tls_required: bool = False


def read(raw: bytes) -> dict[str, Any]:
    """Parse a line of INFO.

    Raises:
        ProtocolError: the line is not INFO.
    """
    try:
        return checked(json.loads(raw))
    except (ValueError, RecursionError):
        raise ProtocolError from None


def checked(document: object) -> dict[str, Any]:
    """The members of INFO that the client uses; all others are dropped, so none of them is trusted.

    The addresses of other servers are dropped too: a connection goes only where its owner configured it.

    Raises:
        ProtocolError: the bytes are not INFO.
    """
    try:
        said = msgspec.convert(document, _ServerInfo)
    except (msgspec.ValidationError, RecursionError):
        raise ProtocolError from None
    known = {name: value for name, value in msgspec.structs.asdict(said).items() if value is not None}
    return {**known, "max_payload": min(said.max_payload, MAX_ANNOUNCED_BYTES)}
