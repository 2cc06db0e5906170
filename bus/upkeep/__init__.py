"""What must be kept up: the beacon, what ends soon, units of systemd, and copies of a context."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.upkeep import notify
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "notify",
]
