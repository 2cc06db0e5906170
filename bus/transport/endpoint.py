"""The address and identity for a connection to a nats-server; the client is imported at connect."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from bus.transport.interface import Connection, StreamPlace
from bus.transport.tls import Tls

if TYPE_CHECKING:
    from types import ModuleType

PING_S = 10


class Endpoint(StreamPlace, frozen=True, kw_only=True):
    """Address and identity of a connection; `ping_s` is called for the seconds between two pings."""

    url: str
    nkey_seed: str
    tls: Tls | None = None
    ping_s: Callable[[], int] = lambda: PING_S

    def connect(
        self, on_denied: Callable[[str], None] | None = None, /
    ) -> AbstractAsyncContextManager[Connection]:
        """A connection for as long as the context lasts; see `Connection.open`."""
        # Imported by name: a program that only queues bulletins has an endpoint and loads no client.
        module: ModuleType = importlib.import_module("bus.transport.connection")
        opened: AbstractAsyncContextManager[Connection] = module.NatsConnection.at(self, on_denied)
        return opened
