"""Sums of money: found wherever they stand in a body, and in a currency of today."""

from __future__ import annotations

import pytest

from schemas.bodies.digital import PoliticalAd
from schemas.bodies.electoral import ElectionIncident
from schemas.bodies.foreign import LegalReferral
from schemas.money import currencies, fault_of_currency
from schemas.parts import Amount
from schemas.remarks import remarks
from schemas.scalars import Part
from schemas.vocab import LegalStage, Phase
from tests.support.world import bulletin, draft, shared_world

CENT = Amount(value="0.5", currency="EUR")


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (
            ElectionIncident(category="vote-buying", stage=Phase.POLLING, offered=CENT),
            ["$.body.offered.currency"],
        ),
        (
            LegalReferral(stage=LegalStage.CHARGE, offences=("fraud",), competent="xa-court", amount=CENT),
            ["$.body.amount.currency"],
        ),
        (
            PoliticalAd(publisher="Feed", ad_refs=("c",), infringements=(), amount_minor=5, currency="EUR"),
            ["$.body.currency"],
        ),
        (PoliticalAd(publisher="Feed", ad_refs=("c",), infringements=()), []),
    ],
    ids=["an offer", "a referral", "an advertisement", "nothing"],
)
def test_each_currency_has_its_place(body: Part, paths: list[str]) -> None:
    """The path is that of the wire."""
    assert [path for path, _ in currencies(body)] == paths


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("EUR", None),
        ("XTS", None),
        ("HRK", "HRK (Croatian Kuna) was withdrawn in 2023-01; it is now EUR"),
        ("XBT", "XBT is not a currency of ISO 4217"),
    ],
)
def test_a_currency_is_one_of_today(code: str, fault: str | None) -> None:
    """One that was withdrawn says what is paid with instead."""
    assert fault_of_currency(code) == fault


def test_a_currency_that_is_none_is_remarked_where_it_stands() -> None:
    """Never refused: a currency of tomorrow is none of today."""
    body = ElectionIncident(
        category="vote-buying", stage=Phase.POLLING, offered=Amount(value="50", currency="XBT")
    )
    found = remarks(bulletin(shared_world(), say=draft(body=body)))
    assert [(each.rule, each.path) for each in found] == [("currency", "$.body.offered.currency")]
