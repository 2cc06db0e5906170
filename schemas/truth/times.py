"""Times: observations are in the past, ends come after beginnings, and votes are counted after they are cast."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import groupby

from schemas.bodies.coordination import Feedback, PostElectionReport, Rfi, SituationReport, StratCom
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentNotice, ContentOrder, PlatformMeasure, PoliticalAd
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.bodies.foreign import LegalReferral, SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.vocab import MsgType, Phase, Status

SKEW = dt.timedelta(minutes=5)
"""The largest difference between two honest clocks."""

Moment = dt.datetime | dt.date | None


def seen(b: Bulletin) -> Iterator[tuple[str, Moment]]:
    """(path, time) of every time that must be in the issuer's past."""
    for n, each in enumerate(b.observables):
        yield f"$.observables[{n}].first_seen", each.first_seen
        yield f"$.observables[{n}].last_seen", each.last_seen
    for n, kept in enumerate(b.evidence):
        yield f"$.evidence[{n}].captured", kept.captured
    for n, clock in enumerate(b.deadlines):
        yield f"$.deadlines[{n}].started", clock.started
        yield f"$.deadlines[{n}].met", clock.met
    for n, read in enumerate(b.provenance):
        yield f"$.provenance[{n}].received", read.received
    if b.attribution is not None:
        yield "$.attribution.public_since", b.attribution.public_since
    names = {
        CyberIncident: ("detected",),
        DataBreach: ("aware", "started", "ended"),
        SituationReport: ("period_end",),
        PostElectionReport: ("period_end",),
        PlatformMeasure: ("period_start", "period_end"),
        PoliticalAd: ("period_start",),
        Feedback: ("seen_first", "seen_last"),
        LegalReferral: ("opened",),
        ContentOrder: ("effect_at",),
    }.get(type(b.body), ())
    for name in names:
        yield f"$.body.{name}", getattr(b.body, name)
    if isinstance(b.body, ContentNotice | ContentOrder):
        for n, item in enumerate(b.body.items):
            yield f"$.body.items[{n}].posted", item.posted
    elif isinstance(b.body, SanctionsListing):
        for n, listed in enumerate(b.body.listed):
            yield f"$.body.listed[{n}].designated", listed.designated


def r32(b: Bulletin) -> Broken:
    """Nothing is observed after the issue of the bulletin (STIX 2.1: first_observed and last_observed are not in the future).

    The clock of an exercise is simulated, so its days may be in the future.
    """
    if b.status is Status.EXERCISE:
        return
    today = b.issued.date()
    for path, moment in seen(b):
        if moment is None:
            continue
        if isinstance(moment, dt.datetime):
            is_ahead = moment - b.issued > SKEW
        else:
            is_ahead = (moment - today).days > 1  # it may be the next day at the place of the observation
        if is_ahead:
            yield path, "is after the issue of the bulletin; give the time of the observation"


def _spans(b: Bulletin) -> Iterator[tuple[str, Moment, Moment, str, bool]]:
    """(path of the later time, earlier time, later time, name of the earlier, whether they may be equal)."""
    for n, each in enumerate(b.observables):
        yield f"$.observables[{n}].last_seen", each.first_seen, each.last_seen, "first_seen", True
    for n, clock in enumerate(b.deadlines):
        yield f"$.deadlines[{n}].due", clock.started, clock.due, "started", False
        yield f"$.deadlines[{n}].met", clock.started, clock.met, "started", True
    if b.election is not None:
        first, last = b.election.polling_first, b.election.polling_last
        yield "$.election.polling_last", first, last, "polling_first", True
    body = b.body
    if b.msg_type is not MsgType.CANCEL:  # a withdrawal repeats the original, whose times may be over
        yield "$.expires", b.effective, b.expires, "effective", False
        yield "$.expires", b.onset, b.expires, "onset", True
        for n, action in enumerate(b.actions):
            yield f"$.actions[{n}].due", b.issued, action.due, "issued", True
        if isinstance(body, StratCom):
            yield "$.body.use_until", b.issued, body.use_until, "issued", False
        if isinstance(body, Rfi):
            yield "$.body.respond_by", b.issued, body.respond_by, "issued", False
    if isinstance(body, SituationReport):
        yield "$.body.period_end", body.period_start, body.period_end, "period_start", False
    elif isinstance(body, PostElectionReport | PlatformMeasure | PoliticalAd):
        yield "$.body.period_end", body.period_start, body.period_end, "period_start", True
    elif isinstance(body, StratCom):
        yield "$.body.use_until", body.use_from, body.use_until, "use_from", False
    elif isinstance(body, Feedback):
        yield "$.body.seen_last", body.seen_first, body.seen_last, "seen_first", True
    elif isinstance(body, DataBreach):
        yield "$.body.ended", body.started, body.ended, "started", True
        yield "$.body.aware", body.started, body.aware, "started", True
    elif isinstance(body, SanctionsListing):
        yield "$.body.in_force", body.published, body.in_force, "published", True
        yield "$.body.expires", body.in_force, body.expires, "in_force", True


def r33(b: Bulletin) -> Broken:
    """An end comes after its beginning (STIX 2.1: stop_time is later than start_time)."""
    for path, earlier, later, name, may_be_one in _spans(b):
        if earlier is None or later is None:
            continue
        if later < earlier or (later == earlier and not may_be_one):
            yield path, f"is before {name}; a deadline or an end must come after it"


_OF_RESULTS = (Phase.COUNTING, Phase.CERTIFICATION)


def _by_round(windows: tuple[PhaseWindow, ...]) -> Iterator[tuple[int, list[tuple[int, PhaseWindow]]]]:
    placed = sorted(enumerate(windows), key=lambda each: each[1].round)
    for number, group in groupby(placed, key=lambda each: each[1].round):
        yield number, list(group)


def r34(b: Bulletin) -> Broken:
    """A calendar follows the order of phases of an election (Venice Commission, Code of Good Practice in Electoral Matters, I.3.2)."""
    if not isinstance(b.body, ElectionCalendar):
        return
    closes: list[dt.datetime] = []
    for _, group in _by_round(b.body.windows):
        polls = [window for _, window in group if window.phase is Phase.POLLING]
        if not polls:
            continue
        opens, close = min(each.start for each in polls), max(each.end for each in polls)
        cast = min([opens, *(each.start for _, each in group if each.phase is Phase.ADVANCE_VOTING)])
        if closes and opens < closes[-1]:
            yield (
                "$.body.windows",
                "a round opens before the previous round has closed; correct round or time",
            )
        closes.append(close)
        for n, window in group:
            path = f"$.body.windows[{n}].start"
            if (
                window.start < (cast if window.phase is Phase.COUNTING else opens)
                and window.phase in _OF_RESULTS
            ):
                yield path, f"{window.phase} begins before the polls; it must follow them"
            elif window.phase in (Phase.CAMPAIGN, Phase.REGISTRATION, Phase.SILENCE, Phase.ANNOUNCED) and (
                window.start >= close
            ):
                yield path, f"{window.phase} begins after the polls close; it must come before them"
            elif window.phase is Phase.ADVANCE_VOTING and window.start >= close:
                yield path, "voting in advance begins after the polls close; it must come before them"
    embargo = b.body.results_embargo_until
    if embargo is not None and closes and embargo < min(closes):
        yield (
            "$.body.results_embargo_until",
            "results would be free while polls are open (Electoral Act of 1976, Article 10(2)); give the time at which the last poll closes",
        )


def _year(moment: dt.datetime, days: int) -> int:
    """The year `days` before or after a moment: the date at the place of the polls may differ by a day."""
    at_edge = (moment.month, moment.day) == ((1, 1) if days < 0 else (12, 31))
    return moment.year + days if at_edge else moment.year


def r35(b: Bulletin) -> Broken:
    """A calendar has the year and days of its election. A postponed vote is sent as an update."""
    if not isinstance(b.body, ElectionCalendar) or b.election is None:
        return
    polls = [each for each in b.body.windows if each.phase is Phase.POLLING]
    if not polls:
        return
    first, last = min(each.start for each in polls), max(each.end for each in polls)
    year = int(b.election.id.split("-")[2])
    if b.msg_type is MsgType.ALERT and not _year(first, -1) <= year <= _year(last, 1):
        yield (
            "$.body.windows",
            f"{b.election.id} is of {year}, but the polls are not; correct one of the two, or send a postponed vote as an update",
        )
    for name, said in (
        ("polling_first", b.election.polling_first),
        ("polling_last", b.election.polling_last),
    ):
        if said is not None and ((first.date() - said).days > 1 or (said - last.date()).days > 1):
            yield f"$.election.{name}", "is outside the windows of polling; correct one of the two"


RULES = ((32, r32), (33, r33), (34, r34), (35, r35))
