"""Election calendars: overlapping windows, one phase."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.elections import RANKING, TYPE_TOKENS, coarse, next_change, phase_at
from schemas.vocab import ElectionType, Phase

DAY = dt.timedelta(days=1)
POLLS = dt.datetime(2027, 5, 23, 5, 0, tzinfo=dt.UTC)


def window(phase: Phase, start: float, end: float) -> PhaseWindow:
    """A window in days from the opening of the polls."""
    return PhaseWindow(phase=phase, start=POLLS + start * DAY, end=POLLS + end * DAY)


CALENDAR = ElectionCalendar(
    windows=(
        window(Phase.ANNOUNCED, -90, -30),
        window(Phase.REGISTRATION, -60, -20),
        window(Phase.CAMPAIGN, -30, -1),
        window(Phase.ADVANCE_VOTING, -10, 0),
        window(Phase.SILENCE, -1, 0.6),
        window(Phase.POLLING, 0, 0.6),
        window(Phase.COUNTING, 0.6, 2),
        window(Phase.DISPUTE, 1, 12),
        window(Phase.CERTIFICATION, 2, 10),
        window(Phase.REVIEW, 12, 60),
    ),
    tz="Europe/Example",
)


@pytest.mark.parametrize(
    ("day", "phase", "roughly"),
    [
        (-91, Phase.NONE, "none"),
        (-90, Phase.ANNOUNCED, "before"),
        (-59, Phase.REGISTRATION, "before"),
        (-25, Phase.CAMPAIGN, "before"),
        (-9, Phase.ADVANCE_VOTING, "during"),
        (-0.5, Phase.SILENCE, "during"),
        (0, Phase.POLLING, "during"),
        (0.6, Phase.COUNTING, "during"),
        (1.5, Phase.COUNTING, "during"),
        (5, Phase.CERTIFICATION, "during"),
        (11, Phase.DISPUTE, "after"),
        (12, Phase.REVIEW, "after"),
        (60, Phase.NONE, "none"),
    ],
)
def test_the_highest_open_window_is_the_phase(day: float, phase: Phase, roughly: str) -> None:
    """Windows include their start and exclude their end; of several the ranking decides."""
    assert phase_at(CALENDAR, POLLS + day * DAY) is phase
    assert coarse(phase) == roughly


def test_the_vocabularies_are_covered() -> None:
    """Every phase has a rank and a coarse name, every type of election a token."""
    assert {*RANKING, Phase.NONE} == set(Phase)
    assert {coarse(phase) for phase in Phase} == {"none", "before", "during", "after"}
    assert set(TYPE_TOKENS.values()) == set(ElectionType)


def test_after_the_last_window_nothing_changes() -> None:
    """A finished calendar has no next change."""
    assert next_change(CALENDAR, POLLS + 61 * DAY) is None


def test_a_change_that_changes_nothing_is_none() -> None:
    """A window that opens beneath a higher one is no change; the next one is told."""
    assert next_change(CALENDAR, POLLS + 0.7 * DAY) == POLLS + 2 * DAY


@given(hours=st.integers(-100 * 24, 70 * 24))
def test_until_the_next_change_the_phase_stays(hours: int) -> None:
    """Right before the change it is still the present phase; at the change it is another."""
    now = POLLS + dt.timedelta(hours=hours)
    change = next_change(CALENDAR, now)
    if change is not None:
        assert change > now
        assert phase_at(CALENDAR, change - dt.timedelta(microseconds=1)) is phase_at(CALENDAR, now)
        assert phase_at(CALENDAR, change) is not phase_at(CALENDAR, now)
