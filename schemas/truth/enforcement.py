"""Enforcement: a stage has its fields, and a fine stays within the law."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from schemas.bodies.enforcement import Enforcement
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.truth.law import ADS, DSA, GDPR, act_of
from schemas.vocab import EnforcementStage, MsgType

_DECIDED = frozenset(
    {
        EnforcementStage.COMMITMENTS_BINDING,
        EnforcementStage.DECISION,
        EnforcementStage.FINE,
        EnforcementStage.PERIODIC_PENALTY,
        EnforcementStage.ANNULLED,
    }
)
"""Stages that end with a decision, which has a date."""
_MAY_FINE = frozenset(
    {EnforcementStage.DECISION, EnforcementStage.FINE, EnforcementStage.CLOSED, EnforcementStage.ANNULLED}
)

CAPS: Mapping[str, tuple[int, int | None]] = MappingProxyType(
    {DSA: (60_000, None), ADS: (60_000, None), GDPR: (40_000, 20_000_000)}
)
"""The highest fine, in parts per million of the yearly turnover, and the sum in euros that it may reach in any case.

Source: Regulation (EU) 2022/2065, Articles 52(3) and 74(1); Regulation (EU) 2024/900, Article 25(4); Regulation (EU)
2016/679, Article 83(5). Directive (EU) 2022/2555, Article 34, sets only the least maximum of a national law, so the maximum is unknown.
"""
_DAY = dt.timedelta(days=1)


def r78(b: Bulletin) -> Broken:
    """A stage of enforcement has its fields, in the right order (Regulation (EU) 2022/2065, Articles 66 to 76)."""
    if not isinstance(b.body, Enforcement):
        return
    body, stage = b.body, b.body.stage
    if stage is EnforcementStage.PROCEEDINGS and body.opened is None:
        yield "$.body.opened", "proceedings need the day on which they were opened (Article 66); add it"
    if stage in _DECIDED and body.decided is None:
        yield "$.body.decided", f"stage {stage} needs the day of the decision; add it"
    if (
        stage in (EnforcementStage.COMMITMENTS_OFFERED, EnforcementStage.COMMITMENTS_BINDING)
        and not body.commitments
    ):
        yield "$.body.commitments", f"stage {stage} needs the commitments (Article 71); add them"
    if stage in (EnforcementStage.DECISION, EnforcementStage.FINE) and body.finding != "infringement":
        yield (
            "$.body.finding",
            f"stage {stage} needs the finding infringement (Articles 73 and 74); write it, or stage closed",
        )
    if stage is EnforcementStage.FINE and body.fine is None:
        yield "$.body.fine", "a fine needs an amount and its currency; add them"
    if stage is EnforcementStage.PERIODIC_PENALTY and body.penalty_per_day is None:
        yield "$.body.penalty_per_day", "a periodic penalty needs an amount for each day (Article 76); add it"
    if body.fine is not None and stage not in _MAY_FINE:
        yield "$.body.fine", f"stage {stage} comes before a decision, so there is no fine; remove it"
    moments = (("opened", body.opened), ("decided", body.decided))
    for name, day in moments:
        if day is not None and day - b.issued.date() > _DAY:
            yield f"$.body.{name}", "is after the issue of the bulletin; give the actual day"
    spans = [
        ("decided", body.opened, body.decided, "opened"),
        ("appeal_until", body.decided, body.appeal_until, "decided"),
        ("comply_by", body.opened, body.comply_by, "opened"),
    ]
    if stage in (EnforcementStage.DECISION, EnforcementStage.COMMITMENTS_BINDING):
        spans.append(("comply_by", body.decided, body.comply_by, "decided"))
    for name, earlier, later, before in spans:
        if earlier is not None and later is not None and later < earlier:
            yield f"$.body.{name}", f"is before {before}; correct one of the two"
    if (
        body.final
        and body.appeal_until is not None
        and body.appeal_until > b.issued.date()
        and b.msg_type is not MsgType.CANCEL
    ):
        yield "$.body.final", f"final, but open to appeal until {body.appeal_until}; correct one of the two"


def r79(b: Bulletin) -> Broken:
    """A fine is above 0 and within the limit of the law (the acts and articles of `CAPS`)."""
    if not isinstance(b.body, Enforcement):
        return
    body = b.body
    for name, amount in (("fine", body.fine), ("penalty_per_day", body.penalty_per_day)):
        if amount is not None and Decimal(amount.value) == 0:
            yield f"$.body.{name}.value", "the sum is 0; give the amount, or leave the field out"
    if body.turnover_ppm is None:
        return
    if body.fine is None:
        yield "$.body.turnover_ppm", "a share of the turnover belongs to a fine; add the fine"
        return
    acts = {act_of(each)[0] for each in body.provisions}
    if not acts <= CAPS.keys():
        return
    sum_ = Decimal(body.fine.value)
    for share, euros in (CAPS[each] for each in acts):
        if body.turnover_ppm <= share:
            return
        if euros is not None and (body.fine.currency != "EUR" or sum_ <= euros):
            return
    most = max(CAPS[each][0] for each in acts)
    yield (
        "$.body.turnover_ppm",
        f"{', '.join(sorted(acts))} allows at most {most} parts per million of the yearly turnover; correct the share",
    )


RULES = ((78, r78), (79, r79))
