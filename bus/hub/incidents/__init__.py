"""Incidents: bulletins that belong together, by what authors say and people decide, and suggestions with their reasons."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.hub.incidents.joining import Group, How, Tie, apart, joined, references_of, said
    from bus.hub.incidents.likeness import Likeness, Reason, Why
    from bus.hub.incidents.suggesting import Pool, Suggestion
    from bus.hub.incidents.traits import Sort, Traits, traits_of
    from bus.hub.incidents.wording import reason_in_words, tie_in_words
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "Group",
    "How",
    "Likeness",
    "Pool",
    "Reason",
    "Sort",
    "Suggestion",
    "Tie",
    "Traits",
    "Why",
    "apart",
    "joined",
    "reason_in_words",
    "references_of",
    "said",
    "tie_in_words",
    "traits_of",
]
