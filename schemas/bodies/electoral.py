"""Bodies of the electoral domain: calendars and incidents."""

from typing import Annotated

from msgspec import Meta

from schemas.parts import Amount, Area
from schemas.scalars import (
    Celex,
    Count,
    Form,
    Open,
    Part,
    Slug,
    Text160,
    Text500,
    Text2000,
    Text8000,
    Time,
    Uri,
    Uuid,
)
from schemas.vocab import Phase

TimeZone = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}$(?!\n)",
        max_length=40,
        description="a name of the IANA database, R28",
        extra_json_schema={"x-tocsin-vocabulary": "time-zone"},
    ),
    Form("a time zone of the IANA database", "Europe/Brussels"),
]


class PhaseWindow(Part, frozen=True, kw_only=True):
    """One window of an election calendar; windows may overlap."""

    phase: Phase
    start: Time
    end: Time
    round: Annotated[int, Meta(ge=1, le=5)] = 1
    note: Text160 | None = None
    tz: Annotated[TimeZone | None, Meta(description="if it differs from the calendar's")] = None
    area: Annotated[Area | None, Meta(description="the only place of this window: abroad, one island")] = None


class ElectionCalendar(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="election-calendar",
):
    """The phases of one election."""

    windows: Annotated[tuple[PhaseWindow, ...], Meta(min_length=1, max_length=60)]
    tz: TimeZone
    legal: Annotated[tuple[Celex, ...], Meta(max_length=10)] = ()
    official_url: Uri | None = None
    results_embargo_until: Annotated[Time | None, Meta(description="no result publication before")] = None
    confirmed: bool = True
    state: Annotated[
        Slug, Meta(description="whether the vote is held as planned"), Open("calendar-state")
    ] = "scheduled"
    cause: Annotated[Text500 | None, Meta(description="the reason if it is not held as planned")] = None
    votes_void: Annotated[bool | None, Meta(description="whether votes already cast are void")] = None
    replaces: Annotated[Uuid | None, Meta(description="the calendar that this one replaces")] = None


class ElectionIncident(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="election-incident",
):
    """An incident in the conduct of an election."""

    category: Annotated[Slug, Open("election-incident")]
    stage: Phase
    units_affected: Annotated[Count | None, Meta(description="polling places / constituencies")] = None
    voters_affected: Count | None = None
    electorate_share_ppm: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None, Meta(description="parts per million of roll")
    ] = None
    process_effect: Annotated[Slug, Open("process-effect")] = "unknown"
    until: Annotated[Time | None, Meta(description="when prolonged or delayed voting ends")] = None
    decided_by: Annotated[Text160 | None, Meta(description="the body that prolonged or delayed it")] = None
    fallback: Annotated[
        tuple[Slug, ...], Meta(max_length=8, description="what was used instead"), Open("fallback")
    ] = ()
    offered: Annotated[Amount | None, Meta(description="for one vote or in all, see description")] = None
    answer: Annotated[Text2000 | None, Meta(description="the answer of the criticised authority")] = None
    description: Text8000 | None = None
    device_type: Annotated[Slug | None, Open("election-device")] = None
    log_events: Annotated[
        tuple[Annotated[str, Meta(max_length=200)], ...],
        Meta(max_length=50, description="NIST 1500-101 Event Id/Sequence"),
    ] = ()
    correct_information: Annotated[
        Text2000 | None, Meta(description="authoritative fact voters should receive")
    ] = None
