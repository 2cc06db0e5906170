"""How the telling of people is, as conditions of the health model. Pure."""

from __future__ import annotations

import datetime as dt

from bus.health import Condition, Level
from bus.notify.deliveries import Counts

LATE_S = 900.0
"""So long the oldest message may wait before it is called a problem."""


def conditions_of(problem: str, standing: Counts, now: dt.datetime) -> tuple[Condition, ...]:
    """What a program says of itself.

    Args:
        problem: why the hub's store cannot be read; empty where it can.
        standing: how the messages stand.
        now: the present, aware.
    """
    if problem:
        return (_warning("notify-cannot-look", problem, "does the hub run? tocsin hub status"),)
    if standing.oldest is not None and (now - standing.oldest).total_seconds() > LATE_S:
        since = f"{standing.oldest:%Y-%m-%d %H:%M} UTC"
        text = f"{standing.waiting} messages wait to be sent, the oldest since {since}"
        return (_warning("notify-late", text, "tocsin notify log says what comes back"),)
    if standing.given_up:
        text = f"{standing.given_up} messages were given up in the last day"
        return (_warning("notify-given-up", text, "tocsin notify log --state given-up says why"),)
    return (Condition(name="notify", level=Level.OK, code="ok", detail=f"{standing.waiting} messages wait"),)


def _warning(code: str, detail: str, remedy: str) -> Condition:
    return Condition(name="notify", level=Level.WARNING, code=code, detail=detail, remedy=remedy)
