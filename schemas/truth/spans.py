"""Spans: the longest possible durations, and things that end too early."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from schemas.bodies.coordination import PostElectionReport, Rfi, SituationReport, StratCom
from schemas.bodies.digital import PlatformMeasure, PoliticalAd
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.enforcement import Enforcement
from schemas.bodies.foreign import SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Broken, Violation
from schemas.vocab import MsgType, Phase, Status

_YEAR = dt.timedelta(days=366)
MOST: Mapping[Phase, dt.timedelta] = MappingProxyType(
    {
        Phase.REGISTRATION: 5 * _YEAR,
        Phase.CAMPAIGN: 2 * _YEAR,
        Phase.SILENCE: dt.timedelta(days=62),
        Phase.ADVANCE_VOTING: dt.timedelta(days=184),
        Phase.POLLING: dt.timedelta(days=92),
        Phase.COUNTING: dt.timedelta(days=184),
        Phase.CERTIFICATION: 2 * _YEAR,
    }
)
"""The longest duration of a phase, far above that in any known law: a longer one has a wrong year."""
LONG: Mapping[Phase, dt.timedelta] = MappingProxyType(
    {
        Phase.SILENCE: dt.timedelta(days=8),
        Phase.ADVANCE_VOTING: dt.timedelta(days=75),
        Phase.COUNTING: dt.timedelta(days=45),
        Phase.CAMPAIGN: _YEAR,
        Phase.CERTIFICATION: dt.timedelta(days=200),
    }
)
"""Durations of a phase that are rare."""
_PROLONGED, _DELAYED = dt.timedelta(days=31), 3 * _YEAR
_POLLING_DAYS = 184
"""The longest time from the first to the last polling day of an election, with all rounds."""
_FAR = 10 * _YEAR
_DEFAULT_LIFE = dt.timedelta(days=30)


def r90(b: Bulletin) -> Broken:
    """The phases of an election end in due time (Venice Commission, Code of Good Practice in Electoral Matters, I.3.2)."""
    body, election = b.body, b.election
    if election is not None and election.polling_first is not None and election.polling_last is not None:
        days = (election.polling_last - election.polling_first).days
        if days > _POLLING_DAYS:
            yield "$.election.polling_last", f"{days} days after polling_first; correct the year"
    if isinstance(body, ElectionCalendar):
        for n, window in enumerate(body.windows):
            most = MOST.get(window.phase, _FAR)
            if window.end - window.start > most:
                yield (
                    f"$.body.windows[{n}].end",
                    f"{window.phase} of {(window.end - window.start).days} days; no law has more than {most.days}, correct the year",
                )
    elif isinstance(body, ElectionIncident) and body.until is not None:
        most = _PROLONGED if body.process_effect == "prolonged" else _DELAYED
        if body.until - b.issued > most:
            yield (
                "$.body.until",
                f"{body.process_effect} for {(body.until - b.issued).days} days; correct the date, or say repeat-vote with its calendar",
            )


def lasting(b: Bulletin) -> Iterator[Violation]:
    """Remarks on things that last long for their kind, or end before they are needed, each with a stable word as its `rule`."""
    body = b.body
    if isinstance(body, ElectionCalendar):
        for n, window in enumerate(body.windows):
            long = LONG.get(window.phase)
            days = (window.end - window.start).days
            if long is not None and window.end - window.start > long:
                yield Violation(
                    "long", f"$.body.windows[{n}].end", f"{window.phase} of {days} days; is the end right?"
                )
    for path, start, end in _periods(b):
        if start is not None and end is not None and (end - start).days > _YEAR.days + 30:
            yield Violation("long", path, f"a period of {(end - start).days} days; is the year right?")
    if b.expires - b.issued != _DEFAULT_LIFE and b.msg_type is not MsgType.CANCEL:
        yield from _outlived(b)


def _periods(b: Bulletin) -> Iterator[tuple[str, dt.date | None, dt.date | None]]:
    body = b.body
    if isinstance(body, SituationReport | PlatformMeasure | PoliticalAd):
        yield "$.body.period_end", body.period_start, body.period_end
    elif isinstance(body, StratCom):
        yield "$.body.use_until", body.use_from or b.issued, body.use_until
    elif isinstance(body, Rfi):
        yield "$.body.respond_by", b.issued, body.respond_by
    elif isinstance(body, Enforcement):
        yield "$.body.appeal_until", body.decided, body.appeal_until
    elif isinstance(body, SanctionsListing):
        yield "$.body.in_force", body.published, body.in_force
    elif isinstance(body, PostElectionReport) and (body.period_end - body.period_start).days > 5 * _YEAR.days:
        yield "$.body.period_end", body.period_start, body.period_end


def _outlived(b: Bulletin) -> Iterator[Violation]:
    """Dates after the bulletin expires. Not checked if `expires` was left out and so not chosen by the author."""
    body = b.body
    late: list[tuple[str, dt.datetime | None]] = []
    if isinstance(body, ElectionCalendar) and body.state != "called-off":
        late += [
            (f"$.body.windows[{n}].start", window.start)
            for n, window in enumerate(body.windows)
            if window.phase in (Phase.POLLING, Phase.ADVANCE_VOTING)
        ]
    elif isinstance(body, ElectionIncident):
        late.append(("$.body.until", body.until))
    elif isinstance(body, StratCom):
        late.append(("$.body.use_from", body.use_from))
    if b.election is not None and b.election.polling_first is not None and isinstance(body, ElectionCalendar):
        late.append(
            ("$.election.polling_first", dt.datetime.combine(b.election.polling_first, dt.time(), dt.UTC))
        )
    for path, moment in late:
        if moment is not None and moment > b.expires and b.status in (Status.ACTUAL, Status.EXERCISE):
            yield Violation("expired", path, "the bulletin expires before that; set a later expires")
            return


RULES = ((90, r90),)
