"""What a report says of a country's carrier."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from bus.cli.operator.carrier import CUT_OFF_S, Carrying
from tests.support.world import NOW

LATER = NOW + dt.timedelta(seconds=CUT_OFF_S)
HOME, EAST, WEST = "xa", "east", "west"
WHY, STREAM = "not connected", "WORLD_ACTUAL"


def carrying(problems: dict[tuple[str, str, str], str] | None) -> Carrying:
    """Of a country with two unions; None is one whose ledger is not open."""
    found = Carrying()
    found.country, found.upstreams = HOME, frozenset({EAST, WEST})
    carrier: Any = None if problems is None else SimpleNamespace(problems=problems)
    found.carrier = carrier
    return found


@pytest.mark.parametrize(
    ("problems", "first", "later"),
    [
        ({}, "ok", "ok"),
        ({(HOME, EAST, STREAM): WHY, (EAST, HOME, STREAM): WHY}, "warning", "warning"),
        ({(HOME, EAST, STREAM): WHY, (WEST, HOME, STREAM): WHY}, "warning", "bad"),
        (None, "warning", "bad"),
    ],
    ids=["it carries", "one union is away", "all are away", "its ledger is in use"],
)
def test_a_country_that_is_cut_off_is_not_well(
    problems: dict[tuple[str, str, str], str] | None, first: str, later: str
) -> None:
    """A moment is a warning, and so is one place of several; that nothing goes anywhere is bad."""
    found = carrying(problems)
    assert [each.level for each in found.conditions(NOW)] == [first]
    (told,) = found.conditions(LATER)
    assert told.level == later
    assert told.since == (None if later == "ok" else NOW)


def test_a_broker_without_a_carrier_says_nothing_of_one() -> None:
    """A union, and a country by itself, have none."""
    assert Carrying().conditions(NOW) == ()
