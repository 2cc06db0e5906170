"""The pace of the channels: every phase has one, and it never slows down towards the vote."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from bus.policy.phases import PACES, is_unfinished, keep_days, pace
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.vocab import Phase
from tests.support.world import NOW


@pytest.mark.parametrize(
    ("phase", "seconds"),
    [
        (Phase.NONE, 3600),
        (Phase.ANNOUNCED, 300),
        (Phase.CAMPAIGN, 300),
        (Phase.SILENCE, 60),
        (Phase.POLLING, 60),
        (Phase.COUNTING, 60),
        (Phase.CERTIFICATION, 60),
        (Phase.DISPUTE, 300),
        (Phase.REVIEW, 300),
    ],
)
def test_hearts_beat_as_was_decided(phase: Phase, seconds: int) -> None:
    """60 seconds during, 300 before and after, 3600 otherwise."""
    assert pace(phase).heartbeat_s == seconds


def test_nothing_is_slower_during_the_vote() -> None:
    """Beats and pings are never slower during than at any other time, and nothing is kept for less long."""
    during = pace(Phase.POLLING)
    for phase in Phase:
        other = pace(phase)
        assert during.heartbeat_s <= other.heartbeat_s
        assert during.ping_s <= other.ping_s
        assert during.keep_days >= other.keep_days


def test_a_network_may_have_its_own_table() -> None:
    """Another table is taken in the place of ours."""
    mine = {**PACES, "during": msgspec.structs.replace(PACES["during"], heartbeat_s=10)}
    assert pace(Phase.POLLING, mine).heartbeat_s == 10
    assert pace(Phase.NONE, mine).heartbeat_s == 3600


def calendar(*windows: tuple[Phase, int, int]) -> ElectionCalendar:
    """A calendar whose windows are told in days from now on."""
    made = (
        PhaseWindow(phase=phase, start=NOW + dt.timedelta(days=start), end=NOW + dt.timedelta(days=end))
        for phase, start, end in windows
    )
    return ElectionCalendar(windows=tuple(made), tz="Europe/Vienna")


@pytest.mark.parametrize(
    ("windows", "unfinished"),
    [
        ([(Phase.CAMPAIGN, 1, 30)], False),
        ([(Phase.CAMPAIGN, 0, 30)], True),
        ([(Phase.POLLING, -1, 1)], True),
        ([(Phase.POLLING, -20, -19), (Phase.REVIEW, -19, 1)], True),
        ([(Phase.POLLING, -60, -59), (Phase.POLLING, 14, 15)], True),
        ([(Phase.POLLING, -60, -29)], True),
        ([(Phase.POLLING, -60, -30)], False),
        ([(Phase.NONE, -60, 60)], False),
    ],
    ids=[
        "to come",
        "begins now",
        "the vote",
        "after it",
        "between two rounds",
        "over for 29 days",
        "over for 30 days",
        "no phase",
    ],
)
def test_an_election_is_unfinished_until_it_has_been_over_for_30_days(
    windows: list[tuple[Phase, int, int]], unfinished: bool
) -> None:
    """From the start of its first window, through what lies between them, to 30 days after its last; a year is kept then."""
    made = calendar(*windows)
    assert is_unfinished(made, NOW) is unfinished
    assert keep_days([made], NOW) == (365 if unfinished else 30)


def test_without_a_calendar_30_days_are_kept_and_the_longest_of_several_counts() -> None:
    """One unfinished election among others that are over or to come decides."""
    assert keep_days([], NOW) == 30
    others = [calendar((Phase.POLLING, -90, -89)), calendar((Phase.CAMPAIGN, 5, 9))]
    assert keep_days(others, NOW) == 30
    assert keep_days([*others, calendar((Phase.POLLING, -9, -8))], NOW) == 365
