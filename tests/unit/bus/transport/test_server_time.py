"""The offset of a clock from the broker's by an answer, and the limits of an answer."""

from __future__ import annotations

import datetime as dt

import pytest

from bus.transport.server_time import offset_of

NOW = dt.datetime(2027, 5, 1, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(seconds=2)


@pytest.mark.parametrize(
    ("told", "ahead"),
    [
        ("2027-05-01T12:00:01Z", 0.0),
        ("2027-05-01T12:00:01.123456Z", -0.123456),
        ("2027-05-01T10:00:01Z", 7200.0),
        ("2027-05-01T14:10:01+02:00", -600.0),
    ],
)
def test_the_middle_of_the_call_is_compared(told: str, ahead: float) -> None:
    """It lasted two seconds, so the answer is good to one."""
    found = offset_of(dt.datetime.fromisoformat(told), NOW, LATER)
    assert found is not None
    assert found.ahead_s == pytest.approx(ahead, abs=1e-5)
    assert (found.within_s, found.measured_at) == (1.0, LATER)


@pytest.mark.parametrize("told", [None, dt.datetime(2027, 5, 1, 12, 0, 1)])  # noqa: DTZ001 (what must not be believed)
def test_an_answer_without_a_time_says_nothing(told: dt.datetime | None) -> None:
    """This holds for any other value from the broker."""
    assert offset_of(told, NOW, LATER) is None


@pytest.mark.parametrize("told", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_at_the_ends_of_the_calendar_is_a_number(told: str) -> None:
    """Very far off, and no error."""
    found = offset_of(dt.datetime.fromisoformat(told), NOW, LATER)
    assert found is not None
    assert abs(found.ahead_s) > 1e9


def test_a_clock_that_was_set_back_meanwhile_measures_nothing() -> None:
    """The duration of the call is unknown then."""
    assert offset_of(NOW, LATER, NOW) is None
