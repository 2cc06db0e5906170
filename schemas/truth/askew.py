"""Remarks: pairs of fields that rarely fit, for each kind of body."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from schemas.bodies.coordination import Feedback, PostElectionReport, Rfi, SituationReport
from schemas.bodies.cyber import CyberIncident, CyberThreat, Vulnerability
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentNotice, ContentOrder, PoliticalAd, SystemicRisk
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.enforcement import Enforcement
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.parts import Amount
from schemas.truth.exhibits import of_files, of_values
from schemas.vocab import ElectionType, MsgType, Nis2Stage, NotifyState, Phase, Urgency, word_set

_BEFORE = frozenset({Phase.ANNOUNCED, Phase.REGISTRATION, Phase.CAMPAIGN, Phase.SILENCE})
_HOUR, _DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
_SHORT_POLLS, _QUICK, _LONG_OVER = dt.timedelta(minutes=30), dt.timedelta(minutes=5), dt.timedelta(days=90)
_FIRST_ROUNDS, _MANY, _FEW_WORDS = 2, 10_000, 4
_MUCH = Decimal(10**12)
_SPECIAL = word_set(
    "religion religious-belief religious-beliefs belief faith sexual-orientation sex-life ethnicity ethnic-origin race racial-origin health "
    "disability political-opinion political-opinions trade-union trade-union-membership genetic biometric"
)
"""Profiling criteria of special categories (Regulation (EU) 2016/679, Article 9(1))."""
_CLOCKS: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "gdpr": (DataBreach, CyberIncident, Rfi, Feedback, SituationReport, Enforcement),
        "eudpr": (DataBreach, CyberIncident, Rfi, Feedback, SituationReport, Enforcement),
        "led": (DataBreach, CyberIncident, Rfi, Feedback, SituationReport, Enforcement),
        "nis2": (
            CyberIncident,
            CyberThreat,
            Vulnerability,
            DataBreach,
            Rfi,
            Feedback,
            SituationReport,
            Enforcement,
        ),
        "ttpa": (PoliticalAd, Rfi, Feedback, Enforcement),
    }
)
"""First word of the name of a clock -> the bodies in which it runs."""
_TYPES: Mapping[ElectionType, re.Pattern[str]] = MappingProxyType(
    {
        kind: re.compile(rf"\b(?:{words})", re.IGNORECASE)
        for kind, words in (
            (ElectionType.PRESIDENTIAL, "presidential|Präsident\\w*wahl|présidentielle"),
            (ElectionType.PARLIAMENTARY, "parliamentary|general election|législatives|Parlamentswahl"),
            (ElectionType.EUROPEAN_PARLIAMENT, "European elections?|Europawahl|européennes"),
            (ElectionType.MUNICIPAL, "municipal|local elections?|Kommunalwahl|Gemeinderatswahl|municipales"),
            (ElectionType.REFERENDUM, "referendum|Volksabstimmung|référendum"),
        )
    }
)


def askew(b: Bulletin) -> Iterator[Violation]:
    """Pairs that rarely fit, each with a stable word as its `rule`."""
    yield from _times(b)
    yield from of_values(b)
    yield from of_files(b)
    for n, each in enumerate(b.deadlines):
        kinds = _CLOCKS.get(each.clock.partition("-")[0])
        if kinds is not None and not isinstance(b.body, kinds):
            yield Violation("clock", f"$.deadlines[{n}].clock", f"{each.clock} does not run for a {b.kind}")
    for n, area in enumerate(b.areas):
        if area.scope == "polling-place" and area.name is None and area.code is None:
            yield Violation("area", f"$.areas[{n}]", "a polling place without name or code; add one")
    looks_at = _BY_BODY.get(type(b.body))
    if looks_at is not None and b.msg_type is not MsgType.CANCEL:
        yield from looks_at(b, b.body)
    for name in ("fine", "penalty_per_day", "loss", "offered", "amount"):
        amount = getattr(b.body, name, None)
        if isinstance(amount, Amount) and Decimal(amount.value) > _MUCH:
            yield Violation("amount", f"$.body.{name}", f"{amount.value} {amount.currency}; is this the sum?")


def _times(b: Bulletin) -> Iterator[Violation]:
    if b.urgency is Urgency.FUTURE and b.onset is not None and b.issued - b.onset > _DAY:
        yield Violation("urgency", "$.urgency", f"says future, but began on {b.onset.date()}")
    if b.urgency is Urgency.PAST and b.onset is not None and b.onset - b.issued > _DAY:
        yield Violation("urgency", "$.urgency", f"says past, but begins on {b.onset.date()}")


def _calendar(b: Bulletin, body: ElectionCalendar) -> Iterator[Violation]:
    polls = [each for each in body.windows if each.phase is Phase.POLLING]
    campaigns = [each for each in body.windows if each.phase is Phase.CAMPAIGN]
    closes = {n: max(each.end for each in polls if each.round == n) for n in {each.round for each in polls}}
    for n, window in enumerate(body.windows):
        path = f"$.body.windows[{n}]"
        close = closes.get(window.round)
        if window.phase in (Phase.POLLING, Phase.ADVANCE_VOTING) and window.end - window.start < _SHORT_POLLS:
            yield Violation("polling", f"{path}.end", "open for less than half an hour; are these the hours?")
        elif (
            window.phase in (Phase.CAMPAIGN, Phase.SILENCE, Phase.ADVANCE_VOTING, Phase.REGISTRATION)
            and close is not None
            and window.end - close > _DAY
        ):
            yield Violation("order", f"{path}.end", f"{window.phase} continues after the polls have closed")
        elif (
            window.phase is Phase.SILENCE and campaigns and window.end < min(each.start for each in campaigns)
        ):
            yield Violation("order", path, "silence ends before the campaign begins")
    if closes and min(closes) > _FIRST_ROUNDS:
        yield Violation("round", "$.body.windows", f"begins with round {min(closes)}; is this the round?")
    if b.election is None:
        return
    for n, info in enumerate(b.info):
        named = {kind for kind, pattern in _TYPES.items() if pattern.search(info.headline)}
        if named and b.election.type in _TYPES and b.election.type not in named:
            yield Violation(
                "election", f"$.info[{n}].headline", f"names another kind of election than {b.election.type}"
            )


_OF_BALLOTS = word_set(
    "count-discrepancy protocol-falsification early-result-publication results-portal-failure ballot-box-tampering"
)


def _incident(_b: Bulletin, body: ElectionIncident) -> Iterator[Violation]:
    unopened = frozenset({Phase.ANNOUNCED, Phase.REGISTRATION})
    if (body.process_effect == "recount" and body.stage in _BEFORE) or (
        (body.process_effect == "repeat-vote" or body.category in _OF_BALLOTS) and body.stage in unopened
    ):
        yield Violation(
            "stage",
            "$.body.stage",
            f"{body.stage}, but voting has not begun; correct stage, category or effect",
        )
    if body.units_affected == 0 and body.voters_affected:
        yield Violation(
            "count",
            "$.body.units_affected",
            f"{body.voters_affected} voters at no place; correct one of the two",
        )
    if body.offered is not None and Decimal(body.offered.value) == 0:
        yield Violation("amount", "$.body.offered", "the sum is 0; give the sum, or leave it out")


def _situation(b: Bulletin, body: SituationReport) -> Iterator[Violation]:
    if body.turnout_ppm and b.election is not None and b.election.phase in _BEFORE:
        yield Violation(
            "phase", "$.body.turnout_ppm", f"turnout in phase {b.election.phase}; voting has not begun"
        )
    if b.issued - body.period_end > _LONG_OVER:
        yield Violation("long", "$.body.period_end", f"ended on {body.period_end.date()}; is the year right?")


def _cyber(b: Bulletin, body: CyberIncident) -> Iterator[Violation]:
    if body.impact == "none" and (body.users_affected or 0) >= _MANY:
        yield Violation(
            "impact",
            "$.body.impact",
            f"says none, but {body.users_affected} users were affected; correct one of the two",
        )
    if body.stage is Nis2Stage.FINAL_REPORT and body.outlook == "worsening":
        yield Violation(
            "stage",
            "$.body.outlook",
            f"{body.outlook}, in a final report; while the incident continues, send a progress-report",
        )
    for n, each in enumerate(b.deadlines):
        said = {"nis2-early-warning": body.early_warning_at, "nis2-notification": body.notified_at}.get(
            each.clock
        )
        if said is not None and each.met is not None and abs(said - each.met) > _HOUR:
            yield Violation(
                "clock",
                f"$.deadlines[{n}].met",
                "differs from the time in the body; correct one of the two",
            )


def _flaw(_b: Bulletin, body: Vulnerability) -> Iterator[Violation]:
    years = [int(found[1]) for each in body.ids if (found := re.match(r"(?:CVE|EUVD)-([0-9]{4})-", each))]
    if years and body.patch_at is not None and body.patch_at.year < min(years) - 1:
        yield Violation(
            "patch", "$.body.patch_at", f"of {body.patch_at.year}, and the number is of {min(years)}"
        )


def _breach(_b: Bulletin, body: DataBreach) -> Iterator[Violation]:
    if body.subjects_approx == 0 and body.records_approx:
        yield Violation(
            "count",
            "$.body.subjects_approx",
            f"{body.records_approx} records of 0 persons; leave out what is not known",
        )
    if body.art34_reason is not None and body.art34 is NotifyState.REQUIRED:
        yield Violation(
            "art34",
            "$.body.art34_reason",
            f"names why persons need not be informed, but art34 is {body.art34}",
        )


def _risk(_b: Bulletin, body: SystemicRisk) -> Iterator[Violation]:
    for n, each in enumerate(body.measured):
        if each.samples == 0:
            yield Violation(
                "count",
                f"$.body.measured[{n}].samples",
                "nothing was measured; leave it out, or give the number",
            )


def _advertisement(_b: Bulletin, body: PoliticalAd) -> Iterator[Violation]:
    if body.special_category_profiling is False and (
        special := sorted(_SPECIAL.intersection(body.targeting))
    ):
        yield Violation(
            "infringement",
            "$.body.special_category_profiling",
            f"false, and it is targeted by {', '.join(special)}",
        )


def _in_words(_b: Bulletin, body: ContentNotice | ContentOrder) -> Iterator[Violation]:
    name, text = (
        ("reasons", body.reasons) if isinstance(body, ContentOrder) else ("explanation", body.explanation)
    )
    if re.search("[A-Za-z]", text) and len(text.split()) < _FEW_WORDS:
        yield Violation(
            "explanation",
            f"$.body.{name}",
            "the explanation is too short; say what is false, and which law it breaks",
        )


def _question(b: Bulletin, body: Rfi) -> Iterator[Violation]:
    if body.respond_by - b.issued < _QUICK:
        yield Violation("urgency", "$.body.respond_by", "less than five minutes to answer; is this the time?")


def _lessons(_b: Bulletin, body: PostElectionReport) -> Iterator[Violation]:
    for n, each in enumerate(body.lessons):
        if each.due is not None and each.due < body.period_start and each.status in ("open", "accepted"):
            yield Violation(
                "expired",
                f"$.body.lessons[{n}].due",
                f"was due on {each.due}, before the events it follows from",
            )


_BY_BODY: Mapping[type, Callable[[Bulletin, Any], Iterator[Violation]]] = MappingProxyType(
    {
        ElectionCalendar: _calendar,
        ElectionIncident: _incident,
        SituationReport: _situation,
        CyberIncident: _cyber,
        Vulnerability: _flaw,
        DataBreach: _breach,
        SystemicRisk: _risk,
        ContentNotice: _in_words,
        ContentOrder: _in_words,
        PoliticalAd: _advertisement,
        Rfi: _question,
        PostElectionReport: _lessons,
    }
)
"""Kind of body -> the functions that check it."""
