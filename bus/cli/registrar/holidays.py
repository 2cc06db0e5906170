"""`tocsin registry holidays`: the public holidays of a state, on which a legal period in days does not end."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from bus import trust
from bus.cli.frame import FILE, Answer, App, command, read_file
from bus.cli.registrar.proposals import check_country, out_option, proposal, propose

MOST = 100
"""So many days of one state a registry lists."""
REACH_DAYS = 3 * 366
"""A day that is farther away than this, in either direction, is a slip of the pen."""


@command(name="holidays")
@click.argument("file", type=FILE)
@click.argument("country")
@click.argument("days", type=FILE, required=False)
@click.option("--none", "is_none", is_flag=True, help="remove the holidays of COUNTRY")
@out_option
def holidays(
    app: App, file: Path, country: str, *, days: Path | None, is_none: bool, out: Path | None
) -> Answer:
    """Propose the public holidays of COUNTRY for the registry in FILE, in place of those that it has.

    DAYS is a text file with a date at the beginning of each line, 2027-05-01, and after it what you like: its name, its source.
    Empty lines and lines that begin with # say nothing. Legal periods that are counted in days or months do not end on a holiday of
    the country of the authority that owes the report (Regulation 1182/71). EU stands for the institutions of the Union.
    Shows what changes.
    """
    document, note = proposal(app, file)
    check_country(country)
    if (days is None) != is_none:
        raise click.UsageError("give a file with DAYS, or --none; not both")
    listed = () if days is None else read_days(read_file(days).decode(errors="replace"), app.now().date())
    if tuple(sorted(listed)) == document.holidays.get(country, ()):
        raise click.UsageError(f"{country} has these holidays already; nothing would change")
    document = trust.proposals.set_holidays(document, country, listed)
    what = f"{len(listed)} public holidays of {country}" if listed else f"no public holidays of {country}"
    text = f"{what} proposed for version {document.version}{note}"
    return propose(app, file, out, document, text, shown=True)


def read_days(text: str, today: dt.date) -> tuple[dt.date, ...]:
    """The dates of a list, each once, in their order there.

    Raises:
        UsageError: a line does not begin with a date, a date is far away, or there are none or too many.
    """
    found: dict[dt.date, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split(maxsplit=1)
        if not words or words[0].startswith("#"):
            continue
        try:
            day = dt.datetime.strptime(words[0], "%Y-%m-%d").date()  # noqa: DTZ007 (a day has no zone)
        except ValueError:
            raise click.UsageError(
                f"line {number} does not begin with a date such as 2027-05-01: {words[0][:40]!r}"
            ) from None
        if abs((day - today).days) > REACH_DAYS:
            raise click.UsageError(f"line {number}: {day} is more than three years away; is the year right?")
        found[day] = None
    if not 1 <= len(found) <= MOST:
        raise click.UsageError(f"the list has {len(found)} days; a registry lists 1 to {MOST} of a state")
    return tuple(found)
