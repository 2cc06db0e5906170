"""The vocabularies: closed ones as enumerations, open ones as data with their source.

Vocabularies for security or routing are closed: an unknown value does not decode. All others are open: any slug
decodes and an unknown one gives a remark, because real data breaks closed lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

VERSION = "2026-11-28"
"""The day on which tocsin's own words, closed and open, were last changed."""


def word_set(text: str) -> frozenset[str]:
    """The set of words in a text, for tables of many words."""
    return frozenset(text.split())


class Status(StrEnum):
    """Whether a bulletin is real, an exercise or a test (CAP 1.2 status, without draft); and `beat`, for heartbeats."""

    ACTUAL = "actual"
    EXERCISE = "exercise"
    SYSTEM = "system"
    BEAT = "beat"
    TEST = "test"


TALK = frozenset({Status.SYSTEM, Status.BEAT})
"""Statuses of messages between programs. A grant for heartbeats on status system is also one on status beat (docs/adr/038)."""


class MsgType(StrEnum):
    """What a bulletin does to earlier ones (CAP 1.2 msgType)."""

    ALERT = "alert"
    UPDATE = "update"
    CANCEL = "cancel"
    ACK = "ack"
    ERROR = "error"


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 (FIRST), from the narrowest."""

    RED = "red"
    AMBER_STRICT = "amber+strict"
    AMBER = "amber"
    GREEN = "green"
    CLEAR = "clear"


class Pap(StrEnum):
    """Permissible Actions Protocol (MISP taxonomy)."""

    RED = "red"
    AMBER = "amber"
    GREEN = "green"
    CLEAR = "clear"


class Urgency(StrEnum):
    """How soon to act (CAP 1.2 urgency)."""

    IMMEDIATE = "immediate"
    EXPECTED = "expected"
    FUTURE = "future"
    PAST = "past"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How severe (CAP 1.2 severity)."""

    EXTREME = "extreme"
    SEVERE = "severe"
    MODERATE = "moderate"
    MINOR = "minor"
    UNKNOWN = "unknown"


class Certainty(StrEnum):
    """How certain (CAP 1.2 certainty)."""

    OBSERVED = "observed"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"
    UNKNOWN = "unknown"


class Domain(StrEnum):
    """The domain of a bulletin; a token of the subject."""

    DIGITAL = "digital"
    CYBER = "cyber"
    DATA = "data"
    ELECTORAL = "electoral"
    FOREIGN = "foreign"
    JUSTICE = "justice"
    COMMS = "comms"
    COORD = "coord"


class Phase(StrEnum):
    """The phases of an election."""

    NONE = "none"
    ANNOUNCED = "announced"
    REGISTRATION = "registration"
    CAMPAIGN = "campaign"
    SILENCE = "silence"
    ADVANCE_VOTING = "advance-voting"
    POLLING = "polling"
    COUNTING = "counting"
    CERTIFICATION = "certification"
    DISPUTE = "dispute"
    REVIEW = "review"


class ElectionType(StrEnum):
    """What is elected."""

    EUROPEAN_PARLIAMENT = "european-parliament"
    PRESIDENTIAL = "presidential"
    PARLIAMENTARY = "parliamentary"
    UPPER_HOUSE = "upper-house"
    REGIONAL = "regional"
    MUNICIPAL = "municipal"
    REFERENDUM = "referendum"
    BY_ELECTION = "by-election"
    OTHER = "other"


class PersonalFlag(StrEnum):
    """How personal a value is (GDPR Articles 4, 9, 10)."""

    NONE = "none"
    PSEUDONYMOUS = "pseudonymous"
    PERSONAL = "personal"
    SPECIAL_CATEGORY = "special-category"
    CRIMINAL_OFFENCE = "criminal-offence"


class RefRel(StrEnum):
    """The kinds of references between bulletins."""

    SUPERSEDES = "supersedes"
    CANCELS = "cancels"
    ACKNOWLEDGES = "acknowledges"
    REJECTS = "rejects"
    SAME_INCIDENT = "same-incident"
    CAUSED_BY = "caused-by"
    DERIVED_FROM = "derived-from"
    CORROBORATES = "corroborates"
    CONTRADICTS = "contradicts"
    ANSWERS = "answers"
    TRANSLATES = "translates"


class AttributionLevel(StrEnum):
    """How firmly an actor is held responsible."""

    UNATTRIBUTED = "unattributed"
    CLAIMED = "claimed"
    CLUSTER = "cluster"
    SUSPECTED = "suspected"
    ASSESSED = "assessed"
    CONFIRMED = "confirmed"
    PUBLIC = "public"


class Affiliation(StrEnum):
    """How an actor stands to a state."""

    OFFICIAL = "official"
    STATE_CONTROLLED = "state-controlled"
    STATE_LINKED = "state-linked"
    STATE_ALIGNED = "state-aligned"
    UNATTRIBUTED = "unattributed"


class Nis2Stage(StrEnum):
    """Stage of an incident report (Directive (EU) 2022/2555, Article 23(4)); voluntary by its Article 30."""

    EARLY_WARNING = "early-warning"
    INCIDENT_NOTIFICATION = "incident-notification"
    INTERMEDIATE_REPORT = "intermediate-report"
    FINAL_REPORT = "final-report"
    PROGRESS_REPORT = "progress-report"
    VOLUNTARY_REPORT = "voluntary-report"


class BreachNature(StrEnum):
    """The property that a breach violated (EDPB Guidelines 9/2022)."""

    CONFIDENTIALITY = "confidentiality"
    INTEGRITY = "integrity"
    AVAILABILITY = "availability"


class BreachRisk(StrEnum):
    """Risk to the persons concerned (GDPR Articles 33 and 34)."""

    UNLIKELY = "unlikely"
    RISK = "risk"
    HIGH_RISK = "high-risk"


class NotifyState(StrEnum):
    """Whether the persons concerned are informed (GDPR Article 34)."""

    NOT_REQUIRED = "not-required"
    REQUIRED = "required"
    DONE = "done"
    WITHHELD = "withheld"


class SanctionEvent(StrEnum):
    """The effect of a listing act."""

    LISTED = "listed"
    AMENDED = "amended"
    DELISTED = "delisted"
    RENEWED = "renewed"
    ANNULLED = "annulled"


class LegalStage(StrEnum):
    """The stage of a legal matter."""

    REFERRAL = "referral"
    COMPLAINT = "complaint"
    PRELIMINARY_INQUIRY = "preliminary-inquiry"
    INVESTIGATION = "investigation"
    CHARGE = "charge"
    TRIAL = "trial"
    APPEAL = "appeal"
    CONVICTION = "conviction"
    ACQUITTAL = "acquittal"
    CLOSED = "closed"


class ContentCredentials(StrEnum):
    """The result of validating a file's content credentials (C2PA 2.1, section 14)."""

    PRESENT = "present"
    ABSENT = "absent"
    INVALID = "invalid"


class EnforcementStage(StrEnum):
    """The stage of enforcement (Regulation (EU) 2022/2065, Articles 66 to 76)."""

    INFORMATION_REQUESTED = "information-requested"
    PROCEEDINGS = "proceedings"
    PRELIMINARY_FINDINGS = "preliminary-findings"
    INTERIM_MEASURES = "interim-measures"
    COMMITMENTS_OFFERED = "commitments-offered"
    COMMITMENTS_BINDING = "commitments-binding"
    DECISION = "decision"
    FINE = "fine"
    PERIODIC_PENALTY = "periodic-penalty"
    CLOSED = "closed"
    ANNULLED = "annulled"


class FeedbackKind(StrEnum):
    """The verdict of an answer; `question` asks back, `reply` answers a question, `request-upgrade` asks for a wider marking."""

    ACK = "ack"
    REJECT = "reject"
    SIGHTING = "sighting"
    ENDORSE = "endorse"
    DISPUTE = "dispute"
    FALSE_POSITIVE = "false-positive"
    ACTION_TAKEN = "action-taken"
    HANDOVER = "handover"
    REQUEST_UPGRADE = "request-upgrade"
    QUESTION = "question"
    REPLY = "reply"


class Opinion(StrEnum):
    """Agreement (STIX 2.1 opinion-enum)."""

    STRONGLY_DISAGREE = "strongly-disagree"
    DISAGREE = "disagree"
    NEUTRAL = "neutral"
    AGREE = "agree"
    STRONGLY_AGREE = "strongly-agree"


class AttributionRule(StrEnum):
    """Whether the provider may be named when passing on (FIRST IEP 2.0 attribution)."""

    MAY = "may"
    MUST = "must"
    MUST_NOT = "must-not"


class ChannelState(StrEnum):
    """State of a channel, by its issuer."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    PLANNED_OUTAGE = "planned-outage"


class Posture(StrEnum):
    """How alert an authority is."""

    BASELINE = "baseline"
    HEIGHTENED = "heightened"
    HIGH = "high"
    CRISIS = "crisis"


class Dimension(StrEnum):
    """The sides of a threat to an election."""

    DISINFORMATION = "disinformation"
    FOREIGN_INTERFERENCE = "foreign-interference"
    AI_MISUSE = "ai-misuse"
    CYBERCRIME = "cybercrime"
    DATA_PROTECTION = "data-protection"
    ELECTORAL_PROCESS = "electoral-process"
    HYBRID = "hybrid"
    CORRUPTION = "corruption"
    PHYSICAL = "physical"


class ReceiptStage(StrEnum):
    """What happened to a bulletin's bytes."""

    KEPT = "kept"
    VERIFIED = "verified"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    WITHDRAWN = "withdrawn"


class Scope(StrEnum):
    """How far an audience reaches."""

    NATIONAL = "national"
    UNION = "union"
    ORG = "org"
    PUBLIC = "public"


class SealPolicy(StrEnum):
    """When bulletins to an audience are encrypted end to end."""

    NEVER = "never"
    CROSS_BORDER = "cross-border"
    ALWAYS = "always"


TLP_RANK: Mapping[Tlp, int] = MappingProxyType(
    {Tlp.CLEAR: 0, Tlp.GREEN: 1, Tlp.AMBER: 2, Tlp.AMBER_STRICT: 3, Tlp.RED: 4}
)
"""The rank of each marking by narrowness; a translation may raise it, never lower it."""

PERSONAL_RANK: Mapping[PersonalFlag, int] = MappingProxyType(
    {
        PersonalFlag.NONE: 0,
        PersonalFlag.PSEUDONYMOUS: 1,
        PersonalFlag.PERSONAL: 2,
        PersonalFlag.SPECIAL_CATEGORY: 3,
        PersonalFlag.CRIMINAL_OFFENCE: 3,
    }
)
"""The rank of each flag by the protection that it needs."""

BROAD_AUDIENCES = frozenset({"public", "community", "society", "platforms"})
"""Reserved audiences that are too wide for TLP:RED."""
