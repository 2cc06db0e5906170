"""Election calendars: overlapping windows, one phase."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.elections import RANKING, TYPE_TOKENS, coarse, next_change, phase_at, phase_over
from schemas.vocab import ElectionType, Phase
from schemas.zones import ZONES

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
    tz="Europe/Vienna",
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


TICK = dt.timedelta(microseconds=1)


@pytest.mark.parametrize("window_", CALENDAR.windows, ids=lambda window_: str(window_.phase))
def test_a_window_is_open_from_its_start_until_right_before_its_end(window_: PhaseWindow) -> None:
    """To the microsecond, and a window that ends as the next begins leaves no moment between them."""
    alone = ElectionCalendar(windows=(window_,), tz="Europe/Vienna")
    moments = (window_.start - TICK, window_.start, window_.end - TICK, window_.end)
    assert [phase_at(alone, moment) is window_.phase for moment in moments] == [False, True, True, False]


def test_the_present_may_be_told_in_any_zone() -> None:
    """One moment has one phase, however a clock on the wall names it, over a change of summer time as well."""
    opening = dt.datetime(2027, 3, 28, 0, 30, tzinfo=dt.UTC)
    calendar = ElectionCalendar(
        windows=(
            PhaseWindow(phase=Phase.SILENCE, start=opening - DAY, end=opening),
            PhaseWindow(phase=Phase.POLLING, start=opening, end=opening + dt.timedelta(hours=14)),
        ),
        tz="Europe/Vienna",
    )
    for hours in range(-12, 15):
        zone = dt.timezone(dt.timedelta(hours=hours))
        assert phase_at(calendar, opening.astimezone(zone)) is Phase.POLLING
        assert phase_at(calendar, (opening - TICK).astimezone(zone)) is Phase.SILENCE
        assert next_change(calendar, (opening - DAY).astimezone(zone)) == opening


def test_silence_goes_before_early_votes_and_gives_way_to_the_polls() -> None:
    """Two nights of silence around two days of polls, with postal votes under all of it."""
    calendar = ElectionCalendar(
        windows=(
            window(Phase.ADVANCE_VOTING, -20, 2),
            window(Phase.SILENCE, -1, 2),
            window(Phase.POLLING, 0, 0.6),
            window(Phase.POLLING, 1, 1.6),
            window(Phase.COUNTING, 1.6, 3),
        ),
        tz="Europe/Vienna",
    )
    days = {
        -2: "advance-voting",
        -0.5: "silence",
        0.3: "polling",
        0.8: "silence",
        1.5: "polling",
        1.7: "counting",
    }
    assert {day: phase_at(calendar, POLLS + day * DAY) for day in days} == days


def test_several_elections_at_once_have_the_gravest_phase_of_them() -> None:
    """What a country watches for is the highest phase over all of its elections, and of both rounds."""
    runoff = ElectionCalendar(
        windows=(
            window(Phase.CAMPAIGN, 3, 13),
            PhaseWindow(phase=Phase.POLLING, start=POLLS + 14 * DAY, end=POLLS + 14.6 * DAY, round=2),
        ),
        tz="Europe/Vienna",
    )
    assert phase_over([], POLLS) is Phase.NONE
    assert phase_over([CALENDAR], POLLS) is Phase.POLLING
    for day, phase in (
        (1.5, Phase.COUNTING),
        (5, Phase.CERTIFICATION),
        (12.5, Phase.CAMPAIGN),
        (14, Phase.POLLING),
        (14.6, Phase.REVIEW),
    ):
        for calendars in ((CALENDAR, runoff), (runoff, CALENDAR)):
            assert phase_over(calendars, POLLS + day * DAY) is phase


@given(
    st.lists(
        st.tuples(st.sampled_from(RANKING), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6
    ),
    st.integers(-1, 10),
)
def test_one_calendar_or_many_come_to_the_same(windows: list[tuple[Phase, int, int]], day: int) -> None:
    """Windows in one calendar or one in each: the phase is the same; a window that ends before it begins is never open."""
    made = [window(phase, start, end) for phase, start, end in windows]
    now = POLLS + day * DAY
    together = ElectionCalendar(windows=tuple(made), tz="Europe/Vienna")
    apart = [ElectionCalendar(windows=(each,), tz="Europe/Vienna") for each in made]
    assert phase_at(together, now) is phase_over(apart, now)
    assert (phase_at(together, now) is Phase.NONE) == all(not start <= day < end for _, start, end in windows)


def test_every_zone_of_the_list_can_be_written() -> None:
    """Each name fits the field of a calendar, and those that people and offsets need are among them."""
    plain = msgspec.to_builtins(CALENDAR)
    for zone in ZONES:
        assert msgspec.convert({**plain, "tz": zone}, ElectionCalendar).tz == zone
    assert {"UTC", "Etc/GMT+3", "Etc/GMT-14", "Europe/Kyiv", "America/Argentina/Buenos_Aires"} <= ZONES


def test_an_election_that_is_called_off_has_no_phase() -> None:
    """Its windows are told as they were, and nobody watches for them."""
    off = msgspec.structs.replace(CALENDAR, state="called-off", cause="Court decision.")
    assert phase_at(off, POLLS) is Phase.NONE
    assert phase_over((off, CALENDAR), POLLS) is Phase.POLLING
    assert next_change(off, POLLS) is None
