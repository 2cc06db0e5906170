"""Acts and judgments: the day from which a law applies, and the possible numbers of texts."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from schemas.bodies.digital import PoliticalAd
from schemas.bodies.enforcement import Enforcement
from schemas.bodies.foreign import SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Broken, Violation
from schemas.truth.law import ADS, DSA, EUDPR, GDPR, NIS2, POLICE, act_of
from schemas.truth.wording import words
from schemas.vocab import MsgType, Status

APPLIES: Mapping[str, dt.date] = MappingProxyType(
    {
        GDPR: dt.date(2018, 5, 25),
        EUDPR: dt.date(2018, 12, 11),
        POLICE: dt.date(2018, 5, 6),
        DSA: dt.date(2022, 11, 16),
        NIS2: dt.date(2024, 10, 18),
        ADS: dt.date(2025, 10, 10),
        "32022L2557": dt.date(2024, 10, 18),
        "32022R2554": dt.date(2025, 1, 17),
        "32023R2841": dt.date(2024, 1, 7),
        "32024R2847": dt.date(2026, 9, 11),
    }
)
"""The first day of duties under an act, by its last article; for the Digital Services Act, the day of its entry into force."""
_ACT_OF_CLOCK: Mapping[str, str] = MappingProxyType(
    {
        "gdpr": GDPR,
        "eudpr": EUDPR,
        "led": POLICE,
        "dsa": DSA,
        "nis2": NIS2,
        "ttpa": ADS,
        "cer": "32022L2557",
        "dora": "32022R2554",
        "eui": "32023R2841",
        "cra": "32024R2847",
    }
)
"""The act whose name a clock carries."""
_IN_FORCE: Mapping[str, dt.date] = MappingProxyType(
    {
        GDPR: dt.date(2016, 5, 24),
        DSA: dt.date(2022, 11, 16),
        NIS2: dt.date(2023, 1, 16),
        ADS: dt.date(2024, 4, 9),
        EUDPR: dt.date(2018, 12, 11),
    }
)
_DAY = dt.timedelta(days=1)
_YEAR_OF_ACT = re.compile(r"[0-9CE]([0-9]{4})[A-Z]")


def r91(b: Bulletin) -> Broken:
    """No duty begins before its law applies (the last articles of the acts of `APPLIES`)."""
    if b.status is Status.EXERCISE or b.msg_type is MsgType.CANCEL:
        return
    for n, clock in enumerate(b.deadlines):
        act = _ACT_OF_CLOCK.get(clock.clock.partition("-")[0])
        if act is not None and clock.started.date() < APPLIES[act] - _DAY:
            yield (
                f"$.deadlines[{n}].started",
                f"{act} applies from {APPLIES[act]}; correct the date or the clock",
            )
    body = b.body
    if isinstance(body, Enforcement):
        acts = {act_of(each)[0] for each in body.provisions}
        since = min((_IN_FORCE[each] for each in acts), default=None) if acts <= _IN_FORCE.keys() else None
        for name, day in (("opened", body.opened), ("decided", body.decided)):
            if since is not None and day is not None and day < since:
                yield (
                    f"$.body.{name}",
                    f"{', '.join(sorted(acts))} came into force on {since}; correct one of the two",
                )
    if isinstance(body, SanctionsListing):
        year = _YEAR_OF_ACT.match(act_of(body.regulation)[0])
        if year is not None and body.published.year < int(year[1]):
            yield (
                "$.body.published",
                f"{body.regulation} is of {year[1]}, so nobody was listed under it before; correct one of the two",
            )


_TOLD = (
    (re.compile(r"\b(?:CVE|EUVD)-([0-9]{4})-[0-9]{4,}"), 1999, 1, "number"),
    (re.compile(r"\bECLI:[A-Z]{2}:[A-Z0-9]{1,7}:([0-9]{4}):"), 1801, 0, "number"),
    (re.compile(r"\bCELEX:? ?[0-9CE]([0-9]{4})[A-Z]{1,2}[0-9]{4}"), 1951, 0, "number"),
    (
        re.compile(r"\b(?:Regulation|Directive|Decision) \(EU(?:, Euratom)?\) ([0-9]{4})/[0-9]{1,4}\b"),
        2015,
        0,
        "number",
    ),
)
"""Numbers of texts: (pattern, first possible year, years ahead that are possible, word for the text)."""


_MARKS = ("CVE-", "EUVD-", "ECLI:", "CELEX", "(EU")
"""Each of these numbers contains one of these."""


def told(b: Bulletin) -> Iterator[Violation]:
    """Numbers with impossible years, and findings under a law that did not apply yet. Only for remarks."""
    for path, text in words(b):
        if not any(mark in text for mark in _MARKS):
            continue
        for pattern, first, ahead, name in _TOLD:
            for found in pattern.finditer(text):
                if not first <= int(found[1]) <= b.issued.year + ahead:
                    yield Violation(name, path, f"{found[0]} has an impossible year; copy it again")
    body = b.body
    if isinstance(body, PoliticalAd) and body.infringements:
        last = body.period_end or body.period_start
        if last is not None and last < APPLIES[ADS]:
            yield Violation(
                "before",
                "$.body.infringements",
                f"{ADS} applies from {APPLIES[ADS]} on, and it ended on {last}",
            )


RULES = ((91, r91),)
