"""The broker for real: its binary, its configuration from the registry, its process, its streams."""

from bus.server.binary import MINIMUM_VERSION, check_version, find_binary
from bus.server.conf import ServerSettings, ServerTls, render_conf
from bus.server.following import follow_registry
from bus.server.process import NatsServer
from bus.server.provision import provision
from bus.server.sharing import share_connections

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
