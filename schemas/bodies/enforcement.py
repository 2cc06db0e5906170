"""The body of enforcement: the steps of an authority against a suspected infringement."""

import datetime as dt
from typing import Annotated

from msgspec import Meta

from schemas.parts import Amount
from schemas.scalars import Celex, Country, Open, Part, Slug, Text160, Text500, Uri
from schemas.vocab import EnforcementStage


class Enforcement(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="enforcement",
):
    """Proceedings, commitments, a decision, a fine: DSA Articles 66 to 76, Regulation (EU) 2024/900 Article 25, GDPR Article 83."""

    stage: EnforcementStage
    addressee: Annotated[Text160, Meta(description="the enterprise or body; no natural person")]
    addressee_kind: Annotated[Slug, Open("enforcement-addressee")]
    provisions: Annotated[
        tuple[Celex, ...],
        Meta(min_length=1, max_length=16, description="what is suspected or found to be infringed"),
    ]
    opened: dt.date | None = None
    decided: dt.date | None = None
    finding: Annotated[Slug | None, Open("finding")] = None
    commitments: Annotated[tuple[Text500, ...], Meta(max_length=20)] = ()
    fine: Amount | None = None
    turnover_ppm: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(description="the fine in parts per million of the yearly turnover"),
    ] = None
    penalty_per_day: Annotated[Amount | None, Meta(description="periodic penalty payment")] = None
    comply_by: dt.date | None = None
    appeal_until: dt.date | None = None
    final: Annotated[bool, Meta(description="no appeal is possible")] = False
    case_ref: Annotated[str, Meta(min_length=1, max_length=120)] | None = None
    with_countries: Annotated[
        tuple[Country, ...], Meta(max_length=40, description="countries of the authorities that act jointly")
    ] = ()
    decision_url: Uri | None = None

    @property
    def in_short(self) -> str:
        """The stage, the sum and the end of the time for appeal: `fine of 1200000 EUR, appeal until 2027-01-30`."""
        amount = self.fine or self.penalty_per_day
        stage = str(self.stage).replace("-", " ")
        parts = [f"{stage} of {amount.value} {amount.currency}" if amount else stage]
        if self.penalty_per_day is not None and self.fine is None:
            parts[0] += " a day"
        if self.final:
            parts.append("final")
        elif self.appeal_until is not None:
            parts.append(f"appeal until {self.appeal_until}")
        return ", ".join(parts)
