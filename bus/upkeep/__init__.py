"""What must be kept up: the beacon, what ends soon, units of systemd, and copies of a context."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.upkeep import notify
    from bus.upkeep.endings import Certificate, Level, Term, terms
    from bus.upkeep.keeper import Keeper, must_have_role
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "Certificate",
    "Keeper",
    "Level",
    "Term",
    "must_have_role",
    "notify",
    "terms",
]
