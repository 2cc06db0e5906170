"""Live, late, silent; alarms that begin and end; uptime: the rules alone."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.hub.watch.liveness import Alarm, Liveness, Reason, Signs, changes, is_overdue, state_of, uptime
from schemas.vocab import ChannelState
from tests.support.world import NOW

T = NOW.timestamp()
DAY = 86_400.0


def ago(seconds: float, said: str | None = ChannelState.UP, until: float | None = None) -> Signs:
    """A last sign of life so long ago, at an interval of 60 seconds."""
    return Signs(last_heard=T - seconds, interval_s=60, said=said, until=until)


STATES: dict[str, tuple[Signs, Liveness]] = {
    "never": (Signs(last_heard=None, interval_s=60), Liveness.UNHEARD),
    "just now": (ago(0), Liveness.LIVE),
    "one interval ago": (ago(60), Liveness.LIVE),
    "one missed": (ago(61), Liveness.LATE),
    "two intervals ago": (ago(120), Liveness.LATE),
    "two missed": (ago(121), Liveness.SILENT),
    "by a bulletin alone": (ago(61, None), Liveness.LATE),
    "from the future": (ago(-200), Liveness.LIVE),
    "from a future that was taken back": (ago(-301), Liveness.LATE),
    "degraded is alive": (ago(10, ChannelState.DEGRADED), Liveness.LIVE),
    "down is what it says, and it says it": (ago(10, ChannelState.DOWN), Liveness.LIVE),
    "planned without an end": (ago(DAY - 1, ChannelState.PLANNED_OUTAGE), Liveness.PLANNED),
    "planned, and a day is over": (ago(DAY + 30, ChannelState.PLANNED_OUTAGE), Liveness.LIVE),
    "planned, and not come back": (ago(DAY + 121, ChannelState.PLANNED_OUTAGE), Liveness.SILENT),
    "planned until later": (ago(3 * DAY, ChannelState.PLANNED_OUTAGE, T + 1), Liveness.PLANNED),
    "planned for a year, and a fortnight is over": (
        ago(14 * DAY + 121, ChannelState.PLANNED_OUTAGE, T + 300 * DAY),
        Liveness.SILENT,
    ),
    "planned until lately": (ago(3 * DAY, ChannelState.PLANNED_OUTAGE, T - 61), Liveness.LATE),
    "an end before the beginning": (ago(130, ChannelState.PLANNED_OUTAGE, T - DAY), Liveness.SILENT),
}


@pytest.mark.parametrize("name", STATES)
def test_how_a_channel_is(name: str) -> None:
    """Late after one missed interval, silent after two, planned while it was announced, and never green by default."""
    signs, expected = STATES[name]
    assert state_of(signs, NOW) is expected


WORSE = [Liveness.PLANNED, Liveness.LIVE, Liveness.LATE, Liveness.SILENT]


@given(
    st.integers(10, 86_400), st.sampled_from(ChannelState), st.floats(0, 1e6), st.floats(0, 1e6), st.none() | st.floats(-1e6, 1e6)
)  # fmt: skip
def test_without_a_sign_it_only_gets_worse(
    interval: int, said: ChannelState, earlier: float, more: float, until: float | None
) -> None:
    """Time alone never makes a channel look better."""
    signs = Signs(last_heard=T, interval_s=interval, said=said, until=None if until is None else T + until)
    before = state_of(signs, NOW + dt.timedelta(seconds=earlier))
    after = state_of(signs, NOW + dt.timedelta(seconds=earlier + more))
    assert WORSE.index(after) >= WORSE.index(before)


@given(st.integers(10, 86_400))
def test_what_is_announced_is_overdue_within_two_intervals(interval: int) -> None:
    """Cut off right behind a heartbeat, a bulletin is announced by the next and missed before another has passed."""
    assert not is_overdue(T, interval, NOW)
    assert is_overdue(T, interval, NOW + dt.timedelta(seconds=interval))


def test_what_was_announced_before_a_clock_was_set_back_is_overdue() -> None:
    """By that clock it would be missed only when the same time comes again."""
    assert is_overdue(T, 60, NOW - dt.timedelta(hours=1))
    assert not is_overdue(T, 60, NOW - dt.timedelta(seconds=1))  # who looks had its now before it came


KEYS = st.tuples(st.sampled_from(["a/x", "b/x", "b/y"]), st.sampled_from(Reason))


@given(st.lists(st.lists(KEYS, max_size=8), max_size=12))
def test_alarms_begin_once_and_end_once(looks: list[list[tuple[str, Reason]]]) -> None:
    """For any findings the present alarms are those of the last look, and no present alarm begins again."""
    standing: set[tuple[str, Reason]] = set()
    for look in looks:
        begun, ended = changes(standing, [Alarm(channel=c, reason=r, detail="") for c, r in look])
        keys = {(each.channel, each.reason) for each in begun}
        assert len(keys) == len(begun)
        assert not keys & standing
        assert set(ended) <= standing
        standing = (standing | keys) - set(ended)
        assert standing == set(look)


UPTIMES: dict[str, tuple[dict[str, float], int | None]] = {
    "never judged": ({}, None),
    "never heard is not judged": ({"unheard": 50.0, "planned": 5.0}, None),
    "always": ({"live": 10.0}, 1_000_000),
    "never": ({"silent": 10.0}, 0),
    "planned does not count": ({"live": 30.0, "late": 5.0, "silent": 5.0, "planned": 1e6}, 750_000),
}


@pytest.mark.parametrize("name", UPTIMES)
def test_uptime_is_a_share_of_the_judged_time(name: str) -> None:
    """It is in parts per million of the time in which a sign of life was due."""
    spent, expected = UPTIMES[name]
    assert uptime(spent) == expected
