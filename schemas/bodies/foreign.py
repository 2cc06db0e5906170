"""Bodies of foreign affairs and justice: manipulation, sanctions, referrals."""

import datetime as dt
from typing import Annotated

from msgspec import Meta

from schemas.parts import Amount
from schemas.scalars import (
    Celex,
    Count,
    Country,
    Form,
    Lang,
    Open,
    OrgId,
    Part,
    Slug,
    Text160,
    Text500,
    Text2000,
    Text8000,
    Uri,
)
from schemas.vocab import LegalStage, SanctionEvent


class Abcde(Part, frozen=True, kw_only=True):
    """Actor, behaviour, content, degree, effect: the ABCDE description of an influence operation."""

    actor: Text2000 | None = None
    behaviour: Text2000 | None = None
    content: Text2000 | None = None
    degree: Text2000 | None = None
    effect: Text2000 | None = None


class Narrative(Part, frozen=True, kw_only=True):
    """A claim that is being spread; a verdict only on a quoted claim."""

    text: Text500
    lang: Lang | None = None
    claim_review: Annotated[Uri | None, Meta(description="ClaimReview URL")] = None
    verdict: Annotated[Slug | None, Open("claim-verdict")] = None


class Fimi(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="fimi",
):
    """Foreign information manipulation and interference."""

    scope: Annotated[Slug, Open("fimi-scope")]
    name: Text160 | None = None
    methods: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=20), Open("manipulation-method")]
    abcde: Abcde = Abcde()
    narratives: Annotated[tuple[Narrative, ...], Meta(max_length=30)] = ()
    channels: Annotated[tuple[Slug, ...], Meta(max_length=30, description="platform slugs")] = ()
    languages: Annotated[tuple[Lang, ...], Meta(max_length=30)] = ()
    channel_count: Count | None = None
    reach: Count | None = None
    breakout: Annotated[
        Annotated[int, Meta(ge=1, le=6)] | None, Meta(description="Breakout Scale category")
    ] = None
    criteria: Annotated[
        tuple[Slug, ...], Meta(max_length=4, description="FR decree 2021-922"), Open("ine-criteria")
    ] = ()
    impersonated: Annotated[tuple[Text160, ...], Meta(max_length=50)] = ()
    synthetic: Annotated[Slug | None, Open("synthetic")] = None
    exposed: Annotated[bool, Meta(description="already public")] = False
    funding: Annotated[tuple[Slug, ...], Meta(max_length=10), Open("funding-trail")] = ()
    amount: Annotated[Amount | None, Meta(description="money spent, as far as known")] = None
    origin: Annotated[Slug | None, Meta(description="its origin, as far as known"), Open("fimi-origin")] = (
        None
    )
    aligned: Annotated[tuple[Country, ...], Meta(max_length=60, description="states that align with it")] = ()


class ListedName(Part, frozen=True, kw_only=True):
    """One spelling of a listed name."""

    whole: Text500
    lang: Lang | None = None
    strong: bool = True


class Listed(Part, frozen=True, kw_only=True):
    """One person or enterprise on a sanctions list."""

    subject: Annotated[Slug, Open("listed-subject")]
    names: Annotated[tuple[ListedName, ...], Meta(min_length=1, max_length=60)]
    eu_ref: Annotated[
        Annotated[
            str,
            Meta(pattern=r"^EU\.[0-9]{1,8}\.[0-9]{1,4}$(?!\n)"),
            Form("a reference number of the list of the Union: EU, two numbers, with points", "EU.1234.56"),
        ]
        | None,
        Meta(description="euReferenceNumber"),
    ] = None
    reason: Text8000 | None = None
    birth: Annotated[
        tuple[Annotated[str, Meta(max_length=60)], ...], Meta(max_length=10, description="as printed")
    ] = ()
    citizenship: Annotated[tuple[Country, ...], Meta(max_length=10)] = ()
    function: Text500 | None = None
    ids: Annotated[
        tuple[Annotated[str, Meta(max_length=120)], ...],
        Meta(max_length=20, description="type:number as printed in OJ"),
    ] = ()
    designated: dt.date | None = None
    linked_to: Annotated[
        tuple[Text160, ...],
        Meta(max_length=20, description="'successor-of:NAME' | 'supports:NAME' | 'controlled-by:NAME'"),
    ] = ()


class SanctionsListing(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="sanctions-listing",
):
    """A public listing act."""

    event: SanctionEvent
    programme: Annotated[
        str,
        Meta(pattern=r"^[A-Z]{2,12}$(?!\n)", description="FSF programme code, e.g. RUSDA"),
        Form("a code of a sanctions programme: two to twelve capitals", "RUSDA"),
    ]
    authority: Annotated[Slug, Open("listing-authority")]
    regulation: Celex
    published: dt.date
    in_force: dt.date
    measures: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=8), Open("sanction-measure")]
    listed: Annotated[tuple[Listed, ...], Meta(min_length=1, max_length=200)]
    conducts: Annotated[tuple[Slug, ...], Meta(max_length=12), Open("destabilising-conduct")] = ()
    publication_url: Uri | None = None
    expires: dt.date | None = None
    judgment: Annotated[
        Annotated[
            str,
            Meta(pattern=r"^ECLI:[A-Z]{2}:[A-Z0-9]{1,7}:[0-9]{4}:[A-Z0-9.]{1,25}$(?!\n)"),
            Form("an ECLI of a judgment", "ECLI:EU:T:2026:123"),
        ]
        | None,
        Meta(description="ECLI of the judgment behind it"),
    ] = None
    final_on: Annotated[dt.date | None, Meta(description="the day from which no appeal is possible")] = None


class LegalReferral(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="legal-referral",
):
    """A matter referred to, or pursued by, the judiciary."""

    stage: LegalStage
    offences: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=12), Open("offence")]
    competent: OrgId
    opened: dt.date | None = None
    case_ref: Annotated[
        Annotated[str, Meta(max_length=120)] | None, Meta(description="only >= amber+strict unless public")
    ] = None
    judicial_secrecy: bool = True
    money_flow: Annotated[tuple[Slug, ...], Meta(max_length=10), Open("funding-trail")] = ()
    amount: Annotated[Amount | None, Meta(description="that it concerns")] = None
    final: Annotated[bool | None, Meta(description="false: open to appeal")] = None
    mla: Annotated[
        tuple[Country, ...], Meta(max_length=30, description="mutual legal assistance / JIT countries")
    ] = ()
    summary: Text2000 | None = None
    sentence: Annotated[Text500 | None, Meta(description="as the court pronounced it, without names")] = None
    presumption: Annotated[
        bool, Meta(description="presumed innocent; false only after a final conviction, R84")
    ] = True

    @property
    def is_open(self) -> bool:
        """Whether the persons concerned are still presumed innocent (Directive (EU) 2016/343, Article 4)."""
        return self.presumption and self.stage not in (LegalStage.ACQUITTAL, LegalStage.CLOSED)
