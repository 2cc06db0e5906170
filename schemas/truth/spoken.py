"""Doubts: texts that contradict the state, the status or the finding in the fields.

Only texts in a few languages are searched.
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
    """A possible contradiction: the phrases, the path of the field, its value, and the phrases that agree with it."""

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
"""Patterns that include their own negation."""


def _of_answers(body: Feedback) -> Iterator[_Odds]:
    if body.verdict is FeedbackKind.ACTION_TAKEN:
        yield _Odds(phrases.UNDONE, "$.body.verdict", "verdict action-taken")
    elif body.verdict is FeedbackKind.SIGHTING and body.seen_count:
        yield _Odds(phrases.SEEN_NOT, "$.body.seen_count", f"seen_count {body.seen_count}", phrases.SEEN)
    elif body.verdict is FeedbackKind.SIGHTING and body.seen_count == 0:
        yield _Odds(phrases.SEEN, "$.body.seen_count", "seen_count 0")


def _odds(b: Bulletin) -> Iterator[_Odds]:  # noqa: PLR0912 (a row for each field)
    """The phrases that contradict the body."""
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
    """Texts that contradict the fields, each with a stable word as its `rule`: `words` or `exercise`."""
    if b.status is Status.EXERCISE:
        for path, text in words(b):
            found = phrases.NO_EXERCISE.search(_QUOTED.sub("", text))
            if found is not None:
                yield Violation(
                    "exercise",
                    path,
                    f"says {found[0].strip()!r}, but has status {b.status}; correct one of the two",
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
                    f"says {said!r}, but the bulletin has {says} ({path}); correct one of the two",
                )
                break
    if isinstance(b.body, Vulnerability) and b.body.status == "known-not-affected" and b.body.remediation:
        wanted = _told(b.body.remediation, phrases.UPDATE)
        if wanted is not None:
            yield Violation(
                "words",
                "$.body.remediation",
                f"asks to {wanted.lower()!r}, but status is known-not-affected; correct one of the two",
            )
    if isinstance(b.body, ElectionCalendar):
        yield from _calendar(b, b.body)


def _told(text: str, pattern: re.Pattern[str], unless: re.Pattern[str] | None = None) -> str | None:
    """The words that match a pattern in a text; None if their sentence negates them or agrees with the field."""
    for sentence in re.split(r"[.!?;:]\s", _QUOTED.sub("", text)):
        found = pattern.search(sentence)
        if found is None or (unless is not None and unless.search(sentence)):
            continue
        if pattern in _SELF_DENYING or phrases.NEGATED.search(sentence) is None:
            return found[0].strip()
    return None


def _calendar(b: Bulletin, body: ElectionCalendar) -> Iterator[Violation]:
    """A calendar whose text and state disagree on whether the vote is held."""
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
                        "the text announces a vote that is called off; say so in the text",
                    )
                    break
        elif body.state == "scheduled":
            found = _told(info.headline, phrases.CALENDAR_OFF)
            if found is not None:
                yield Violation(
                    "words",
                    f"$.info[{n}].headline",
                    f"says {found!r}, but state is scheduled; write postponed or called-off, with its cause",
                )


def _whole(info: Info, name: str) -> str:
    """The text that people read together: a public line alone, a headline with its summary."""
    return (info.public_line or "") if name == "public_line" else f"{info.headline} {info.summary}"


def _is_invitation(text: str, info: Info) -> bool:
    """Whether a text names a day or hours."""
    return bool(days_told(text, info.lang)) or re.search(r"\b[0-2]?[0-9][:.h][0-5][0-9]\b", text) is not None
