"""The time when a beacon is due, from the held beacon and the present."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.upkeep.schedule import JITTER, LEAST_GAP, MOST_LIFE, RENEW_AFTER, Due, due, life_of
from schemas.registry import BEACON_SPEC, Beacon
from tests.support.world import NOW

HOUR = dt.timedelta(hours=1)


def beacon(version: int = 3, *, age: dt.timedelta = HOUR, life: dt.timedelta = 6 * HOUR) -> Beacon:
    """A beacon of some age."""
    issued = NOW - age
    return Beacon(
        spec=BEACON_SPEC, domain="test", version=version, digest="", issued=issued, expires=issued + life
    )


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, Due(NOW, "missing")),
        (beacon(age=6 * HOUR), Due(NOW, "missing")),
        (
            beacon(4, age=6 * HOUR),
            Due(NOW, "missing"),
        ),  # of a later version, but it vouches for nothing any more
        (beacon(4), Due(None, "behind")),
        (beacon(2), Due(NOW, "version")),
        (beacon(2, age=dt.timedelta()), Due(NOW + LEAST_GAP, "version")),
        (beacon(3), Due(NOW + HOUR, "age")),
        (beacon(3, age=4 * HOUR), Due(NOW - 2 * HOUR, "age")),
        (beacon(3, age=-HOUR), Due(NOW + 3 * HOUR, "age")),  # the clock was put back
    ],
)
def test_when_one_is_due(last: Beacon | None, expected: Due) -> None:
    """A third of its life after it was made; at once for a version that none names; never against a later one."""
    assert due(version=3, last=last, now=NOW, jitter=0.0) == expected


@given(
    age=st.timedeltas(min_value=dt.timedelta(), max_value=MOST_LIFE),
    life=st.timedeltas(min_value=dt.timedelta(seconds=10), max_value=MOST_LIFE),
    jitter=st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_two_thirds_of_a_life_are_left_but_for_the_jitter(
    age: dt.timedelta, life: dt.timedelta, jitter: float
) -> None:
    """Any beacon is renewed after a third and before 5/12 of its lifetime."""
    held = beacon(age=age, life=life)
    when = due(version=3, last=held, now=NOW, jitter=jitter)
    if held.expires <= NOW:
        assert when.at == NOW
        return
    assert when.at is not None
    assert life * RENEW_AFTER <= when.at - held.issued <= life * (RENEW_AFTER + JITTER)


@given(
    wanted=st.timedeltas(min_value=dt.timedelta(seconds=1), max_value=dt.timedelta(days=400)),
    left=st.timedeltas(min_value=dt.timedelta(seconds=1), max_value=dt.timedelta(days=400)),
)
def test_a_beacon_is_never_good_for_longer_than_it_may_be(wanted: dt.timedelta, left: dt.timedelta) -> None:
    """48 hours at most, and not beyond the window of its key."""
    assert life_of(wanted, now=NOW, key_ends=NOW + left) == min(wanted, left, dt.timedelta(hours=48))
