"""Reads the daily export of a hotline's system (`hotline-json`): each report gives one incident. Callers are left out."""

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta

from adapters.sdk import (
    Draft,
    Format,
    FormatError,
    Losses,
    ReadContext,
    ReadResult,
    clip,
    finished,
    sha256_hex,
    strict_json,
)
from schemas.bodies.electoral import ElectionIncident
from schemas.parts import Area, Info, Provenance
from schemas.vocab import Certainty, Phase, Severity, Tlp, Urgency

__all__ = ["FORMAT", "read_hotline"]

MAX_BYTES = 1024 * 1024
MARK = "hotline-export/1"
# Category of the hotline -> category of an election incident.
CATEGORIES = {
    "false-date": "false-voting-information",
    "threat": "voter-intimidation",
    "queue": "outage",
    "no-ballots": "ballot-shortage",
}


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call, noted by a clerk."""

    number: Annotated[str, Meta(min_length=1, max_length=80)]
    at: dt.datetime
    what: str
    text: Annotated[str, Meta(min_length=1, max_length=2000)]
    correct: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None
    sensitive: bool = False
    caller: str | None = None


class Export(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A day's reports."""

    export: str
    reports: Annotated[tuple[Report, ...], Meta(min_length=1, max_length=500)]


def read_hotline(data: bytes, context: ReadContext) -> ReadResult:
    """Read the incidents of an export.

    Raises:
        FormatError: as `strict_json`, or `schema`.
    """
    try:
        export = msgspec.convert(strict_json(data, max_bytes=MAX_BYTES), Export)
    except msgspec.ValidationError as exc:
        raise FormatError(str(exc), reason="schema") from None
    if export.export != MARK:
        raise FormatError(f"export {export.export!r}; read is {MARK}", reason="schema")
    losses, digest = Losses(), sha256_hex(data)
    return ReadResult(
        drafts=tuple(_draft(report, digest, context, losses) for report in export.reports),
        losses=losses.found,
    )


def _draft(report: Report, digest: str, context: ReadContext, losses: Losses) -> Draft:
    if report.at.tzinfo is None:
        raise FormatError(f"report {report.number}: a time without zone", reason="schema")
    if report.caller is not None:
        losses.add("reports.caller", "callers are not carried")
    if report.what not in CATEGORIES:
        losses.add("reports.what", f"{clip(report.what, 40)!r} has no category of its own")
    draft = Draft(
        info=(Info(lang="en", headline=clip(report.text, 160), summary=report.text),),
        body=ElectionIncident(
            category=CATEGORIES.get(report.what, "other"),
            stage=Phase.POLLING,
            description=report.text,
            correct_information=report.correct,
        ),
        tlp=Tlp.AMBER_STRICT if report.sensitive else None,
        areas=(Area(scope="country", country=context.country),),
        onset=report.at.astimezone(dt.UTC),
        urgency=Urgency.IMMEDIATE,
        severity=Severity.MINOR,
        certainty=Certainty.POSSIBLE,
    )
    origin = Provenance(
        format="hotline-json",
        format_version="1",
        adapter=context.adapter,
        original_sha256=digest,
        original_id=report.number,
        received=context.received,
    )
    return finished(draft, context=context, losses=losses, origin=origin)


FORMAT = Format(
    id="hotline-json",
    title="Daily export of the hotline",
    media_types=("application/json",),
    sniff=lambda data: b'"hotline-export/' in data[:4096],
    read=read_hotline,
)
