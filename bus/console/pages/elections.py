"""Elections: which phase each is in, whether this hub is ready, and what the phase asks."""

from __future__ import annotations

import datetime as dt

import msgspec

from bus import policy
from bus.console.asked import Asked
from bus.console.errors import NotHereError
from bus.console.page import Content
from bus.console.pages.channels import channel_rows
from bus.hub import Calendar, Election, elections, picture
from bus.hub.picture import ReadinessCheck
from bus.languages import marked
from schemas.elections import coarse
from schemas.vocab import Phase

CASTING = frozenset({Phase.POLLING, Phase.ADVANCE_VOTING})
VERDICTS = ("fail", "unknown", "pass")
TO_DO = {
    "contacts": marked("call, and note the day"),
    "signing-key": marked("ask for a rotation"),
    "seal-key": marked("ask for a seal key"),
    "channels": marked("call the duty desk"),
    "drill": marked("plan a drill"),
    "calendar": marked("ask the electoral authority"),
    "registry": marked("ask the registrar"),
    "root-keys": marked("ask the registrar"),
    "beacon-keys": marked("ask the registrar"),
    "beacon": marked("ask the registrar"),
}
"""What a person does about a check that does not pass, by its name."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A window as it is drawn (`what`): `before`, `during`, `vote` or `after`; and the phase and round that it is of."""

    what: str
    phase: str
    round: int
    start: dt.datetime
    end: dt.datetime


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An election in the calendar."""

    standing: Election
    name: str
    spans: tuple[Span, ...]
    polling: dt.datetime | None


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What a phase asks: how often a sign of life, and by priority how soon a person must have read; in seconds."""

    heartbeat_s: int
    read_s: dict[str, int | None]


class Elections(Content, frozen=True, kw_only=True):
    """The list."""

    elections: tuple[Listed, ...]
    show: str


class OneElection(Content, frozen=True, kw_only=True):
    """One election in one country; `names` are those of the authorities that checks are about, `issuer` the name of the one that has signed the calendar."""

    election: Listed
    windows: tuple[elections.Window, ...]
    checks: tuple[ReadinessCheck, ...]
    counts: dict[str, int]
    pace: Pace
    embargo: dt.datetime | None
    tz: str
    names: dict[str, str]
    issuer: str


def look(asked: Asked) -> Elections:
    """Every election with a calendar that counts."""
    show = "own" if asked.first("show") == "own" else "all"
    every = (each for each in asked.calendars if show == "all" or each.country == asked.country)
    listed = sorted((of_calendar(asked, each) for each in every), key=_by_next)
    return Elections(
        marking="clear",
        note=asked.say("Calendars are public. Readiness is for this hub."),
        elections=tuple(listed),
        show=show,
    )


def look_at_one(asked: Asked) -> OneElection:
    """One election, with the checks of readiness.

    Raises:
        NotHereError: no calendar of it counts here.
    """
    wanted, country = asked.place["id"], asked.first("country")
    found = [each for each in asked.calendars if each.election == wanted]
    calendar = next((each for each in found if each.country == country), next(iter(found), None))
    if calendar is None:
        raise NotHereError("no calendar of this election counts here")
    rows = channel_rows(asked)
    facts = picture.Facts(
        registry=asked.registry,
        channels=rows,
        contacts=asked.shelf.contacts,
        drills=elections.last_exercises(asked.db, asked.clearance),
        now=asked.now,
        say=asked.say,
    )
    checks = sorted(picture.assess(calendar, facts), key=lambda check: VERDICTS.index(check.verdict))
    listed = of_calendar(asked, calendar)
    phase = Phase(listed.standing.phase)
    return OneElection(
        marking="green",
        note=asked.say("Calendars are public. Readiness is for this hub."),
        election=listed,
        windows=elections.windows(calendar.body, asked.now),
        checks=tuple(checks),
        counts={verdict: sum(check.verdict == verdict for check in checks) for verdict in VERDICTS},
        pace=pace_of(phase),
        embargo=calendar.body.results_embargo_until,
        tz=calendar.body.tz,
        issuer=asked.name_of(listed.standing.issuer),
        names={check.about: asked.name_of(check.about) for check in checks if check.about},
    )


def pace_of(phase: Phase) -> Pace:
    """What a phase asks of everybody."""
    when = coarse(phase)
    due = policy.deadlines.DEFAULTS
    return Pace(
        heartbeat_s=policy.pace(phase).heartbeat_s,
        read_s={priority: due[priority, when].read_s for priority in ("p1", "p2", "p3", "p4")},
    )


def of_calendar(asked: Asked, calendar: Calendar) -> Listed:
    """An election as it is listed and drawn."""
    now = asked.now
    polls = [window for window in calendar.body.windows if window.phase is Phase.POLLING]
    ahead = [window.start for window in polls if window.end > now] or [window.start for window in polls[-1:]]
    return Listed(
        standing=elections.standing(calendar, now),
        name=name_of(asked, calendar),
        spans=tuple(
            Span(
                what=_drawn(Phase(window.phase)),
                phase=str(window.phase),
                round=window.round,
                start=window.start,
                end=window.end,
            )
            for window in calendar.body.windows
        ),
        polling=min(ahead, default=None),
    )


def title_of(asked: Asked, calendar: Calendar) -> str:
    """What an election is called, of which year it is, and where."""
    polls = (window.start.year for window in calendar.body.windows if window.phase is Phase.POLLING)
    year = next((f" {each}" for each in polls), "")
    return f"{name_of(asked, calendar)}{year}, {asked.country_name(calendar.country)}"


def name_of(asked: Asked, calendar: Calendar) -> str:
    """What an election is called: what is elected."""
    ref = calendar.row.bulletin.election
    what = "" if ref is None else asked.words.word("election-type", ref.type)
    return f"{what[:1].upper()}{what[1:]}" or calendar.election


def _drawn(phase: Phase) -> str:
    return "vote" if phase is Phase.POLLING else coarse(phase)


def _by_next(listed: Listed) -> tuple[bool, dt.datetime, str]:
    """What is under way first, then by the day of the vote."""
    last = dt.datetime.max.replace(tzinfo=dt.UTC)
    return (listed.standing.coarse == "none", listed.polling or last, listed.standing.election)
