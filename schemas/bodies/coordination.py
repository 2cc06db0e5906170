"""Bodies of coordination and communication: lines, reports, lessons, requests, answers."""

import datetime as dt
from typing import Annotated

from msgspec import Meta

from schemas.scalars import (
    Celex,
    Count,
    Lang,
    Open,
    OrgId,
    Part,
    Slug,
    Text500,
    Text2000,
    Text8000,
    Time,
    Uri,
    Uuid,
    Whole,
)
from schemas.vocab import Dimension, FeedbackKind, Opinion, Posture, Tlp


class Line(Part, frozen=True, kw_only=True):
    """A text in a named language. A plain text in its place is in the language of the first `info`."""

    lang: Lang
    text: Text500


def text_of(line: Line | str) -> str:
    """The text of a line, in any language."""
    return line if isinstance(line, str) else line.text


class StratCom(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="stratcom",
):
    """Strategic communication: lines, with who may use them and when."""

    mode: Annotated[
        Slug,
        Open("stratcom-mode"),
    ]
    lines: Annotated[
        tuple[Line | Text500, ...],
        Meta(min_length=1, max_length=50, description="plain text is in the language of the first info"),
    ]
    facts: Annotated[tuple[Uri, ...], Meta(max_length=20, description="authoritative sources")] = ()
    speaker: Annotated[tuple[Slug, ...], Meta(max_length=10, description="who may use the lines")] = ()
    audience: Annotated[tuple[Slug, ...], Meta(max_length=10)] = ()
    use_from: Time | None = None
    use_until: Time | None = None
    expected_narratives: Annotated[tuple[Line | Text500, ...], Meta(max_length=50)] = ()
    do_not_repeat: Annotated[
        tuple[Line | Text500, ...], Meta(max_length=50, description="phrases not to amplify")
    ] = ()
    cleared: Annotated[bool | None, Meta(description="false: the lines wait for clearance")] = None


class DimCount(Part, frozen=True, kw_only=True):
    """The count of incidents in one dimension."""

    dimension: Dimension
    incidents: Count
    major: Count = 0
    trend: Annotated[Slug | None, Open("trend")] = None
    note: Text2000 | None = None


class SituationReport(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="situation-report",
):
    """The situation over a period."""

    period_start: Time
    period_end: Time
    posture: Posture
    dimensions: Annotated[tuple[DimCount, ...], Meta(min_length=1, max_length=9)]
    outlook: Text2000 | None = None
    gaps: Annotated[Text2000 | None, Meta(description="what is not known")] = None
    by: Annotated[tuple[OrgId, ...], Meta(max_length=40)] = ()
    incidents_total: Annotated[
        Count | None, Meta(description="each incident counts once, even if it has several dimensions")
    ] = None
    turnout_ppm: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None, Meta(description="so far, in parts per million")
    ] = None


class Lesson(Part, frozen=True, kw_only=True):
    """A lesson, with its owner."""

    id: Slug
    observation: Text2000
    recommendation: Text2000
    owner: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=10)]
    area: Annotated[Slug, Open("lesson-area")]
    due: dt.date | None = None
    status: Annotated[Slug, Open("lesson-status")] = "open"
    evidence: Annotated[tuple[Uuid, ...], Meta(max_length=50)] = ()


class Metric(Part, frozen=True, kw_only=True):
    """One figure."""

    name: Slug
    value: Whole
    unit: Annotated[Slug, Open("metric-unit")]


class PostElectionReport(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="post-election-report",
):
    """The lessons of an election."""

    edition: Annotated[Slug, Open("report-edition")]
    period_start: dt.date
    period_end: dt.date
    dimensions: Annotated[tuple[DimCount, ...], Meta(min_length=1, max_length=9)]
    decisive_impact: Annotated[Slug, Open("decisive-impact")]
    lessons: Annotated[tuple[Lesson, ...], Meta(max_length=100)] = ()
    metrics: Annotated[tuple[Metric, ...], Meta(max_length=60)] = ()
    incidents: Annotated[tuple[Uuid, ...], Meta(max_length=1000)] = ()
    sanctions: Annotated[tuple[Uuid, ...], Meta(max_length=100)] = ()
    proceedings: Annotated[tuple[Uuid, ...], Meta(max_length=100)] = ()
    unknowns: Text8000 | None = None
    report_url: Uri | None = None


class Rfi(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="rfi",
):
    """A request for information."""

    question: Text2000
    respond_by: Time
    to: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=30)]
    formats: Annotated[tuple[Slug, ...], Meta(max_length=8)] = ()
    legal_basis: Annotated[tuple[Celex, ...], Meta(max_length=8)] = ()
    clock: Annotated[
        Slug | None, Meta(description="id of a clock in the registry, if the law sets the time")
    ] = None
    passive_only: Annotated[
        bool, Meta(description="look only at existing data; do not query or touch any machine")
    ] = False


class Feedback(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="feedback",
):
    """An answer to a bulletin, with a judgement."""

    verdict: FeedbackKind
    opinion: Opinion | None = None
    reason: Annotated[Slug | None, Open("feedback-reason")] = None
    text: Text2000 | None = None
    seen_count: Count | None = None
    seen_first: Time | None = None
    seen_last: Time | None = None
    action: Annotated[Slug | None, Meta(description="when action-taken"), Open("action-kind")] = None
    outcome: Annotated[Slug | None, Meta(description="of a notice or an order"), Open("feedback-outcome")] = (
        None
    )
    handover_to: OrgId | None = None
    forwarded_to: Annotated[OrgId | None, Meta(description="with reason forwarded")] = None
    respond_by: Annotated[Time | None, Meta(description="with question: the time for an answer")] = None
    relax_to: Annotated[Tlp | None, Meta(description="with request-upgrade: the wanted marking")] = None
