"""The clocks of laws on incidents and breaches: how long each runs, and which report meets it.

Source: Directive (EU) 2022/2555, Article 23(4); Regulation (EU, Euratom) 2023/2841, Article 21; Directive (EU) 2022/2557,
Article 15(1); Regulation (EU) 2016/679, Article 33(1); Regulation (EU) 2018/1725, Article 34(1); Directive (EU) 2016/680,
Article 30(1).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from schemas import registry
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bulletin import Bulletin
from schemas.deadlines import Period
from schemas.vocab import BreachRisk, Nis2Stage

_HOUR_S, _DAY_S = 3600, 86_400
_MONTHS = MappingProxyType({"nis2-final": 1, "eui-final": 1})
"""Clocks that the law counts in months; the registry says seconds."""
_MONTH_S = range(28 * _DAY_S, 31 * _DAY_S + 1)
_IN_DAYS_S = 7 * _DAY_S
"""From here on a law counts in days, below in hours."""
STAGED = frozenset({"nis2", "eui", "cer"})
"""Laws under which incidents are reported in stages."""
_WARNING, _NOTIFICATION, _FINAL = "early-warning", "notification", "final"
_CLOSING = frozenset({Nis2Stage.FINAL_REPORT, Nis2Stage.PROGRESS_REPORT})
"""A report made instead of a final report while the incident continues counts for it (Article 23(4)(e))."""
_BREACHES: Mapping[str, str] = MappingProxyType(
    {"gdpr": "gdpr-33", "eea": "gdpr-33", "eudpr": "eudpr-34", "led": "led-30"}
)
BREACH_RULES = frozenset(_BREACHES.values())
DPA = "dpa"
"""The kind of an authority that is told of breaches."""


def period_of(rule: str, clock: registry.Clock) -> Period | None:
    """The length of a clock of the registry, in the unit of its law.

    Args:
        rule: its name there.
        clock: what the registry says of it.

    Returns:
        None where the seconds are no whole hours, or more than ten years.
    """
    if rule in _MONTHS and clock.due_s in _MONTH_S:
        return Period(months=_MONTHS[rule])
    if clock.due_s >= _IN_DAYS_S and clock.due_s % _DAY_S == 0:
        return Period(days=clock.due_s // _DAY_S) if clock.due_s <= 3650 * _DAY_S else None
    whole = clock.due_s % _HOUR_S == 0 and clock.due_s <= 3650 * _DAY_S
    return Period(hours=clock.due_s // _HOUR_S) if whole else None


def law_of(body: CyberIncident) -> str:
    """The law that an incident is reported under; without a word it is NIS2, whose stages it has."""
    return body.regime or "nis2"


def begun_by(b: Bulletin) -> Iterator[tuple[str, dt.datetime]]:
    """The clocks that run by law for what a bulletin tells, each with its start, though no deadline names them.

    Past steps without a time in the bulletin are left out: no authority is late because a time was not reported here.
    """
    body = b.body
    if isinstance(body, CyberIncident):
        yield from _of_incident(b, body)
    elif isinstance(body, DataBreach) and body.risk is not BreachRisk.UNLIKELY:
        # If the law is not named, R18 demands that the deadline is.
        rule = _BREACHES.get(body.regime or "")
        if rule is not None:
            yield rule, body.aware


def _of_incident(b: Bulletin, body: CyberIncident) -> Iterator[tuple[str, dt.datetime]]:
    law, stage = law_of(body), body.stage
    if law not in STAGED or not body.significant or body.near_miss or stage is Nis2Stage.VOLUNTARY_REPORT:
        return
    if law == "cer":
        if stage is Nis2Stage.EARLY_WARNING or body.notified_at is not None:
            yield f"{law}-{_NOTIFICATION}", body.detected
        return
    if stage is Nis2Stage.EARLY_WARNING or body.early_warning_at is not None:
        yield f"{law}-{_WARNING}", body.detected
    if stage in (Nis2Stage.EARLY_WARNING, Nis2Stage.INCIDENT_NOTIFICATION) or body.notified_at is not None:
        yield f"{law}-{_NOTIFICATION}", body.detected
    if (notified := _notified(b, body)) is not None:
        yield f"{law}-{_FINAL}", notified


def _notified(b: Bulletin, body: CyberIncident) -> dt.datetime | None:
    """When the incident was notified: as the body says, else with this bulletin where it is the notification."""
    if body.notified_at is not None:
        return body.notified_at
    return b.issued if body.stage is Nis2Stage.INCIDENT_NOTIFICATION else None


def told(b: Bulletin, rule: str) -> dt.datetime | None:
    """When a report meets a clock of a law, by the report itself; None where it does not."""
    body = b.body
    if isinstance(body, DataBreach):
        # A breach that a supervisory authority reports has been notified to it.
        return b.issued if rule in BREACH_RULES and b.issuer.kind == DPA else None
    law, _, step = rule.partition("-")
    if not isinstance(body, CyberIncident) or law not in STAGED or law != law_of(body):
        return None
    if body.stage is Nis2Stage.VOLUNTARY_REPORT:
        return None
    if step == _FINAL:
        return b.issued if body.stage in _CLOSING else None
    if law == "cer" and step == _NOTIFICATION:
        return min(
            (each for each in (body.early_warning_at, body.notified_at) if each is not None), default=b.issued
        )
    if step == _WARNING:
        return body.early_warning_at or body.notified_at or b.issued
    if step.partition("-")[0] == _NOTIFICATION:
        is_past = body.stage is not Nis2Stage.EARLY_WARNING
        return body.notified_at or (b.issued if is_past else None)
    return None
