"""Reads structured breach reports (``veris-json``) of the VERIS vocabulary, versions 1.3 and 1.4.

An incident that broke confidentiality, integrity or availability gives one `data-breach`. Victims' names are dropped,
also from the summary. A partial date is read as the first day of its period, and a loss says so. Confidentiality with
`data_disclosure` "No" was not broken.

Source: the VERIS framework of the Verizon RISK team.
"""

import datetime as dt
import re
from typing import Any, Final

from adapters.translation.drafting import finished, origin_of
from adapters.translation.persons import Persons
from adapters.translation.prose import carried, headline_of, nameless
from adapters.translation.reading import (
    Format,
    FormatError,
    Losses,
    ReadContext,
    ReadResult,
    strict_json,
    told,
)
from schemas.bodies.data import DataBreach
from schemas.bulletin import Draft
from schemas.parts import Area, Confidence, Deadline, Info
from schemas.scalars import MAX_COUNT
from schemas.truth.acts import APPLIES
from schemas.truth.law import GDPR
from schemas.vocab import BreachNature, BreachRisk, Certainty, Severity, Urgency

__all__ = ["FORMAT", "read_veris"]

MAX_BYTES: Final = 8 * 1024 * 1024
NOTIFY_WITHIN: Final = dt.timedelta(hours=72)
_NATURES: Final = {
    "confidentiality": BreachNature.CONFIDENTIALITY,
    "integrity": BreachNature.INTEGRITY,
    "availability": BreachNature.AVAILABILITY,
}
# VERIS data varieties -> data categories; all others are `other`.
_CATEGORIES: Final = {
    "Personal": "contact",
    "Sensitive Personal": "special-other",
    "Medical": "special-other",
    "Credentials": "credentials",
    "Payment": "financial",
    "Bank": "financial",
    "Virtual currency": "financial",
    "Digital certificate": "credentials",
}
_SENSITIVE: Final = frozenset({"Sensitive Personal", "Medical", "Credentials", "Bank", "Payment"})
_SUBJECTS: Final = {
    "Customer": "account-holders",
    "Employee": "staff",
    "Patient": "patients",
    "Student": "students",
}
_NOT_CARRIED: Final = {
    "victim": "victims' names are not carried",
    "actor": "actors are not carried",
    "reference": "sources of the report are not carried",
    "notes": "free text of analysts, not carried",
    "asset": "assets are not carried",
    "impact": "losses in money are not carried",
    "plus": "extension fields are not carried",
}
# Members that are read, or that contain nothing about the breach.
_READ: Final = frozenset(
    {
        "action", "attribute", "confidence", "incident_id", "schema_version", "security_incident", "source_id", "summary",
        "timeline",
    }
)  # fmt: skip
# The members of an incident in the standard; losses name no other.
_MEMBERS: Final = (
    _READ
    | _NOT_CARRIED.keys()
    | {
        "analyst_notes",
        "campaign_id",
        "control_failure",
        "corrective_action",
        "discovery_method",
        "discovery_notes",
        "ioc",
        "related_incidents",
        "targeted",
    }
)
_UNITS: Final = {
    "Seconds": dt.timedelta(seconds=1),
    "Minutes": dt.timedelta(minutes=1),
    "Hours": dt.timedelta(hours=1),
    "Days": dt.timedelta(days=1),
    "Weeks": dt.timedelta(weeks=1),
    "Months": dt.timedelta(days=30),
    "Years": dt.timedelta(days=365),
}
_SCORES: Final = {"High": 85, "Medium": 50, "Low": 15, "None": 5}
_CAUSES: Final = ("hacking", "malware", "social", "misuse", "physical", "error", "environmental")
_COUNTRY: Final = re.compile("[A-Z]{2}")


def read_veris(data: bytes, context: ReadContext) -> ReadResult:
    """The breach of one incident.

    Raises:
        FormatError: what `strict_json` raises, ``not-an-incident``, ``definition``, ``no-breach`` or ``not-confirmed``.
    """
    incident = strict_json(data, max_bytes=MAX_BYTES)
    if not (isinstance(incident, dict) and isinstance(incident.get("action"), dict) and "actor" in incident):
        raise FormatError("not a VERIS incident: no action and actor", reason="not-an-incident")
    if not isinstance(incident.get("security_incident", ""), str):
        raise FormatError("the vocabulary itself, not an incident", reason="definition")
    if incident.get("security_incident") in ("False positive", "Near miss"):
        raise FormatError("the incident is a false positive or a near miss", reason="not-confirmed")
    attribute = _dict(incident.get("attribute"))
    confidentiality = _dict(attribute.get("confidentiality"))
    disclosed = confidentiality.get("data_disclosure")
    broken = [name for name in _NATURES if name in attribute]
    if disclosed == "No" and "confidentiality" in broken:
        broken.remove("confidentiality")
    if not broken:
        raise FormatError("no confidentiality, integrity or availability was broken", reason="no-breach")
    losses = Losses()
    for name in incident:
        if name not in _READ and incident[name]:
            losses.add(told(name, _MEMBERS), _NOT_CARRIED.get(name, "has no field in a data-breach"))
    varieties = [str(_dict(each).get("variety", "")) for each in _list(confidentiality.get("data"))]
    timeline = _dict(incident.get("timeline"))
    started = _when(_dict(timeline.get("incident")), losses)
    aware = _aware(timeline, started, context.received, losses)
    persons = _persons(incident)
    summary = _summary(incident, persons, losses)
    victims = map(str, _list(confidentiality.get("data_victim")))
    subjects = sorted({_SUBJECTS.get(each, "other") for each in victims})
    sensitive = bool(_SENSITIVE & set(varieties))
    is_gdpr = aware.date() >= APPLIES[GDPR]
    body = DataBreach(
        nature=tuple(_NATURES[name] for name in broken),
        aware=aware,
        controller_kind="other",
        data_categories=tuple(sorted({_CATEGORIES.get(each, "other") for each in varieties}))[:30]
        or ("other",),
        subject_categories=tuple(subjects[:30]) or ("unknown",),
        risk=BreachRisk.HIGH_RISK if sensitive else BreachRisk.RISK,
        records_approx=_count(confidentiality, losses),
        started=started,
        cause=_cause(incident["action"], losses),
        phased="final",
        regime=None if is_gdpr else "national",
    )
    named = map(str, _list(_dict(incident.get("victim")).get("country")))
    countries = sorted({each for each in named if _COUNTRY.fullmatch(each)})[:60] or [context.country]
    score = _SCORES.get(str(incident.get("confidence")), 50)
    confirmed = incident.get("security_incident") == "Confirmed" and disclosed != "Potentially" and score > 20
    headline = headline_of(summary, path="summary", losses=Losses()) or "Breach"
    draft = Draft(
        info=(Info(lang="en", headline=headline, summary=summary),),
        body=body,
        areas=tuple(Area(scope="country", country=each) for each in countries),
        urgency=Urgency.PAST,
        severity=Severity.SEVERE if sensitive else Severity.MODERATE,
        certainty=Certainty.OBSERVED if confirmed else Certainty.POSSIBLE,
        confidence=Confidence(score=score),  # an incident that its author doubts is not "observed" (R51)
        deadlines=(Deadline(clock="gdpr-33", started=aware, due=aware + NOTIFY_WITHIN),) if is_gdpr else (),
    )
    origin = origin_of(
        FORMAT.id,
        data,
        context,
        version=str(incident.get("schema_version", "")),
        original_id=str(incident.get("incident_id", "")),
    )
    draft = finished(draft, context=context, losses=losses, origin=origin, persons=persons)
    return ReadResult(drafts=(draft,), losses=losses.found)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _count(confidentiality: dict[str, Any], losses: Losses) -> int | None:
    total = confidentiality.get("data_total")
    if isinstance(total, bool) or not isinstance(total, int) or total < 0:
        if total is not None:
            losses.add("attribute.confidentiality.data_total", "not a count")
        return None
    if total > MAX_COUNT:
        losses.add("attribute.confidentiality.data_total", f"above {MAX_COUNT}; that number is used")
    return min(total, MAX_COUNT)


def _cause(action: dict[str, Any], losses: Losses) -> str | None:
    known = [name for name in _CAUSES if name in action]
    if len(known) > 1:
        losses.add("action", f"a breach has one cause: {', '.join(known[1:])} besides")
    return known[0] if known else None


def _summary(incident: dict[str, Any], persons: Persons, losses: Losses) -> str:
    """The event in the source's words, without the victim's name and addresses."""
    victim = _dict(incident.get("victim")).get("victim_id")
    text = nameless(str(incident.get("summary") or ""), victim, "(the victim)", path="summary", losses=losses)
    named = persons.taken_out(text)
    if named != text:
        losses.add("summary", "names of persons or other victims removed")
    text = named
    return carried(text, limit=2_000, path="summary", losses=losses) or "A breach of data, as reported."


def _persons(incident: dict[str, Any]) -> Persons:
    """The persons and organisations named outside the summary: victims, other victims, actors, analysts."""
    persons = Persons()
    victim, actor, plus = (_dict(incident.get(name)) for name in ("victim", "actor", "plus"))
    victims = [*_list(victim.get("victim_id")), *_list(_dict(victim.get("secondary")).get("victim_id"))]
    for name in victims:
        persons.add(name, surname=False)
    for kind in ("external", "internal", "partner"):
        for name in _list(_dict(actor.get(kind)).get("name")):
            persons.add(name)
    for name in (plus.get("analyst"), plus.get("created_by")):
        if isinstance(name, str) and " " in name.strip():
            persons.add(name)
    return persons


def _aware(
    timeline: dict[str, Any], started: dt.datetime | None, received: dt.datetime, losses: Losses
) -> dt.datetime:
    """The time when the controller became aware, from the start and the time to discovery, if given."""
    discovery = _dict(timeline.get("discovery"))
    unit, value = _UNITS.get(str(discovery.get("unit"))), discovery.get("value")
    if started is not None and unit is not None and isinstance(value, int) and 0 <= value <= 10_000:
        aware = started + value * unit
        if aware <= received:
            losses.add("timeline.discovery", "used to compute when the controller became aware")
            return aware
    losses.add(
        "timeline",
        "the time when the controller became aware is missing; the start of the incident, or now, is assumed",
    )
    return started if started is not None and started < received else received


def _when(moment: dict[str, Any], losses: Losses) -> dt.datetime | None:
    parts = [moment.get(name) for name in ("year", "month", "day")]
    if not isinstance(parts[0], int) or isinstance(parts[0], bool):
        return None
    if parts[1] is None or parts[2] is None:
        losses.add("timeline.incident", "a partial date, read as the first day of its period")
    try:
        year, month, day = (part if isinstance(part, int) else 1 for part in parts)
        return dt.datetime(year, month, day, tzinfo=dt.UTC) if year >= 1970 else None
    except (ValueError, OverflowError):
        losses.add("timeline.incident", "not a date")
        return None


def _sniff(data: bytes) -> bool:
    marks = (b'"action"', b'"actor"', b'"attribute"')
    return all(mark in data for mark in marks) and b'"$schema"' not in data[:1024]


FORMAT = Format(
    id="veris-json",
    title="VERIS incident",
    media_types=("application/json",),
    sniff=_sniff,
    read=read_veris,
)
