"""`tocsin registry holidays`: a list of days becomes the public holidays of a state, and nothing else changes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
import pytest

from bus.cli.registrar.holidays import MOST, read_days
from bus.trust import ceremony
from tests.support.office import Desk
from tests.support.world import make_world

TODAY = dt.date(2027, 5, 1)
FILE = "registry.tocsin.json"


def test_a_list_is_read_with_its_words() -> None:
    """What stands after a date is for people; a date counts once."""
    text = "# of the act on public holidays\n\n2027-05-01 Labour Day\n2027-12-25\n2027-05-01 again\n"
    assert read_days(text, TODAY) == (dt.date(2027, 5, 1), dt.date(2027, 12, 25))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2027-05-01\n1 May\n", "line 2 does not begin with a date"),
        ("2027-02-30", "line 1 does not begin with a date"),
        ("2072-05-01 Labour Day", "line 1: 2072-05-01 is more than three years away"),
        ("# nothing yet\n", "the list has 0 days"),
        ("".join(f"{TODAY + dt.timedelta(days=n)}\n" for n in range(MOST + 1)), "the list has 101 days"),
    ],
    ids=["a word", "no day", "far away", "empty", "too many"],
)
def test_a_list_with_a_fault_is_refused(text: str, why: str) -> None:
    """With the line, and what is wrong there."""
    with pytest.raises(click.UsageError, match=why):
        read_days(text, TODAY)


def test_holidays_are_proposed_changed_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one state alone; what would change nothing, or says neither or both, is refused."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    desk = Desk(tmp_path, monkeypatch)
    file, days = desk.folder / FILE, desk.folder / "days.txt"
    file.write_bytes(make_world(now).raw)
    days.write_text(f"{now.year}-12-25 Christmas Day\n{now.year}-12-26\n")

    def of_file() -> dict[str, tuple[dt.date, ...]]:
        return ceremony.document_of(file.read_bytes()).holidays

    desk.run("registry", "holidays", FILE, "XA", "days.txt")
    both = (dt.date(now.year, 12, 25), dt.date(now.year, 12, 26))
    assert of_file() == {"XA": both}
    desk.run("registry", "holidays", FILE, "EU", "days.txt")
    assert of_file() == {"EU": both, "XA": both}
    assert "nothing would change" in desk.run("registry", "holidays", FILE, "XA", "days.txt", code=2)
    assert "not both" in desk.run("registry", "holidays", FILE, "XA", code=2)
    assert "is not a country" in desk.run("registry", "holidays", FILE, "Austria", "--none", code=2)
    desk.run("registry", "holidays", FILE, "XA", "--none")
    assert of_file() == {"EU": both}
