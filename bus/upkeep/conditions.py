"""What a keeper knows, as conditions of the health model: what it cannot do, and what ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bus.health import Condition, Level
from bus.upkeep.endings import Term

_PROBLEMS = {
    "bus": (
        "beacon-not-announced",
        "the newest beacon is not on the bus",
        "is the broker running? tocsin doctor",
    ),
    "disk": (
        "beacon-not-kept",
        "the newest beacon is not on this disk",
        "make room, or put the folder right",
    ),
    "beacon": (
        "beacon-not-renewed",
        "no beacon can be made now",
        "take in the registry's next version, or put the clock right",
    ),
}
_CLOCK = "clock"
MOST_TERMS = 100
"""So many of what ends are told one by one, the worst first: all that a large registry names would be no state file."""
_OF_AUTHORITIES = ("signing-key", "seal-key")  # whose end stops nothing here


def keeper_conditions(problems: Mapping[str, str], found: Iterable[Term]) -> tuple[Condition, ...]:
    """Conditions for what a keeper says.

    Args:
        problems: what it cannot do, as `Keeper.problems`.
        found: what ends when.
    """
    told = [
        Condition(
            name="keeper",
            level=Level.WARNING,
            code=_PROBLEMS[way][0],
            detail=f"{_PROBLEMS[way][1]}: {problem}",
            remedy=_PROBLEMS[way][2],
        )
        for way, problem in problems.items()
        if way != _CLOCK
    ]
    if (off := problems.get(_CLOCK)) is not None:
        told.append(
            Condition(
                name="clock",
                level=Level.BAD,
                code="clock-off",
                detail=f"{off}: readers refuse a beacon that is dated ahead, and one that is dated back expires too soon",
                remedy="put this clock right: timedatectl",
            )
        )
    ending = sorted(
        (term for term in found if term.level != "ok"),
        key=lambda term: (term.what in _OF_AUTHORITIES, term.level != "bad"),
    )
    for term in ending[:MOST_TERMS]:
        is_over = term.level == "bad"
        when = f"{term.ends:%Y-%m-%d %H:%M} UTC" if term.ends else ""
        told.append(
            Condition(
                name="term",
                level=Level.BAD if is_over and term.what not in _OF_AUTHORITIES else Level.WARNING,
                code="has-ended" if is_over else "ends-soon",
                detail=f"{term.what} of {term.whose} ({term.name}) "
                + (f"{'expired' if is_over else 'expires'} {when}" if when else "is missing"),
                remedy=term.remedy,
                since=term.ends if is_over else None,
            )
        )
    if more := ending[MOST_TERMS:]:
        told.append(
            Condition(
                name="term",
                level=Level.WARNING,
                code="ends-soon",
                detail=f"{len(more)} more end soon or have expired",
                remedy="tocsin registry keep --once lists them all",
            )
        )
    return tuple(told)
