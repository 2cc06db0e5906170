"""`tocsin election`: the elections, the phase of each, and the readiness of a country for the vote."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import msgspec

from bus import hub
from bus.cli import frame
from bus.cli.frame import DONE, FAILURE, Answer, App, Group, NotFoundError, Table, command, hint, wrapped
from bus.hub import picture, watch

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from bus.hub import Calendar, CountryPhase, Election
    from bus.hub.picture import Contact, ReadinessCheck


_days = functools.partial(click.option, type=click.IntRange(1, 3650), show_default=True)


@click.group(cls=Group)
def election() -> None:
    """Elections, their phases, and readiness, from calendars of status actual only."""


@command(election, "list")
def list_(app: App) -> Iterator[Answer]:
    """List every election with a calendar, its phase now and its next change; then the phase of each country."""
    now = app.now()

    def question(db: sqlite3.Connection) -> tuple[list[Election], tuple[CountryPhase, ...]]:
        known = hub.elections.calendars(db)
        return [hub.elections.standing(calendar, now) for calendar in known], hub.elections.by_country(
            known, now
        )

    states, countries = frame.query_store(app, question)
    facts = {"at": now, "elections": states, "countries": countries}
    if not states:
        note = "no calendar is held here; electoral authorities publish them (kind election-calendar)"
        yield Answer(facts, notes=[note])
        return
    rows = []
    for state in states:
        change = f"{state.next_change:%Y-%m-%d %H:%M} UTC" if state.next_change else "-"
        rows.append((state.election, state.country, state.phase, state.coarse, change, _remark(state)))
    yield Answer(
        facts, table=Table(("election", "country", "phase", "roughly", "next change", "remark"), rows)
    )
    by_country = ((each.country, each.phase, each.coarse, ", ".join(each.elections)) for each in countries)
    yield Answer(table=Table(("country", "phase", "roughly", "by"), by_country))


@command(election, "show")
@click.argument("election_id", metavar="ID")
@click.option("--country", metavar="CC", help="for an election of the Union: only this country's calendar")
@_days("--drill-days", default=90, help="how old the last drill may be, in days")
@_days("--contact-days", default=30, help="how old the confirmation of contacts may be, in days")
@click.option("--require-ready", is_flag=True, help="exit 1 unless every check has passed")
def show(
    app: App,
    election_id: str,
    *,
    country: str | None,
    drill_days: int,
    contact_days: int,
    require_ready: bool,
) -> Iterator[Answer]:
    """Show an election's windows in its own time and in UTC, contacts, and the checks of "ready for election day"."""
    context = app.identity
    registry, now = frame.present_registry(app)
    contacts = None if context.contacts is None else picture.read_contacts(context.contacts)

    def question(db: sqlite3.Connection) -> tuple[tuple[Calendar, ...], picture.Facts]:
        return hub.elections.calendars(db), picture.Facts(
            registry=registry,
            channels=watch.channel_rows(db, now, registry, context.authority),
            contacts=contacts,
            drills=hub.elections.last_exercises(db),
            now=now,
            drill_days=drill_days,
            contact_days=contact_days,
        )

    known, facts = frame.query_store(app, question)
    chosen = [
        calendar
        for calendar in known
        if calendar.election == election_id and (country is None or country.upper() == calendar.country)
    ]
    if not chosen:
        names = sorted({calendar.election for calendar in known})
        raise NotFoundError(
            f"no calendar of {election_id}{f' in {country.upper()}' if country else ''} is held here"
            + (hint(election_id, names) if names else "; list those held: tocsin election list")
        )
    ready = True
    for calendar in chosen:
        checks = picture.assess(calendar, facts)
        ready = ready and all(check.verdict == picture.PASS for check in checks)
        mine = [
            contact
            for contact in contacts or ()
            if (record := registry.document.authorities.get(contact.authority))
            and record.country == calendar.country
        ]
        yield from _shown(calendar, checks, mine, now)
    yield Answer(code=FAILURE if require_ready and not ready else DONE)


def _shown(
    calendar: Calendar,
    checks: Sequence[ReadinessCheck],
    contacts: Sequence[Contact],
    now: dt.datetime,
) -> Iterator[Answer]:
    body, state, open_windows = calendar.body, hub.standing(calendar, now), hub.windows(calendar.body, now)
    counts = {verdict: sum(c.verdict == verdict for c in checks) for verdict in ("pass", "fail", "unknown")}
    ready = counts["pass"] == len(checks)
    facts = {
        **msgspec.to_builtins(state, enc_hook=str),
        "tz": body.tz,
        "results_embargo_until": body.results_embargo_until,
        "official_url": body.official_url,
        "windows": open_windows,
        "contacts": contacts,
        "ready": ready,
        "checks": checks,
    }
    lines = [
        f"{state.election} in {state.country}, by the calendar of {state.issuer} (bulletin {state.bulletin})",
        f"now in {state.phase} ({state.coarse})"
        + (f", next change {state.next_change:%Y-%m-%d %H:%M} UTC" if state.next_change else "")
        + (f"; {remark}" if (remark := _remark(state)) else ""),
    ]
    if body.results_embargo_until:
        lines.append(f"no results before {body.results_embargo_until:%Y-%m-%d %H:%M} UTC")
    rows = []
    for window in open_windows:
        utc = (f"{window.start:%Y-%m-%d %H:%M}", f"{window.end:%Y-%m-%d %H:%M}")
        local = (window.local_start, window.local_end)
        rows.append((window.phase, window.round, window.state, *local, *utc))
    columns = ("phase", "round", "state", f"from ({body.tz})", "to", "from (UTC)", "to (UTC)")
    yield Answer(facts, lines=lines, table=Table(columns, rows))
    yield Answer(
        lines=(
            f"contact {one.authority}: {one.role}, {', '.join(one.reach)} (confirmed {one.confirmed})"
            for one in contacts
        ),
        table=Table(
            ("check", "about", "verdict", "reason"),
            ((c.name, c.about or "-", c.verdict, c.reason) for c in checks),
        ),
    )
    verdict = "ready for election day" if ready else "not ready for election day"
    counted = f"{counts['pass']} passed, {counts['fail']} failed, {counts['unknown']} unknown"
    yield Answer(lines=wrapped(f"{verdict}: {counted}"))


def _remark(state: Election) -> str:
    return ", ".join(
        word
        for word, holds in (("calendar has run out", state.expired), ("not confirmed", not state.confirmed))
        if holds
    )
