"""The pace of the channels: every phase has one, and it never slows down towards the vote."""

from __future__ import annotations

import msgspec
import pytest

from bus.phases import PACES, pace
from schemas.vocab import Phase


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
