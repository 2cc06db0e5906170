"""Runs the broker: its binary, its configuration from the registry, its process, its streams."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.server.binary import MINIMUM_VERSION, ServerError, check_version, find_binary
    from bus.server.checks import DISK_RESERVE_BYTES, check, must_be_sound, standing_check
    from bus.server.config import ServerSettings, ServerTls, render_conf
    from bus.server.follow import follow_registry
    from bus.server.probe import PROBE_FILES
    from bus.server.process import NatsServer
    from bus.server.provisioning import provision, provisioner_endpoint
    from bus.server.running import ports_of
    from bus.server.standing import CONF_FILE
    from bus.server.tending import tend
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "CONF_FILE",
    "DISK_RESERVE_BYTES",
    "MINIMUM_VERSION",
    "PROBE_FILES",
    "NatsServer",
    "ServerError",
    "ServerSettings",
    "ServerTls",
    "check",
    "check_version",
    "find_binary",
    "follow_registry",
    "must_be_sound",
    "ports_of",
    "provision",
    "provisioner_endpoint",
    "render_conf",
    "standing_check",
    "tend",
]
