"""Reads notifications of personal-data breaches (``gdpr-art33-json``), in a small profile of this project's own.

No European machine format exists; authorities use portals. The profile has the content of GDPR Article 33(3);
`gdpr_art33.schema.json` names the paragraph of each field. Names of controllers and contacts are always left out.
"""

import datetime as dt
import re
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

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
from schemas.codec import parse_time
from schemas.errors import SchemaError
from schemas.parts import Area, Deadline, Info
from schemas.scalars import Count, Lang, Slug
from schemas.vocab import BreachNature, BreachRisk, Certainty, NotifyState, Severity, Tlp, Urgency

__all__ = ["FORMAT", "PROFILE", "read_gdpr_art33"]

MAX_BYTES: Final = 1024 * 1024
PROFILE: Final = "tocsin-gdpr-art33/1"
NOTIFY_WITHIN: Final = dt.timedelta(hours=72)

# Field -> its paragraph of the GDPR; the JSON Schema shows it.
ARTICLES: Final = {
    "profile": "name and version of this profile",
    "reference": "the authority's own file number",
    "stage": "Article 33(4): information in phases",
    "controller": "Article 33(1): the controller that notifies; its name is never carried over",
    "aware_at": "Article 33(1): when the controller became aware; starts the 72 hours",
    "nature": "Article 33(3)(a): nature of the breach; EDPB Guidelines 9/2022",
    "data_categories": "Article 33(3)(a): categories of records",
    "subject_categories": "Article 33(3)(a): categories of data subjects",
    "risk": "Articles 33(1) and 34(1): risk to the rights and freedoms of natural persons",
    "summary": "Article 33(3)(a): the breach in words, without personal data",
    "lang": "language of the summary, BCP 47",
    "tlp": "marking of the notifying authority; empty takes the adapter's default",
    "subjects_approx": "Article 33(3)(a): approximate number of data subjects",
    "records_approx": "Article 33(3)(a): approximate number of records",
    "started": "Article 33(5): facts relating to the breach",
    "ended": "Article 33(5): facts relating to the breach",
    "cause": "Article 33(5): facts relating to the breach",
    "consequences": "Article 33(3)(c): likely consequences",
    "measures": "Article 33(3)(d): measures taken or proposed",
    "dpo_contact": "Article 33(3)(b): contact point; never carried over",
    "delay_reason": "Article 33(1): reasons for a notification after 72 hours",
    "art34": "Article 34: communication to the data subject",
    "cross_border": "Article 4(23): cross-border processing",
    "processor_involved": "Article 33(2): notified by a processor",
}

Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$(?!\n)")]


class _Controller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Slug
    name: Annotated[str, Meta(max_length=500)] | None = None


class _Notification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    profile: Literal["tocsin-gdpr-art33/1"]
    reference: Annotated[str, Meta(min_length=1, max_length=200)]
    stage: Literal["initial", "supplement", "final", "bundled"]
    controller: _Controller
    aware_at: Moment
    nature: Annotated[tuple[BreachNature, ...], Meta(min_length=1, max_length=3)]
    data_categories: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=30)]
    subject_categories: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=30)]
    risk: BreachRisk
    summary: Annotated[str, Meta(min_length=1, max_length=2000)]
    lang: Lang = "en"
    tlp: Tlp | None = None
    subjects_approx: Count | None = None
    records_approx: Count | None = None
    started: Moment | None = None
    ended: Moment | None = None
    cause: Slug | None = None
    consequences: Annotated[str, Meta(min_length=1, max_length=8000)] | None = None
    measures: Annotated[str, Meta(min_length=1, max_length=8000)] | None = None
    dpo_contact: Annotated[str, Meta(max_length=500)] | None = None
    delay_reason: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    art34: NotifyState = NotifyState.REQUIRED
    cross_border: bool | None = None
    processor_involved: bool | None = None


def read_gdpr_art33(data: bytes, context: ReadContext) -> ReadResult:
    """The breach in a notification, with its 72-hour clock.

    Raises:
        FormatError: as `strict_json`, ``not-a-notification`` or ``schema``.
    """
    document = strict_json(data, max_bytes=MAX_BYTES)
    if not isinstance(document, dict) or document.get("profile") != PROFILE:
        raise FormatError(f"no member profile with {PROFILE}", reason="not-a-notification")
    try:
        note = msgspec.convert(document, _Notification, strict=True)
        moments = {name: _moment(getattr(note, name)) for name in ("aware_at", "started", "ended")}
    except msgspec.ValidationError as exc:
        # The message may quote a member's name or a value; the path is reported only if it is a word of the profile.
        path = str(exc).rpartition(" - at `$.")[2].partition("`")[0].partition(".")[0].partition("[")[0]
        where = told(path, _Notification.__struct_fields__)
        raise FormatError(f"{where}: not in the form of the profile", reason="schema") from None
    except SchemaError:
        raise FormatError("a time that does not exist", reason="schema") from None
    losses = Losses()
    if note.controller.name is not None:
        losses.add("controller.name", "names of controllers are not carried")
    if note.dpo_contact is not None:
        losses.add("dpo_contact", "contacts are not carried; ask the issuing authority")

    def words(name: str, limit: int) -> str | None:
        """Free text without the controller's name, addresses, and characters that reorder text."""
        text = nameless(
            getattr(note, name) or "", note.controller.name, "(the controller)", path=name, losses=losses
        )
        return carried(text, limit=limit, path=name, losses=losses)

    persons = _persons(note)
    summary = words("summary", 2_000)
    headline = headline_of(summary or "", path="summary", losses=Losses())
    if summary is None or headline is None:
        raise FormatError("the summary has no text", reason="schema")
    aware = moments["aware_at"]
    if aware is None or aware > context.received + dt.timedelta(minutes=5):
        raise FormatError("aware_at is in the future", reason="schema")
    body = DataBreach(
        nature=note.nature,
        aware=aware,
        controller_kind=note.controller.kind,
        data_categories=note.data_categories,
        subject_categories=note.subject_categories,
        risk=note.risk,
        subjects_approx=note.subjects_approx,
        records_approx=note.records_approx,
        started=moments["started"],
        ended=moments["ended"],
        cause=note.cause,
        consequences=words("consequences", 8_000),
        measures=words("measures", 8_000),
        phased=note.stage,
        delay_reason=words("delay_reason", 500),
        art34=note.art34,
        cross_border=note.cross_border,
        processor_involved=note.processor_involved,
    )
    draft = Draft(
        info=(Info(lang=note.lang, headline=headline, summary=summary),),
        body=body,
        tlp=note.tlp,
        areas=(Area(scope="country", country=context.country),),
        urgency=Urgency.EXPECTED if note.stage == "initial" else Urgency.PAST,
        severity=Severity.SEVERE if note.risk is BreachRisk.HIGH_RISK else Severity.MODERATE,
        certainty=Certainty.LIKELY if note.stage == "initial" else Certainty.OBSERVED,
        deadlines=(Deadline(clock="gdpr-33", started=aware, due=aware + NOTIFY_WITHIN),),
    )
    origin = origin_of(FORMAT.id, data, context, version="1", original_id=note.reference)
    draft = finished(draft, context=context, losses=losses, origin=origin, persons=persons)
    return ReadResult(drafts=(draft,), losses=losses.found)


def _persons(note: _Notification) -> Persons:
    """The controller, and the person of its contact point, if that begins with a name."""
    persons = Persons()
    persons.add(note.controller.name, surname=False)
    contact = re.split(r"[,;(<\n/]| - |\s\S*[@0-9]", note.dpo_contact or "", maxsplit=1)[0].strip()
    if " " in contact and sum(word[:1].isupper() for word in contact.split()) > 1:
        persons.add(contact)
    return persons


def json_schema() -> dict[str, object]:
    """The profile as JSON Schema 2020-12, each field with its paragraph; kept in `gdpr_art33.schema.json`."""
    (reference,), components = msgspec.json.schema_components([_Notification], ref_template="#/$defs/{name}")
    for name, text in ARTICLES.items():
        field = components["_Notification"]["properties"][name]
        components["_Notification"]["properties"][name] = {"description": text, **field}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:tocsin:schema:gdpr-art33:1",
        "title": "Notification of a personal-data breach (GDPR Article 33), profile of this project",
        **reference,
        "$defs": components,
    }


def _moment(text: str | None) -> dt.datetime | None:
    return parse_time(text) if text is not None else None


def _sniff(data: bytes) -> bool:
    head = data[:65_536]
    return PROFILE.encode() in head and b'"profile"' in head and b'"$schema"' not in data[:1024]


FORMAT = Format(
    id="gdpr-art33-json",
    title="Notification of a personal-data breach, GDPR Article 33 (profile of this project)",
    media_types=("application/json",),
    sniff=_sniff,
    read=read_gdpr_art33,
)
