"""What a soak is held to: for each bound a run that exceeds it, and a run that does not."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from tests.programs.samples import Bounds, Sample, broken, quarters, table

ENDS = 3600.0
BOUNDS = {"hub": Bounds(most_mb=150.0, grows_mb_per_hour=10.0)}


def samples(change: Callable[[float, Sample], Sample] = lambda _, each: each) -> list[Sample]:
    """An hour of a program that settles in its first quarter, changed as it goes on."""
    found = []
    for minute in range(60):
        rss = 70.0 + min(minute, 15)
        each = Sample(at=minute * 60.0, name="hub", rss_mb=rss, descriptors=16, files=6, size_mb=1.0)
        found.append(change(minute / 60, each))
    return found


def with_(name: str, value: Callable[[float, Sample], float]) -> Callable[[float, Sample], Sample]:
    """A change of one number over the hour."""
    return lambda share, each: msgspec.structs.replace(each, **{name: value(share, each)})


MUTANTS = {
    "too much at once": (
        with_("rss_mb", lambda share, each: 151.0 if share == 0.5 else each.rss_mb),
        "151 MB",
    ),
    "a slow leak": (with_("rss_mb", lambda share, each: each.rss_mb + 25 * share), "grew by 12.5 MB"),
    "a leak of descriptors": (with_("descriptors", lambda share, _: 16 + int(share * 20)), "descriptors"),
    "a leak of files": (with_("files", lambda share, _: 6 + int(share * 20)), "files"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_what_exceeds_its_bound_is_said(name: str) -> None:
    """One sentence, with what it is about."""
    change, said = MUTANTS[name]
    (found,) = broken(samples(change), ENDS, BOUNDS)
    assert said in found


def test_what_settles_is_no_leak() -> None:
    """A program that grows in its first quarter alone is within its bounds."""
    assert broken(samples(), ENDS, BOUNDS) == []


def test_what_was_not_seen_is_not_well() -> None:
    """A program of which there is no sample, or none of its last quarter, proves nothing."""
    assert broken([], ENDS, BOUNDS) == ["hub was never seen"]
    assert broken(samples()[:30], ENDS, BOUNDS) == ["hub was not seen in its second or its last quarter"]


def test_the_table_has_each_program_and_quarter() -> None:
    """Four quarters, whatever the run's length."""
    assert [len(each) for each in quarters(samples(), ENDS)] == [15, 15, 15, 15]
    shown = table(samples(), ENDS)
    assert shown.splitlines()[0].endswith("15.0 min")
    assert shown.splitlines()[2].startswith("hub")
