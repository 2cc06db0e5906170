"""End-to-end encryption of bulletins and sections, for named authorities."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.sealing import sections
    from bus.sealing.opening import SEAL_REASONS, context_of, open_bulletin
    from bus.sealing.recipients import current_key, must_seal
    from bus.sealing.sealer import Sealer
    from bus.sealing.sections import SECTION_REASONS
    from bus.sealing.view import SIGHT_REASONS, Keys, View, closed, is_closed, look, look_at_sections, names
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "SEAL_REASONS",
    "SECTION_REASONS",
    "SIGHT_REASONS",
    "Keys",
    "Sealer",
    "View",
    "closed",
    "context_of",
    "current_key",
    "is_closed",
    "look",
    "look_at_sections",
    "must_seal",
    "names",
    "open_bulletin",
    "sections",
]
