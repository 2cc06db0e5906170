"""The parts that bulletins of all kinds share."""

import datetime as dt
from typing import Annotated

from msgspec import Meta

from schemas.scalars import (
    Celex,
    Count,
    Country,
    Digest,
    ElectionId,
    Form,
    Lang,
    Open,
    OrgId,
    Part,
    Percent,
    Sha256,
    Slug,
    Text80,
    Text160,
    Text500,
    Text2000,
    Time,
    Uri,
    Uuid,
    Whole,
)
from schemas.vocab import (
    Affiliation,
    AttributionLevel,
    AttributionRule,
    Domain,
    ElectionType,
    PersonalFlag,
    Phase,
    RefRel,
)


class Authority(Part, frozen=True, kw_only=True):
    """Who speaks: the bus identity (its id is the publish-permission token) and what it is."""

    id: Annotated[OrgId, Meta(description="bus identity = publish-permission token; 'xa-csirt'")]
    kind: Annotated[Slug, Open("authority-kind")]
    domain: Domain
    country: Country
    name: Text160 | None = None


class Ref(Part, frozen=True, kw_only=True):
    """A reference to another bulletin, with its kind."""

    id: Uuid
    rel: RefRel
    issuer: OrgId | None = None


MOST_RETENTION_DAYS = 3650


class Amount(Part, frozen=True, kw_only=True):
    """A sum of money; each sum has only one spelling."""

    value: Annotated[
        str,
        Meta(
            pattern=r"^(?:0|[1-9][0-9]{0,13})(?:\.[0-9]{0,3}[1-9])?$(?!\n)",
            description="a decimal number without exponent, leading or trailing zeros; at most 14 digits and 4 after the point: 12.5",
        ),
        Form("a sum in digits, with a point before cents, without leading or trailing zeros", "12.5"),
    ]
    currency: Annotated[
        str,
        Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217: EUR"),
        Form("a currency: three capitals", "EUR"),
    ]


class Handling(Part, frozen=True, kw_only=True):
    """Limits on passing on a bulletin, besides TLP and PAP (with words of FIRST IEP 2.0 if they exist)."""

    releasable_to: Annotated[
        tuple[Country, ...],
        Meta(
            max_length=60,
            description="only readers of these countries or the issuer's may have it",
        ),
    ] = ()
    embargo_until: Annotated[
        Time | None, Meta(description="readers see it at once; it is not handed on before")
    ] = None
    anonymise_source: Annotated[
        bool, Meta(description="TLP:EX:CHR / Chatham House: the issuer's source is not disclosed")
    ] = False
    attribution: Annotated[
        AttributionRule, Meta(description="IEP 2.0 attribution of provider on redistribution")
    ] = AttributionRule.MAY
    notify_affected: Annotated[
        bool, Meta(description="IEP affected_party_notifications: may(True)/must-not(False)")
    ] = True
    silence_safe: Annotated[
        bool, Meta(description="publication does not breach national pre-poll silence rules")
    ] = False
    retention_days: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_RETENTION_DAYS)] | None,
        Meta(description="readers erase it this many days after issued, but not before it expires"),
    ] = None


class Area(Part, frozen=True, kw_only=True):
    """A place that a bulletin concerns."""

    scope: Annotated[Slug, Open("area-scope")]
    country: Country | None = None
    code: (
        Annotated[
            str,
            Meta(pattern=r"^[A-Za-z0-9:/_.-]{1,64}$(?!\n)"),
            Form("a code of a place: letters, digits and : / _ . - without spaces", "XA1"),
        ]
        | None
    ) = None
    system: Annotated[Slug | None, Open("area-system")] = None
    name: Text160 | None = None


class ElectionRef(Part, frozen=True, kw_only=True):
    """The election a bulletin concerns, and its phase when the bulletin was issued."""

    id: ElectionId
    type: ElectionType
    phase: Phase
    round: Annotated[int, Meta(ge=1, le=5)] = 1
    polling_first: dt.date | None = None
    polling_last: dt.date | None = None


class Info(Part, frozen=True, kw_only=True):
    """The texts for people, in one language (CAP 1.2 `info`)."""

    lang: Lang
    headline: Text160
    summary: Text2000
    public_line: Annotated[
        Annotated[str, Meta(max_length=600)] | None,
        Meta(description="wording cleared for publication unchanged"),
    ] = None
    instruction: Annotated[str, Meta(max_length=1000)] | None = None
    web: Uri | None = None
    machine_translated: bool = False


class Confidence(Part, frozen=True, kw_only=True):
    """The confidence of the issuer: STIX 2.1 score, Admiralty source and credibility, ICD 203 likelihood."""

    score: Annotated[Percent | None, Meta(description="STIX 2.1 confidence")] = None
    source: Annotated[
        Annotated[
            str,
            Meta(pattern=r"^[A-F]$(?!\n)"),
            Form("a letter from A (reliable) to F (cannot be judged)", "B"),
        ]
        | None,
        Meta(description="Admiralty reliability"),
    ] = None
    credibility: Annotated[
        Annotated[int, Meta(ge=1, le=6)] | None, Meta(description="Admiralty credibility")
    ] = None
    likelihood: Annotated[Slug | None, Meta(description="ICD 203"), Open("likelihood")] = None
    basis: Text500 | None = None


class Ttp(Part, frozen=True, kw_only=True):
    """One technique of a named framework; the id is not an enumeration, because frameworks change."""

    framework: Annotated[
        Slug,
        Open("ttp-framework"),
    ]
    id: Annotated[
        str,
        Meta(pattern=r"^(?:AML\.TA?|[A-Z]{0,3})[0-9][0-9A-Z.]{0,15}$(?!\n)"),
        Form("an id of a technique: its letters and number, as its framework writes it", "T0086.002"),
    ]
    version: Annotated[str, Meta(max_length=16)] | None = None
    name: Text160 | None = None


class Observable(Part, frozen=True, kw_only=True):
    """One value that can be seen or matched, in clear or as a keyed hash."""

    type: Annotated[Slug, Open("observable-type")]
    personal: PersonalFlag
    value: Annotated[str, Meta(min_length=1, max_length=2048)] | None = None
    value_hmac: Annotated[
        Sha256 | None,
        Meta(description="HMAC-SHA-256 of normalised value"),
    ] = None
    key_id: Slug | None = None
    role: Annotated[Slug, Open("observable-role")] = "infrastructure"
    actionable: Annotated[bool, Meta(description="= MISP to_ids: fit for automated matching")] = False
    platform: Slug | None = None
    first_seen: Time | None = None
    last_seen: Time | None = None
    count: Count | None = None
    note: Text500 | None = None


class Actor(Part, frozen=True, kw_only=True):
    """An actor named in a bulletin."""

    name: Text160
    kind: Annotated[Slug, Open("actor-kind")]
    country: Country | None = None
    aliases: Annotated[tuple[Text160, ...], Meta(max_length=20)] = ()
    affiliation: Affiliation | None = None
    public_role: Annotated[
        bool,
        Meta(description="office-holder, listed or otherwise public; else name forbidden below amber+strict"),
    ] = False


class Attribution(Part, frozen=True, kw_only=True):
    """Who is held responsible, with which certainty, and by whom."""

    level: AttributionLevel
    actors: Annotated[tuple[Actor, ...], Meta(max_length=20)] = ()
    statement: Text2000 | None = None
    by: Annotated[tuple[OrgId, ...], Meta(max_length=30)] = ()
    state_responsibility: Annotated[Slug | None, Open("state-responsibility")] = None
    public_since: dt.date | None = None


class Target(Part, frozen=True, kw_only=True):
    """The target of the threat; only institutions and public roles."""

    kind: Annotated[Slug, Open("target-kind")]
    name: Annotated[Text160 | None, Meta(description="institutions and public roles only")] = None
    country: Country | None = None


class Action(Part, frozen=True, kw_only=True):
    """A requested action."""

    kind: Annotated[Slug, Open("action-kind")]
    to: Annotated[
        tuple[Slug, ...], Meta(min_length=1, max_length=20, description="authority-kind values or org ids")
    ]
    text: Text500
    due: Time | None = None
    legal_basis: Annotated[tuple[Celex, ...], Meta(max_length=8)] = ()
    counter: Annotated[
        Annotated[
            str, Meta(pattern=r"^C[0-9]{5}$(?!\n)"), Form("a counter of DISARM: C and five digits", "C00009")
        ]
        | None,
        Meta(description="DISARM Blue counter id"),
    ] = None


class Legal(Part, frozen=True, kw_only=True):
    """A legal text and its role."""

    ref: Celex
    role: Annotated[Slug, Open("legal-role")]
    note: Text500 | None = None


class Deadline(Part, frozen=True, kw_only=True):
    """A running clock of the registry, with its start and end."""

    clock: Annotated[Slug, Meta(description="id of a clock in the registry: gdpr-33")]
    started: Time
    due: Time
    met: Time | None = None


class PersonalData(Part, frozen=True, kw_only=True):
    """Purpose and retention of personal data in a bulletin (GDPR Article 5)."""

    flag: Annotated[PersonalFlag, Meta(description="max over all observables and text")]
    lawful_basis: Celex
    purpose: Text160
    retention_until: dt.date
    categories: Annotated[tuple[Slug, ...], Meta(max_length=20), Open("data-category")] = ()
    subjects: Annotated[tuple[Slug, ...], Meta(max_length=20), Open("data-subject")] = ()
    controller: OrgId | None = None


class Rights(Part, frozen=True, kw_only=True):
    """The fundamental-rights check behind a restrictive measure."""

    legality: bool
    necessity: bool
    proportionality: bool
    charter: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=54)], ...],
        Meta(max_length=20, description="EU Charter articles engaged"),
    ] = ()
    content_status: Annotated[Slug, Open("content-status")] = "unassessed"
    editorial_or_satire: bool = False
    redress: Text500 | None = None
    reviewer: Slug | None = None


class Evidence(Part, frozen=True, kw_only=True):
    """A file kept elsewhere, identified by its hash; tocsin never fetches it."""

    title: Text160
    sha256: Sha256
    media_type: Annotated[
        str,
        Meta(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$(?!\n)", max_length=100),
        Form("a media type: two words of small letters with a slash", "video/mp4"),
    ]
    size: Annotated[Whole, Meta(description="bytes")]
    uri: Uri | None = None
    captured: Time | None = None
    method: Annotated[Slug | None, Open("evidence-method")] = None


class Provenance(Part, frozen=True, kw_only=True):
    """The native document of a bulletin, and the parts of it that were left out."""

    format: Annotated[Slug, Meta(description="id of the native format: misp-event")]
    adapter: Text80
    original_sha256: Sha256
    format_version: Annotated[str, Meta(max_length=24)] | None = None
    original_id: Annotated[str, Meta(max_length=500)] | None = None
    received: Time | None = None
    lost: Annotated[tuple[Text80, ...], Meta(max_length=64, description="source fields left out")] = ()


class SealedSection(Part, frozen=True, kw_only=True):
    """A part of a bulletin encrypted to named recipients; its label names the topic, never the content."""

    label: Slug
    recipients: Annotated[tuple[OrgId, ...], Meta(min_length=1, max_length=64)]
    jwe: Annotated[str, Meta(min_length=2, max_length=200_000)]
    inner_digest: Digest
