"""What is thought of a draft beyond what binds readers: clocks that a network does not know, polls at night."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from bus.drafts import judging
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.parts import Deadline
from schemas.vocab import Phase
from tests.support.world import bulletin, shared_world

WORLD = shared_world()
USUAL = bulletin(WORLD)
START = dt.datetime(2027, 6, 13, 20, tzinfo=dt.UTC)


def clock(name: str) -> tuple[str, ...]:
    """The remarks about a deadline under a clock."""
    runs = Deadline(clock=name, started=USUAL.issued, due=USUAL.issued + dt.timedelta(days=1))
    b = msgspec.structs.replace(USUAL, deadlines=(runs,))
    return tuple(each.rule for each in judging._without_law(b, WORLD.registry))


@pytest.mark.parametrize("name", ["nis2-apology", "fax-back"])
def test_a_clock_that_the_registry_lacks_is_remarked(name: str) -> None:
    """Nobody checks when it is due."""
    assert clock(name) == ("clock",)


@pytest.mark.parametrize("name", ["national-xb-12h", "xb-act-7", *sorted(WORLD.registry.document.clocks)[:1]])
def test_a_clock_of_a_country_or_of_the_registry_is_not(name: str) -> None:
    """A law of a country has its own."""
    assert clock(name) == ()


@pytest.mark.parametrize(("hours", "words"), [(12, ("night",)), (24, ())])
def test_polls_of_day_and_night_are_no_slip(hours: int, words: tuple[str, ...]) -> None:
    """Hours of another zone are those of one day."""
    window = PhaseWindow(phase=Phase.POLLING, start=START, end=START + dt.timedelta(hours=hours))
    b = msgspec.structs.replace(USUAL, body=ElectionCalendar(windows=(window,), tz="Europe/Vienna"))
    assert tuple(each.rule for each in judging._at_night(b)) == words
