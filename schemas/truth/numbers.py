"""Numbers: a part is not above its whole, a score is that of its vector, and certainty is consistent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from schemas.bodies.coordination import PostElectionReport, SituationReport
from schemas.bodies.cyber import CyberThreat, Vulnerability
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import PlatformMeasure, PoliticalAd
from schemas.bodies.electoral import ElectionIncident
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.truth import cvss
from schemas.vocab import AttributionLevel, Certainty

LIKELIHOODS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "almost-no-chance": (1, 5),
        "very-unlikely": (5, 20),
        "unlikely": (20, 45),
        "roughly-even-chance": (45, 55),
        "likely": (55, 80),
        "very-likely": (80, 95),
        "almost-certain": (95, 99),
    }
)
"""The range in percent of each word (ICD 203, section D.6.e.2)."""

_NUMBERED = re.compile(r"(?:CVE|EUVD)-([0-9]{4})-[0-9]{4,}")
_OWN_NUMBER = re.compile(r"[A-Z]{2,3}-[A-Z0-9-]{2,37}-([0-9]{4})-[0-9]{1,8}")
_FIRST_NUMBER = 1999
"""The year of the first CVE numbers (CVE Program, History)."""
_HOUSEHOLD = 20
"""More persons than one record of a household holds."""
_MOST_VOTERS = 1_100_000_000
"""More than the largest electoral roll (Election Commission of India, 2024: 970 million)."""
_TOLERANCE = 15
_COMPARED = re.compile(
    r"(?:^|-)(?:growth|grew|increase\w*|change\w*|rise|rose|ratio|trend|against|versus|vs|compared|than|relative|times|"
    r"index|factor|multiple|demand|overrun|target|quota|plan|planned|budget|capacity|load|(?:19|20)[0-9]{2})(?:-|$)"
)
"""Words in the name of a figure that may exceed 100 percent."""


def r49(b: Bulletin) -> Broken:
    """A part is not above its whole."""
    body = b.body
    if isinstance(body, SituationReport | PostElectionReport):
        named = set()
        for n, each in enumerate(body.dimensions):
            if each.major > each.incidents:
                yield (
                    f"$.body.dimensions[{n}].major",
                    f"{each.major} major of {each.incidents} incidents; correct one of the two",
                )
            if each.dimension in named:
                yield f"$.body.dimensions[{n}].dimension", "is listed twice; add its counts"
            named.add(each.dimension)
    if isinstance(body, PostElectionReport):
        for n, metric in enumerate(body.metrics):
            most = {"percent": 100, "ppm": 1_000_000}.get(metric.unit)
            if most is not None and metric.value > most and not _COMPARED.search(metric.name):
                yield f"$.body.metrics[{n}].value", f"a share is at most {most} {metric.unit}"
    if isinstance(body, ElectionIncident) and body.voters_affected == 0 and body.electorate_share_ppm:
        yield (
            "$.body.electorate_share_ppm",
            "0 voters are affected, but the share is above 0; correct one of the two",
        )
    if isinstance(body, DataBreach):
        subjects, records = body.subjects_approx, body.records_approx
        if subjects is not None and records is not None and records * _HOUSEHOLD < subjects:
            yield "$.body.records_approx", f"{records} records of {subjects} persons; correct one of the two"
    if isinstance(body, PoliticalAd) and body.amount_minor is not None and body.currency is None:
        yield "$.body.currency", "an amount needs its currency (ISO 4217); add it"
    if isinstance(body, PlatformMeasure) and (body.reversed or 0) > body.count:
        yield "$.body.reversed", f"{body.reversed} restored of {body.count}; correct one of the two"
    if isinstance(body, ElectionIncident) and (body.voters_affected or 0) > _MOST_VOTERS:
        yield "$.body.voters_affected", f"no election has more than {_MOST_VOTERS} voters; correct the number"


def _exploited(b: Bulletin) -> tuple[str, ...]:
    return b.body.exploited if isinstance(b.body, CyberThreat) else ()


def _fault_of_number(name: str, this_year: int) -> str | None:
    """The fault in the number of a vulnerability (year or form); None if there is none."""
    public = _NUMBERED.fullmatch(name)
    if public is None and name.startswith(("CVE-", "EUVD-")):
        return f"{name} does not have the form of its list: the year, and four or more digits"
    if name.startswith("GHSA-") and not _ADVISORY.fullmatch(name):
        return f"{name} does not have the form GHSA-xxxx-xxxx-xxxx"
    year = public or _OWN_NUMBER.fullmatch(name)
    if year is None:
        return None
    if int(year[1]) > this_year + 1:
        return f"numbers of {year[1]} do not exist yet"
    if public is not None and int(year[1]) < _FIRST_NUMBER:
        return f"the list begins with {_FIRST_NUMBER}, but this number is of {year[1]}"
    return None


_ADVISORY = re.compile(r"GHSA(?:-[0-9a-z]{4}){3}", re.IGNORECASE)


def r50(b: Bulletin) -> Broken:
    """A score is that of its vector (FIRST, CVSS v3.1, section 7.1; v4.0, section 8.2), and a number can exist (CVE Program)."""
    names = [(f"$.body.ids[{n}]", each) for n, each in enumerate(getattr(b.body, "ids", ()))]
    names += [(f"$.body.exploited[{n}]", each) for n, each in enumerate(_exploited(b))]
    for path, name in names:
        if fault := _fault_of_number(name, b.issued.year):
            yield path, f"{fault}; copy it again"
    if not isinstance(b.body, Vulnerability) or b.body.cvss is None:
        return
    try:
        version, found = cvss.metrics(b.body.cvss)
    except cvss.VectorError as exc:
        yield (
            "$.body.cvss",
            f"this vector {exc}; copy it whole" if "lacks" in str(exc) else f"{exc}; copy it whole",
        )
        return
    said = b.body.score_x10
    if said is None:
        return
    if not cvss.has_impact(found):
        if said:
            yield "$.body.score_x10", "a vector without impact scores 0; correct one of the two"
        return
    if said == 0:
        yield "$.body.score_x10", "a vector with an impact scores above 0; correct one of the two"
    elif version != "4.0" and cvss.is_plain(version, found):
        right = cvss.base_score_3(found)
        if abs(said - right) > 1:  # version 3.0 sometimes rounds to the next higher tenth
            yield (
                "$.body.score_x10",
                f"this vector scores {right / 10}, not {said / 10}; correct one of the two",
            )


def r51(b: Bulletin) -> Broken:
    """Words and figures of certainty agree (ICD 203; CAP 1.2 certainty; Admiralty code; STIX 2.1 confidence)."""
    score, word = b.confidence.score, b.confidence.likelihood
    span = LIKELIHOODS.get(word or "")
    if span is not None and score is not None and not span[0] - _TOLERANCE <= score <= span[1] + _TOLERANCE:
        yield (
            "$.confidence.likelihood",
            f"{word} means {span[0]} to {span[1]} %, but the score is {score}; correct one of the two",
        )
    if span is not None:
        if span[1] <= 20 and b.certainty in (Certainty.OBSERVED, Certainty.LIKELY):
            yield "$.certainty", f"{b.certainty}, but its likelihood is {word}; correct one of the two"
        if span[0] >= 80 and b.certainty is Certainty.UNLIKELY:
            yield "$.certainty", f"unlikely, but its likelihood is {word}; correct one of the two"
    if score is not None:
        if score <= 20 and b.certainty in (Certainty.OBSERVED, Certainty.LIKELY) and span is None:
            yield "$.certainty", f"{b.certainty}, but its score is {score} of 100; correct one of the two"
        if score >= 80 and b.certainty is Certainty.UNLIKELY:
            yield "$.certainty", f"unlikely, but its score is {score} of 100; correct one of the two"
    firm = b.attribution is not None and b.attribution.level in (
        AttributionLevel.CONFIRMED,
        AttributionLevel.PUBLIC,
    )
    if firm and (
        b.certainty is Certainty.UNLIKELY
        or (score is not None and score <= 20)
        or b.confidence.credibility == 5
    ):
        yield (
            "$.attribution.level",
            "confirmed, but the issuer calls it improbable; lower the level, or correct certainty",
        )


RULES = ((49, r49), (50, r50), (51, r51))
