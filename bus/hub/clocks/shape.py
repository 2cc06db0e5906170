"""A clock, and its state at a moment."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec

SOON = dt.timedelta(hours=6)
"""So long before it is due a clock is due soon."""


class Standing(StrEnum):
    """How a clock stands."""

    RUNNING = "running"
    DUE_SOON = "due_soon"
    LATE = "late"
    MET = "met"
    MET_LATE = "met_late"


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody owes by a time.

    Attributes:
        rule: a stable word: the clock of the registry (`nis2-notification`), or `rfi`, `question`, `action-KIND`, `lesson`,
            `comply-by`, `acknowledgement`.
        place: its place in the bulletin: `deadlines/0`, `body`, `actions/1`, `lessons/2`. With `rule` it names the clock
            within its bulletin.
        owner: who owes: authorities, kinds of them, audiences. Empty where the bulletin does not say. For a report under a law
            it is the authority that tells of the incident: the entity itself is not named on the bus.
        start: what began it.
        due: by when an officer acts.
        latest: until when the law would take it (Regulation (EEC, Euratom) No 1182/71, Article 3); None where no law sets the time.
        met: when it was met; None while it was not.
        met_by: the id of the bulletin that shows so.
    """

    rule: str
    place: str
    owner: tuple[str, ...]
    start: dt.datetime
    due: dt.datetime
    latest: dt.datetime | None = None
    met: dt.datetime | None = None
    met_by: str | None = None

    @property
    def limit(self) -> dt.datetime:
        """After this it is late."""
        return self.due if self.latest is None else max(self.due, self.latest)


def standing(clock: Clock, now: dt.datetime, soon: dt.timedelta = SOON) -> Standing:
    """How a clock stands.

    Between `due` and `latest` it is due soon: late means only late by law. `due` itself is in time. The
    midnight of `latest` is the first moment of the next day, and is not.

    Args:
        clock: the clock.
        now: the present, aware.
        soon: how long before it is due that is near.
    """
    if clock.met is not None:
        return Standing.MET if is_in_time(clock, clock.met) else Standing.MET_LATE
    if not is_in_time(clock, now):
        return Standing.LATE
    return Standing.DUE_SOON if now >= clock.due - soon else Standing.RUNNING


def is_in_time(clock: Clock, moment: dt.datetime) -> bool:
    """Whether a clock that is met at a moment is met in time."""
    return moment <= clock.due or (clock.latest is not None and moment < clock.latest)
