"""A keeper's facts as conditions of the health model: its problems, and expiring items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bus.health import Condition, Level
from bus.upkeep.endings import Term

_PROBLEMS = {
    "bus": (
        "beacon-not-announced",
        "the newest beacon is not on the bus",
        "check that the broker runs: tocsin doctor",
    ),
    "disk": (
        "beacon-not-kept",
        "the newest beacon is not on this disk",
        "make room, or correct the folder",
    ),
    "beacon": (
        "beacon-not-renewed",
        "no beacon can be made now",
        "take in the registry's next version, or set the clock",
    ),
}
_CLOCK = "clock"
MOST_TERMS = 100
"""Most expiring items listed one by one, the worst first: all items of a large registry would not fit a state file."""
_OF_AUTHORITIES = ("signing-key", "seal-key")  # their expiry stops nothing here


def keeper_conditions(problems: Mapping[str, str], found: Iterable[Term]) -> tuple[Condition, ...]:
    """The conditions of a keeper.

    Args:
        problems: its problems, as `Keeper.problems`.
        found: the expiring items.
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
                remedy="set this clock: timedatectl",
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
