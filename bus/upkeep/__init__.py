"""Upkeep: the beacon, expiry warnings, units of systemd, and backups of a context."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.upkeep import notify
    from bus.upkeep.archive import BackupError
    from bus.upkeep.backup import Kept, back_up
    from bus.upkeep.conditions import keeper_conditions
    from bus.upkeep.endings import Certificate, Level, Term, terms
    from bus.upkeep.keeper import Keeper
    from bus.upkeep.restoring import Restored, restore
    from bus.upkeep.role import must_have_role
    from bus.upkeep.units import (
        Scope,
        UnitError,
        UnitSpec,
        hidden,
        is_of,
        is_ours,
        is_unchanged,
        unit_name,
        unit_text,
    )
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "BackupError",
    "Certificate",
    "Keeper",
    "Kept",
    "Level",
    "Restored",
    "Scope",
    "Term",
    "UnitError",
    "UnitSpec",
    "back_up",
    "hidden",
    "is_of",
    "is_ours",
    "is_unchanged",
    "keeper_conditions",
    "must_have_role",
    "notify",
    "restore",
    "terms",
    "unit_name",
    "unit_text",
]
