"""Bodies of the data-protection domain: breaches of personal data."""

from typing import Annotated

from msgspec import Meta

from schemas.scalars import Count, Open, OrgId, Part, Slug, Text160, Text500, Text8000, Time
from schemas.vocab import BreachNature, BreachRisk, NotifyState


class DataBreach(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="data-breach",
):
    """A personal-data breach as a supervisory authority received or assessed it: GDPR Article 33(3)."""

    nature: Annotated[tuple[BreachNature, ...], Meta(min_length=1, max_length=3)]
    aware: Annotated[Time, Meta(description="controller became aware: clock start")]
    controller_kind: Annotated[
        Slug, Meta(description="not the name below amber+strict"), Open("controller-kind")
    ]
    data_categories: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=30), Open("data-category")]
    subject_categories: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=30), Open("data-subject")]
    risk: BreachRisk
    subjects_approx: Count | None = None
    records_approx: Count | None = None
    started: Time | None = None
    ended: Time | None = None
    cause: Slug | None = None
    consequences: Text8000 | None = None
    measures: Text8000 | None = None
    dpo_contact: Annotated[Text160 | None, Meta(description="role mailbox")] = None
    phased: Annotated[Slug, Open("breach-phase")] = "initial"
    delay_reason: Text500 | None = None
    art34: NotifyState = NotifyState.REQUIRED
    art34_reason: Annotated[Slug | None, Open("art34-reason")] = None
    cross_border: bool | None = None
    lead_authority: OrgId | None = None
    processor_involved: bool | None = None
    republished: Annotated[Slug | None, Open("republication")] = None
    regime: Annotated[
        Slug | None, Meta(description="the law that applies; without it the GDPR"), Open("breach-regime")
    ] = None
