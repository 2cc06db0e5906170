"""Bodies of the digital domain: content, platforms, systemic risk, political advertising."""

import datetime as dt
from typing import Annotated

from msgspec import Meta

from schemas.scalars import (
    Celex,
    Count,
    Country,
    Form,
    Lang,
    Open,
    OrgId,
    Part,
    Sha256,
    Slug,
    Text80,
    Text160,
    Text2000,
    Text8000,
    Time,
    Uri,
    Whole,
)


class ContentItem(Part, frozen=True, kw_only=True):
    """One item of content on a platform."""

    url: Uri | None = None
    platform: Slug
    platform_ref: Annotated[
        Annotated[str, Meta(max_length=500)] | None, Meta(description="DSA-TDB puid / post id")
    ] = None
    content_types: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=8), Open("dsa-content-type")]
    lang: Lang | None = None
    posted: dt.date | None = None
    synthetic: Annotated[Slug | None, Open("synthetic")] = None
    reach: Annotated[Count | None, Meta(description="views at capture time")] = None
    sha256: Sha256 | None = None


class ContentNotice(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="content-notice",
):
    """A notice of content: DSA Article 16(2) or 22, or a voluntary flag."""

    channel: Annotated[Slug, Open("notice-channel")]
    items: Annotated[tuple[ContentItem, ...], Meta(min_length=1, max_length=200)]
    category: Annotated[Slug, Open("dsa-category")]
    explanation: Annotated[Text8000, Meta(description="Art 16(2)(a) substantiated reasons")]
    bona_fide: Annotated[bool, Meta(description="Art 16(2)(d)")]
    keywords: Annotated[tuple[Slug, ...], Meta(max_length=10), Open("dsa-keyword")] = ()
    illegal_under: Annotated[tuple[Celex, ...], Meta(max_length=8)] = ()
    notifier: Annotated[
        OrgId | None, Meta(description="Art 16(2)(c); never a private person's name on the bus")
    ] = None
    outcome: Annotated[Slug | None, Open("notice-outcome")] = None


class ContentOrder(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="content-order",
):
    """An order under DSA Article 9 (act) or Article 10 (provide information)."""

    article: Annotated[int, Meta(ge=9, le=10)]
    issuing_authority: OrgId
    provider: Text160
    legal_basis: Annotated[tuple[Celex, ...], Meta(min_length=1, max_length=8)]
    reasons: Text8000
    territorial_scope: Annotated[tuple[Country, ...], Meta(min_length=1, max_length=32)]
    redress: Text2000
    items: Annotated[tuple[ContentItem, ...], Meta(max_length=200)] = ()
    information_requested: Text2000 | None = None
    order_lang: Lang | None = None
    effect_to: OrgId | None = None
    effect: Annotated[Slug | None, Open("order-effect")] = None
    effect_at: Time | None = None
    state: Annotated[Slug, Meta(description="whether it is in force"), Open("order-state")] = "made"


class PlatformMeasure(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="platform-measure",
):
    """One statement of reasons under DSA Article 17, or an aggregate of many."""

    platform: Slug
    source_type: Annotated[Slug, Open("dsa-source")]
    ground: Annotated[Slug, Open("dsa-ground")]
    category: Annotated[Slug, Open("dsa-category")]
    visibility: Annotated[tuple[Slug, ...], Meta(max_length=7), Open("dsa-visibility")] = ()
    monetary: Annotated[Slug | None, Open("dsa-monetary")] = None
    provision: Annotated[Slug | None, Open("dsa-provision")] = None
    account: Annotated[Slug | None, Open("dsa-account")] = None
    keywords: Annotated[tuple[Slug, ...], Meta(max_length=10)] = ()
    content_types: Annotated[tuple[Slug, ...], Meta(max_length=8), Open("dsa-content-type")] = ()
    territorial_scope: Annotated[tuple[Country, ...], Meta(max_length=32)] = ()
    automated_detection: bool | None = None
    automated_decision: Annotated[Slug | None, Open("dsa-automated-decision")] = None
    facts: Annotated[str, Meta(max_length=5000)] | None = None
    puid: (
        Annotated[
            str,
            Meta(pattern=r"^[a-zA-Z0-9-_]{1,500}$(?!\n)"),
            Form("an id of the platform's own: letters, digits, hyphens and underscores", "a1b2-c3"),
        ]
        | None
    ) = None
    count: Annotated[Count, Meta(description="1 = single SoR; n = aggregate")] = 1
    reversed: Annotated[Count | None, Meta(description="number restored after a complaint or an appeal")] = (
        None
    )
    period_start: dt.date | None = None
    period_end: dt.date | None = None


class Measured(Part, frozen=True, kw_only=True):
    """A test of a service in one language: number of answers, and number of wrong ones."""

    samples: Count
    failures: Count
    lang: Lang | None = None
    what: Text160 | None = None


class SystemicRisk(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="systemic-risk",
):
    """A systemic risk and its mitigation: DSA Articles 34 to 36 and 48, guidelines C/2024/3014."""

    services: Annotated[tuple[Text80, ...], Meta(min_length=1, max_length=30)]
    risks: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=8), Open("dsa-systemic-risk")]
    assessment: Text8000
    mitigation: Annotated[tuple[Slug, ...], Meta(max_length=20), Open("dsa-mitigation")] = ()
    crisis: Annotated[Slug, Open("crisis")] = "none"
    measured: Annotated[tuple[Measured, ...], Meta(max_length=40)] = ()


class PoliticalAd(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="political-ad",
):
    """A transparency notice under Regulation (EU) 2024/900, with suspected infringements."""

    publisher: Text160
    ad_refs: Annotated[tuple[Annotated[str, Meta(max_length=500)], ...], Meta(min_length=1, max_length=100)]
    infringements: Annotated[tuple[Slug, ...], Meta(max_length=12), Open("ttpa-infringement")]
    sponsor: Text160 | None = None
    sponsor_controller: Text160 | None = None
    sponsor_country: Country | None = None
    payer: Text160 | None = None
    funds_origin: Annotated[Slug | None, Open("funds-origin")] = None
    funds_from_third_country: bool | None = None
    amount_minor: Annotated[Whole | None, Meta(description="integer minor units")] = None
    currency: (
        Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)"), Form("a currency: three capitals", "EUR")] | None
    ) = None
    period_start: dt.date | None = None
    period_end: dt.date | None = None
    targeting: Annotated[tuple[Slug, ...], Meta(max_length=20)] = ()
    special_category_profiling: bool | None = None
    finding: Annotated[Slug | None, Meta(description="none: looked at, in order"), Open("finding")] = None
    complaints: Count | None = None
