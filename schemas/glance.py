"""Finds quickly which rules a bulletin can break, by its kind, its fields and their combination.

Most rules check fields that most bulletins leave out, and a call of all rules is slow. So `schemas.rules` calls the
rules selected here, and any rule that this module does not know. The other rules cannot be broken; tests compare the
results with those of all rules.

A rule is in one of the tables: by kind of body, by present field, or by a condition in `asked`.
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from schemas.bodies.coordination import Feedback, PostElectionReport, Rfi, SituationReport, StratCom
from schemas.bodies.cyber import CyberIncident, CyberThreat, Vulnerability
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentNotice, ContentOrder, PlatformMeasure, PoliticalAd, SystemicRisk
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.enforcement import Enforcement
from schemas.bodies.foreign import Fimi, LegalReferral, SanctionsListing
from schemas.bodies.system import ChannelStatus, Copy, Reanchor, Receipt, Request, Sealed
from schemas.bulletin import Bulletin
from schemas.parts import Handling
from schemas.subject import MAX_SUBJECT
from schemas.truth.usual import is_usual
from schemas.truth.wording import gather, is_plain
from schemas.vocab import Certainty, MsgType, Pap, PersonalFlag, Status, Tlp

MAX_LIFETIME = dt.timedelta(days=400)
"""The longest lifetime of a bulletin, except for kinds that last longer (R5)."""

PLACES = frozenset({"country", "region", "municipality", "constituency", "polling-place"})
"""The scopes of areas that lie in one country (R29)."""


def set_of(numbers: Iterable[int]) -> int:
    """A set of rules, as an integer with a bit for each number."""
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


_BY_BODY: Mapping[type, int] = MappingProxyType(
    {
        body: set_of(numbers)
        for body, numbers in (
            (ContentNotice, (32, 36, 40, 65, 89)),
            (ContentOrder, (11, 32, 36, 37, 38, 65, 84, 89)),
            (PlatformMeasure, (32, 33, 44, 49)),
            (SystemicRisk, (84,)),
            (PoliticalAd, (32, 33, 43, 49, 84)),
            (CyberIncident, (18, 32, 42, 81, 82)),
            (CyberThreat, ()),  # R50 if it names exploited flaws
            (Vulnerability, (50, 65, 82, 89)),
            (DataBreach, (18, 32, 33, 41, 49, 82)),
            (ElectionCalendar, (27, 28, 34, 35, 36, 65, 83, 87, 89, 90)),
            (ElectionIncident, (49, 83, 86, 90)),
            (Enforcement, (78, 79, 89, 91)),
            (Fimi, ()),  # R89 if it has narratives
            (SanctionsListing, (20, 32, 33, 36, 37, 65, 84, 89, 91)),
            (LegalReferral, (19, 32, 54, 84, 88)),
            (StratCom, (16, 17, 33, 57, 65, 84)),  # R89 if it has facts
            (SituationReport, (32, 33, 49, 84)),
            (PostElectionReport, (32, 33, 49, 65, 89, 93)),
            (Rfi, (33, 36, 54, 92)),
            (Feedback, (2, 3, 32, 33, 54, 84)),
            (ChannelStatus, (31,)),
            (Receipt, ()),
            (Sealed, ()),
            (Reanchor, ()),
            (Request, ()),
            (Copy, ()),
        )
    }
)
"""Kind of body -> the rules that check more than its texts."""

_BY_FIELD: tuple[tuple[str, object, tuple[int, ...]], ...] = (
    ("references", (), (52, 53)),
    ("co_issuers", (), (54,)),
    ("exercise_id", None, (61,)),
    ("incident_id", None, (52,)),
    ("election", None, (33, 56, 90)),
    ("effective", None, (33,)),
    ("onset", None, (33,)),
    ("ttps", (), ()),
    ("attribution", None, (12, 13, 14, 32, 51, 85)),
    ("targets", (), ()),
    ("actions", (), (11, 33, 36, 37, 54, 70)),
    ("legal", (), (36,)),
    ("deadlines", (), (32, 33, 91)),
    ("personal_data", None, (7, 8, 30, 36, 37)),
    ("rights", None, (38, 39)),
    ("evidence", (), (32, 65, 89)),
    ("provenance", (), (32,)),
    ("labels", (), (47, 48)),
    ("things", (), (77,)),
    ("links", (), (75, 76)),
    ("media_checks", (), (80,)),
)
"""Each optional field: (default, rules that check it); without rules, only its texts are checked."""

_FIELDS = operator.attrgetter(*(name for name, *_ in _BY_FIELD))
_LEFT_OUT = tuple(without for _, without, _ in _BY_FIELD)
_LOOKING = tuple(set_of(numbers) for *_, numbers in _BY_FIELD)
_MUTE = tuple(
    name in ("exercise_id", "incident_id", "effective", "onset", "provenance", "labels")
    for name, *_ in _BY_FIELD
)
"""Whether a field has no texts for people (`schemas.truth.wording`)."""

_OF_WORDS = set_of((47, 48, 58, 59, 60, 61, 65, 66))
_EVERY = -1
"""Every rule, also those unknown here."""
_OF_ENDINGS = set_of((1, 2))
_OF_HANDLING = set_of((46, 71))
_OF_LINKS = set_of((65, 89))
_OF_PERSONS = set_of((6, 7, 8, 9))
_OF_SIGHTINGS = set_of((32, 33))
_OF_VALUES = set_of((62, 63, 65, 66))
_R4, _R5, _R9, _R10, _R15, _R21, _R22, _R23, _R24 = (1 << n for n in (4, 5, 9, 10, 15, 21, 22, 23, 24))
_R26, _R29, _R31, _R45, _R50, _R51, _R55, _R64, _R89 = (1 << n for n in (26, 29, 31, 45, 50, 51, 55, 64, 89))

_ALWAYS = set_of((4, 5, 10, 15, 21, 22, 23, 24, 26, 29, 31, 45, 51, 55, 64))

KNOWN = (
    _OF_WORDS
    | _OF_ENDINGS
    | _OF_HANDLING
    | _OF_LINKS
    | _OF_PERSONS
    | _OF_SIGHTINGS
    | _OF_VALUES
    | _ALWAYS
    | functools.reduce(operator.or_, (*_BY_BODY.values(), *_LOOKING))
)
"""The rules that this module knows; all others are called for every bulletin."""

# Stored here, because each lookup of an enumeration member takes a tenth of the whole time.
_EXERCISE, _BEAT, _ALERT = Status.EXERCISE, Status.BEAT, MsgType.ALERT
_RED, _GREEN, _CLEAR = Tlp.RED, Tlp.GREEN, Tlp.CLEAR
_ANYTHING, _NOTHING = Pap.CLEAR, Pap.RED
_UNLIKELY, _PERSONAL_NONE = Certainty.UNLIKELY, PersonalFlag.NONE
_SURE = (Certainty.OBSERVED, Certainty.LIKELY)
_HANDLING = Handling()
_NO_TIME = dt.timedelta()


def asked(b: Bulletin, subject: str | None = None) -> int:
    """The rules that a bulletin can break, as a set of bits; it keeps all others that this module knows.

    Args:
        b: a bulletin of valid types.
        subject: its own (`subject_for`), when it is known.
    """
    body, said = b.body, list[str]()
    found = _BY_BODY.get(type(body), _EVERY) | _marked(b) | _placed(b, subject, said)
    if _FIELDS(b) != _LEFT_OUT:
        found |= _added(b, said)
    if type(body) is CyberThreat and body.exploited:
        found |= _R50
    elif (type(body) is StratCom and body.facts) or (type(body) is Fimi and body.narratives):
        found |= _R89
    if len(b.info) > 1:
        found |= _R15
    for info in b.info:
        if info.web is not None:
            found |= _OF_LINKS
        gather(info, said)
    gather(body, said)
    if not is_plain(said):
        found |= _OF_WORDS
    return found | _seen(b) if b.observables else found


def _added(b: Bulletin, said: list[str]) -> int:
    """The rules that check the present fields; adds the texts of these fields to `said`."""
    found = 0
    for value, without, bits, is_mute in zip(_FIELDS(b), _LEFT_OUT, _LOOKING, _MUTE, strict=True):
        if value == without:
            continue
        found |= bits
        if is_mute:
            continue
        for each in value if type(value) is tuple else (value,):
            gather(each, said)
    return found


def _marked(b: Bulletin) -> int:
    """The rules about type, status, markings and handling that the bulletin can break."""
    found, tlp = 0, b.tlp
    if b.msg_type is not _ALERT:
        found |= _OF_ENDINGS
    if b.handling != _HANDLING:
        found |= _OF_HANDLING
    if b.status is _EXERCISE:
        found |= _R4
    elif b.status is _BEAT:
        found |= _R31
    if tlp is _RED:
        found |= _R10 | _R23 | _R24
    if tlp is _CLEAR:
        if b.pap is _NOTHING:
            found |= _R45
        if b.audience != "public":
            found |= _R24
    else:
        if b.pap is _ANYTHING and tlp is not _GREEN:
            found |= _R45
        if b.audience == "public":
            found |= _R24
    return found


def _placed(b: Bulletin, subject: str | None, said: list[str]) -> int:
    """The rules about time, issuer, confidence and areas that the bulletin can break; adds texts to `said`."""
    found, confidence = 0, b.confidence
    if not _NO_TIME < b.expires - b.issued <= MAX_LIFETIME:
        found |= _R5
    if subject is None or len(subject) > MAX_SUBJECT:
        found |= _R22
    if b.issuer.id.partition("-")[0] != b.issuer.country.lower():
        found |= _R21
    score = confidence.score
    if score is None:
        if confidence.credibility is None:
            found |= _R26
    elif (score <= 20 and b.certainty in _SURE) or (score >= 80 and b.certainty is _UNLIKELY):
        found |= _R51
    if confidence.likelihood is not None:
        found |= _R51
    if confidence.basis is not None:
        said.append(confidence.basis)
    for area in b.areas:
        if area.country is None:
            if area.scope in PLACES:
                found |= _R29
        elif area.scope == "eu":
            found |= _R29
        if area.code is not None:
            found |= _R55
        if area.name is not None:
            said.append(area.name)
    return found


def _seen(b: Bulletin) -> int:
    """The rules about observables that the bulletin can break."""
    found, all_usual = 0, True
    for each in b.observables:
        all_usual = all_usual and is_usual(each)
        if each.personal is not _PERSONAL_NONE:
            found |= _OF_PERSONS
        if each.value is None or each.value_hmac is not None:
            found |= _R9
        if each.first_seen is not None or each.last_seen is not None:
            found |= _OF_SIGHTINGS
        if each.role == "impersonated":
            found |= _R64
    if not all_usual:
        found |= _OF_VALUES
    if type(b.body) in _SHOWING:
        found |= _R64
    for info in b.info:
        if info.public_line is not None or info.web is not None:
            found |= _R64
    return found


_SHOWING = frozenset({ElectionCalendar, ElectionIncident, StratCom})
"""The bodies that may send people to a site (R64)."""
