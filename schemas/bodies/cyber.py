"""Bodies of the cyber domain: incidents, threats, vulnerabilities."""

from typing import Annotated

from msgspec import Meta

from schemas.parts import Amount
from schemas.scalars import (
    Count,
    Country,
    Form,
    Open,
    Part,
    Slug,
    Text80,
    Text160,
    Text500,
    Text2000,
    Text8000,
    Time,
    Uri,
)
from schemas.vocab import Nis2Stage


class CyberIncident(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="cyber-incident",
):
    """A staged incident report: NIS2 Article 23(4)."""

    stage: Nis2Stage
    classification: Annotated[
        str,
        Meta(pattern=r"^[a-z-]{3,40}:[a-z0-9-]{2,48}$(?!\n)", description="RSIT predicate:value"),
        Form("a class of the taxonomy RSIT: two words with a colon", "availability:ddos"),
        Open("rsit"),
    ]
    detected: Time
    significant: bool
    suspected_malicious: bool | None = None
    cross_border: bool | None = None
    sector: Slug | None = None
    assets: Annotated[tuple[Slug, ...], Meta(max_length=20), Open("election-asset")] = ()
    impact: Annotated[
        Slug | None,
        Meta(description="NIS2 blueprint white/green/yellow/red"),
        Open("nis2-impact"),
    ] = None
    outlook: Annotated[Slug | None, Meta(description="next 6 h"), Open("nis2-outlook")] = None
    root_cause: Annotated[Slug | None, Open("root-cause")] = None
    users_affected: Count | None = None
    downtime_s: Count | None = None
    countries: Annotated[tuple[Country, ...], Meta(max_length=40)] = ()
    description: Text8000 | None = None
    mitigation: Text8000 | None = None
    dpa_notified: bool | None = None
    regime: Annotated[Slug | None, Meta(description="the law of the report"), Open("incident-regime")] = None
    near_miss: Annotated[bool, Meta(description="NIS2 Article 6(5): a near miss, without harm")] = False
    entity_class: Annotated[Slug | None, Meta(description="NIS2 Article 3"), Open("nis2-entity")] = None
    services: Annotated[tuple[Text160, ...], Meta(max_length=20, description="services affected")] = ()
    threat_type: Annotated[
        Text500 | None, Meta(description="NIS2 Article 23(4)(d)(ii): what is likely to have triggered it")
    ] = None
    loss: Annotated[Amount | None, Meta(description="financial loss, NIS2 Article 23(3)(a)")] = None
    early_warning_at: Annotated[Time | None, Meta(description="time of the early warning")] = None
    notified_at: Annotated[Time | None, Meta(description="time of the notification")] = None


class CyberThreat(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="cyber-threat",
):
    """A significant cyber threat, a campaign, or a set of indicators."""

    title: Text160
    classification: Annotated[
        tuple[Annotated[str, Meta(max_length=90)], ...], Meta(max_length=10), Open("rsit")
    ] = ()
    malware: Annotated[tuple[Text80, ...], Meta(max_length=20)] = ()
    exploited: Annotated[
        tuple[
            Annotated[
                str,
                Meta(pattern=r"^(?:CVE|EUVD)-[0-9]{4}-[0-9]{4,12}$(?!\n)"),
                Form("a number of CVE or EUVD: CVE, the year, the number, with hyphens", "CVE-2026-12345"),
            ],
            ...,
        ],
        Meta(max_length=100),
    ] = ()
    description: Text8000 | None = None
    detection: Annotated[
        tuple[Text8000, ...],
        Meta(max_length=20, description="rules as text, prefixed sigma:/yara:/suricata:"),
    ] = ()


class Vulnerability(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="vulnerability",
):
    """A vulnerability and its remedy."""

    ids: Annotated[
        tuple[
            Annotated[
                str,
                Meta(
                    pattern=r"^(?:(?:CVE|EUVD|GHSA)-[0-9A-Za-z-]{4,24}|[A-Z]{2,3}-[A-Z0-9-]{2,37}-[0-9]{4}-[0-9]{1,8})$(?!\n)"
                ),
                Form(
                    "a number of CVE, EUVD or GHSA, or the issuer's own: country, name, year, number, with hyphens",
                    "CVE-2026-12345",
                ),
            ],
            ...,
        ],
        Meta(
            min_length=1,
            max_length=100,
            description="public numbers, or the issuer's own until one exists: XA-CSIRT-2027-0148",
        ),
    ]
    products: Annotated[tuple[Text160, ...], Meta(min_length=1, max_length=200)]
    cvss: (
        Annotated[
            str,
            Meta(pattern=r"^CVSS:[34]\.[01](?:/[A-Z]{1,3}:[A-Za-z]{1,12})+$(?!\n)", max_length=200),
            Form(
                "a vector of CVSS 3 or 4 with its version in front",
                "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            ),
        ]
        | None
    ) = None
    score_x10: Annotated[int, Meta(ge=0, le=100)] | None = None
    exploited: bool | None = None
    status: Annotated[Slug, Open("csaf")] = "known-affected"
    remediation: Text2000 | None = None
    advisory: Uri | None = None
    patch_at: Annotated[Time | None, Meta(description="when the remedy is, or will be, available")] = None
    assets: Annotated[tuple[Slug, ...], Meta(max_length=20), Open("election-asset")] = ()
