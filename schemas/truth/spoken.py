"""Headlines against fields: words that say the opposite of the state, the status or the finding beside them. For doubts alone.

Words are searched in a few languages; a text in another is not doubted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from schemas.bodies.coordination import Feedback
from schemas.bodies.cyber import CyberIncident, Vulnerability
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentOrder, PoliticalAd
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.enforcement import Enforcement
from schemas.bodies.foreign import Fimi, LegalReferral, SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.parts import Info
from schemas.truth import phrases
from schemas.truth.beside import days_told
from schemas.truth.wording import words
from schemas.vocab import (
    BreachRisk,
    EnforcementStage,
    FeedbackKind,
    LegalStage,
    MsgType,
    SanctionEvent,
    Severity,
    Status,
)

_QUOTED = re.compile(r"“[^”]{0,200}”|\"[^\"]{0,200}\"|«[^»]{0,200}»|„[^“”]{0,200}[“”]|‘[^’]{0,200}’")


class _Odds(NamedTuple):
    """What contradicts a field: the words, the path of the field, what it says, and the words that agree with it."""

    pattern: re.Pattern[str]
    path: str
    says: str
    unless: re.Pattern[str] | None = None


_SELF_DENYING = (
    phrases.UNUSED,
    phrases.UNFIXED,
    phrases.CLEARED,
    phrases.SEEN_NOT,
    phrases.UNDONE,
    phrases.QUIET,
)
"""Patterns that hold their own negation."""


def _of_answers(body: Feedback) -> Iterator[_Odds]:
    if body.verdict is FeedbackKind.ACTION_TAKEN:
        yield _Odds(phrases.UNDONE, "$.body.verdict", "verdict action-taken")
    elif body.verdict is FeedbackKind.SIGHTING and body.seen_count:
        yield _Odds(phrases.SEEN_NOT, "$.body.seen_count", f"seen_count {body.seen_count}", phrases.SEEN)
    elif body.verdict is FeedbackKind.SIGHTING and body.seen_count == 0:
        yield _Odds(phrases.SEEN, "$.body.seen_count", "seen_count 0")


def _odds(b: Bulletin) -> Iterator[_Odds]:  # noqa: PLR0912 (a row for each field)
    """What the words must not say, by the body."""
    body = b.body
    if b.severity in (Severity.EXTREME, Severity.SEVERE):
        yield _Odds(phrases.QUIET, "$.severity", f"severity {b.severity}")
    if isinstance(body, SanctionsListing):
        if body.event in (SanctionEvent.DELISTED, SanctionEvent.ANNULLED):
            yield _Odds(phrases.LISTED, "$.body.event", f"event {body.event}", phrases.OUT)
        elif body.event is SanctionEvent.LISTED:
            yield _Odds(phrases.OUT, "$.body.event", "event listed", phrases.LISTED)
    elif isinstance(body, LegalReferral):
        if body.stage in (LegalStage.CONVICTION, LegalStage.ACQUITTAL):
            wrong, right = phrases.FREE, phrases.GUILTY
            if body.stage is LegalStage.ACQUITTAL:
                wrong, right = right, wrong
            yield _Odds(wrong, "$.body.stage", f"stage {body.stage}", right)
        elif body.stage not in (LegalStage.APPEAL, LegalStage.CLOSED):
            yield _Odds(phrases.GUILTY, "$.body.stage", f"stage {body.stage}")
            yield _Odds(phrases.FREE, "$.body.stage", f"stage {body.stage}")
    elif isinstance(body, Vulnerability):
        if body.status == "known-not-affected":
            yield _Odds(phrases.UPDATE, "$.body.status", "status known-not-affected")
            yield _Odds(phrases.BROKEN, "$.body.status", "status known-not-affected")
        elif body.status in ("fixed", "first-fixed"):
            yield _Odds(phrases.UNFIXED, "$.body.status", f"status {body.status}")
        if body.exploited is not None:
            yield _Odds(
                phrases.UNUSED if body.exploited else phrases.USED,
                "$.body.exploited",
                f"exploited {body.exploited}",
            )
    elif isinstance(body, Enforcement):
        if body.fine is None and (body.finding == "none" or body.stage is EnforcementStage.CLOSED):
            yield _Odds(phrases.FINED, "$.body.stage", f"stage {body.stage}")
        elif body.stage in (EnforcementStage.FINE, EnforcementStage.DECISION):
            yield _Odds(phrases.CLEARED, "$.body.stage", f"stage {body.stage}")
    elif isinstance(body, PoliticalAd) and body.finding in ("none", "infringement"):
        yield _Odds(
            phrases.INFRINGED if body.finding == "none" else phrases.CLEARED,
            "$.body.finding",
            f"finding {body.finding}",
        )
    elif isinstance(body, ElectionIncident) and body.process_effect == "none":
        yield _Odds(phrases.LONGER, "$.body.process_effect", "process_effect none")
    elif isinstance(body, Feedback):
        yield from _of_answers(body)
    elif isinstance(body, DataBreach) and body.risk is BreachRisk.UNLIKELY:
        yield _Odds(phrases.HIGH, "$.body.risk", "risk unlikely")
    elif isinstance(body, Fimi) and body.synthetic == "none":
        yield _Odds(phrases.MADE, "$.body.synthetic", "synthetic none")
    elif isinstance(body, CyberIncident) and not body.significant:
        yield _Odds(phrases.WEIGHTY, "$.body.significant", "significant false")
    elif isinstance(body, ContentOrder) and body.state in ("set-aside", "expired"):
        yield _Odds(phrases.STANDS, "$.body.state", f"state {body.state}")


def spoken(b: Bulletin) -> Iterator[Violation]:
    """What the words say otherwise than the fields, each with a stable word as its `rule`: `words` or `exercise`."""
    if b.status is Status.EXERCISE:
        for path, text in words(b):
            found = phrases.NO_EXERCISE.search(_QUOTED.sub("", text))
            if found is not None:
                yield Violation(
                    "exercise",
                    path,
                    f"says {found[0].strip()!r}, and has status {b.status}; mend one of the two",
                )
                break
    if b.msg_type is MsgType.CANCEL:
        return
    odds = tuple(_odds(b))
    for n, info in enumerate(b.info):
        for pattern, path, says, unless in odds:
            said = _told(info.headline, pattern, unless)
            if said is None and info.public_line:
                said = _told(info.public_line, pattern, unless)
            if said is not None:
                yield Violation(
                    "words",
                    f"$.info[{n}]",
                    f"says {said!r}, and the bulletin has {says} ({path}); mend one of the two",
                )
                break
    if isinstance(b.body, Vulnerability) and b.body.status == "known-not-affected" and b.body.remediation:
        wanted = _told(b.body.remediation, phrases.UPDATE)
        if wanted is not None:
            yield Violation(
                "words",
                "$.body.remediation",
                f"asks to {wanted.lower()!r}, and status is known-not-affected; mend one of the two",
            )
    if isinstance(b.body, ElectionCalendar):
        yield from _calendar(b, b.body)


def _told(text: str, pattern: re.Pattern[str], unless: re.Pattern[str] | None = None) -> str | None:
    """The words of a pattern in a text, where its sentence neither denies them nor agrees with the field."""
    for sentence in re.split(r"[.!?;:]\s", _QUOTED.sub("", text)):
        found = pattern.search(sentence)
        if found is None or (unless is not None and unless.search(sentence)):
            continue
        if pattern in _SELF_DENYING or phrases.NEGATED.search(sentence) is None:
            return found[0].strip()
    return None


def _calendar(b: Bulletin, body: ElectionCalendar) -> Iterator[Violation]:
    """A calendar that tells of a vote that is off, or tells that one is off that is not."""
    for n, info in enumerate(b.info):
        if body.state == "called-off":
            for name, text in (("headline", info.headline), ("public_line", info.public_line)):
                read = _whole(info, name)
                if (
                    text is not None
                    and _is_invitation(text, info)
                    and not (phrases.OFF.search(read) or phrases.NEGATED.search(read))
                ):
                    yield Violation(
                        "words",
                        f"$.info[{n}].{name}",
                        "tells of a vote, and not that it is called off; say so",
                    )
                    break
        elif body.state == "scheduled":
            found = _told(info.headline, phrases.CALENDAR_OFF)
            if found is not None:
                yield Violation(
                    "words",
                    f"$.info[{n}].headline",
                    f"says {found!r}, and state is scheduled; say postponed or called-off, with its cause",
                )


def _whole(info: Info, name: str) -> str:
    """What is read together: a line for the public stands alone, a headline with its summary."""
    return (info.public_line or "") if name == "public_line" else f"{info.headline} {info.summary}"


def _is_invitation(text: str, info: Info) -> bool:
    """Whether a text gives a day or hours."""
    return bool(days_told(text, info.lang)) or re.search(r"\b[0-2]?[0-9][:.h][0-5][0-9]\b", text) is not None
