"""The broker for real: its binary, its configuration from the registry, its process, its streams."""

from bus.server.binary import MINIMUM_VERSION, check_version, find_binary
from bus.server.config import ServerSettings, ServerTls, render_conf
from bus.server.connection_limits import share_connections
from bus.server.follow import follow_registry
from bus.server.process import NatsServer
from bus.server.provisioning import provision

__all__ = [
    "MINIMUM_VERSION",
    "NatsServer",
    "ServerSettings",
    "ServerTls",
    "check_version",
    "find_binary",
    "follow_registry",
    "provision",
    "render_conf",
    "share_connections",
]
